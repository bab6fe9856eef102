"""Errors in rvplat itself while gdb debugs a board."""

from __future__ import annotations

import threading
from pathlib import Path

from rvplat.gdb.protocol.channels import listen
from rvplat.gdb.server import Server
from rvplat.gdb.target.hart_control import HartControl
from rvplat.gdb.target.hart_driver import Job
from rvplat.machine.machine import Machine
from rvplat.machine.running.stop import Stop
from tests.gdb.driver import Gdb
from tests.machine import small_guests


def test_a_harts_thread_outlives_an_error(guest: Path) -> None:
    """An exception ended the thread, and the next resume of the hart waited for ever."""
    told: list[Stop] = []

    def report(stop: Stop) -> bool:
        told.append(stop)
        if len(told) == 1:
            raise KeyError("a row that nobody has")
        return False

    with Machine.open("virt", program=guest) as machine:
        control = HartControl(machine, report)
        for times in (1, 2):
            machine.request_stop(Stop("off"))
            control.start([(0, Job())])
            halted = threading.Thread(target=control.halt, daemon=True)
            halted.start()
            halted.join(30)
            assert not halted.is_alive(), "the hart's thread has ended"
            assert len(told) == times
            assert isinstance(machine.failure, KeyError)
            machine.requests.clear()
        control.close()


def broken_pipe(data: bytes) -> None:
    """A console's sink."""
    raise BrokenPipeError(32, "the reader has gone")


def test_a_failure_ends_the_board_and_is_told(gdb: Gdb) -> None:
    """gdb's user is told why, and the caller of `serve` gets the error."""
    raised: list[BaseException] = []
    with Machine.open("virt", program=small_guests.guest(small_guests.HELLO)) as machine:
        machine.console.sinks.append(broken_pipe)
        with Server(machine, listen("127.0.0.1:0"), halt=True) as server:

            def serve() -> None:
                try:
                    server.serve()
                except BrokenPipeError as error:
                    raised.append(error)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            gdb.attach(server.port)
            stopped = gdb.go()
            assert (stopped["reason"], stopped["exit-code"]) == ("exited", "01")
            assert "rvplat failed: BrokenPipeError" in gdb.output
            gdb.close()
            thread.join(30)
            assert not thread.is_alive()
    assert len(raised) == 1
