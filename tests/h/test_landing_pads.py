"""Zicfilp: landing pads, in every mode, with traps and returns in between."""

from __future__ import annotations

import pytest

from rvplat.isa.landing_pads import LPAD_MASK, LPAD_MATCH
from tests.h.bench import ALL_MODES, CODE, HANDLERS, LEAF, MODES, NOP, ONES, Bench, Trap, word
from tests.h.conftest import MakeBench
from tests.h.section import section

ENFORCED = "Landing Pad Enforcement"
INSTRUCTION = "Landing Pad Instruction"
STATE = "Landing-Pad-Enabled (LPE) State"
KEPT = "Preserving Expected Landing Pad State on Traps"
DELEGATION = "Machine Trap Delegation Registers"
LPE, MLPE = 1 << 2, 1 << 10
MPELP, SPELP = 1 << 41, 1 << 23
MPP, MPV, MPIE, SPP, SPV = 3 << 11, 1 << 39, 1 << 7, 1 << 8, 1 << 7
SOFTWARE_CHECK, PAD_FAULT = 18, 2
ENABLES = {"M": "mseccfg", "HS": "menvcfg", "VS": "henvcfg", "U": "senvcfg", "VU": "senvcfg"}
TARGET = CODE + 0x100
LPAD = word("lpad")
MRET, SRET, ECALL = word("mret"), word("sret"), word("ecall")
C_JR_A0, C_JALR_A0 = 0x8502, 0x9502


@pytest.fixture
def pads(make: MakeBench) -> Bench:
    """A hart with landing pads, that no mode demands yet. x10 is the target of jumps."""
    bench = make(further="Zicfilp")
    bench.hart.x[10] = TARGET
    return bench


def enable(bench: Bench, mode: str) -> None:
    """Set xLPE of a mode."""
    bench[ENABLES[mode]] |= MLPE if mode == "M" else LPE


def fault(bench: Bench, mode: str) -> Trap:
    """The software-check exception of a mode, taken to M mode."""
    priv, virt = MODES[mode]
    return Trap("M", SOFTWARE_CHECK, PAD_FAULT, virt=virt, priv=priv)


def land(bench: Bench, mode: str, target: int, jump: int = 0, at: int = TARGET) -> Trap | None:
    """Jump to an instruction and run it: the trap."""
    bench.poke(at, target, 4)
    bench.hart.x[10] = at
    assert bench.step(jump or word("jalr", rd=1, rs1=10, imm=0), mode) is None
    assert bench.hart.pc == at
    return bench.go()


@section(INSTRUCTION)
def test_the_check_knows_the_instruction(make: MakeBench) -> None:
    make()
    row = word("lpad")
    assert (row, LPAD_MATCH, LPAD_MASK) == (0x17, 0x17, 0xFFF)


@pytest.mark.parametrize("mode", ALL_MODES)
@section(ENFORCED)
def test_an_indirect_call_must_land_on_a_pad(pads: Bench, mode: str) -> None:
    enable(pads, mode)
    assert land(pads, mode, LPAD) is None
    assert (pads.hart.pc, pads.hart.elp) == (TARGET + 4, 0)
    assert land(pads, mode, NOP) == fault(pads, mode)
    assert pads["mepc"] == TARGET, "the pad that is missing"
    assert pads["mstatus"] & MPELP, "ELP before the trap"


@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("other", ALL_MODES)
@section(STATE)
def test_each_mode_has_its_own_enable(pads: Bench, mode: str, other: str) -> None:
    enable(pads, other)
    trapped = ENABLES[mode] == ENABLES[other]
    assert (land(pads, mode, NOP) is not None) == trapped


@section(STATE)
def test_without_s_mode_menvcfg_is_for_u_mode(make: MakeBench) -> None:
    absent = "s h sv32 sv39 sv48 sv57 svbare svadu svade svinval svnapot svpbmt svvptc sstc"
    bench = make(absent, further="Zicfilp")
    enable(bench, "HS")
    bench.hart.has_s = 0
    assert land(bench, "U", NOP) == fault(bench, "U")
    bench.hart.has_s = 1


