"""gdb and a hart in the critical-error state: it stops, and gdb's user is told why."""

from __future__ import annotations

import pytest

from rvplat.machine.machine import Machine
from tests.machine.small_guests import guest
from tests.machine.test_critical_errors import DOUBLE, ISA

from .conftest import Serve
from .driver import Gdb


@pytest.mark.parametrize("clock", ["host", "virtual"])
def test_the_hart_stops_and_may_be_put_right(gdb: Gdb, serve: Serve, clock: str) -> None:
    settings = {"harts.isa": ISA, "clock": clock}
    machine = Machine.open("virt", guest(DOUBLE), settings=settings)
    handler = machine.symbols["handler"]
    gdb.attach(serve(machine))
    for told in (1, 2):
        gdb.go()
        assert gdb.value("/x $pc") == hex(handler + 2)
        assert gdb.output.count("hart 0 is in a critical error: load access at ") == told
    gdb.go("stepi")
    assert gdb.value("/x $pc") == hex(handler + 2), "the same once more"
    gdb.do(f"set $pc = {handler + 6}")
    gdb.go("stepi")
    assert machine.harts[0].plain.critical == 0
