"""Pointer masking: which accesses of which mode ignore upper bits of their addresses."""

from __future__ import annotations

import pytest

from rvplat.hart.mmu import debug_translate
from rvplat.isa.privileged import HStatus, Status
from rvplat.lang import u64
from tests.h.bench import (
    CODE,
    FETCH,
    LEAF,
    LOAD,
    ONES,
    STORE,
    Bench,
    Trap,
    U,
    word,
)
from tests.h.conftest import MakeBench
from tests.h.section import section
from tests.h.stages import AT, GPA, PA, VA, stages

MASKED = "Memory Accesses Subject to Pointer Masking"
IGNORE = "The “Ignore” Transformation"
MODES = "Pointer Masking and Privilege Modes"
TWO_STAGES = "Interaction with Pointer Masking"
SV57 = 10
OFF, SEVEN, SIXTEEN = 0, 2, 3  # PMM
FIELDS = {  # which field is whose: its CSR and lowest bit
    "M": ("mseccfg", 32), "HS": ("menvcfg", 32), "U": ("senvcfg", 32), "VS": ("henvcfg", 32),
    "VU": ("senvcfg", 32), "HUPMM": ("hstatus", 48),
}  # fmt: skip
TAGS = {SEVEN: 0x55 << 57, SIXTEEN: 0xA5A5 << 48}


def put(bench: Bench, whose: str, pmm: int) -> None:
    """Set a field PMM or HUPMM."""
    name, low = FIELDS[whose]
    bench[name] = (bench[name] & ~(3 << low)) | pmm << low


def paged(bench: Bench, va: int = VA, mode: str = "HS", scheme: int = SV57) -> None:
    """Translate by one stage: CODE to itself, `va` to PA, as pages of the mode."""
    user = U if mode in ("U", "VU") else 0
    stages(bench, scheme, 0)
    bench.map_guest(va, PA, LEAF | user)
    bench.map_guest(CODE, CODE, LEAF | user)
    if mode in ("HS", "U"):
        bench["satp"], bench["vsatp"] = bench["vsatp"], 0


# --- the fields ---------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", FIELDS)
@section("Number of Masked Bits")
def test_legal_values_of_the_fields(make: MakeBench, whose: str) -> None:
    """1 is reserved. The field is read-only zero on a hart without its extension."""
    name, low = FIELDS[whose]
    bench = make()
    for value in (SEVEN, SIXTEEN, OFF):
        put(bench, whose, value)
        assert bench[name] >> low & 3 == value
    put(bench, whose, 1)
    assert bench[name] >> low & 3 in (OFF, SEVEN, SIXTEEN)
    extension = {"M": "smmpm zkr zk", "HS": "smnpm"}.get(whose, "ssnpm supm")
    bench = make("sspm smnpm" if extension == "smnpm" else extension)
    if whose != "M":
        put(bench, whose, SIXTEEN)
        assert bench[name] >> low & 3 == 0
    else:
        assert bench.outcome(word("csrrs", csr=0x747, rd=5, rs1=0), "M") == "illegal"


# --- what is masked -----------------------------------------------------------------------------


@section(MODES)
@pytest.mark.parametrize("pmm", [SEVEN, SIXTEEN])
@pytest.mark.parametrize("mode", ["M", "HS", "U", "VS", "VU"])
def test_each_mode_has_its_own_field(bench: Bench, mode: str, pmm: int) -> None:
    """The setting of one mode doesn't count in another."""
    bench.poke(PA + AT, 0x77)
    mine = FIELDS[mode]
    put(bench, mode, pmm)
    assert bench.access(LOAD, PA + AT | TAGS[pmm], mode) is None
    assert bench.hart.x[5] == 0x77
    put(bench, mode, OFF)
    for whose, field in FIELDS.items():
        if field != mine:
            put(bench, whose, pmm)
    found = bench.access(LOAD, PA + AT | TAGS[pmm], mode)
    assert found is not None
    assert found.cause in (5, 21)
    assert found.tval == PA + AT | TAGS[pmm]