@pytest.mark.parametrize("register", [1, 5, 7])
@section(ENFORCED)
def test_returns_and_software_guarded_branches_need_no_pad(pads: Bench, register: int) -> None:
    enable(pads, "HS")
    for rd in (0, 1, 5, 6):
        pads.hart.x[register] = TARGET
        assert land(pads, "HS", NOP, word("jalr", rd=rd, rs1=register, imm=0)) is None
    if register != 7:
        pads.hart.x[register] = TARGET
        assert land(pads, "HS", NOP, 0x8002 | register << 7) is None  # c.jr


@pytest.mark.parametrize("jump", [C_JR_A0, C_JALR_A0, word("jalr", rd=0, rs1=10, imm=0)])
@section(ENFORCED)
def test_compressed_jumps_need_a_pad(pads: Bench, jump: int) -> None:
    enable(pads, "U")
    assert land(pads, "U", LPAD, jump) is None
    assert land(pads, "U", NOP, jump) == fault(pads, "U")
    assert land(pads, "U", 0x0001, jump) == fault(pads, "U"), "c.nop"


@section(ENFORCED)
def test_direct_jumps_need_no_pad(pads: Bench) -> None:
    enable(pads, "HS")
    pads.poke(TARGET, NOP, 4)
    assert land(pads, "HS", NOP, word("jal", rd=1, imm=0x100)) is None


@section(ENFORCED)
def test_a_pad_is_aligned_to_four_bytes(pads: Bench) -> None:
    enable(pads, "VS")
    assert land(pads, "VS", LPAD, at=TARGET + 2) == fault(pads, "VS")
    pads["henvcfg"] = 0
    assert land(pads, "VS", LPAD, at=TARGET + 2) is None, "without LPE it does nothing"


@pytest.mark.parametrize(
    ("label", "x7", "lands"),
    [
        (0, 0x12345 << 12, True),
        (0x12345, 0x12345 << 12, True),
        (0x12345, 0x12345 << 12 | 0xABC | 0xF << 60, True),
        (0xFFFFF, ONES & ~0xFFF, True),
        (0xFFFFF, 0xFFFFF << 12, True),
        (0x12345, 0x12346 << 12, False),
        (0x80000, 0, False),
    ],
)
@section(INSTRUCTION)
def test_a_label_is_that_of_x7(pads: Bench, label: int, x7: int, lands: bool) -> None:
    enable(pads, "HS")
    pads.hart.x[7] = x7
    found = land(pads, "HS", LPAD | label << 12)
    assert found == (None if lands else fault(pads, "HS"))
    assert pads["mstatus"] & MPELP == (0 if lands else MPELP)


@section(INSTRUCTION)
def test_a_pad_without_a_jump_does_nothing(pads: Bench) -> None:
    enable(pads, "HS")
    pads.hart.x[7] = 1 << 12
    assert pads.step(LPAD | 5 << 12, "HS") is None


@pytest.mark.parametrize("mode", ["HS", "VS", "VU", "U"])
@section(KEPT)
def test_a_trap_keeps_what_is_expected_and_a_return_restores_it(pads: Bench, mode: str) -> None:
    """An interrupt comes between the jump and its target."""
    enable(pads, mode)
    pads.poke(TARGET, LPAD, 4)
    assert pads.step(word("jalr", rd=1, rs1=10, imm=0), mode) is None
    pads["mie"] = pads["mip"] = 1 << 1
    taken = pads.go(0)
    assert taken is not None and taken.mode == "M"
    assert (pads["mstatus"] & MPELP, pads.hart.elp) == (MPELP, 0)
    pads["mie"] = 0
    pads.poke(HANDLERS["M"], MRET, 4)
    assert pads.go() is None
    assert (pads["mstatus"] & MPELP, pads.hart.elp, pads.mode) == (0, 1, mode)
    assert pads.go() is None, "the pad"
    pads.poke(TARGET, NOP, 4)


@section(KEPT)
def test_a_trap_without_an_expectation_clears_the_bit(pads: Bench) -> None:
    pads["mstatus"] |= MPELP | SPELP
    pads.delegate()
    assert pads.step(ECALL, "U") is not None
    assert pads["mstatus"] & (MPELP | SPELP) == MPELP
    pads.step(ECALL, "M")
    assert pads["mstatus"] & MPELP == 0


