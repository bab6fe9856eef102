"""Triggers that software uses: beside hot code, beside a debugger's stop points, and as Spike's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.isa.machinery.extension import enabled_rows
from rvplat.isa.privileged import Cause
from rvplat.machine.boards.catalogue import base_extensions
from tests.machine.test_rv32 import BASE, write

ROWS = {row.name: row.pattern.encode for row in enabled_rows(base_extensions())}
ISA = "rv64imac_zicsr_zicntr_sdtrig"
LOOP, DATA, HANDLER = BASE + 0x4000, BASE + 0x6000, BASE + 0x5000
MCONTROL6, ICOUNT = 6 << 60, 3 << 60
M6, M3 = 1 << 6, 1 << 9
LOAD, STORE, EXECUTE = 1, 2, 4
MIE = 1 << 3
#: Counts t0, stores it, and loads it back.
BODY = [
    ROWS["addi"](rd=5, rs1=5, imm=1), ROWS["sd"](rs1=6, rs2=5, imm=0),
    ROWS["ld"](rd=7, rs1=6, imm=0), ROWS["jal"](rd=0, imm=-12),
]  # fmt: skip
#: Clears tdata1, sets MIE's previous value and goes on: a debugger in M mode that has seen it.
SEEN = [
    ROWS["addi"](rd=28, rs1=28, imm=1), ROWS["csrrw"](rd=0, csr=0x7A1, rs1=0), ROWS["mret"](),
]  # fmt: skip
Make = Callable[..., Machine]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Machine] = []

    def machine(regions: str = "all", isa: str = ISA, **settings: object) -> Machine:
        program = write(tmp_path, [0x13] * 8, 64)
        every = {"harts.isa": isa, "harts.regions": regions, **settings}
        made.append(Machine.open("spike", program=program, settings=every))
        for at, code in ((LOOP, BODY), (HANDLER, SEEN)):
            for i, bits in enumerate(code):
                made[-1].memory.write(at + 4 * i, bits.to_bytes(4, "little"))
        hart = made[-1].harts[0]
        hart.set_csr("mtvec", HANDLER)
        hart.set_csr("mstatus", MIE)
        hart.x[6], hart.pc = DATA, LOOP
        return made[-1]

    yield machine
    for one in made:
        one.close()


def program(machine: Machine, data1: int, data2: int = 0) -> None:
    hart = machine.harts[0]
    for name, value in (("tdata1", 0), ("tdata2", data2), ("tdata1", data1)):
        hart.set_csr(name, value)


@pytest.mark.parametrize("regions", ["off", "all"])
@pytest.mark.parametrize(
    ("data1", "data2", "at"),
    [
        (MCONTROL6 | M6 | EXECUTE, LOOP + 8, LOOP + 8), (MCONTROL6 | M6 | STORE, DATA, LOOP + 4),
        (MCONTROL6 | M6 | LOAD, DATA + 7, LOOP + 8), (ICOUNT | M3 | 6 << 10, 0, LOOP + 8),
    ],
)  # fmt: skip
def test_hot_code_is_left_for_a_trigger(
    make: Make, regions: str, data1: int, data2: int, at: int
) -> None:
    """Debug, "Match Control Type 6" and "Instruction Count": one exception, and then none."""
    machine = make(regions)
    machine.step(4000)
    hart = machine.harts[0]
    assert (hart.x[5], hart.x[7]) == (1000, 1000)
    program(machine, data1, data2)
    taken = 4 + (at - LOOP) // 4 if data1 >> 60 == 3 else (at - LOOP) // 4
    machine.step(taken + 1)
    assert (hart.pc, hart.csr("mcause"), hart.csr("mepc")) == (HANDLER, Cause.BREAKPOINT, at)
    machine.step(3 + 4000 - taken % 4)
    assert (hart.pc, hart.x[28]) == (LOOP, 1)
    assert hart.x[5] == 2000 + taken // 4


def test_a_debugger_s_breakpoint_comes_first(make: Make) -> None:
    machine = make("hot")
    hart = machine.harts[0]
    program(machine, MCONTROL6 | M6 | EXECUTE, LOOP + 4)
    point = machine.breakpoints.add(LOOP + 4)
    stop = machine.run(timeout_s=60)
    assert (stop.reason, hart.pc, hart.x[28]) == ("break", LOOP + 4, 0)
    machine.step(1)
    assert (hart.pc, hart.csr("mepc")) == (HANDLER, LOOP + 4)
    stop = machine.run(timeout_s=60)
    assert (stop.reason, hart.pc, hart.x[28]) == ("break", LOOP + 4, 1), "after mret, once more"
    machine.breakpoints.remove(point)
    machine.step(4)
    assert (hart.pc, hart.x[28]) == (LOOP + 4, 1)


def test_a_debugger_s_watchpoint_comes_first(make: Make) -> None:
    machine = make("hot")
    hart = machine.harts[0]
    program(machine, MCONTROL6 | M6 | STORE, DATA)
    point = machine.watchpoints.add(DATA, 8)
    stop = machine.run(timeout_s=60)
    assert (stop.reason, hart.pc, hart.x[28]) == ("watch", LOOP + 4, 0)
    machine.watchpoints.remove(point)
    machine.step(1)
    assert (hart.pc, hart.csr("mcause")) == (HANDLER, Cause.BREAKPOINT), "the trigger still watches"


def test_a_trigger_is_no_ebreak(make: Make) -> None:
    """`debug.ebreak` stops at the guest's ebreak instructions, not at its triggers."""
    machine = make("hot", **{"debug.ebreak": "all"})
    hart = machine.harts[0]
    program(machine, MCONTROL6 | M6 | EXECUTE, LOOP + 4)
    machine.step(2)
    assert (hart.pc, hart.csr("mcause")) == (HANDLER, Cause.BREAKPOINT)


def test_a_reset_disarms_triggers(make: Make) -> None:
    machine = make("hot")
    hart = machine.harts[0]
    program(machine, MCONTROL6 | M6 | EXECUTE, BASE)
    machine.reset()
    hart.set_csr("mstatus", MIE)
    machine.step(1)
    assert hart.pc == BASE + 4 and hart.csr("tdata1") == 15 << 60


def test_rv32_has_its_own_layout(make: Make, tmp_path: Path) -> None:
    """The type is in bits 31 to 28; textra32."""
    program_file = write(tmp_path, [0x13] * 8)
    settings = {"harts.isa": "rv32imac_zicsr_sdtrig"}
    with Machine.open("spike", program=program_file, settings=settings) as machine:
        hart = machine.harts[0]
        assert hart.csr("tdata1.type") == 15
        program(machine, 6 << 28 | M6 | EXECUTE, BASE + 4)
        hart.set_csr("mtvec", HANDLER)
        hart.set_csr("mstatus", MIE)
        machine.step(2)
        assert (hart.pc, hart.csr("mcause"), hart.csr("mtval")) == (HANDLER, 3, BASE + 4)
        hart.set_csr("tdata3", 0xFFFF_FFFF)
        assert hart.csr("tdata3") == 0x3F << 26 | 3 << 18 | 0xFFFF << 2
