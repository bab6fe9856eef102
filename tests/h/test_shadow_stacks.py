"""Zicfiss: who has a shadow stack, and the pages of shadow stacks."""

from __future__ import annotations

import pytest

from tests.h.bench import (
    ALL_MODES,
    CODE,
    HANDLERS,
    LEAF,
    MODES,
    NO_DEVICE,
    ONES,
    RAM,
    A,
    Bench,
    D,
    R,
    Trap,
    U,
    V,
    W,
    X,
    csr_word,
    word,
)
from tests.h.conftest import MakeBench
from tests.h.section import section

CSR = "Shadow Stack Pointer (ssp) CSR access control"
STATE = "Shadow-Stack-Enabled (SSE) State"
PAGES = "Shadow Stack Memory Protection"
PUSHES, POPS = "Push to the Shadow Stack", "Pop from the Shadow Stack"
READS, SWAPS = "Read ssp into a Register", "Atomic Swap from a Shadow Stack Location"
POINTER = "Shadow Stack Pointer (ssp)"
ENVCFG = "Machine Environment Configuration Register"
TINST = "Transformed Instruction or Pseudoinstruction for mtinst or htinst"
EXTENSIONS = "Zimop Zcmop Zicfiss"
SSE, SUM, MXR, MPRV, MPP_S, MPV = 1 << 3, 1 << 18, 1 << 19, 1 << 17, 1 << 11, 1 << 39
SHADOW = V | W | A | D
STACK = CODE + 0x1000
VA = 0x40_0000
STORE_ACCESS, STORE_PAGE, STORE_GUEST_PAGE, SOFTWARE_CHECK = 7, 15, 23, 18
PUSH, POP = word("sspush.ra"), word("sspopchk.ra")
SWAP = word("ssamoswap.d", rd=5, rs1=6, rs2=7, aq=0, rl=0)
SWAP_W = word("ssamoswap.w", rd=5, rs1=6, rs2=7, aq=0, rl=0)
C_PUSH, C_POP = 0x6081, 0x6281
BELOW = ["HS", "U", "VS", "VU"]


@pytest.fixture
def stacks(make: MakeBench) -> Bench:
    """A guest with two stages of translation, whose page VA is a shadow stack; every mode below M
    has xSSE. The guest's pages are VU mode's where a test says so."""
    bench = make(further=EXTENSIONS)
    enable(bench)
    bench.two_stages()
    bench.map_host(STACK, STACK)
    bench.map_guest(VA, STACK, SHADOW)
    bench["ssp"] = VA + 0x800
    bench.hart.x[1] = 0x1234
    return bench


def enable(bench: Bench) -> None:
    for name in ("menvcfg", "henvcfg", "senvcfg"):
        bench[name] |= SSE


def trap(cause: int, tval: int, mode: str = "VS", gva: int = 1, tval2: int = 0) -> Trap:
    priv, virt = MODES[mode]
    return Trap("M", cause, tval, tval2, gva=gva, virt=virt, priv=priv)


def caught(bench: Bench, bits: int, mode: str = "VS") -> tuple[int, int] | None:
    """The cause and the value of the trap that an instruction takes."""
    found = bench.step(bits, mode)
    return (found.cause, found.tval) if found else None


# --- xSSE -----------------------------------------------------------------------------------------


@section(STATE)
@pytest.mark.parametrize("off", ["menvcfg", "henvcfg", "senvcfg"])
@pytest.mark.parametrize("mode", ALL_MODES)
def test_who_has_a_shadow_stack(make: MakeBench, mode: str, off: str) -> None:
    """ssrdp gives 0 in a mode that has none; sspush and sspopchk do nothing there."""
    bench = make(further=EXTENSIONS)
    enable(bench)
    bench["ssp"] = 0x1000
    bench[off] = 0
    lost = {"menvcfg": BELOW, "henvcfg": ["VS", "VU"], "senvcfg": ["U", "VU"]}[off]
    has = mode != "M" and mode not in lost
    bench.hart.x[5] = 7
    assert bench.step(word("ssrdp", rd=5), mode) is None
    assert bench.hart.x[5] == (0x1000 if has else 0)
    found = bench.step(PUSH, mode)
    assert (found is not None) == has
    for bits in (POP, C_PUSH, C_POP):
        assert (bench.step(bits, mode) is not None) == has