@section(IGNORE)
@pytest.mark.parametrize("mode", ["HS", "U", "VS", "VU"])
@pytest.mark.parametrize("va", [VA, VA | -(1 << 47) & ONES])
def test_a_virtual_address_is_sign_extended(bench: Bench, mode: str, va: int) -> None:
    paged(bench, va, mode)
    put(bench, mode, SIXTEEN)
    bench.poke(PA + AT, 0x77)
    for tag in (0, 1 << 63, 0x1234 << 48, 0xFFFF << 48):
        tagged = (va & (1 << 48) - 1 | tag) + AT
        assert bench.access(LOAD, tagged, mode) is None
        assert bench.hart.x[5] == 0x77
        bench.hart.x[7] = 0x77
        assert bench.access(STORE, tagged, mode) is None


@section(IGNORE)
@pytest.mark.parametrize("mode", ["M", "HS", "U", "VS", "VU"])
def test_a_physical_address_is_zero_extended(bench: Bench, mode: str) -> None:
    """So a mask can't make a large physical address valid that is negative."""
    put(bench, mode, SEVEN)
    assert bench.access(LOAD, PA | 0x7F << 57, mode) is None
    found = bench.access(LOAD, PA | 0xFF << 56, mode)
    assert found is not None
    assert found.tval == PA | 1 << 56, "stval has the transformed address"


@section(TWO_STAGES)
@pytest.mark.parametrize(("pmm", "top"), [(SEVEN, 58), (SIXTEEN, 49)])
def test_two_bits_of_a_guest_physical_address_are_masked_too(
    bench: Bench, pmm: int, top: int
) -> None:
    """With vsatp Bare and a G stage whose addresses are wider than what the mask leaves."""
    stages(bench, 0, SV57)
    bench.poke(PA + AT, 0x77)
    put(bench, "VS", pmm)
    assert bench.access(LOAD, GPA + AT | 1 << top, "VS") is None
    assert bench.hart.x[5] == 0x77


@section(MASKED)
@pytest.mark.parametrize("mode", ["M", "HS", "VU"])
def test_every_kind_of_access_is_masked(bench: Bench, mode: str) -> None:
    """Loads, stores, AMOs, lr and sc, floating point, cache blocks, in slow and fast paths."""
    bench["mstatus"] |= Status.FS
    bench["vsstatus"] |= Status.FS
    for name in ("menvcfg", "henvcfg", "senvcfg"):
        bench[name] = 0xF0
    put(bench, mode, SIXTEEN)
    tagged = PA | TAGS[SIXTEEN]
    for _ in range(2):
        for name, operands in (
            ("lb", {"rd": 5}), ("lwu", {"rd": 5}), ("ld", {"rd": 5}), ("sb", {"rs2": 7}),
            ("sd", {"rs2": 7}), ("amoadd.w", {"rd": 5, "rs2": 7}), ("lr.d", {"rd": 5}),
            ("sc.d", {"rd": 5, "rs2": 7}), ("fld", {"rd": 5}), ("fsw", {"rs2": 7}),
            ("cbo.zero", {}), ("cbo.flush", {}), ("cbo.inval", {}), ("cbo.clean", {}),
        ):  # fmt: skip
            bench.hart.x[6] = tagged
            assert bench.step(word(name, rs1=6, **operands), mode) is None, name


@section(MASKED)
def test_a_misaligned_access_across_pages(bench: Bench) -> None:
    paged(bench)
    bench.map_guest(VA + 0x1000, PA + 0x1000)
    put(bench, "HS", SIXTEEN)
    bench.hart.x[7] = 0x1122_3344_5566_7788
    tagged = VA + 0xFFC | 0xBEEF << 48
    assert bench.access(STORE, tagged, "HS") is None
    assert bench.peek(PA + 0xFFC) == 0x1122_3344_5566_7788
    assert bench.access(LOAD, tagged, "HS") is None
    assert bench.hart.x[5] == 0x1122_3344_5566_7788


