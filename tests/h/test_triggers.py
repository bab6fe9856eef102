"""Sdtrig: each rule of the Debug Specification 1.0 that the triggers of a hart follow."""

from __future__ import annotations

import pytest

from rvplat.isa.privileged import Cause, Status
from tests.h.bench import ALL_MODES, CODE, HANDLERS, NOP, ONES, Bench, Trap, csr_word, word
from tests.h.conftest import MakeBench
from tests.h.section import section

REGISTERS = "Trigger Module Registers"
ENUMERATION = "Sdtrig: Enumeration"
NATIVE = "Sdtrig: Native Triggers"
CONTROL = "Match Control Type 6"
COUNT = "Instruction Count"
TRAPS = "Exception Trigger"
INTERRUPTS = "Interrupt Trigger"
EXTRA = "Trigger Extra (RV64)"

MCONTROL, ICOUNT, ITRIGGER, ETRIGGER, MCONTROL6, DISABLED = (n << 60 for n in (2, 3, 4, 5, 6, 15))
LOAD, STORE, EXECUTE = 1, 2, 4
MODE6 = {"M": 1 << 6, "HS": 1 << 4, "U": 1 << 3, "VS": 1 << 24, "VU": 1 << 23}
MODE3 = {"M": 1 << 9, "HS": 1 << 7, "U": 1 << 6, "VS": 1 << 26, "VU": 1 << 25}
MODE5 = {"M": 1 << 9, "HS": 1 << 7, "U": 1 << 6, "VS": 1 << 12, "VU": 1 << 11}
ALL6 = sum(MODE6.values())
HIT0, HIT1, CHAIN, SELECT = 1 << 22, 1 << 25, 1 << 11, 1 << 21
BREAKPOINT = int(Cause.BREAKPOINT)
DATA = 0x8002_0000


def program(bench: Bench, n: int, data1: int, data2: int = 0, data3: int = 0) -> None:
    """Set a trigger, in the order that software must use. Interrupts are enabled in M mode."""
    bench["tselect"] = n
    bench["tdata1"] = 0
    bench["tdata2"], bench["tdata3"] = data2, data3
    bench["tdata1"] = data1
    bench["mstatus"] = bench["mstatus"] | Status.MIE


def control(bench: Bench, n: int = 0) -> int:
    bench["tselect"] = n
    return bench["tdata1"]


def load(bench: Bench, va: int, mode: str, name: str = "ld") -> Trap | None:
    bench.hart.x[6] = va
    return bench.step(word(name, rd=5, rs1=6), mode)


def store(bench: Bench, va: int, mode: str, name: str = "sd") -> Trap | None:
    bench.hart.x[6] = va
    return bench.step(word(name, rs1=6, rs2=7), mode)


def is_break(found: Trap | None, tval: int) -> bool:
    return found is not None and (found.cause, found.tval) == (BREAKPOINT, tval)


@section(ENUMERATION)
def test_software_finds_four_triggers_of_five_types(bench: Bench) -> None:
    for n in range(4):
        bench["tselect"] = n
        assert bench["tselect"] == n
        assert bench["tinfo"] == 1 << 24 | 0x7C | 1 << 15, "version 1; types 2 to 6 and 15"
        assert bench["tdata1"] == DISABLED
    bench["tselect"] = 4
    assert bench["tselect"] == 3


@section(REGISTERS)
def test_what_is_not_supported_reads_as_something_legal(bench: Bench) -> None:
    for kind in (0, 1, 7, 8, 12, 14, 15):
        bench["tdata1"] = kind << 60 | 0x7FF
        assert bench["tdata1"] == DISABLED
    bench["tdata1"] = MCONTROL6 | 1 << 59 | 1 << 12 | 1 << 5 | 1 << 26 | LOAD
    assert bench["tdata1"] == MCONTROL6 | LOAD, "dmode, action, uncertainen and uncertain"
    for match in range(16):
        bench["tdata1"] = MCONTROL6 | match << 7 | SELECT
        legal = match if match in (0, 1, 2, 3, 4, 5, 8, 9, 12, 13) else 0
        assert bench["tdata1"] == MCONTROL6 | legal << 7 | SELECT
    for kinds, sizes in ((LOAD | STORE, (1, 2, 3, 5)), (EXECUTE, (2, 3)), (7, (2, 3))):
        for size in range(8):
            bench["tdata1"] = MCONTROL6 | kinds | size << 16
            assert bench["tdata1"] == MCONTROL6 | kinds | (size if size in sizes else 0) << 16
    bench["tdata2"] = ONES
    assert bench["tdata2"] == ONES
    bench["tdata1"] = MCONTROL6 | 1 << 7
    bench["tdata2"] = ONES
    assert bench["tdata2"] == ONES & ~(1 << 62), "maskmax6 is 63"


