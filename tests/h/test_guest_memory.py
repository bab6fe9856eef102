"""HLV, HLVX, HSV, and fences."""

from __future__ import annotations

import pytest

from rvplat.isa.privileged import HStatus, Status
from tests.h.bench import (
    LEAF,
    LOAD,
    NO_DEVICE,
    ONES,
    RAM,
    STORE,
    A,
    Bench,
    D,
    R,
    U,
    V,
    X,
    word,
)
from tests.h.conftest import MakeBench
from tests.h.section import FENCES, GUEST_ACCESS, GUEST_FENCES, MSTATUS, STAGES, SVINVAL, section

VA, GPA, PA, OTHER = 0x5000_0000, 0x4000_0000, RAM + 0x1_0000, RAM + 0x1_1000
VALUE = 0xFEDC_BA98_F6E5_D4C3
LOADED = [
    ("hlv.b", VALUE & 0xFF | ONES ^ 0xFF), ("hlv.bu", 0xC3),
    ("hlv.h", VALUE & 0xFFFF | ONES ^ 0xFFFF), ("hlv.hu", 0xD4C3), ("hlvx.hu", 0xD4C3),
    ("hlv.w", VALUE & 0xFFFF_FFFF | ONES ^ 0xFFFF_FFFF), ("hlv.wu", 0xF6E5_D4C3),
    ("hlvx.wu", 0xF6E5_D4C3), ("hlv.d", VALUE),
]  # fmt: skip
STORED = [("hsv.b", 1), ("hsv.h", 2), ("hsv.w", 4), ("hsv.d", 8)]
SPVP = HStatus.SPVP


def mapped(bench: Bench, first: int = LEAF, second: int = LEAF | U, spvp: int = SPVP) -> Bench:
    """VA -> GPA -> PA with these flags."""
    bench.two_stages()
    bench.map_guest(VA, GPA, first)
    bench.map_host(GPA, PA, second)
    bench.poke(PA, VALUE)
    bench["hstatus"] = HStatus.HU | spvp
    bench.hart.x[6] = VA
    return bench


def result(bench: Bench, name: str, mode: str = "HS") -> int | str:
    """The cause, or "ok"."""
    bits = word(name, rs1=6, **({"rs2": 7} if "hsv" in name else {"rd": 5}))
    found = bench.step(bits, mode)
    return "ok" if found is None else found.cause


@section(GUEST_ACCESS)
@pytest.mark.parametrize(("name", "value"), LOADED)
@pytest.mark.parametrize("mode", ["M", "HS", "U"])
def test_loads(bench: Bench, name: str, value: int, mode: str) -> None:
    mapped(bench)
    assert result(bench, name, mode) == "ok"
    assert bench.hart.x[5] == value


@section(GUEST_ACCESS)
@pytest.mark.parametrize(("name", "size"), STORED)
@pytest.mark.parametrize("mode", ["M", "HS", "U"])
def test_stores(bench: Bench, name: str, size: int, mode: str) -> None:
    mapped(bench)
    bench.hart.x[7] = 0x0102_0304_0506_0708
    assert result(bench, name, mode) == "ok"
    mask = (1 << 8 * size) - 1
    assert bench.peek(PA) == VALUE & ~mask | 0x0102_0304_0506_0708 & mask


@section(GUEST_ACCESS)
@pytest.mark.parametrize("name", ["hlv.w", "hsv.w", "hlvx.wu"])
@pytest.mark.parametrize("page", [0, U])
@pytest.mark.parametrize("spvp", [0, SPVP])
@pytest.mark.parametrize("sum_", [0, Status.SUM])
def test_spvp_is_the_privilege(bench: Bench, name: str, page: int, spvp: int, sum_: int) -> None:
    """VU or VS; vsstatus.SUM counts, HS mode's is ignored. hlvx is a load here too."""
    mapped(bench, first=LEAF | page, spvp=spvp)
    bench["mstatus"] = Status.SUM
    bench["vsstatus"] = sum_
    allowed = bool(page) != bool(spvp) or (page and spvp and sum_)
    expected = "ok" if allowed else 15 if name == "hsv.w" else 13
    assert result(bench, name) == expected


