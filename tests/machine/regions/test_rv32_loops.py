"""Covered loops and spans on RV32: registers and addresses have 32 bits, and wrap there.

The programs are those of RV64, with words in place of doublewords.
"""

from __future__ import annotations

import re

import pytest

from rvplat import Machine
from rvplat.engine.regions.covered import covered_loops
from rvplat.engine.regions.flow import Flow
from rvplat.engine.regions.graph import Decoder, Graph, discover
from rvplat.engine.regions.spans import spans_of
from rvplat.engine.regions.tables import Tables
from tests.machine.regions import test_spans
from tests.machine.regions.covered_programs import (
    DATA,
    INTERRUPTS,
    LOOPS,
    NOWHERE,
    PAST_0,
    ROUNDS,
    STEPS,
    VA,
    large_steps,
    places,
    sums,
)
from tests.machine.regions.forced import (
    LEAF,
    POINTER,
    RAM,
    End,
    Prepare,
    compile_quickly,
    machine_of,
    run_to_end,
    same_in_regions,
)
from tests.machine.regions.test_translations import BODY, A, turns
from tests.machine.small_guests import POWER_OFF

ISA = "rv32imafdc_zicsr_zifencei_zicntr"
TOP = 0xFFFF_F000  # the last page of the address space
SV32 = 1 << 31
SUPERVISOR = f"li t1, {SV32 | A >> 12:#x}\n csrw satp, t1\n li t2, {BODY:#x}\n csrw mepc, t2\n"


def narrow(program: str) -> str:
    """A program of RV64 with words in place of doublewords."""
    return re.sub(r"\b([ls])d ", r"\1w ", program)


def same(program: str, prepare: Prepare | None = None, *symbols: str, **settings: object) -> End:
    """As same_in_regions, on RV32."""
    settings["harts.isa"] = ISA
    return same_in_regions(narrow(program), prepare, *symbols, **settings)


def map_page(machine: Machine, va: int, pa: int, bits: int = LEAF) -> None:
    """Map a page in the tables of Sv32 at A (Privileged, "Sv32"). The tables of the second level
    follow the first one."""
    table = A + 0x1000 + 0x1000 * (va >> 22 & 7)
    for place, entry in (
        (A + (va >> 22) * 4, table >> 12 << 10 | POINTER),
        (table + (va >> 12 & 1023) * 4, pa >> 12 << 10 | bits),
    ):
        machine.memory.write(place, entry.to_bytes(4, "little"))


def map_ram(machine: Machine) -> None:
    """Map the first 4 MiB of RAM to themselves."""
    entry = RAM >> 12 << 10 | LEAF
    machine.memory.write(A + (RAM >> 22) * 4, entry.to_bytes(4, "little"))


@pytest.mark.parametrize("name", LOOPS)
def test_loops_over_the_ends_of_pages(name: str) -> None:
    same(ROUNDS.replace("LOOP", LOOPS[name]))


@pytest.mark.parametrize("name", LOOPS)
def test_a_guard_reads_nothing_that_was_not_written(name: str) -> None:
    program = narrow(ROUNDS.replace("LOOP", LOOPS[name]).replace("s0, 400", "s0, 40"))
    ends = []
    for mode in ("off", "all"):
        with machine_of(program, mode, **{"harts.isa": ISA}) as machine:
            if mode == "all":
                compile_quickly(machine)
            ends.append(run_to_end(machine))
    assert ends[0] == ends[1]


def graph_of(text: str) -> tuple[Tables, Graph, int]:
    """What the compiler of regions makes of code whose head is at the first `ebreak`."""
    with machine_of(text, **{"harts.isa": ISA}) as machine:
        tables = Tables.from_bytes(machine.regions._tables)  # type: ignore[attr-defined]
        page = machine.memory.read(RAM, 4096)
    start = page.index((0x0010_0073).to_bytes(4, "little")) + 4
    graph = discover(page, b"\1" * 2048, [start], Decoder(tables.rows), tables.templates, 100)
    return tables, graph, start


@pytest.mark.parametrize("name", ["unrolled", "down", "chain", "ways", "sums"])
def test_loops_have_guards(name: str) -> None:
    loop = ".option norvc\n ebreak\n" + narrow(LOOPS[name]) + POWER_OFF
    tables, graph, _ = graph_of(loop)
    assert tables.xlen == 32
    assert list(covered_loops(Flow(tables, graph)))


def test_a_negative_immediate_is_a_step_down() -> None:
    loop = ".option norvc\n ebreak\n1: lw t0, -4(a0)\n addi a0, a0, -4\n bnez a0, 1b\n ebreak\n"
    tables, graph, _ = graph_of(loop)
    (found,) = covered_loops(Flow(tables, graph))
    (group,) = found.groups
    assert (group.step, group.low, group.high) == (-4, -4, 0)


def test_which_accesses_share_a_check() -> None:
    text = (
        ".option norvc\n ebreak\n lw t0, 0(a0)\n lw t1, -8(a0)\n addi a0, a0, -4\n lw t2, 8(a0)\n"
    )
    tables, graph, start = graph_of(text + " ebreak\n")
    found = spans_of(Flow(tables, graph), ())
    of = {at - start: (span.low, span.high) for at, span in found.items()}
    assert of == dict.fromkeys((0, 4, 12), (-8, 8))


@pytest.mark.parametrize("step", [4, -4])
def test_the_end_of_memory_is_a_trap_at_the_right_access(step: int) -> None:
    loop = f"""
  li a0, {RAM + (1 << 30) if step > 0 else RAM:#x}
  addi a0, a0, {-20 * step if step > 0 else 80}
  li a2, 40
1: lw t0, 0(a0)
  lw t1, 4(a0)
  add t2, t2, t0
  addi a0, a0, {step}
  addi a2, a2, -1
  bnez a2, 1b
"""
    end = same(ROUNDS.replace("LOOP", loop).replace("s0, 400", "s0, 30"))
    assert end.x[0][18] != 0, "there were traps"


