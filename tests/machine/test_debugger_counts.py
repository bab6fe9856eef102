"""What a debugger does, counters do not show; and a mode that it sets has the counters' filters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.isa.hpm import Event, Field
from tests.machine.test_rv32 import BASE, write

ISA = "rv64imach_zicsr_zicntr_zihpm_sscofpmf_smcntrpmf"
PRIV = 4161  # gdb's number of `priv`


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    program = write(tmp_path, [0x13] * 64, 64)
    with Machine.open("spike", program=program, settings={"harts.isa": ISA}) as made:
        made.harts[0].set_csr("pmpaddr0", (1 << 54) - 1)
        made.harts[0].set_csr("pmpcfg0", 0x1F)
        yield made


@pytest.mark.parametrize("virt", [0, 1])
def test_a_debugger_s_look_ups_are_no_page_walks(machine: Machine, virt: int) -> None:
    """Sscofpmf: the events are those of the hart."""
    hart, root = machine.harts[0], BASE + 0x4000
    machine.memory.write(root + 16, (BASE >> 12 << 10 | 0xDF).to_bytes(8, "little"))
    for n in range(3):
        hart.set_csr(f"mhpmevent{3 + n}", Event.WALKS + n)
    hart.set_csr("satp", 8 << 60 | root >> 12)
    hart.set_csr("vsatp", 8 << 60 | root >> 12)
    hart.set_csr("hgatp", 8 << 60 | root >> 12)
    target = MonitoredTarget(machine)
    target.registers.write(0, PRIV, 1 | virt << 2)
    before = [hart.csr(f"mhpmcounter{3 + n}") for n in range(3)]
    assert hart.translate(BASE + 0x123) == BASE + 0x123
    assert len(hart.read(BASE, 8)) == 8
    assert [hart.csr(f"mhpmcounter{3 + n}") for n in range(3)] == before
    target.close()


@pytest.mark.parametrize("by", ["python", "gdb"])
def test_a_mode_that_is_set_from_outside_has_its_filters(machine: Machine, by: str) -> None:
    """Smcntrpmf: minstret does not count in a mode that minstretcfg excludes."""
    hart, target = machine.harts[0], MonitoredTarget(machine)
    hart.set_csr("minstretcfg", Field.SINH)

    def enter(priv: int) -> None:
        if by == "python":
            hart.priv = priv
        else:
            target.write_register(Thread(1, 1), PRIV, priv)

    hart.set_csr("minstret", 100)
    machine.step(2)
    enter(1)
    machine.step(3)
    assert hart.csr("minstret") == 102
    enter(3)
    machine.step(4)
    assert hart.csr("minstret") == 106
    target.close()
