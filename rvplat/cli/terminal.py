"""The user's terminal as the machine's console: raw while the guest runs, always restored.

On a terminal every key goes to the guest, Ctrl-C too; Ctrl-A begins a command of ours, as in QEMU.
From a pipe or a file the guest gets what is there, up to its end.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType
from typing import Any, Protocol

from rvplat.cli.progress import say
from rvplat.machine.machine import Machine
from rvplat.machine.running.stop import INTERRUPT_STATUS, Stop

ESCAPE = 0x01  # Ctrl-A
HELP = b"""\n\
Ctrl-A X       leave: the machine is switched off; once more: at once
Ctrl-A H       this help
Ctrl-A Ctrl-A  send Ctrl-A to the guest
"""
CHUNK = 4096
CROWDED = 1 << 16  # bytes that the guest hasn't taken yet: read on when it has
WRITE_WAIT_MS = 200
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CTRL_C = 0x03


class Reader(Protocol):
    """Who is told when there is no more input: a run, or a server."""

    def input_ended(self) -> None: ...


class Keys:
    """Takes what was typed: what is for the guest, and what is for us."""

    def __init__(self, leave: Callable[[], None], show: Callable[[bytes], None]) -> None:
        self._leave = leave
        self._show = show
        self._escaped = False

    def __call__(self, typed: bytes) -> bytes:
        """The bytes for the guest."""
        kept = bytearray()
        for byte in typed:
            if self._escaped:
                self._escaped = False
                self._command(byte, kept)
            elif byte == ESCAPE:
                self._escaped = True
            else:
                kept.append(byte)
        return bytes(kept)

    def _command(self, byte: int, kept: bytearray) -> None:
        if byte in b"xX":
            self._leave()
        elif byte in b"hH?":
            self._show(HELP)
        elif byte == ESCAPE:
            kept.append(byte)


def descriptor(stream: Any) -> int | None:
    """The file descriptor of a standard stream; None if it was closed."""
    try:
        found: int = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return found


def is_ours(fd: int) -> bool:
    """Whether a descriptor is a terminal that we are in the foreground of."""
    try:
        return os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


def raw(settings: list[Any]) -> list[Any]:
    """Terminal settings as QEMU's: no echo, no lines, no signals; output still ends lines."""
    iflag, oflag, cflag, lflag, *speeds, characters = settings
    iflag &= ~(
        termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP | termios.INLCR
        | termios.IGNCR | termios.ICRNL | termios.IXON
    )  # fmt: skip
    lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.IEXTEN | termios.ISIG)
    cflag = cflag & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    characters = list(characters)
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    return [iflag, oflag | termios.OPOST, cflag, lflag, *speeds, characters]


