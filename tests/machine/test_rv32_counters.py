"""RV32: counters that S mode reaches through sireg, halves and all, and what mstateen0 controls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.isa.hpm import Event
from tests.machine.test_rv32 import BASE, ROWS, write

FULL = "rv32imach_zicsr_zicntr_zihpm_sscofpmf_smcntrpmf_smcdeleg_smstateen"
CAUSE_ILLEGAL = 2
HANDLER = BASE + 0x200
N = 5


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A hart whose counters are delegated to S mode, with counter N chosen."""
    settings = {"harts.isa": FULL}
    with Machine.open("spike", program=write(tmp_path, [0x13] * 64), settings=settings) as made:
        hart = made.harts[0]
        hart.set_csr("mtvec", HANDLER)
        hart.set_csr("menvcfgh.CDE", 1)
        hart.set_csr("mcounteren", 0xFFFF_FFFF)
        hart.set_csr("siselect", 0x40 + N)
        yield made


def access(machine: Machine, name: str, value: int | None = None, priv: int = 3) -> int | str:
    """Read a CSR by an instruction, or write it: the value, or "illegal"."""
    hart = machine.harts[0]
    number = hart.csrs[name].number
    op, source = ("csrrs", 0) if value is None else ("csrrw", 6)
    bits = ROWS[op](csr=number, rd=5, rs1=source)
    machine.memory.write(BASE, bits.to_bytes(4, "little"))
    hart.x[6] = value or 0
    hart.priv, hart.pc = priv, BASE
    if priv != 3:
        hart.set_csr("pmpaddr0", 0xFFFF_FFFF)
        hart.set_csr("pmpcfg0", 0x1F)
    machine.step(1)
    if hart.pc != BASE + 4:
        assert (hart.pc, hart.csr("mcause")) == (HANDLER + 0, CAUSE_ILLEGAL)
        return "illegal"
    return int(hart.x[5])


@pytest.mark.parametrize(("n", "name"), [(0, "mcycle"), (2, "minstret"), (N, f"mhpmcounter{N}")])
def test_sireg_and_sireg4_are_halves_of_a_counter(machine: Machine, n: int, name: str) -> None:
    """ "Indirect HPM State Mappings": a write of a half leaves the other."""
    hart = machine.harts[0]
    hart.set_csr("siselect", 0x40 + n)
    hart.set_csr("mcountinhibit", 0xFFFF_FFFD)
    hart.set_csr("mstateen0h.CSRIND", 1)
    for priv in (3, 1):
        hart.set_csr(f"{name}h", 0)
        assert access(machine, "sireg4", 0x1234_5678, priv) == 0
        access(machine, "sireg", 0x9ABC_DEF0, priv)
        assert (hart.csr(name), hart.csr(f"{name}h")) == (0x9ABC_DEF0, 0x1234_5678)
        assert access(machine, "sireg", None, priv) == 0x9ABC_DEF0
        assert access(machine, "sireg4", None, priv) == 0x1234_5678
        hart.set_csr("sireg4", 7)
        assert (hart.csr("sireg"), hart.csr("sireg4")) == (0x9ABC_DEF0, 7)


def test_sireg2_and_sireg5_are_halves_of_an_event(machine: Machine) -> None:
    """MINH is bit 30 of the high half, read-only zero there, and stays ("Counter Delegation")."""
    hart = machine.harts[0]
    minh, uinh = 1 << 30, 1 << 28
    hart.set_csr(f"mhpmevent{N}h", minh)
    access(machine, "sireg5", uinh)
    access(machine, "sireg2", int(Event.INSTRUCTIONS))
    assert hart.csr(f"mhpmevent{N}") == Event.INSTRUCTIONS
    assert hart.csr(f"mhpmevent{N}h") == minh | uinh
    assert access(machine, "sireg5") == uinh
    hart.set_csr("siselect", 0x42)
    access(machine, "sireg5", uinh)
    access(machine, "sireg2", 0)
    assert (hart.csr("minstretcfgh"), access(machine, "sireg5")) == (uinh, uinh)


def test_which_aliases_are_illegal(machine: Machine, tmp_path: Path) -> None:
    """ "Counter Delegation": sireg3 and sireg6; sireg5 of an event needs Sscofpmf."""
    assert access(machine, "sireg3") == access(machine, "sireg6") == "illegal"
    assert access(machine, "sireg5") == 0
    machine.harts[0].set_csr("siselect", 0x41)
    for name in ("sireg", "sireg2", "sireg4", "sireg5"):
        assert access(machine, name) == "illegal"


def test_sireg5_of_an_event_needs_sscofpmf(tmp_path: Path) -> None:
    """ "Indirect HPM State Mappings", notes 2 and 3."""
    settings = {"harts.isa": FULL.replace("_sscofpmf", "").replace("_smcntrpmf", "")}
    with Machine.open("spike", program=write(tmp_path, [0x13] * 64), settings=settings) as made:
        hart = made.harts[0]
        hart.set_csr("mtvec", HANDLER)
        hart.set_csr("menvcfgh.CDE", 1)
        hart.set_csr("mcounteren", 0xFFFF_FFFF)
        hart.set_csr("siselect", 0x40 + N)
        assert access(made, "sireg2") == access(made, "sireg4") == 0
        assert access(made, "sireg5") == "illegal"


def test_p1p13_controls_hedelegh(machine: Machine) -> None:
    """ "State Enable 0 Registers": below M mode, hedelegh needs bit P1P13 of mstateen0."""
    hart = machine.harts[0]
    assert access(machine, "hedelegh", None, 1) == "illegal"
    assert access(machine, "hedelegh") == access(machine, "hedeleg", None, 1) == 0
    hart.set_csr("mstateen0h.P1P13", 1)
    assert access(machine, "hedelegh", None, 1) == 0
    hart.set_csr("hstateen0h", 0xFFFF_FFFF)
    assert hart.csr("hstateen0h") >> 24 & 1 == 0, "a guest has no such bit"


def test_a_half_s_reset_value_has_32_bits(machine: Machine) -> None:
    """`rvplat isa stimecmph` says what a read gives after a reset."""
    from rvplat.isa.sstc import Sstc
    from rvplat.isa.zicntr import Zicntr

    rows = {row.name: row for one in (Sstc, Zicntr) for row in one.of(32).csrs}
    assert rows["stimecmp"].after_reset == rows["stimecmph"].after_reset == 0xFFFF_FFFF
    assert rows["vstimecmph"].after_reset == 0xFFFF_FFFF