@section(GUEST_ACCESS)
@pytest.mark.parametrize("first", [R, X, R | X])
@pytest.mark.parametrize("second", [R, X, R | X])
@pytest.mark.parametrize("mxr", [0, Status.MXR])
@pytest.mark.parametrize("outer", [0, Status.MXR])
def test_hlvx_needs_execute_permission_in_both_stages(
    bench: Bench, first: int, second: int, mxr: int, outer: int
) -> None:
    """ "Execute permission takes the place of read permission"; MXR changes nothing."""
    mapped(bench, V | A | D | first, V | A | D | U | second)
    bench["vsstatus"], bench["mstatus"] = mxr, outer
    expected = 13 if not first & X else 21 if not second & X else "ok"
    assert result(bench, "hlvx.wu") == expected
    plain = 13 if not first & R and not mxr and not outer else "ok"
    if plain == "ok" and not second & R and not outer:
        plain = 21
    assert result(bench, "hlv.w") == plain


@section(GUEST_ACCESS)
@pytest.mark.parametrize(("cfg", "expected"), [(0x1F, "ok"), (0x19, 5), (0x1C, 5), (0x1D, "ok")])
def test_hlvx_needs_read_and_execute_of_pmp(bench: Bench, cfg: int, expected: int | str) -> None:
    mapped(bench)
    bench["pmpaddr1"], bench["pmpcfg0"] = (1 << 54) - 1, 0x1F << 8
    bench["pmpaddr0"], bench["pmpcfg0"] = PA >> 2 | 0x1FF, 0x1F << 8 | cfg
    assert result(bench, "hlvx.wu") == expected
    assert result(bench, "hlvx.wu") == expected, "once more, with what was remembered"


@section(GUEST_ACCESS)
def test_hlvx_raises_the_exceptions_of_loads(bench: Bench) -> None:
    mapped(bench, first=0)
    found = bench.step(word("hlvx.hu", rd=5, rs1=6), "HS")
    assert found is not None
    assert (found.cause, found.tval, found.gva) == (13, VA, 1)
    bench.hart.x[6] = NO_DEVICE
    bench["vsatp"] = bench["hgatp"] = 0
    assert result(bench, "hlvx.hu") == 5


@section(MSTATUS)
@pytest.mark.parametrize("mode", ["HS", "U", "M"])
def test_mprv_is_overridden(bench: Bench, mode: str) -> None:
    mapped(bench)
    bench["mstatus"] = Status.MPRV | 1 << Status.MPP_SHIFT if mode == "M" else 0
    assert result(bench, "hlv.d", mode) == "ok"
    assert bench.hart.x[5] == VALUE


@section(GUEST_ACCESS)
@pytest.mark.parametrize("name", ["hlv.d", "hsv.d", "hlvx.wu"])
def test_the_next_access_is_the_hosts_again(bench: Bench, name: str) -> None:
    mapped(bench)
    bench.poke(OTHER, 0x1111)
    result(bench, name)
    assert bench.access(LOAD, OTHER, "HS") is None
    assert bench.hart.x[5] == 0x1111
    bench.map_guest(VA, GPA, 0)
    bench.step(word("hfence.vvma"), "M")
    bench.hart.x[6] = VA
    assert result(bench, name) != "ok"
    assert bench.access(LOAD, OTHER, "HS") is None, "after a fault too"


@section(GUEST_ACCESS)
def test_misaligned_guest_accesses(bench: Bench) -> None:
    mapped(bench)
    bench.map_guest(VA + 0x1000, GPA + 0x1000)
    bench.map_host(GPA + 0x1000, OTHER)
    bench.hart.x[6] = VA + 0xFFD
    bench.hart.x[7] = 0x1122_3344_5566_7788
    assert result(bench, "hsv.d") == "ok"
    assert result(bench, "hlv.d") == "ok"
    assert bench.hart.x[5] == 0x1122_3344_5566_7788
    assert bench.peek(OTHER, 4) == 0x2233_4455


# --- fences ---------------------------------------------------------------------------------------


def reads(bench: Bench, expected: int, va: int = VA, mode: str = "VS") -> bool:
    assert bench.access(LOAD, va, mode) is None
    return bool(bench.hart.x[5] == expected)


def primed(bench: Bench) -> Bench:
    """VA reads 1 and VA + 4096 reads 2, remembered; then both stages' tables say otherwise."""
    bench.two_stages(vmid=5, asid=7)
    for i in range(2):
        bench.map_guest(VA + 0x1000 * i, GPA + 0x1000 * i)
        bench.map_host(GPA + 0x1000 * i, PA + 0x1000 * i)
        bench.poke(PA + 0x1000 * i, i + 1)
        assert reads(bench, i + 1, VA + 0x1000 * i)
    return bench