def test_the_last_page_of_the_address_space() -> None:
    """A loop passes the end of the address space: the next page is the first one."""

    def pages(machine: Machine) -> None:
        map_ram(machine)
        for n in range(8):
            map_page(machine, (TOP + n * 4096) % (1 << 32), DATA + n * 4096)
            machine.memory.write(DATA + n * 4096, bytes(range(256)) * 16)

    end = same(turns(SUPERVISOR, sums(TOP + 1024, 1600)), pages, "body")
    assert end.x[0][27] == 9, "ecall from S mode"
    assert end.x[0][20] == 1024 - 4096 + 1600 * 16


@pytest.mark.parametrize("group", [1, 3, 42])
@pytest.mark.parametrize("case", STEPS)
def test_large_steps_over_the_end_of_the_address_space(case: str, group: int) -> None:
    """No iteration takes a page for that of another one. Most neighbours have distant memory."""

    def pages(machine: Machine) -> None:
        map_ram(machine)
        for n, place in places(group).items():
            map_page(machine, n * 4096 % (1 << 32), place)
            machine.memory.write(place, bytes((n * 7 + i) % 251 for i in range(4096)))

    end = same(turns(SUPERVISOR, large_steps(case, 32)), pages, "body")
    assert end.x[0][27] == 9, "ecall from S mode"


def test_two_registers_whose_sum_passes_the_end_of_the_address_space() -> None:
    """An index counts up from a negative number, as compilers make it."""
    loop = f"""
  li a1, {DATA + 0x2000:#x}
  slli a0, s0, 2
  neg a0, a0
1: add t4, a1, a0
  lw t0, 0(t4)
  add t1, t1, t0
  sw t1, -8(t4)
  addi a0, a0, 4
  bltz a0, 1b
"""
    same(ROUNDS.replace("LOOP", loop).replace("s0, 400", "s0, 1600"))


def test_interrupts_within_several_iterations() -> None:
    high = "sw zero, 4(s1)\n csrsi mstatus, 8"
    end = same(INTERRUPTS.replace("csrsi mstatus, 8", high), clock="virtual")
    assert end.x[0][21] >= 300, "interrupts"


@pytest.mark.parametrize("step", [16, 64])
@pytest.mark.parametrize("bits", [LEAF & ~4, LEAF & ~2 & ~4], ids=["read only", "no access"])
def test_a_loop_that_comes_to_a_page_without_permission(bits: int, step: int) -> None:
    body = sums(VA + 64, 1000, step, VA + 4096 if bits & 2 else VA)

    def pages(machine: Machine) -> None:
        map_ram(machine)
        map_page(machine, VA, DATA)
        map_page(machine, VA + 4096, DATA + 4096, bits)
        machine.memory.write(DATA, bytes(range(256)) * 32)

    end = same(turns(SUPERVISOR, body), pages, "body")
    assert end.x[0][27] == (15 if bits & 2 else 13), "store or load page fault"
    assert end.x[0][20] == VA + 4096


@pytest.mark.parametrize("case", PAST_0)
def test_a_register_goes_down_past_address_0(case: str) -> None:
    start, body, count = PAST_0[case]
    head, tail = f"li a0, {start}\n li t3, {count}\n1: ", "\n addi t3, t3, -1\n bnez t3, 1b\n"
    memory: dict[str, object] = {"memory.low.base": 0, "memory.low.size": 0x1000}
    end = same(ROUNDS.replace("LOOP", head + body + "\n add t0, t0, t2" + tail), None, **memory)
    assert end.x[0][18], "some accesses fault"


@pytest.mark.parametrize("case", NOWHERE)
def test_no_address_is_in_the_page_of_a_loop_that_has_none(case: str) -> None:
    head, tail = "li a0, 0x60000000\n li t3, 100\n1: ", "\n addi t3, t3, -1\n bnez t3, 1b\n"
    loop = head + NOWHERE[case] + "\n add t0, t0, t2" + tail
    end = same(ROUNDS.replace("LOOP", loop).replace("s0, 400", "s0, 40"))
    assert end.x[0][18], "the accesses fault"


@pytest.mark.parametrize("shift", [0, 3])
def test_frames_over_the_ends_of_pages(shift: int) -> None:
    same(ROUNDS.replace("LOOP", test_spans.FRAMES).replace("SHIFT", str(shift)))


@pytest.mark.parametrize("name", ["POINTERS", "WAYS"])
def test_structures_over_the_ends_of_pages(name: str) -> None:
    program = ROUNDS.replace("LOOP", getattr(test_spans, name))
    program = program.replace("li s3, DATA", f"li s3, {DATA:#x}")
    same(program.replace("s0, 400", "s0, 380"))


@pytest.mark.parametrize("bits", [LEAF, LEAF & ~4, LEAF & ~2 & ~4])
def test_a_structure_over_two_pages(bits: int) -> None:
    def pages(machine: Machine) -> None:
        map_ram(machine)
        map_page(machine, VA, DATA)
        map_page(machine, VA + 4096, DATA + 0x3000, bits)
        map_page(machine, VA + 8192, DATA + 0x1000)
        machine.memory.write(DATA, bytes(range(256)) * 64)

    end = same(turns(SUPERVISOR, test_spans.STRUCTURES), pages, "body")
    assert end.x[0][27] == (9 if bits & 4 else 15)
