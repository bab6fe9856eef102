"""A machine whose harts have V: vector registers in Python and in the trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.isa.machinery.extension import Instruction
from rvplat.isa.rv_v import Zve32x

RAM, DATA = 0x8000_0000, 0x8000_0100
ROWS: dict[str, Instruction] = {row.name: row for row in Zve32x.instructions}
CODE = (
    ROWS["vsetvli"].pattern.encode(rd=5, rs1=10, vtypei=0b11_010_000),
    ROWS["vle32.v"].pattern.encode(vd=8, rs1=11, vm=1, nf=0),
    ROWS["vadd.vv"].pattern.encode(vd=9, vs1=8, vs2=8, vm=1),
    ROWS["vse32.v"].pattern.encode(vs3=9, rs1=12, vm=1, nf=0),
)
DOUBLED = 0x00000014_0000000E_00000008_00000002


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine.open("virt", settings={"harts.isa": "rv64gcv", "clock": "virtual"}) as machine:
        for number, word in enumerate(CODE):
            machine.memory.write_int(RAM + 4 * number, 4, word)
        for number in range(4):
            machine.memory.write_int(DATA + 4 * number, 4, 3 * number + 1)
        hart = machine.harts[0]
        hart.pc, hart.x[10], hart.x[11], hart.x[12] = RAM, 100, DATA, DATA + 0x100
        hart.set_csr("mstatus.VS", 1)
        yield machine


def test_a_program_uses_vectors(machine: Machine) -> None:
    machine.step(4)
    hart = machine.harts[0]
    assert hart.v[9] == hart.v["v9"] == DOUBLED
    assert machine.memory.read(DATA + 0x100, 16) == DOUBLED.to_bytes(16, "little")
    assert (hart.csr("vl"), hart.csr("mstatus.VS")) == (4, 3)


def test_vector_registers_from_python(machine: Machine) -> None:
    hart = machine.harts[0]
    hart.v["v31"] = (1 << 128) - 1
    assert hart.v[31] == (1 << 128) - 1
    assert hart.v[0] == 0
    with pytest.raises(LookupError, match="no register 32: there are v0 to v31"):
        _ = hart.v[32]
    with pytest.raises(ValueError, match="value"):
        hart.v[1] = 1 << 128


def test_a_hart_without_vectors_has_none() -> None:
    without = Machine.open("virt", settings={"harts.isa": "rv64gch"})
    with without as machine, pytest.raises(LookupError, match="no vector registers"):
        _ = machine.harts[0].v[8]


def test_the_trace_has_vector_registers(machine: Machine, tmp_path: Path) -> None:
    machine.run(max_instructions=4, trace=tmp_path / "trace")
    lines = [line.split(") ")[1] for line in (tmp_path / "trace").read_text().splitlines()]
    assert lines[1:] == [
        "e32 m1 l4 v8  0x0000000a000000070000000400000001", f"e32 m1 l4 v9  {DOUBLED:#034x}",
        "e32 m1 l4",
    ]  # fmt: skip


def test_misa_has_v(machine: Machine) -> None:
    assert machine.harts[0].csr("misa") >> 21 & 1
    with Machine.open("virt", settings={"harts.isa": "rv64gch"}) as other:
        assert not other.harts[0].csr("misa") >> 21 & 1