@section(MASKED)
@pytest.mark.parametrize("mode", ["M", "HS", "U", "VS", "VU"])
def test_fetches_are_never_masked(bench: Bench, mode: str) -> None:
    put(bench, mode, SIXTEEN)
    found = bench.access(FETCH, PA | TAGS[SIXTEEN], mode)
    assert found is not None
    assert found.cause in (1, 20)
    assert found.tval == PA | TAGS[SIXTEEN]


@section(MASKED)
@pytest.mark.parametrize("mode", ["HS", "U", "VS", "VU"])
@pytest.mark.parametrize("who", ["mstatus", "vsstatus"])
def test_mxr_switches_it_off_below_m_mode(bench: Bench, mode: str, who: str) -> None:
    """With page tables or without; vsstatus.MXR counts for guests only."""
    put(bench, mode, SIXTEEN)
    bench[who] |= Status.MXR
    masked = who == "vsstatus" and mode in ("HS", "U")
    assert (bench.access(LOAD, PA | TAGS[SIXTEEN], mode) is None) == masked
    bench[who] &= ~Status.MXR
    assert bench.access(LOAD, PA | TAGS[SIXTEEN], mode) is None


@section(MASKED)
def test_mxr_does_not_count_in_m_mode(bench: Bench) -> None:
    put(bench, "M", SIXTEEN)
    bench["mstatus"] |= Status.MXR
    assert bench.access(LOAD, PA | TAGS[SIXTEEN], "M") is None


@section(MASKED)
@pytest.mark.parametrize("mode", ["HS", "U", "VS", "VU"])
def test_mprv_applies_the_effective_mode_s_setting(bench: Bench, mode: str) -> None:
    status = Status.MPRV | (1 << 11 if mode in ("HS", "VS") else 0)
    status |= Status.MPV if mode in ("VS", "VU") else 0
    for whose, expected in ((mode, True), ("M", False)):
        bench.begin()
        put(bench, whose, SIXTEEN)
        bench["mstatus"] = status
        assert (bench.access(LOAD, PA | TAGS[SIXTEEN], "M") is None) == expected


@section("Hypervisor Status (hstatus) Register")
@pytest.mark.parametrize(
    ("mode", "spvp", "whose"),
    [("M", 1, "VS"), ("HS", 1, "VS"), ("U", 1, "VS"), ("M", 0, "VU"), ("HS", 0, "VU"),
     ("U", 0, "HUPMM")],
)  # fmt: skip
def test_hlv_and_hsv(bench: Bench, mode: str, spvp: int, whose: str) -> None:
    """As though in VS mode henvcfg.PMM counts; as though in VU mode senvcfg.PMM, but in U mode
    hstatus.HUPMM."""
    for one, field in FIELDS.items():
        bench.begin()
        bench.hart.x[6] = PA | TAGS[SIXTEEN]
        bench["hstatus"] = HStatus.HU | (HStatus.SPVP if spvp else 0)
        put(bench, one, SIXTEEN)
        expected = field == FIELDS[whose]
        assert (bench.step(word("hlv.d", rd=5, rs1=6), mode) is None) == expected
        assert (bench.step(word("hsv.d", rs2=7, rs1=6), mode) is None) == expected


@section("Hypervisor Virtual-Machine Load and Store Instructions")
@pytest.mark.parametrize("mode", ["M", "HS", "U"])
@pytest.mark.parametrize("spvp", [0, 1])
def test_hlvx_is_not_masked(bench: Bench, mode: str, spvp: int) -> None:
    bench["hstatus"] = HStatus.HU | (HStatus.SPVP if spvp else 0)
    for whose in FIELDS:
        put(bench, whose, SIXTEEN)
    bench.hart.x[6] = PA | TAGS[SIXTEEN]
    found = bench.step(word("hlvx.wu", rd=5, rs1=6), mode)
    assert found is not None
    assert found.tval == PA | TAGS[SIXTEEN]