@pytest.mark.parametrize("to", ALL_MODES)
@pytest.mark.parametrize("on", [False, True])
@section(KEPT)
def test_mret_asks_the_enable_of_the_new_mode(pads: Bench, to: str, on: bool) -> None:
    if on:
        enable(pads, to)
    priv, virt = MODES[to]
    pads["mstatus"] = MPELP | MPP & priv << 11 | MPV * virt
    pads["mepc"] = TARGET
    assert pads.step(MRET, "M") is None
    assert (pads.mode, pads.hart.elp) == (to, int(on))
    assert pads["mstatus"] & MPELP == 0


@pytest.mark.parametrize("to", ["HS", "U", "VS", "VU"])
@pytest.mark.parametrize("on", [False, True])
@section(KEPT)
def test_sret_asks_the_enable_of_the_new_mode(pads: Bench, to: str, on: bool) -> None:
    if on:
        enable(pads, to)
    priv, virt = MODES[to]
    pads["sstatus"] = SPELP | SPP * priv
    pads["hstatus"] = SPV * virt
    pads["sepc"] = TARGET
    assert pads.step(SRET, "HS") is None
    assert (pads.mode, pads.hart.elp) == (to, int(on))
    assert pads["sstatus"] & SPELP == 0


@pytest.mark.parametrize("to", ["VS", "VU"])
@section(KEPT)
def test_a_guest_has_the_bit_in_vsstatus(pads: Bench, to: str) -> None:
    enable(pads, to)
    enable(pads, "HS")
    pads.delegate(hedeleg=ONES)
    assert land(pads, to, NOP) == Trap("VS", SOFTWARE_CHECK, PAD_FAULT, virt=1, priv=MODES[to][0])
    assert (pads["vsstatus"] & SPELP, pads["mstatus"] & (SPELP | MPELP)) == (SPELP, 0)
    pads.poke(HANDLERS["VS"], SRET, 4)
    assert pads.go() is None
    assert (pads.mode, pads.hart.elp, pads["vsstatus"] & SPELP) == (to, 1, 0)


@section(DELEGATION)
def test_software_checks_can_be_delegated(pads: Bench, make: MakeBench) -> None:
    enable(pads, "U")
    pads["medeleg"] = 1 << SOFTWARE_CHECK
    found = land(pads, "U", NOP)
    assert found == Trap("HS", SOFTWARE_CHECK, PAD_FAULT, priv=0)
    plain = make()
    plain["medeleg"] = ONES
    assert plain["medeleg"] >> SOFTWARE_CHECK & 1 == 0


@section(KEPT)
def test_a_fetch_fault_at_the_target_goes_first(pads: Bench) -> None:
    """It has a higher priority, and ELP is kept for the return."""
    enable(pads, "VS")
    pads.two_stages()
    pads.hart.x[10] = TARGET + 0x1000
    assert pads.step(word("jalr", rd=1, rs1=10, imm=0), "VS") is None
    found = pads.go()
    assert found is not None and (found.cause, found.tval) == (12, TARGET + 0x1000)
    assert pads["mstatus"] & MPELP
    pads.map_guest(TARGET + 0x1000, CODE, LEAF)


@section(ENFORCED)
def test_a_misaligned_target_expects_nothing(make: MakeBench) -> None:
    """Without C the jump itself traps."""
    bench = make("c zca zcb zcmop zcf zcd", further="Zicfilp")
    bench.hart.x[10] = TARGET + 2
    enable(bench, "HS")
    found = bench.step(word("jalr", rd=1, rs1=10, imm=0), "HS")
    assert found is not None and found.cause == 0
    assert bench["mstatus"] & MPELP == 0


@section(STATE)
def test_without_the_extension_the_fields_are_zero(make: MakeBench) -> None:
    bench = make()
    for name in ("menvcfg", "henvcfg", "senvcfg"):
        bench[name] = ONES
        assert bench[name] & LPE == 0
    bench["mseccfg"] = ONES
    bench["mstatus"] = bench["vsstatus"] = MPELP | SPELP
    assert bench["mseccfg"] & MLPE == 0
    assert (bench["mstatus"] | bench["vsstatus"]) & (MPELP | SPELP) == 0
