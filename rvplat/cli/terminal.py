"""The user's terminal as the machine's console.

A terminal is in raw mode while the guest runs, and is always restored. Every key goes to the guest,
Ctrl-C too, except Ctrl-A, which begins a command to rvplat, as in QEMU. If standard input is a pipe
or a file, the guest receives its bytes up to its end.
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
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from types import FrameType
from typing import Any, Protocol

from rvplat.cli.progress import say
from rvplat.cli.snapshots import Saver
from rvplat.machine.machine import Machine
from rvplat.machine.running.console import HostConsole
from rvplat.machine.running.stop import INTERRUPT_STATUS, Stop

ESCAPE = 0x01  # Ctrl-A
HELP = b"""\n\
Ctrl-A X       switch the machine off and leave; a second time: leave at once
Ctrl-A S       save a snapshot to the file of --save, or to rvplat.snap
Ctrl-A H       show this help
Ctrl-A Ctrl-A  send Ctrl-A to the guest
"""
CHUNK = 4096
CROWDED = 1 << 16  # while more bytes than this wait for the guest, input is not read
WRITE_WAIT_MS = 200
#: A signal that comes again within this time is the same request: the command `timeout` sends it to
#: its child, and once more to the group of both.
ONE_SIGNAL_S = 0.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CTRL_C = 0x03


class Reader(Protocol):
    """Learns that there is no more input: a run, or a server."""

    def input_ended(self) -> None: ...


class Keys:
    """Splits typed bytes into those for the guest and the commands to rvplat."""

    def __init__(
        self, leave: Callable[[], None], show: Callable[[bytes], None], save: Callable[[], None]
    ) -> None:
        self._leave = leave
        self._show = show
        self._save = save
        self._escaped = False

    def __call__(self, typed: bytes) -> bytes:
        """Carry out the commands; return the bytes for the guest."""
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
        elif byte in b"sS":
            self._save()
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
    """Whether a descriptor is a terminal, with this process in its foreground process group."""
    try:
        return os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


def raw(settings: list[Any]) -> list[Any]:
    """QEMU's terminal settings: no echo, no line editing, no signals; OPOST stays set."""
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
    """Standard input and output as a console of a machine, inside a `with`. With no console they
    are for the user's commands only. `shown` are consoles whose output is shown besides."""

    def __init__(
        self, machine: Machine, saver: Saver | None = None, console: HostConsole | None = None,
        shown: Sequence[HostConsole] = (),
    ) -> None:  # fmt: skip
        self.machine = machine
        self._console = console
        self._shown = [one for one in (console, *shown) if one is not None]
        self.signal = 0  # the signal that ended the run
        self._asked = False  # whether the user asked to end; a second request ends the process
        self._signals: dict[int, float] = {}  # when each signal came first
        self._typed: SimpleQueue[bytes] = SimpleQueue()
        self._in = descriptor(sys.stdin)
        self._out = descriptor(sys.stdout)
        self._is_tty = self._in is not None and is_ours(self._in)
        if self._in is not None and os.isatty(self._in) and not self._is_tty:
            self._in = None  # a background process may not read the terminal
        if console is None and not self._is_tty:
            self._in = None  # it may be for somebody else
        self.wanted: Stop | None = None  # how the user wants the run to end
        self._saved: list[Any] | None = None
        self._wake_read, self._wake_write = os.pipe()
        self._handlers: dict[int, Any] = {}
        self._stops: SimpleQueue[Stop | None] = SimpleQueue()  # requests by signals
        self._keys = Keys(self._leave, self._write, (saver or Saver(machine, None)).key)

    @property
    def has_input(self) -> bool:
        """Whether there may be input for the guest."""
        return self._in is not None and self._console is not None

    # --- the terminal's settings ---

    def __enter__(self) -> Terminal:
        if self._out is not None:
            sys.stdout.flush()
            self._poll = select.poll()
            self._poll.register(self._out, select.POLLOUT)
            for one in self._shown:
                one.sinks.append(self._write)
        atexit.register(self.restore)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
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
        for one in self._shown:
            if self._write in one.sinks:
                one.sinks.remove(self._write)

    def _make_raw(self) -> None:
        if self._is_tty and self._in is not None:
            with contextlib.suppress(termios.error):
                self._saved = self._saved or termios.tcgetattr(self._in)
                termios.tcsetattr(self._in, termios.TCSANOW, raw(self._saved))

    def restore(self, when: int = termios.TCSADRAIN) -> None:
        """Restore the terminal's settings."""
        if self._saved is not None and self._in is not None:
            with contextlib.suppress(termios.error):  # the terminal was closed
                termios.tcsetattr(self._in, when, self._saved)
            self._saved = None

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal. Python runs this between any two bytecodes of the main thread, which may
        hold any lock. So another thread does what needs a lock; `SimpleQueue.put` needs none."""
        first = self._signals.setdefault(number, now := time.monotonic())
        if first < now < first + ONE_SIGNAL_S:
            return
        if self._asked:
            self._end_at_once(128 + number)
        self._asked = True
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
        self.wanted = Stop("interrupt")
        self._stops.put(self.wanted)

    def _obey(self) -> None:
        """Stop the machine for each request by a signal."""
        while (stop := self._stops.get()) is not None:
            self.machine.request_stop(stop)

    def _end_at_once(self, status: int) -> None:
        """End the process, after a second request."""
        try:
            self.restore(termios.TCSANOW)
            for line in self.machine.watchdog.complaints():
                say(line)
            say("ended at once: the machine did not stop")
        finally:  # writing to stderr fails if the signal interrupted a write to it
            os._exit(status)

    def _continued(self, number: int, frame: FrameType | None) -> None:
        self._make_raw()

    # --- input and output ---

    def read_for(self, reader: Reader | None) -> None:
        """Start the threads that obey signals (earlier ones too) and that read input for a run.
        `reader` learns when there is no more input; None: nobody wants to know."""
        threading.Thread(target=self._obey, daemon=True).start()
        if self._in is not None:
            threading.Thread(target=self._read, args=[reader], daemon=True).start()
        if self._is_tty:
            threading.Thread(target=self._feed, daemon=True).start()

    def _read(self, reader: Reader | None) -> None:
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
            assert self._console is not None
            self._console.feed(data)
            while self._console.waiting > CROWDED and self.machine.running:
                time.sleep(0.01)
        if self._console is not None and self._console.wants_end:
            self._console.feed(b"")
        if reader is not None:
            reader.input_ended()

    def _take_keys(self, data: bytes) -> None:
        """Take typed bytes. A queue leads to the guest, so that a guest that doesn't read can't
        delay a command that is typed later."""
        for byte in data:
            if self._asked and byte == CTRL_C:
                self._end_at_once(INTERRUPT_STATUS)
            if kept := self._keys(bytes([byte])):
                self._typed.put(kept)

    def _feed(self) -> None:
        while data := self._typed.get():
            if self._console is not None:
                self._console.feed(data)

    def _leave(self) -> None:
        if self._asked:
            self._end_at_once(INTERRUPT_STATUS)
        self._asked = True
        self.wanted = Stop("leave")
        self.machine.request_stop(self.wanted)

    def _write(self, data: bytes) -> None:
        """Write all of the guest's output. If nothing reads it, the guest waits, but a request to
        end the run ends the wait."""
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