@section(MASKED)
@pytest.mark.parametrize(("kind", "page", "guest"), [(LOAD, 13, 21), (STORE, 15, 23)])
def test_traps_report_the_transformed_address(
    make: MakeBench, kind: str, page: int, guest: int
) -> None:
    bench = make(tinst="zero")
    stages(bench)
    put(bench, "VS", SEVEN)
    tagged = VA + AT | 0x2A << 57
    bench.map_guest(VA, GPA, 0)
    assert bench.access(kind, tagged) == Trap("M", page, VA + AT, gva=1, virt=1, priv=1)
    bench.map_guest(VA, GPA)
    bench.map_host(GPA, PA, 0)
    expected = Trap("M", guest, VA + AT, GPA + AT >> 2, 0, 1, 1, 1)
    assert bench.access(kind, tagged) == expected


@section(MASKED)
def test_a_misaligned_exception_reports_the_transformed_address(make: MakeBench) -> None:
    bench = make("zicclsm zama16b", tinst="zero")
    put(bench, "M", SEVEN)
    assert bench.access(LOAD, PA + 3 | TAGS[SEVEN], "M") == Trap("M", 4, PA + 3, priv=3)


@section(MASKED)
def test_csrs_and_trap_vectors_are_not_masked(bench: Bench) -> None:
    put(bench, "HS", SIXTEEN)
    put(bench, "M", SIXTEEN)
    for name in ("stvec", "sepc", "stval", "sscratch"):
        bench.hart.x[6] = PA | TAGS[SIXTEEN]
        assert bench.step(word("csrrw", csr={
            "stvec": 0x105, "sepc": 0x141, "stval": 0x143, "sscratch": 0x140
        }[name], rd=0, rs1=6), "HS") is None  # fmt: skip
        assert bench[name] == PA | TAGS[SIXTEEN]


@section("Supervisor Environment Configuration (senvcfg) Register")
def test_a_change_takes_effect_at_once(bench: Bench) -> None:
    """No sfence.vma is needed, in either direction."""
    tagged = PA | TAGS[SEVEN]
    for pmm, expected in ((SEVEN, True), (OFF, False), (SIXTEEN, True), (OFF, False)):
        put(bench, "U", pmm)
        assert (bench.access(LOAD, tagged, "U") is None) == expected
        assert bench.access(LOAD, PA, "U") is None


@section(MASKED)
@pytest.mark.parametrize("fence", ["sfence.vma", "hfence.vvma", "hfence.gvma"])
def test_fences_take_the_address_without_its_masked_bits(bench: Bench, fence: str) -> None:
    """They forget the translations of every tagged address of the page."""
    mode, host = ("HS", 0) if fence == "sfence.vma" else ("VS", 8)
    if host:
        stages(bench)
    else:
        paged(bench)
    put(bench, mode, SEVEN)
    tagged = [VA + AT | tag << 57 for tag in (0, 1, 0x7F)]
    for va in tagged:
        assert bench.access(LOAD, va, mode) is None
    if fence == "hfence.gvma":
        bench.map_host(GPA, 0, 0)
    else:
        bench.map_guest(VA, 0, 0)
    bench.hart.x[8] = VA if fence != "hfence.gvma" else GPA >> 2
    assert bench.step(word(fence, rs1=8, rs2=0), "M") is None
    for va in tagged:
        assert bench.access(LOAD, va, mode) is not None


@section("rvplat: debuggers")
@pytest.mark.parametrize("scheme", [0, SV57])
def test_a_debugger_may_use_masked_pointers(bench: Bench, scheme: int) -> None:
    at = PA
    if scheme:
        paged(bench)
        at = VA
    tagged = at | TAGS[SIXTEEN]
    bench.enter("HS")
    if scheme:
        assert not debug_translate(bench.hart, u64(tagged)).mapped
    put(bench, "HS", SIXTEEN)
    found = debug_translate(bench.hart, u64(tagged + AT))
    assert (found.mapped, found.pa) == (True, PA + AT)
    assert debug_translate(bench.hart, u64(CODE)).pa == CODE
