"""HLV, HLVX and HSV."""

from __future__ import annotations

import pytest

from rvplat.isa.privileged import HStatus, Status
from tests.h.bench import (
    LEAF,
    LOAD,
    NO_DEVICE,
    ONES,
    RAM,
    A,
    Bench,
    D,
    R,
    U,
    V,
    W,
    X,
    word,
)
from tests.h.section import GUEST_ACCESS, MSTATUS, section
from tests.h.stages import ADUE

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
    """Map VA to GPA and GPA to PA with these flags."""
    bench.two_stages()
    bench.map_guest(VA, GPA, first)
    bench.map_host(GPA, PA, second)
    bench.poke(PA, VALUE)
    bench["hstatus"] = HStatus.HU | spvp
    bench.hart.x[6] = VA
    return bench


def result(bench: Bench, name: str, mode: str = "HS") -> int | str:
    """Run an instruction; return the cause of its trap, or "ok"."""
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
    """The access has the privilege of VU or VS mode. vsstatus.SUM applies, HS mode's SUM doesn't.
    hlvx is a load here too."""
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
    """ "Execute permission takes the place of read permission"; MXR has no effect."""
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
    assert result(bench, "hlvx.wu") == expected, "once more, with a cached translation"


@section(GUEST_ACCESS)
def test_hlvx_raises_the_exceptions_of_loads(bench: Bench) -> None:
    mapped(bench, first=0)
    found = bench.step(word("hlvx.hu", rd=5, rs1=6), "HS")
    assert found is not None
    assert (found.cause, found.tval, found.gva) == (13, VA, 1)
    bench.hart.x[6] = NO_DEVICE
    bench["vsatp"] = bench["hgatp"] = 0
    assert result(bench, "hlvx.hu") == 5


@section(GUEST_ACCESS)
@pytest.mark.parametrize(
    ("name", "expected"), [("hlv.hu", "ok"), ("hlv.wu", "ok"), ("hlvx.hu", 5), ("hlvx.wu", 5)]
)
def test_hlvx_does_not_read_a_device(bench: Bench, name: str, expected: int | str) -> None:
    """ "The supervisor physical memory attributes must grant both execute and read"."""
    mapped(bench)
    bench.device = 0x77
    bench.map_host(GPA, NO_DEVICE)
    assert result(bench, name) == expected
    assert bench.hart.x[5] == (0x77 if expected == "ok" else 0)


@section(MSTATUS)
@pytest.mark.parametrize("mode", ["HS", "U", "M"])
def test_mprv_is_overridden(bench: Bench, mode: str) -> None:
    mapped(bench)
    bench["mstatus"] = Status.MPRV | 1 << Status.MPP_SHIFT if mode == "M" else 0
    assert result(bench, "hlv.d", mode) == "ok"
    assert bench.hart.x[5] == VALUE


@section(GUEST_ACCESS)
@pytest.mark.parametrize("name", ["hlv.d", "hsv.d", "hlvx.wu"])
def test_the_next_access_is_an_access_of_the_host(bench: Bench, name: str) -> None:
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


@section(GUEST_ACCESS)
@pytest.mark.parametrize("name", ["hlv.w", "hlvx.wu", "hsv.w"])
@pytest.mark.parametrize("adue", [0, ADUE])
def test_a_and_d_are_set_as_by_accesses_of_the_guest(bench: Bench, name: str, adue: int) -> None:
    """With Svadu they are set in both stages; with Svade it is a page fault of the first stage."""
    mapped(bench, V | R | W | X, V | R | W | X | U)
    bench["menvcfg"] = bench["henvcfg"] = adue
    first = bench.map_guest(VA, GPA, V | R | W | X)
    second = bench.map_host(GPA, PA, V | R | W | X | U)
    expected: int | str = "ok" if adue else 15 if name == "hsv.w" else 13
    assert result(bench, name) == expected
    bits = 0 if not adue else A | D if name == "hsv.w" else A
    assert [bench.peek(entry) & (A | D) for entry in (first, second)] == [bits, bits]


@section(GUEST_ACCESS)
@pytest.mark.parametrize(("vsatp", "hgatp"), [(0, 0), (8, 0), (0, 8), (8, 8)])
@pytest.mark.parametrize("mode", ["M", "HS", "U"])
def test_each_stage_may_be_bare(bench: Bench, vsatp: int, hgatp: int, mode: str) -> None:
    bench.two_stages(vsatp, hgatp)
    if vsatp:
        bench.map_guest(VA, GPA if hgatp else PA)
    if hgatp:
        bench.map_host(GPA, PA)
    bench["hstatus"] = HStatus.HU | SPVP
    bench.poke(PA, VALUE)
    bench.hart.x[6] = VA if vsatp else GPA if hgatp else PA
    assert result(bench, "hlv.d", mode) == "ok"
    assert bench.hart.x[5] == VALUE
