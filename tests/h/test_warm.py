"""A cached translation isn't used after a change of a field that it depends on: no fence is needed
after a change of SUM, MXR, SPVP, MPRV, MODE and others."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rvplat.isa.privileged import HStatus, Status
from tests.h.bench import CODE, LEAF, MODES, A, Bench, D, U, V, X, csr_word, word
from tests.h.section import GUEST_ACCESS, HGATP, MSTATUS, STAGES, VSATP, VSSTATUS, section
from tests.h.stages import GPA, OTHER, PA, VA, cause, stages

FENCE = "Supervisor Memory-Management Fence Instruction"  # supervisor.adoc
SUM, MXR, SPVP, MPP = Status.SUM, Status.MXR, HStatus.SPVP, 1 << Status.MPP_SHIFT
USER_PAGE, EXECUTE_ONLY = LEAF | U, V | A | D | X
MPRV = Status.MPRV | Status.MPV | MPP


@dataclass(frozen=True)
class Change:
    """A CSR that a mode writes with two values in turn, the outcome of another mode's access to VA
    after each, and the flags of the entries of both stages."""

    writer: str
    name: str
    values: tuple[int, int]
    reader: str
    access: str
    outcomes: tuple[int | str, int | str]
    first: int = LEAF
    second: int = LEAF | U
    before: tuple[tuple[str, int], ...] = ()


CHANGES = [
    (FENCE, Change("VS", "sstatus", (SUM, 0), "VS", "ld", ("ok", 13), USER_PAGE)),
    (FENCE, Change("VS", "sstatus", (SUM, 0), "VS", "sd", ("ok", 15), USER_PAGE)),
    (FENCE, Change("VS", "sstatus", (MXR, 0), "VS", "ld", ("ok", 13), EXECUTE_ONLY)),
    (STAGES, Change("HS", "sstatus", (MXR, 0), "VS", "ld", ("ok", 13), EXECUTE_ONLY)),
    (STAGES, Change("HS", "sstatus", (MXR, 0), "VS", "ld", ("ok", 21), LEAF, EXECUTE_ONLY | U)),
    (STAGES, Change("HS", "sstatus", (MXR, 0), "HS", "hlv.d", ("ok", 21), LEAF, EXECUTE_ONLY | U,
                    (("hstatus", SPVP),))),
    (STAGES, Change("HS", "vsstatus", (MXR, 0), "VS", "ld", ("ok", 13), EXECUTE_ONLY)),
    (GUEST_ACCESS, Change("HS", "vsstatus", (SUM, 0), "HS", "hlv.d", ("ok", 13), USER_PAGE,
                          before=(("hstatus", SPVP),))),
    (GUEST_ACCESS, Change("HS", "hstatus", (0, SPVP), "HS", "hlv.d", ("ok", 13), USER_PAGE)),
    (GUEST_ACCESS, Change("HS", "hstatus", (SPVP, 0), "HS", "hsv.d", ("ok", 15))),
    (MSTATUS, Change("M", "mstatus", (MPRV, MPRV - MPP), "M", "ld", ("ok", 13))),
    (MSTATUS, Change("M", "mstatus", (MPRV, MPRV - Status.MPV), "M", "sd", ("ok", 7))),
    (MSTATUS, Change("M", "mstatus", (MPRV, 0), "M", "ld", ("ok", 5))),
]  # fmt: skip


def write(bench: Bench, mode: str, name: str, value: int) -> None:
    bench.hart.x[28] = value
    assert bench.step(csr_word("csrrw", name, rs1=28), mode) is None


def access(bench: Bench, name: str, mode: str) -> int | str:
    bench.hart.x[6] = VA
    return cause(bench.step(word(name, rs1=6), mode))


@pytest.mark.parametrize(
    ("section", "change"),
    CHANGES,
    ids=lambda c: c if isinstance(c, str) else f"{c.writer}-{c.name}",
)  # fmt: skip
def test_a_field_takes_effect_at_once(bench: Bench, change: Change) -> None:
    stages(bench)
    bench.map_guest(VA, GPA, change.first)
    bench.map_host(GPA, PA, change.second)
    for name, value in change.before:
        bench[name] = value
    for i in (0, 1, 0, 0, 1):
        write(bench, change.writer, change.name, change.values[i])
        found = access(bench, change.access, change.reader)
        assert found == change.outcomes[i]


# A mode; a CSR that it writes; a value that allows an instruction, and one that doesn't; the
# instruction; its exception; the flags of the first stage; the registers before. -1 is the root
# that `stages` made.
FP, GUEST_LOAD = word("fmv.d.x", rd=1, rs1=6), word("ld", rd=5, rs1=6)
NEXT = [
    *((section, c.writer, c.name, c.values, word(c.access, rs1=6), c.outcomes[1], c.first, ())
      for section, c in CHANGES if c.writer == c.reader and c.access in ("ld", "sd")),
    (VSATP, "VS", "satp", (-1, 0), GUEST_LOAD, 21, LEAF, ()),
    (VSATP, "M", "vsatp", (-1, 0), GUEST_LOAD, 21, LEAF, (("mstatus", MPRV),)),
    (HGATP, "M", "hgatp", (-1, 0), GUEST_LOAD, 5, LEAF, (("mstatus", MPRV),)),
    (VSSTATUS, "M", "vsstatus", (SUM, 0), GUEST_LOAD, 13, USER_PAGE, (("mstatus", MPRV),)),
    (VSSTATUS, "VS", "sstatus", (Status.FS, 0), FP, 2, LEAF, (("mstatus", Status.FS),)),
    (VSSTATUS, "HS", "sstatus", (Status.FS, 0), FP, 2, LEAF, ()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("section", "mode", "name", "values", "bits", "expected", "flags", "before"), NEXT
)
def test_a_field_takes_effect_on_the_next_instruction(
    bench: Bench, mode: str, name: str, values: tuple[int, int], bits: int,
    expected: int, flags: int, before: tuple[tuple[str, int], ...],
) -> None:  # fmt: skip
    """The instruction is in the same mode: there is no trap or return in between."""
    stages(bench)
    bench.map_guest(VA, GPA, flags)
    for register, value in before:
        bench[register] = value
    root = bench["hgatp" if name == "hgatp" else "vsatp"]
    good, bad = (root if value == -1 else value for value in values)
    write(bench, mode, name, bad)
    bench.hart.x[6], bench.hart.x[28], bench.hart.x[29] = VA, good, bad
    on, off = csr_word("csrrw", name, rd=0, rs1=28), csr_word("csrrw", name, rd=0, rs1=29)
    for i, instruction in enumerate((on, bits, off, bits)):
        bench.poke(CODE + 4 * i, instruction, 4)
    bench.enter(mode)
    assert cause(bench.go(4)) == expected
    assert bench["mepc"] == CODE + 12


@section(FENCE)
@pytest.mark.parametrize("writer", ["VS", "HS"])
def test_mode_of_vsatp_takes_effect_at_once(bench: Bench, writer: str) -> None:
    """From Bare to another mode, and back."""
    stages(bench)
    on, name = bench["vsatp"], "satp" if writer == "VS" else "vsatp"
    for value, expected in ((on, "ok"), (0, 21), (on, "ok"), (0, 21)):
        write(bench, writer, name, value)
        assert access(bench, "ld", "VS") == expected


@section(FENCE)
def test_asid_takes_effect_at_once(bench: Bench) -> None:
    """Each ASID has its own tables. The translations of the other ASID stay right."""
    stages(bench)
    bench.poke(PA, 1)
    first = bench["vsatp"]
    bench.guest_root = bench.page()
    bench.map_host(bench.guest_root, bench.guest_root)
    for page in (VA, CODE):
        bench.map_guest(page, GPA + 0x1000 if page == VA else page)
    bench.map_host(GPA + 0x1000, OTHER)
    bench.poke(OTHER, 2)
    second = 8 << 60 | 2 << 44 | bench.guest_root >> 12
    for value, expected in ((first, 1), (second, 2), (first, 1), (second, 2)):
        bench.hart.x[28] = value
        bench["vsatp"] = value
        bench.hart.x[6] = VA
        assert bench.step(word("ld", rd=5, rs1=6), "VS") is None
        assert bench.hart.x[5] == expected


@section(GUEST_ACCESS)
@pytest.mark.parametrize("page", [0, U])
def test_modes_in_turn(bench: Bench, page: int) -> None:
    """A page for VU mode or VS mode is accessible to that mode only, whichever mode accessed it
    before. HLV as VU or VS has the same access."""
    stages(bench)
    bench.map_guest(VA, GPA, LEAF | page)
    for _ in range(2):
        for mode in ("VS", "VU"):
            bench.map_guest(CODE, CODE, LEAF | (U if mode == "VU" else 0))
            bench.step(word("hfence.vvma"), "M")
            right = "ok" if (mode == "VU") == (page == U) else 13
            bench["hstatus"] = SPVP if mode == "VS" else 0
            assert access(bench, "ld", mode) == right
            assert access(bench, "hlv.d", "HS") == right
            assert access(bench, "ld", mode) == right
            assert MODES[bench.mode] == (MODES[mode] if right == "ok" else (3, 0))