class Terminal:
    """Standard input and output as the console of a machine, inside a `with`."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.signal = 0  # that asked us to end
        self._asked = False  # to end; a second request ends the process at once
        self._typed: SimpleQueue[bytes] = SimpleQueue()
        self._in = descriptor(sys.stdin)
        self._out = descriptor(sys.stdout)
        self._is_tty = self._in is not None and is_ours(self._in)
        if self._in is not None and os.isatty(self._in) and not self._is_tty:
            self._in = None  # a terminal that we are in the background of isn't ours to read
        self._saved: list[Any] | None = None
        self._wake_read, self._wake_write = os.pipe()
        self._handlers: dict[int, Any] = {}
        self._stops: SimpleQueue[Stop | None] = SimpleQueue()  # that signals ask for
        self._keys = Keys(self._leave, self._write)

    @property
    def has_input(self) -> bool:
        """Whether there may be something for the guest."""
        return self._in is not None

    # --- the terminal's settings ---

    def __enter__(self) -> Terminal:
        if self._out is not None:
            sys.stdout.flush()
            self._poll = select.poll()
            self._poll.register(self._out, select.POLLOUT)
            self.machine.console.sinks.append(self._write)
        atexit.register(self.restore)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                self._handlers[number] = signal.signal(number, self._signalled)
        self._handlers[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._continued)
        self._make_raw()
        return self

    def __exit__(self, *exception: object) -> None:
        os.write(self._wake_write, b".")
        self._stops.put(None)
        self._typed.put(b"")
        self.restore()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        atexit.unregister(self.restore)
        if self._write in self.machine.console.sinks:
            self.machine.console.sinks.remove(self._write)

    def _make_raw(self) -> None:
        if self._is_tty and self._in is not None:
            with contextlib.suppress(termios.error):
                self._saved = self._saved or termios.tcgetattr(self._in)
                termios.tcsetattr(self._in, termios.TCSANOW, raw(self._saved))

    def restore(self, when: int = termios.TCSADRAIN) -> None:
        """The terminal as it was."""
        if self._saved is not None and self._in is not None:
            with contextlib.suppress(termios.error):  # it has gone
                termios.tcsetattr(self._in, when, self._saved)
            self._saved = None

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        """Python runs this in the main thread, between any two steps of it, which may hold any
        lock: so another thread does what takes locks. `SimpleQueue.put` takes none."""
        if self._asked:
            self._end_at_once(128 + number)
        self._asked = True
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
        self._stops.put(Stop("interrupt"))

    def _obey(self) -> None:
        """Stop the machine when a signal asks for it."""
        while (stop := self._stops.get()) is not None:
            self.machine.request_stop(stop)

    def _end_at_once(self, status: int) -> None:
        """End the process: the user asks for the end a second time."""
        try:
            self.restore(termios.TCSANOW)
            for line in self.machine.watchdog.complaints():
                say(line)
            say("ended at once: the machine did not stop")
        finally:  # stderr can't be written where the signal came in the middle of a write
            os._exit(status)

    def _continued(self, number: int, frame: FrameType | None) -> None:
        self._make_raw()

    # --- what goes through ---

    def read_for(self, reader: Reader) -> None:
        """The run has begun: obey signals, also those that came before, and read input; each in a
        thread. Tells the run when there is no more input."""
        threading.Thread(target=self._obey, daemon=True).start()
        if self._in is not None:
            threading.Thread(target=self._read, args=[reader], daemon=True).start()
        if self._is_tty:
            threading.Thread(target=self._feed, daemon=True).start()

    def _read(self, reader: Reader) -> None:
        assert self._in is not None
        while True:
            ready, _, _ = select.select([self._in, self._wake_read], [], [])
            if self._wake_read in ready:
                return
            try:
                data = os.read(self._in, CHUNK)
            except OSError:
                data = b""
            if not data:
                break
            if self._is_tty:
                self._take_keys(data)
                continue
            self.machine.console.feed(data)
            while self.machine.console.waiting > CROWDED and self.machine.running:
                time.sleep(0.01)
        reader.input_ended()

    def _take_keys(self, data: bytes) -> None:
        """What was typed; on its way to the guest it doesn't hold up what is typed after it."""
        for byte in data:
            if self._asked and byte == CTRL_C:
                self._end_at_once(INTERRUPT_STATUS)
            if kept := self._keys(bytes([byte])):
                self._typed.put(kept)

    def _feed(self) -> None:
        while data := self._typed.get():
            self.machine.console.feed(data)

    def _leave(self) -> None:
        if self._asked:
            self._end_at_once(INTERRUPT_STATUS)
        self._asked = True
        self.machine.request_stop(Stop("leave"))

    def _write(self, data: bytes) -> None:
        """Everything at once and in order; a reader who doesn't read holds the guest up, but not
        the end of the run."""
        assert self._out is not None
        view = memoryview(data)
        while view:
            if not self._poll.poll(WRITE_WAIT_MS):
                if self.machine.requests:
                    return
                continue
            try:
                written = os.write(self._out, view[:CHUNK])
            except BlockingIOError:
                continue
            except OSError as error:
                raise OSError(error.errno, error.strerror, "standard output") from None
            view = view[written:]
