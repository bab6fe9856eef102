"""Serving clients, one at a time (channels.py).

with Server(machine, listen("127.0.0.1:1234")) as server:
    server.serve()          # until the board is off and no client is there
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable

from rvplat.gdb.commands import session_for
from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.channels import Channel, PipeChannel, SocketChannel, turn_away
from rvplat.gdb.protocol.session import Session
from rvplat.gdb.target.backwards import keep_history
from rvplat.listening import accept, hang_up
from rvplat.machine.machine import Machine
from rvplat.machine.running.stop import Stop

__all__ = ["Server", "keep_history"]

log = logging.getLogger("rvplat.gdb")
LOOK_S = 0.2  # how soon a request to stop is noticed if nobody wakes the server
AWAKE_S = 0.0002  # of polling for the next packet: a virtual CPU takes longer to wake up


class Server:
    """A board and its clients. `halt`: the board waits for a client before its first instruction.
    `say` tells the board's user something."""

    def __init__(
        self, machine: Machine, listener: socket.socket | None, halt: bool = False,
        say: Callable[[str], None] = log.info,
    ) -> None:  # fmt: skip
        keep_history(machine)
        self.target = MonitoredTarget(machine)
        self._say = say
        self.listener = listener
        self._halt = halt
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)
        self.target.wake = self.wake
        self._stopping = False
        self._thread = 0  # the thread that serves a client now

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def wake(self) -> None:
        """Let the server look for events; from any thread. The server's own thread looks after each
        packet anyway."""
        if threading.get_ident() == self._thread:
            return
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake_write, b"!")

    def stop(self) -> None:
        """Let `serve` return; from any thread."""
        self._stopping = True
        self.wake()

    @property
    def port(self) -> int:
        """The TCP port that it listens on."""
        assert self.listener is not None
        return int(self.listener.getsockname()[1])

    @property
    def place(self) -> str:
        """What gdb's `target remote` takes: HOST:PORT, or a Unix socket's path."""
        assert self.listener is not None
        name = self.listener.getsockname()
        if isinstance(name, str):
            return name
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"

    def serve(self, client: Channel | None = None) -> Stop:
        """Serve clients, the given one first, until the board is off or a client kills it; returns
        how it ended.

        Raises:
            The error that made the board fail: one of rvplat's own, or of a console's sink.
        """
        assert self.listener is not None
        if not self._halt:
            self.target.go()
        if client is not None:
            self.converse(client)
        while not self._stopping:
            ready = self._ready([self.listener.fileno()])
            if self._wake_read in ready:
                self._drain()
            self.target.take_events()
            if self.listener.fileno() in ready:
                connection = accept(self.listener)
                if connection is not None:
                    self.converse(SocketChannel(connection))
            if self.target.off:
                break
        if self.target.off and self.target.machine.failure is not None:
            raise self.target.machine.failure
        return self.target.stop or Stop("interrupt")

    def _ready(self, files: list[int], awake_s: float = 0) -> list[int]:
        """Wait for bytes at files, or for an event. For `awake_s` it polls, then it sleeps."""
        end = time.perf_counter() + awake_s
        while not (found := select.select([*files, self._wake_read], [], [], 0)[0]):
            if time.perf_counter() >= end:
                return select.select([*files, self._wake_read], [], [], LOOK_S)[0]
        return found

    def _turn_away(self) -> None:
        """Another client has come: a thread tells it that the board is busy."""
        assert self.listener is not None
        connection = accept(self.listener)
        if connection is not None:
            threading.Thread(target=turn_away, args=[connection], daemon=True).start()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)

    def serve_pipe(self, client: PipeChannel) -> Stop:
        """Serve one client, over a pair of files, until it goes."""
        self.converse(client)
        return self.target.stop or Stop("leave")

    def converse(self, channel: Channel) -> None:
        """Serve one client until it goes, and remove its breakpoints and settings then."""
        session: Session | None = None
        files = [channel.fileno()]
        if self.listener is not None:
            files.append(self.listener.fileno())
        awake_s = 0.0
        try:
            self._thread = threading.get_ident()
            self.target.attach()
            session = session_for(self.target, channel.send)
            while not session.closed and not self._stopping:
                ready = self._ready(files, awake_s)
                awake_s = 0.0
                if self._wake_read in ready:
                    self._drain()
                if self._wake_read in ready or self.target.machine.requests:
                    session.poll()
                if files[0] in ready:
                    data = channel.receive()
                    if not data:
                        break
                    session.feed(data)
                    session.poll()
                    awake_s = AWAKE_S
                elif files[-1] in ready:  # another client, and this one is still there
                    self._turn_away()
        except OSError as error:
            log.info("the client has gone: %s", error)
        except Exception:
            log.exception("an internal error: the client is disconnected")
        finally:
            channel.close()
            self.target.leave()
            self._thread = 0
            if self.target.stands_still:
                self._say("the debugger has gone, and the board stays stopped. The next one can "
                          "let it run, by continue or detach")  # fmt: skip

    def close(self) -> None:
        """Stop the board and close the listener."""
        self._stopping = True
        try:
            self.target.close()
        finally:
            self.target.wake = lambda: None
            if self.listener is not None:
                hang_up(self.listener)
            os.close(self._wake_read)
            os.close(self._wake_write)