@section(CSR)
@pytest.mark.parametrize(
    ("off", "outcomes"),
    [
        ("", {}),
        ("menvcfg", dict.fromkeys(BELOW, "illegal")),
        ("henvcfg", {"VS": "virtual", "VU": "virtual"}),
        ("senvcfg", {"U": "illegal", "VU": "virtual"}),
    ],
)
def test_access_to_ssp_and_ssamoswap(
    make: MakeBench, off: str, outcomes: dict[str, str]
) -> None:  # fmt: skip
    bench = make(further=EXTENSIONS)
    enable(bench)
    if off:
        bench[off] = 0
    for mode in ALL_MODES:
        for op in ("csrrw", "csrrs"):
            assert bench.outcome(csr_word(op, "ssp"), mode) == outcomes.get(mode, "ok")
        assert bench.outcome(SWAP, mode) == outcomes.get(mode, str(STORE_ACCESS))


@section(ENVCFG)
def test_fields_that_are_read_only_zero(make: MakeBench) -> None:
    bench = make(further=EXTENSIONS)
    bench["henvcfg"] = bench["senvcfg"] = SSE
    assert (bench["henvcfg"] & SSE, bench["senvcfg"] & SSE) == (0, 0)
    bench["menvcfg"] = SSE
    bench["senvcfg"] = SSE
    bench.hart.virt = 1
    assert bench["senvcfg"] & SSE == 0
    bench["henvcfg"] = SSE
    assert bench["senvcfg"] & SSE == SSE
    plain = make()
    for name in ("menvcfg", "henvcfg", "senvcfg"):
        plain[name] = ONES
        assert plain[name] & SSE == 0


@section(POINTER)
def test_the_low_bits_of_ssp_are_zero(stacks: Bench) -> None:
    stacks["ssp"] = ONES
    assert stacks["ssp"] == ONES & ~7


# --- pushes, pops, swaps --------------------------------------------------------------------------


@section(PUSHES)
@pytest.mark.parametrize(("bits", "link"), [(PUSH, 1), (word("sspush.t0"), 5), (C_PUSH, 1)])
def test_push(stacks: Bench, bits: int, link: int) -> None:
    stacks.hart.x[link] = 0xABCD_EF01_2345_6789
    for n in (1, 2):  # the second time, the TLB has the page
        assert stacks.step(bits, "VS") is None
        assert stacks["ssp"] == VA + 0x800 - 8 * n
        assert stacks.peek(STACK + 0x800 - 8 * n) == 0xABCD_EF01_2345_6789


@section(POPS)
@pytest.mark.parametrize(("bits", "link"), [(POP, 1), (word("sspopchk.t0"), 5), (C_POP, 5)])
def test_pop(stacks: Bench, bits: int, link: int) -> None:
    stacks.hart.x[link] = 0x77
    for n in (1, 2):
        stacks.poke(STACK + 0x800 + 8 * (n - 1), 0x77)
        assert stacks.step(bits, "VS") is None
        assert stacks["ssp"] == VA + 0x800 + 8 * n
    stacks.poke(STACK + 0x810, 0x77 | 1 << 63)
    assert stacks.step(bits, "VS") == trap(SOFTWARE_CHECK, 3, gva=0)
    assert stacks["ssp"] == VA + 0x810