FORGOTTEN = [
    # instruction, rs1 (0: x0), rs2 (0: x0), which of the two pages are forgotten
    (0, 0, (True, True)), (VA + 0x123, 0, (True, False)), (VA + 0x1008, 0, (False, True)),
    (VA + 0x9000, 0, (False, False)), (0, 7, (True, True)), (0, 8, (False, False)),
    (VA, 7, (True, False)), (VA, 8, (False, False)), (0, 7 | 1 << 16, (True, True)),
]  # fmt: skip


def fence(bench: Bench, name: str, rs1: int, rs2: int, mode: str) -> None:
    bench.hart.x[10], bench.hart.x[11] = rs1, rs2
    bits = word(name, rs1=10 if rs1 else 0, rs2=11 if rs2 else 0)
    assert bench.step(bits, mode) is None


@pytest.mark.parametrize(("rs1", "rs2", "forgotten"), FORGOTTEN)
@pytest.mark.parametrize(
    ("section", "name", "mode"),
    [(GUEST_FENCES, "hfence.vvma", "HS"), (GUEST_FENCES, "hfence.vvma", "M"),
     (SVINVAL, "hinval.vvma", "HS"), (FENCES, "sfence.vma", "VS"), (SVINVAL, "sinval.vma", "VS")],
)  # fmt: skip
def test_fences_of_the_first_stage_forget_what_they_name(
    bench: Bench, name: str, mode: str, rs1: int, rs2: int, forgotten: tuple[bool, bool]
) -> None:
    primed(bench)
    for i in range(2):
        bench.map_guest(VA + 0x1000 * i, GPA + 0x1000 * (1 - i))
    fence(bench, name, rs1, rs2, mode)
    for i in range(2):
        expected = 2 - i if forgotten[i] else i + 1
        assert reads(bench, expected, VA + 0x1000 * i), "no more, no less"


@pytest.mark.parametrize(
    ("section", "name"), [(GUEST_FENCES, "hfence.vvma"), (SVINVAL, "hinval.vvma")]
)
def test_another_vmid_is_left_alone(bench: Bench, name: str) -> None:
    """ "An HFENCE.VVMA instruction applies only to a single virtual machine"."""
    primed(bench)
    mine = bench["hgatp"]
    bench.map_guest(VA, GPA + 0x1000)
    bench["hgatp"] = mine & ~(0x3FFF << 44) | 6 << 44
    fence(bench, name, 0, 0, "HS")
    bench["hgatp"] = mine
    assert reads(bench, 1)


@section(FENCES)
@pytest.mark.parametrize("mode", ["HS", "M"])
def test_sfence_vma_with_v_0_leaves_guests_alone(bench: Bench, mode: str) -> None:
    primed(bench)
    bench.map_guest(VA, GPA + 0x1000)
    bench.map_host(GPA, PA + 0x1000)
    fence(bench, "sfence.vma", 0, 0, mode)
    assert reads(bench, 1)


@section(FENCES)
def test_guests_fences_leave_the_host_alone(bench: Bench) -> None:
    root = bench.page()
    for at in (2, 3):
        bench.poke(root + at * 8, 2 << 18 << 10 | LEAF)
    alias = PA + (1 << 30)
    bench["satp"] = 8 << 60 | root >> 12
    primed(bench)
    bench.poke(PA, 0x77)
    assert reads(bench, 0x77, alias, "HS")
    bench.poke(root + 3 * 8, 0)
    for name in ("hfence.vvma", "hfence.gvma"):
        fence(bench, name, 0, 0, "M")
    fence(bench, "sfence.vma", 0, 0, "VS")
    assert reads(bench, 0x77, alias, "HS")


PHYSICAL = [
    (0, 0, (True, True)), (GPA + 0x120, 0, (True, False)), (GPA + 0x1000, 0, (False, True)),
    (GPA + 0x9000, 0, (False, False)), (0, 5, (True, True)), (0, 6, (False, False)),
    (GPA, 5, (True, False)), (GPA, 6, (False, False)), (0, 5 | 1 << 14, (True, True)),
]  # fmt: skip