@section(REGISTERS)
def test_modes_that_the_hart_lacks_are_read_only_zero(make: MakeBench) -> None:
    bench = make("h sha shcounterenw shvstvala shtvala shvstvecd shvsatpa shgatpa shlcofideleg")
    for kind, modes in ((MCONTROL6, MODE6), (ICOUNT, MODE3), (ETRIGGER, MODE5)):
        bench["tdata1"] = kind | sum(modes.values())
        assert bench["tdata1"] == kind | modes["M"] | modes["HS"] | modes["U"]


@section(REGISTERS)
def test_who_may_access_the_registers(make: MakeBench) -> None:
    bench = make()
    for name in ("tselect", "tdata1", "tdata2", "tdata3", "tinfo", "mcontext"):
        outcomes = [bench.outcome(csr_word("csrrs", name, rs1=0), mode) for mode in ALL_MODES]
        assert outcomes == ["ok", *["illegal"] * 4], name
    bench["mstateen0"] = bench["hstateen0"] = ONES
    found = {n: [bench.outcome(csr_word("csrrs", n, rs1=0), mode) for mode in ALL_MODES]
             for n in ("hcontext", "scontext")}  # fmt: skip
    assert found["hcontext"] == ["ok", "ok", "illegal", "virtual", "virtual"]
    assert found["scontext"] == ["ok", "ok", "illegal", "ok", "virtual"]
    bench["hstateen0"] = ONES & ~(1 << 57)
    assert bench.outcome(csr_word("csrrs", "scontext", rs1=0), "VS") == "virtual"
    bench["mstateen0"] = ONES & ~(1 << 57)
    for name in ("hcontext", "scontext"):
        for mode in ("HS", "VS"):
            assert bench.outcome(csr_word("csrrs", name, rs1=0), mode) == "illegal"
    bench = make("sdtrig")
    assert bench.outcome(csr_word("csrrs", "tselect", rs1=0), "M") == "illegal"


@section(CONTROL)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_execute_before_the_instruction(bench: Bench, mode: str) -> None:
    program(bench, 0, MCONTROL6 | EXECUTE | MODE6[mode], CODE)
    for other in ALL_MODES:
        bench.hart.x[5] = 0
        found = bench.step(word("addi", rd=5, rs1=0, imm=7), other)
        if other == mode:
            assert is_break(found, CODE) and found is not None
            assert found.gva == int(mode in ("VS", "VU"))
            assert bench["mepc"] == CODE and bench.hart.x[5] == 0
            assert control(bench) & HIT0
        else:
            assert found is None and bench.hart.x[5] == 7
        bench["mstatus"] = bench["mstatus"] | Status.MIE
    program(bench, 0, MCONTROL6 | EXECUTE | MODE6[mode], CODE + 4)
    assert bench.step(NOP, mode) is None
    assert is_break(bench.go(), CODE + 4)


@section(CONTROL)
@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("kind", [LOAD, STORE])
def test_loads_and_stores_before_the_access(bench: Bench, mode: str, kind: int) -> None:
    bench.hart.x[7] = 77
    assert load(bench, DATA, mode) is store(bench, DATA + 64, mode) is None, "both are cached"
    program(bench, 1, MCONTROL6 | kind | MODE6[mode], DATA)
    bench.hart.x[5] = 1
    first, second = load(bench, DATA, mode), None
    bench["mstatus"] = bench["mstatus"] | Status.MIE
    second = store(bench, DATA, mode)
    assert is_break(first, DATA) is (kind == LOAD)
    assert is_break(second, DATA) is (kind == STORE)
    assert bench.peek(DATA) == (0 if kind == STORE else 77)
    assert bench.hart.x[5] == (1 if kind == LOAD else 0)
    bench["mstatus"] = bench["mstatus"] | Status.MIE
    assert load(bench, DATA + 8, mode) is store(bench, DATA + 8, mode) is None
    program(bench, 1, 0)
    assert load(bench, DATA, mode) is store(bench, DATA, mode) is None