@section(SWAPS)
def test_swap(stacks: Bench) -> None:
    stacks.hart.x[6], stacks.hart.x[7] = VA + 8, 5 << 32 | 9
    for _ in range(2):
        stacks.poke(STACK + 8, 0x8000_0001)
        assert stacks.step(SWAP, "VS") is None
        assert (stacks.hart.x[5], stacks.peek(STACK + 8)) == (0x8000_0001, 5 << 32 | 9)
    stacks.poke(STACK + 8, 0x8000_0001)
    assert stacks.step(SWAP_W, "VS") is None
    assert (stacks.hart.x[5], stacks.peek(STACK + 8)) == (0xFFFF_FFFF_8000_0001, 9)
    stacks.hart.x[6] = VA + 4
    assert caught(stacks, SWAP) == (6, VA + 4)


@section(PAGES)
def test_a_misaligned_ssp_is_an_access_fault(stacks: Bench) -> None:
    stacks.hart.ssp = VA + 0x804
    for bits, at in ((PUSH, VA + 0x7FC), (POP, VA + 0x804)):
        assert caught(stacks, bits) == (STORE_ACCESS, at)
    assert stacks["ssp"] == VA + 0x804


# --- pages ----------------------------------------------------------------------------------------


@section(PAGES)
@pytest.mark.parametrize(
    ("flags", "cause"),
    [
        (V | R | A, STORE_PAGE),
        (V | R | W | A | D, STORE_ACCESS),
        (LEAF, STORE_ACCESS),
        (V | R | X | A, STORE_ACCESS),
        (V | X | A, STORE_ACCESS),
        (V | W | X | A | D, STORE_PAGE),
        (0, STORE_PAGE),
        (SHADOW | U, STORE_PAGE),
        (SHADOW & ~A, STORE_PAGE),
    ],
)
def test_shadow_stack_instructions_are_for_shadow_stack_pages(
    stacks: Bench, flags: int, cause: int
) -> None:  # fmt: skip
    stacks.map_guest(VA, STACK, flags)
    stacks.hart.x[6] = VA + 0x800
    stacks.step(word("sd", rs1=6, rs2=7, imm=0), "VS")  # so that the TLB has what can be stored to
    for bits, at in ((PUSH, VA + 0x7F8), (POP, VA + 0x800), (SWAP, VA + 0x800)):
        assert caught(stacks, bits) == (cause, at)
    assert stacks["ssp"] == VA + 0x800


@section(PAGES)
def test_only_pushes_and_swaps_need_d(stacks: Bench) -> None:
    stacks.map_guest(VA, STACK, SHADOW & ~D)
    stacks.poke(STACK + 0x800, 0x1234)
    assert stacks.step(POP, "VS") is None
    assert caught(stacks, PUSH) == (STORE_PAGE, VA + 0x800)


@section(PAGES)
@pytest.mark.parametrize("mode", ["VS", "VU"])
def test_other_instructions_may_only_load(stacks: Bench, mode: str) -> None:
    user = U if mode == "VU" else 0
    stacks.map_guest(CODE, CODE, LEAF | user)
    stacks.map_guest(VA, STACK, SHADOW | user)
    stacks.hart.x[6] = VA
    stacks.poke(STACK, 0x4321)
    for _ in range(2):
        assert stacks.step(word("ld", rd=5, rs1=6, imm=0), mode) is None
        assert stacks.hart.x[5] == 0x4321
        assert stacks.step(word("lr.d", rd=5, rs1=6, aq=0, rl=0), mode) is None
        for bits in (
            word("sd", rs1=6, rs2=7, imm=0), word("amoadd.d", rd=5, rs1=6, rs2=7, aq=0, rl=0),
            word("sc.d", rd=5, rs1=6, rs2=7, aq=0, rl=0), word("sb", rs1=6, rs2=7, imm=0),
        ):  # fmt: skip
            assert caught(stacks, bits, mode) == (STORE_ACCESS, VA)
        assert stacks.step(PUSH, mode) is None


