"""gdb for a machine of a Python program: `rvplat.serve_gdb`.

with serve_gdb(machine, 1234) as server:
    print(f"target extended-remote {server.place}")
    machine.console.wait_for(b"login: ", timeout_s=600)
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from rvplat.arguments import flag, integer, seconds
from rvplat.errors import HostError
from rvplat.gdb.protocol.channels import listen
from rvplat.gdb.server import Server

if TYPE_CHECKING:
    from rvplat.machine.machine import Machine
    from rvplat.machine.running.stop import Stop

LOOK_S = 0.02
HIGHEST_PORT = 0xFFFF


class GdbServer:
    """A machine that gdb may attach to, served by a thread. `close`, or the end of `with`, stops
    the machine and disconnects the clients."""

    def __init__(self, machine: Machine, place: int | str, halt: bool) -> None:
        self._machine = machine
        self._server = Server(machine, listen(_address(place)), halt)
        self._stop: Stop | None = None
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="rvplat-gdb", daemon=True)
        self.place = self._server.place
        """What gdb's `target extended-remote` takes."""
        machine.keeper = f"the gdb server at {self.place}"
        self._thread.start()

    def __enter__(self) -> GdbServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _serve(self) -> None:
        try:
            self._stop = self._server.serve()
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def wait(self, timeout_s: float | None = None) -> Stop:
        """Wait until the guest powers the machine off or a client kills it; returns which. A client
        that is still attached can look at the machine then.

        Raises:
            TimeoutError: neither has happened in this time. The machine goes on.
        """
        left = seconds("timeout_s", timeout_s)
        end = None if left is None else time.monotonic() + left
        while not self._done.wait(LOOK_S) and self._server.target.stop is None:
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"the machine is still debugged after {timeout_s} s")
        if self._error is not None:
            raise self._error
        stop = self._stop or self._server.target.stop
        assert stop is not None
        return stop

    def close(self) -> None:
        """Stop the machine and give it back to the caller. A second call does nothing.

        Raises:
            RunFailed: the machine was given up, because a plugin's code does not return.
        """
        if self._closed:
            return
        self._closed = True
        self._server.stop()
        self._thread.join()
        try:
            self._server.close()
        finally:
            self._machine.keeper = ""


def serve_gdb(machine: Machine, place: int | str = 0, halt: bool = False) -> GdbServer:
    """Let gdb attach to a machine that stands still, and let gdb run it.

    Until `close` the machine belongs to gdb: its consoles may be fed and waited for; everything
    else raises RuntimeError or must not be used. The breakpoints and watchpoints that the program
    has set before stop the machine under gdb too. Without a client it then waits for one.

    Args:
        machine: the machine.
        place: a TCP port of this host (0: one that is free), or as `rvplat run --gdb` takes it:
            "[HOST:]PORT" or "unix:PATH".
        halt: wait for gdb before the first instruction; else run at once.

    Raises:
        RuntimeError: the machine runs, is closed, or has a server already.
        HostError: the place can't be listened on.
    """
    flag("halt", halt)
    machine.must_be_free()
    return GdbServer(machine, place, halt)


def _address(place: int | str) -> str:
    if isinstance(place, str):
        if not place:
            raise HostError("place='': expected [HOST:]PORT or unix:PATH")
        return place
    return str(integer("place", place, 0, HIGHEST_PORT))