@section(CONTROL)
def test_the_values_of_match(bench: Bench) -> None:
    def matched(match: int, data2: int, va: int, name: str = "lb") -> bool:
        program(bench, 0, MCONTROL6 | LOAD | MODE6["U"] | match << 7, data2)
        return load(bench, va, "U", name) is not None

    assert matched(0, DATA, DATA) and not matched(0, DATA, DATA + 1)
    assert matched(0, DATA + 3, DATA, "lw"), "each address of the access is compared"
    assert not matched(0, DATA + 4, DATA, "lw")
    for va in range(DATA + 14, DATA + 34, 2):
        inside = DATA + 16 <= va < DATA + 32
        assert matched(1, DATA + 16 | 7, va) is inside
        assert matched(9, DATA + 16 | 7, va) is not inside
    assert [matched(2, DATA + 8, DATA + n) for n in (7, 8, 9)] == [False, True, True]
    assert [matched(3, DATA + 8, DATA + n) for n in (7, 8, 9)] == [True, False, False]
    assert [matched(8, DATA + 8, DATA + n) for n in (7, 8, 9)] == [True, False, True]
    assert not matched(8, DATA + 3, DATA, "lw"), "equal would match: one of the addresses is it"
    low, high = 0xF0 << 32 | 0x10, 0xFFFF_FFFF << 32
    for va in range(DATA, DATA + 0x40, 8):
        inside = va & 0xF0 == 0x10
        assert matched(4, low, va) is inside and matched(12, low, va) is not inside
    assert matched(4, 0xF << 32 | 3, DATA, "lw"), "the last address of the access"
    assert not matched(12, 0xF << 32 | 3, DATA, "lw")
    assert matched(5, high, DATA) and not matched(5, high | 1, DATA)
    assert not matched(13, high, DATA) and matched(13, high | 1, DATA)


@section(CONTROL)
def test_the_size_of_an_access(bench: Bench) -> None:
    for size, name in ((1, "lb"), (2, "lh"), (3, "lw"), (5, "ld")):
        program(bench, 0, MCONTROL6 | LOAD | MODE6["U"] | size << 16, DATA)
        for other in ("lb", "lh", "lw", "ld"):
            assert (load(bench, DATA, "U", other) is not None) is (other == name)


@section(CONTROL)
def test_a_chain_matches_if_all_its_triggers_do(bench: Bench) -> None:
    """A range: at least DATA, and below DATA + 16."""
    load_u = MCONTROL6 | LOAD | MODE6["U"]
    program(bench, 0, load_u | 2 << 7 | CHAIN, DATA)
    program(bench, 1, load_u | 3 << 7, DATA + 16)
    found = [load(bench, DATA + n, "U") is not None for n in (-8, 0, 8, 16)]
    assert found == [False, True, True, False]
    assert not control(bench, 0) & HIT0 and control(bench, 1) & HIT0


@section(CONTROL)
def test_an_amo_is_a_load_and_a_store(bench: Bench) -> None:
    for kind in (LOAD, STORE):
        program(bench, 0, MCONTROL6 | kind | MODE6["U"], DATA)
        bench.hart.x[6] = DATA
        assert is_break(bench.step(word("amoadd.d", rd=5, rs1=6, rs2=7, aq=0, rl=0), "U"), DATA)


@section(NATIVE)
def test_no_trigger_fires_where_its_trap_would_be_lost(bench: Bench) -> None:
    """Where the breakpoint would be handled in the same mode while interrupts are disabled."""
    program(bench, 0, MCONTROL6 | EXECUTE | ALL6, CODE)
    bench["mstatus"] = 0
    assert bench.step(NOP, "M") is None
    assert bench.step(NOP, "HS") is not None, "not delegated: M mode handles it"
    bench["medeleg"] = 1 << BREAKPOINT
    assert bench.step(NOP, "HS") is None
    bench["mstatus"] = Status.SIE
    assert bench.step(NOP, "HS") == Trap("HS", BREAKPOINT, CODE, virt=0, priv=1)
    assert bench.step(NOP, "VS") is not None, "hedeleg is clear: HS mode handles it"
    bench["hedeleg"] = 1 << BREAKPOINT
    assert bench.step(NOP, "VS") is None
    bench["vsstatus"] = Status.SIE
    assert bench.step(NOP, "VS") == Trap("VS", BREAKPOINT, CODE, virt=1, priv=1)
    assert bench.step(NOP, "VU") == Trap("VS", BREAKPOINT, CODE, virt=1, priv=0)


@section(COUNT)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_icount_fires_after_as_many_instructions(bench: Bench, mode: str) -> None:
    for i in range(8):
        bench.poke(CODE + 4 * i, NOP, 4)
    program(bench, 2, ICOUNT | 3 << 10 | MODE3[mode])
    bench.enter(mode)
    assert bench.go(3) is None
    assert control(bench, 2) & (1 << 8 | 0x3FFF << 10) == 1 << 8, "count is 0, pending is set"
    found = bench.go(1)
    assert found is not None and (found.cause, found.tval, found.gva) == (BREAKPOINT, 0, 0)
    assert bench["mepc"] == CODE + 12
    assert control(bench, 2) == ICOUNT | 1 << 24 | MODE3[mode], "hit; pending is clear"