@section(PAGES)
@pytest.mark.parametrize("name", ["cbo.zero", "cbo.clean", "cbo.flush", "cbo.inval"])
def test_cache_block_operations_are_not_permitted(stacks: Bench, name: str) -> None:
    for csr in ("menvcfg", "henvcfg", "senvcfg"):
        stacks[csr] |= 0xF0
    stacks.hart.x[6] = VA
    assert caught(stacks, word(name, rs1=6)) == (STORE_ACCESS, VA)


@section(PAGES)
def test_a_fetch_from_a_shadow_stack_is_an_access_fault(stacks: Bench) -> None:
    stacks.enter("VS", VA)
    assert stacks.go() == trap(1, VA)
    stacks["menvcfg"] = 0
    stacks.enter("VS", VA)
    assert stacks.go() == trap(12, VA)


@section(PAGES)
@pytest.mark.parametrize("off", ["menvcfg", "henvcfg"])
def test_without_sse_the_encoding_is_reserved_at_once(stacks: Bench, off: str) -> None:
    """Address-translation caches need no fence."""
    stacks.hart.x[6] = VA
    load = word("ld", rd=5, rs1=6, imm=0)
    assert stacks.step(load, "VS") is None
    kept = stacks[off]
    stacks[off] = 0
    assert caught(stacks, load) == (13, VA)
    stacks[off] = kept
    if off == "menvcfg":
        stacks["henvcfg"] |= SSE
    assert stacks.step(load, "VS") is None


@section(PAGES)
def test_sum_counts_and_mxr_does_not(stacks: Bench) -> None:
    stacks.map_guest(VA, STACK, SHADOW | U)
    assert caught(stacks, PUSH) == (STORE_PAGE, VA + 0x7F8)
    stacks["vsstatus"] |= SUM
    assert stacks.step(PUSH, "VS") is None
    stacks.map_guest(VA, STACK, V | X | A | D)
    stacks["vsstatus"] |= MXR
    stacks["hgatp"] = stacks["hgatp"]
    stacks.hart.x[6] = VA
    stacks.step(word("hfence.vvma", rs1=0, rs2=0), "HS")
    assert caught(stacks, POP) == (STORE_ACCESS, VA + 0x7F8)


@section(PAGES)
@pytest.mark.parametrize("bits", [PUSH, POP, SWAP])
def test_bare_translation_is_an_access_fault(make: MakeBench, bits: int) -> None:
    bench = make(further=EXTENSIONS)
    enable(bench)
    bench["ssp"] = bench.hart.x[6] = STACK
    at = STACK - 8 if bits == PUSH else STACK
    assert caught(bench, bits, "HS") == (STORE_ACCESS, at)
    bench.two_stages(guest_mode=0)
    bench.map_host(STACK, STACK)
    bench.map_host(STACK - 0x1000, STACK - 0x1000)
    assert caught(bench, bits) == (STORE_ACCESS, at)


@section(PAGES)
def test_m_mode_swaps_only_as_another_mode(stacks: Bench) -> None:
    stacks.hart.x[6] = VA
    assert caught(stacks, SWAP, "M") == (STORE_ACCESS, VA)
    stacks["mstatus"] = MPRV | MPP_S | MPV
    assert stacks.step(SWAP, "M") is None


@section(PAGES)
@pytest.mark.parametrize("flags", [V | R | A | D, V | R | X | A | D, 0, V | W | A | D])
@pytest.mark.parametrize("bits", [PUSH, POP, SWAP])
def test_the_second_stage_must_allow_reads_and_writes(stacks: Bench, flags: int, bits: int) -> None:
    stacks.map_host(STACK, STACK, flags | U)
    stacks.hart.x[6] = VA + 0x800
    found = stacks.step(bits, "VS")
    assert found is not None
    at = 0x7F8 if bits == PUSH else 0x800
    assert (found.cause, found.tval) == (STORE_GUEST_PAGE, VA + at)
    assert found.tval2 == STACK + at >> 2