@pytest.mark.parametrize(("gpa", "vmid", "forgotten"), PHYSICAL)
@pytest.mark.parametrize(
    ("section", "name", "mode"),
    [(GUEST_FENCES, "hfence.gvma", "HS"), (GUEST_FENCES, "hfence.gvma", "M"),
     (SVINVAL, "hinval.gvma", "HS")],
)  # fmt: skip
def test_fences_of_the_second_stage_forget_what_they_name(
    bench: Bench, name: str, mode: str, gpa: int, vmid: int, forgotten: tuple[bool, bool]
) -> None:
    """rs1 is a guest physical address shifted right by two."""
    primed(bench)
    for i in range(2):
        bench.map_host(GPA + 0x1000 * i, PA + 0x1000 * (1 - i))
    fence(bench, name, gpa >> 2, vmid, mode)
    for i in range(2):
        expected = 2 - i if forgotten[i] else i + 1
        assert reads(bench, expected, VA + 0x1000 * i), "no more, no less"


@section(GUEST_FENCES)
@pytest.mark.parametrize("stage", ["guest", "host"])
def test_a_fence_of_an_address_takes_the_superpage_around_it(bench: Bench, stage: str) -> None:
    bench.two_stages()
    size = 2 << 20
    big, gpa = 0x5000_0000, 0x4000_0000
    if stage == "guest":
        bench.map_guest(big, gpa, level=1)
        for i in range(2):
            bench.map_host(gpa + 0x1000 * i, PA + 0x1000 * i)
    else:
        for i in range(2):
            bench.map_guest(big + 0x1000 * i, gpa + 0x1000 * i)
        bench.map_host(gpa, RAM, level=1)
    inside = 0 if stage == "guest" else PA - RAM
    if stage == "host":
        for i in range(2):
            bench.map_guest(big + 0x1000 * i, gpa + inside + 0x1000 * i)
    bench.poke(PA + 0x1000, 0x22)
    assert reads(bench, 0x22, big + 0x1000)
    if stage == "guest":
        bench.map_guest(big, gpa + size, level=1)
        fence(bench, "hfence.vvma", big + 0x8000, 0, "HS")
    else:
        bench.map_host(gpa, RAM + size, level=1)
        fence(bench, "hfence.gvma", gpa + 0x10_0000 >> 2, 0, "HS")
    found = bench.access(LOAD, big + 0x1000)
    assert found is not None, "the old page is forgotten"


@section("rvplat: TLB")
@pytest.mark.parametrize("kind", [LOAD, STORE])
def test_a_world_switch_forgets_nothing(bench: Bench, kind: str) -> None:
    """Entries are tagged by V, VMID and ASID."""
    primed(bench)
    mine = bench["hgatp"], bench["vsatp"]
    entry = bench.map_guest(VA, GPA + 0x1000)
    bench["hgatp"], bench["vsatp"] = 6 << 44, 0
    bench.enter("HS")
    assert bench.access(kind, PA + 0x2000, "HS") is None
    bench.enter("VS")
    assert bench.access(kind, PA + 0x2000, "VS") is None
    bench["hgatp"], bench["vsatp"] = mine
    assert reads(bench, 1)
    bench.poke(entry, 0)
    assert reads(bench, 1)


@section(FENCES)
def test_asids_and_vmids_are_told_apart(bench: Bench) -> None:
    bench.two_stages(vmid=1, asid=1)
    bench.map_guest(VA, GPA)
    entry = bench.map_host(GPA, PA)
    bench.poke(PA, 0x11)
    bench.poke(OTHER, 0x22)
    assert reads(bench, 0x11)
    bench.poke(entry, OTHER >> 12 << 10 | LEAF | U)
    first = bench["hgatp"]
    bench["hgatp"] = first + (1 << 44)
    assert reads(bench, 0x22)
    bench["hgatp"] = first
    assert reads(bench, 0x11)
    bench["vsatp"] = bench["vsatp"] + (1 << 44)
    assert reads(bench, 0x22)


@section(STAGES)
def test_a_change_of_pmp_counts_for_guests(bench: Bench) -> None:
    primed(bench)
    bench["pmpcfg0"] = 0x1C
    assert bench.access(LOAD, VA) is not None


@section(SVINVAL)
def test_without_svinval_there_is_no_hinval(make: MakeBench) -> None:
    bench = make(without="svinval")
    for name in ("hinval.vvma", "hinval.gvma"):
        assert bench.outcome(word(name), "HS") == "illegal"
        assert bench.outcome(word(name), "VS") == "illegal"