@section(COUNT)
def test_a_trap_counts_and_the_handler_runs_first(bench: Bench) -> None:
    """ "The entire M-mode handler is executed, and the debug trap is taken before the next U-mode
    instruction"."""
    bench.poke(HANDLERS["M"], NOP, 4)
    bench.poke(HANDLERS["M"] + 4, word("mret"), 4)
    program(bench, 0, ICOUNT | 1 << 10 | MODE3["U"])
    found = bench.step(word("ecall"), "U")
    assert found is not None and found.cause == Cause.ECALL_U
    bench["mepc"] = CODE + 4
    bench.go(2)
    assert bench.mode == "U"
    found = bench.go(1)
    assert found is not None and (found.cause, bench["mepc"]) == (BREAKPOINT, CODE + 4)


@section(TRAPS)
@pytest.mark.parametrize("mode", ["U", "HS", "VS", "VU"])
def test_etrigger_fires_before_the_handler(bench: Bench, mode: str) -> None:
    """The trap goes to HS mode, the breakpoint exception of its first instruction to M mode."""
    bench["medeleg"] = ONES & ~(1 << BREAKPOINT)
    program(bench, 3, ETRIGGER | MODE5[mode], 1 << Cause.ILLEGAL)
    found = bench.step(0, mode)
    assert found is not None and (found.mode, found.cause, found.tval) == ("M", BREAKPOINT, 0)
    assert bench["mepc"] == HANDLERS["HS"] and bench["sepc"] == CODE
    assert bench["scause"] == Cause.ILLEGAL
    assert control(bench, 3) >> 58 & 1
    program(bench, 3, ETRIGGER | MODE5[mode], 1 << Cause.LOAD_ACCESS)
    found = bench.step(0, mode)
    assert found is not None and (found.mode, found.cause) == ("HS", Cause.ILLEGAL)


@section(NATIVE)
def test_etrigger_has_no_effect_on_what_m_mode_handles(bench: Bench) -> None:
    program(bench, 0, ETRIGGER | sum(MODE5.values()), ONES)
    found = bench.step(0, "U")
    assert found is not None and found.cause == Cause.ILLEGAL


@section(INTERRUPTS)
@pytest.mark.parametrize("mode", ["HS", "VS"])
def test_itrigger_knows_the_number_in_the_handler_s_mode(bench: Bench, mode: str) -> None:
    """A guest's software interrupt is 2 for HS mode and 1 for VS mode."""
    bench["mideleg"], bench["mie"] = ONES, ONES
    if mode == "VS":
        bench["hideleg"], bench["hvip"] = ONES, 1 << 2
        bench["vsstatus"] = Status.SIE
    else:
        bench["mip"] = 1 << 1
        bench["mstatus"] = Status.SIE
    program(bench, 0, ITRIGGER | MODE5[mode], 1 << 1)
    if mode == "HS":
        bench["mstatus"] = bench["mstatus"] | Status.SIE
    bench.enter(mode)
    found = bench.go(0)
    assert found is not None and (found.mode, found.cause, found.tval) == ("M", BREAKPOINT, 0)
    assert bench["mepc"] == HANDLERS[mode]
    assert bench["vscause" if mode == "VS" else "scause"] == 1 << 63 | 1


@section(EXTRA)
def test_contexts_and_identifiers(bench: Bench) -> None:
    def fires(data3: int, mode: str = "VS") -> bool:
        program(bench, 0, MCONTROL6 | EXECUTE | ALL6, CODE, data3)
        return bench.step(NOP, mode) is not None

    bench["scontext"], bench["mcontext"] = 0x1234_5678, 0x123
    assert fires(0x1234_5678 << 2 | 1) and not fires(0x1234_5679 << 2 | 1)
    assert fires(0x1234_5679 << 2 | 1 << 36 | 1), "sbytemask ignores the lowest byte"
    assert fires(0x123 << 51 | 4 << 48) and not fires(0x124 << 51 | 4 << 48)
    assert fires(0x91 << 51 | 5 << 48) and not fires(0x91 << 51 | 1 << 48), "{value, mhselect[2]}"
    bench["hgatp"], bench["vsatp"] = 7 << 44, 5 << 44
    assert fires(3 << 51 | 6 << 48) and not fires(3 << 51 | 2 << 48), "VMID 7"
    assert fires(5 << 2 | 2) and not fires(5 << 2 | 2, "HS"), "the ASID of vsatp where V=1"
    bench["tdata3"] = 7 << 48 | 3
    assert bench["tdata3"] == 0, "reserved values become 0"
