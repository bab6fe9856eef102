"""Sdtrig: triggers that compare data and opcodes, the older type mcontrol, and tcontrol."""

from __future__ import annotations

import pytest

from rvplat.isa.privileged import Status
from tests.h.bench import ALL_MODES, CODE, HANDLERS, NOP, Bench, Trap, csr_word, word
from tests.h.conftest import MakeBench
from tests.h.section import section
from tests.h.test_triggers import (
    BREAKPOINT,
    CHAIN,
    CONTROL,
    DATA,
    EXECUTE,
    HIT0,
    HIT1,
    LOAD,
    MCONTROL,
    MCONTROL6,
    MODE6,
    NATIVE,
    REGISTERS,
    SELECT,
    STORE,
    control,
    is_break,
    program,
    store,
)

OLDER = "Match Control"
LOADED = MCONTROL6 | SELECT | LOAD | MODE6["U"]
STORED = MCONTROL6 | SELECT | STORE | MODE6["U"]


def load(
    bench: Bench, value: int, mode: str = "U", name: str = "ld", at: int = DATA
) -> Trap | None:
    """Load a value; the trap of a trigger that has seen it comes after the instruction."""
    bench.poke(at, value)
    bench.hart.x[6] = at
    return bench.step(word(name, rd=5, rs1=6), mode) or bench.go(0)


@section(CONTROL)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_loaded_data_is_compared_after_the_load(bench: Bench, mode: str) -> None:
    """hit1 and hit0: immediately after; xepc is the next instruction."""
    program(bench, 0, MCONTROL6 | SELECT | LOAD | MODE6[mode], 0x1234)
    assert load(bench, 0x1235, mode) is None
    found = load(bench, 0x1234, mode)
    assert is_break(found, DATA) and found is not None
    assert found.gva == int(mode in ("VS", "VU"))
    assert (bench["mepc"], bench.hart.x[5]) == (CODE + 4, 0x1234)
    assert control(bench) & (HIT0 | HIT1) == HIT0 | HIT1
    bench["mstatus"] = bench["mstatus"] | Status.MIE
    for other in set(ALL_MODES) - {mode}:
        assert load(bench, 0x1234, other) is None


@section(CONTROL)
def test_stored_data_is_compared_before_the_store(bench: Bench) -> None:
    program(bench, 0, STORED, 77)
    bench.hart.x[7] = 76
    assert store(bench, DATA, "U") is None
    bench.hart.x[7] = 77
    assert is_break(store(bench, DATA, "U"), DATA)
    assert (bench["mepc"], bench.peek(DATA)) == (CODE, 76)
    assert control(bench) & (HIT0 | HIT1) == HIT0
    bench.hart.x[7] = 0x1_0000_004D
    assert store(bench, DATA, "U") is None
    assert is_break(store(bench, DATA, "U", "sw"), DATA), "the low bits, as many as are stored"


@section(CONTROL)
def test_the_bits_of_the_access_are_compared(bench: Bench) -> None:
    def matched(match: int, data2: int, value: int, name: str = "ld") -> bool:
        program(bench, 0, LOADED | match << 7, data2)
        return load(bench, value, "U", name) is not None

    assert matched(0, 0xFFFF_FFFF, 0xFFFF_FFFF, "lw"), "zero-extended, whatever the register gets"
    assert matched(0, 0x12FF, 0xFF, "lb") and not matched(0, 0x12FF, 0xFF, "lh")
    assert matched(1, 0x10 | 7, 0x1F) and not matched(1, 0x10 | 7, 0x20)
    assert not matched(9, 0x10 | 7, 0x1F) and matched(9, 0x10 | 7, 0x20)
    assert [matched(2, 8, n) for n in (7, 8, 9)] == [False, True, True]
    assert [matched(3, 8, n) for n in (7, 8, 9)] == [True, False, False]
    assert [matched(8, 8, n) for n in (7, 8, 9)] == [True, False, True]
    assert matched(4, 0xFF << 32 | 0x34, 0x1234) and not matched(4, 0xFF << 32 | 0x35, 0x1234)
    assert matched(12, 0xFF << 32 | 0x35, 0x1234)
    assert matched(5, 0xFF << 32 | 0x12, 0x3412 << 32)
    assert matched(13, 0xFF << 32 | 0x13, 0x3412 << 32)


@section("Instruction Count")
def test_the_load_and_the_trap_after_it_count(bench: Bench) -> None:
    program(bench, 0, LOADED, 5)
    program(bench, 1, 3 << 60 | 1 << 6 | 4 << 10)
    assert is_break(load(bench, 5), DATA)
    assert control(bench, 1) >> 10 & 0x3FFF == 2


@section(CONTROL)
def test_an_address_and_its_data_are_a_chain(bench: Bench) -> None:
    program(bench, 0, MCONTROL6 | LOAD | MODE6["U"] | CHAIN, DATA)
    program(bench, 1, LOADED, 5)
    assert load(bench, 4) is None and load(bench, 5, at=DATA + 64) is None
    assert is_break(load(bench, 5), DATA) and bench["mepc"] == CODE + 4
    program(bench, 0, MCONTROL6 | STORE | MODE6["U"] | CHAIN, DATA)
    program(bench, 1, STORED, 5)
    bench.hart.x[7] = 5
    assert store(bench, DATA + 64, "U") is None
    assert is_break(store(bench, DATA, "U"), DATA) and bench["mepc"] == CODE