@section(PAGES)
def test_the_second_stage_s_d_is_for_writes(stacks: Bench) -> None:
    stacks.map_host(STACK, STACK, LEAF & ~D | U)
    stacks.poke(STACK + 0x800, 0x1234)
    assert stacks.step(POP, "VS") is None
    assert caught(stacks, PUSH) == (STORE_GUEST_PAGE, VA + 0x800)


@section(PAGES)
@pytest.mark.parametrize("bits", [PUSH, POP])
def test_pmp_must_allow_reads_and_writes(stacks: Bench, bits: int) -> None:
    stacks["pmpaddr1"], stacks["pmpaddr0"] = (1 << 54) - 1, STACK >> 2 | 0x1FF
    stacks["pmpcfg0"] = 0x1F00 | 0x18 | R >> 1
    at = VA + (0x7F8 if bits == PUSH else 0x800)
    assert caught(stacks, bits) == (STORE_ACCESS, at)


@section(PAGES)
@pytest.mark.parametrize("bits", [PUSH, POP])
def test_devices_are_not_idempotent(stacks: Bench, bits: int) -> None:
    stacks.map_host(NO_DEVICE, NO_DEVICE)
    stacks.map_guest(VA, NO_DEVICE, SHADOW)
    stacks.device = 5
    at = VA + (0x7F8 if bits == PUSH else 0x800)
    assert caught(stacks, bits) == (STORE_ACCESS, at)


@section(PAGES)
def test_hardware_sets_a_and_d(stacks: Bench) -> None:
    for name in ("menvcfg", "henvcfg"):
        stacks[name] |= 1 << 61
    slot = stacks.map_guest(VA, STACK, V | W)
    stacks.poke(STACK + 0x800, 0x1234)
    assert stacks.step(POP, "VS") is None
    assert stacks.peek(slot) & (A | D) == A
    assert stacks.step(PUSH, "VS") is None
    assert stacks.peek(slot) & (A | D) == A | D


@section(PAGES)
def test_hlv_reads_and_hsv_does_not_write(stacks: Bench) -> None:
    stacks["hstatus"] |= 1 << 8
    stacks.hart.x[6] = VA
    assert stacks.step(word("hlv.d", rd=5, rs1=6), "HS") is None
    found = stacks.step(word("hsv.d", rs1=6, rs2=7), "HS")
    assert found is not None and (found.cause, found.tval, found.gva) == (STORE_ACCESS, VA, 1)


@section(TINST)
def test_pushes_and_pops_have_no_transformation(stacks: Bench) -> None:
    stacks.map_host(STACK, STACK, V | R | U | A)
    for bits, expected in ((PUSH, 0), (POP, 0), (SWAP, SWAP & ~(31 << 15))):
        stacks.hart.x[6] = VA + 0x800
        found = stacks.step(bits, "VS")
        assert found is not None and found.tinst == expected


@section(PAGES)
def test_code_in_a_shadow_stack_is_decoded_anew(stacks: Bench) -> None:
    """A push changes instructions that run through another mapping."""
    stacks.map_host(HANDLERS["VS"], HANDLERS["VS"])
    code = STACK + 0x7F8
    stacks.map_guest(0x80_0000, STACK, LEAF)
    nop = word("addi", rd=0, rs1=0, imm=0)
    stacks.poke(code, nop, 4)
    stacks.enter("VS", 0x80_0000 + 0x7F8)
    assert stacks.go() is None
    stacks.hart.x[1] = word("addi", rd=9, rs1=0, imm=42)
    assert stacks.step(PUSH, "VS") is None
    stacks.step(word("fence.i"), "VS")
    stacks.enter("VS", 0x80_0000 + 0x7F8)
    assert stacks.go() is None
    assert stacks.hart.x[9] == 42


__all__ = ["RAM", "READS"]