@section("Sdtrig: A Extension")
def test_the_data_of_atomic_instructions_is_not_compared(bench: Bench) -> None:
    program(bench, 0, LOADED | STORE | 2 << 7, 0)
    bench.hart.x[6] = DATA
    for name in ("amoadd.d", "lr.d", "sc.d"):
        operands = {"rd": 5, "rs1": 6, "aq": 0, "rl": 0} | ({} if name == "lr.d" else {"rs2": 7})
        assert bench.step(word(name, **operands), "U") is bench.go(0) is None


@section(CONTROL)
def test_opcodes_and_lengths_of_instructions(bench: Bench) -> None:
    addi, short = word("addi", rd=5, rs1=5, imm=1), 0x0285  # c.addi t0, 1
    program(bench, 0, MCONTROL6 | SELECT | EXECUTE | MODE6["U"], addi)
    assert bench.step(NOP, "U") is bench.step(short, "U") is None
    found = bench.step(addi, "U")
    assert is_break(found, CODE) and (bench["mepc"], bench.hart.x[5]) == (CODE, 1)
    for size, matched in ((2, short), (3, addi)):
        program(bench, 0, MCONTROL6 | EXECUTE | MODE6["U"] | size << 16, CODE)
        for bits in (addi, short):
            assert (bench.step(bits, "U") is not None) is (bits == matched)


@section(OLDER)
def test_mcontrol_has_its_own_layout(bench: Bench) -> None:
    maskmax, select, timing, hit = 63 << 53, 1 << 19, 1 << 18, 1 << 20
    bench["tdata1"] = MCONTROL | 0x7F
    assert bench["tdata1"] == MCONTROL | maskmax | 0x5F, "bit 5 is zero"
    bench["tdata1"] = MCONTROL | select | LOAD | 1 << 21 | 1 << 16 | hit
    assert bench["tdata1"] == MCONTROL | maskmax | select | timing | LOAD | 1 << 21 | 1 << 16 | hit
    bench["tdata1"] = MCONTROL | timing | STORE | 3 << 23 | 2 << 16
    assert bench["tdata1"] == MCONTROL | maskmax | STORE | 2 << 16, "no timing, vs and vu"
    for data1, data2 in ((STORE | 5 << 7, 0xFFFF_FFFF << 32), (STORE, DATA), (STORE | select, 7)):
        program(bench, 0, MCONTROL | MODE6["U"] | data1, data2)
        bench.hart.x[7] = 7
        assert store(bench, DATA, "VU") is None
        assert is_break(store(bench, DATA, "U"), DATA)
        assert control(bench) & hit
    program(bench, 0, MCONTROL | MODE6["U"] | LOAD | select, 7)
    assert load(bench, 6) is None and is_break(load(bench, 7), DATA)


@section("Sdtrig: Priority")
def test_a_breakpoint_comes_before_a_missing_landing_pad(make: MakeBench) -> None:
    bench = make(further="Zicfilp")
    for data1, tval in ((MCONTROL6 | EXECUTE | MODE6["M"], CODE), (3 << 60 | 1 << 9 | 1 << 8, 0)):
        program(bench, 0, data1, tval)
        bench.hart.elp = 1
        assert is_break(bench.step(NOP, "M"), tval)
        bench["mstatus"] = 0
    bench.hart.elp = 1
    found = bench.step(NOP, "M")
    assert found is not None and found.cause == 18, "software check, while no trigger may fire"


WITHOUT_S = "h sha shcounterenw shvstvala shtvala shvstvecd shvsatpa shgatpa shlcofideleg s"


@section(NATIVE)
def test_tcontrol_is_there_without_s_mode(make: MakeBench) -> None:
    """ "The second option targets primarily implementations without S-mode"."""
    bench = make()
    assert bench.outcome(csr_word("csrrs", "tcontrol", rs1=0), "M") == "illegal"
    bench = make(WITHOUT_S)
    bench["tcontrol"] = -1 & (1 << 64) - 1
    assert bench["tcontrol"] == 1 << 7 | 1 << 3
    assert bench.outcome(csr_word("csrrs", "tcontrol", rs1=0), "U") == "illegal"
    assert bench["tcontrol"] == 1 << 7, "a trap: mpte is mte, mte is 0"
    assert bench.step(word("mret"), "M") is None
    assert bench["tcontrol"] == 1 << 7 | 1 << 3
    bench["tcontrol"] = 0
    program(bench, 0, MCONTROL6 | EXECUTE | MODE6["M"], CODE)
    assert bench.step(NOP, "M") is None, "whatever MIE is"
    bench["tcontrol"], bench["mstatus"] = 1 << 3, 0
    assert bench.step(NOP, "M") == Trap("M", BREAKPOINT, CODE, priv=3)
    assert bench["tcontrol"] == 1 << 7 and bench["mepc"] == CODE
    assert bench.hart.pc == HANDLERS["M"]


@section(REGISTERS)
def test_a_trap_of_the_loading_instruction_comes_alone(bench: Bench) -> None:
    """A load that reaches a page without access: the first part is no load that was made."""
    program(bench, 0, LOADED | 2 << 7, 0)
    bench.hart.x[6] = 0x1000_0000
    found = bench.step(word("ld", rd=5, rs1=6), "U")
    assert found is not None and found.cause == 5
    assert bench.go(0) == found
