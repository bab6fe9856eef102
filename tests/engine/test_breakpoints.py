"""Breakpoints as slots' handlers, on a machine without a client."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from rvplat.engine.breakpoints import KEPT, PHYSICAL, VIRTUAL
from rvplat.machine.debugging.breakpoint_table import Place
from rvplat.machine.machine import Machine

ROUNDS = 300


class Bench:
    """The guest, about to do so many rounds."""

    def __init__(self, guest: Path) -> None:
        self.machine = Machine.open("virt", program=guest)
        self.hart = self.machine.harts[0]
        self.points = self.machine.debugged.breakpoint_rows
        self.at = self.machine.symbols
        main = self.points.add(Place(self.at["main"]))
        assert self.stop() == "break"
        self.points.remove(main)
        self.put("limit", ROUNDS)

    def put(self, name: str, value: int) -> None:
        self.machine.memory.write_int(self.at[name], 8, value)

    def get(self, name: str) -> int:
        return self.machine.memory.read_int(self.at[name], 8)

    def stop(self) -> str:
        """Go on, past a breakpoint here; why it stopped."""
        return self.machine.run(timeout_s=20).reason

    def stops(self) -> int:
        """How often it stops until the board goes off."""
        count = 0
        while self.stop() == "break":
            count += 1
        return count


@pytest.fixture
def bench(guest: Path) -> Iterator[Bench]:
    found = Bench(guest)
    yield found
    found.machine.close()


def test_each_call_stops_once(bench: Bench) -> None:
    number = bench.points.add(Place(bench.at["work"]))
    assert bench.stops() == ROUNDS
    assert int(bench.points.row(number).hits) == ROUNDS
    assert bench.get("calls") == ROUNDS


def test_a_physical_address(bench: Bench) -> None:
    bench.points.add(Place(bench.at["work"], space=PHYSICAL))
    assert bench.stops() == ROUNDS


def test_another_world_asid_or_mode_passes_by(bench: Bench) -> None:
    bench.points.add(Place(bench.at["work"], world=3))
    bench.points.add(Place(bench.at["work"], asid=7))
    bench.points.add(Place(bench.at["work"], modes=0b0111))
    assert bench.stops() == 0
    assert bench.get("calls") == ROUNDS


def test_the_mode_that_it_is_in(bench: Bench) -> None:
    bench.points.add(Place(bench.at["work"], modes=0b1000))
    assert bench.stops() == ROUNDS


def test_a_condition(bench: Bench) -> None:
    fifty = bytes.fromhex("26000a22321327")  # $a0 == 50
    bench.points.add(Place(bench.at["work"]), (fifty,))
    assert bench.stop() == "break"
    assert bench.hart.x["a0"] == 50
    assert bench.stops() == 0


@pytest.mark.parametrize(
    "code", ["27", "29", "220022000527", "210000", "26ffff27", "24dead00001a27"]
)
def test_what_cant_be_evaluated_stops(bench: Bench, code: str) -> None:
    bench.points.add(Place(bench.at["work"]), (bytes.fromhex(code),))
    assert bench.stop() == "break"


def test_any_of_several_conditions(bench: Bench) -> None:
    codes = tuple(bytes.fromhex(f"26000a22{n:02x}1327") for n in (10, 20, 30))
    bench.points.add(Place(bench.at["work"]), codes)
    assert bench.stops() == 3


def test_set_while_the_code_is_decoded(bench: Bench) -> None:
    touch = bench.points.add(Place(bench.at["touch"]))
    for _ in range(5):
        bench.stop()
    work = bench.points.add(Place(bench.at["work"]))
    bench.points.remove(touch)
    assert bench.stops() == ROUNDS - 5
    bench.points.remove(work)


def test_every_instruction_of_a_function(bench: Bench) -> None:
    """Also those that a pair's handler would do with the one before."""
    for at in range(bench.at["work"], bench.at["work"] + 64, 2):
        bench.points.add(Place(at))
    seen = set()
    for _ in range(40):
        bench.stop()
        seen.add(bench.hart.pc)
    instructions = sorted(seen)
    assert len(instructions) >= 12
    assert all(b - a in (2, 4) for a, b in pairwise(instructions))


def test_survives_a_store_to_its_line(bench: Bench) -> None:
    bench.points.add(Place(bench.at["work"]))
    for _ in range(3):
        bench.stop()
    code = bench.machine.memory.read(bench.at["work"], 4)
    bench.machine.memory.write(bench.at["work"], code)
    assert bench.stops() == ROUNDS - 3


def test_memory_is_never_written(bench: Bench) -> None:
    before = bench.machine.memory.read(bench.at["work"], 64)
    bench.points.add(Place(bench.at["work"]))
    bench.stop()
    assert bench.machine.memory.read(bench.at["work"], 64) == before


def test_thousands_that_arent_met(bench: Bench) -> None:
    for n in range(10_000):
        bench.points.add(Place(0xFFFF_FFC0_0000_0000 + 2 * n))
    assert bench.stops() == 0
    for row in list(bench.points.places):
        bench.points.remove(row)
    assert int(bench.machine.native.view.break_count) == 0
    assert not any(map(int, bench.machine.native.view.break_offsets))


def test_rows_of_one_chain(bench: Bench) -> None:
    same = [bench.points.add(Place(bench.at["work"], world=w, space=VIRTUAL)) for w in range(1, 40)]
    here = bench.points.add(Place(bench.at["work"], world=0))
    for number in same[::2]:
        bench.points.remove(number)
    assert bench.stop() == "break"
    bench.points.remove(here)
    assert bench.stops() == 0


def test_a_limit_of_instructions_sees_them_too(bench: Bench) -> None:
    bench.points.add(Place(bench.at["work"]))
    assert bench.machine.run(max_instructions=1000).reason == "break"


def test_page_zero_before_anything_ran(guest: Path) -> None:
    with Machine.open("virt", program=guest) as machine:
        points = machine.debugged.breakpoint_rows
        points.remove(points.add(Place(0x40)))
        points.add(Place(machine.symbols["main"]))
        assert machine.run(timeout_s=20).reason == "break"


STEPS: dict[int, Callable[[int], int]] = {
    0x0012_8293: lambda value: value + 1,  # addi t0, t0, 1
    0x0052_C293: lambda value: value ^ 5,  # xori t0, t0, 5
    0x0012_9293: lambda value: value << 1,  # slli t0, t0, 1
}


def test_more_slots_than_handlers_are_kept() -> None:
    """The table of kept handlers has a place for each slot of two pages; here are three pages, and
    each of their instructions has a breakpoint whose condition never holds."""
    start, pages, rounds = 0x8010_0000, 3, 3
    code = random.Random(8).choices(list(STEPS), k=pages * 1024 - 3)
    value = 0
    for word in code * rounds:
        value = STEPS[word](value) & (1 << 64) - 1
    code += [0xFFF3_0313, 0x0003_0463, 0x804F_D06F]  # addi t1, t1, -1; beqz t1, 8; j start
    assert pages * 2048 > KEPT
    end = start + 4 * len(code)
    with Machine.open("virt") as machine:
        machine.memory.write(start, struct.pack(f"<{len(code)}I", *code))
        points = machine.debugged.breakpoint_rows
        for at in range(start, end, 4):
            points.add(Place(at), (bytes.fromhex("220027"),))
        points.add(Place(end))
        hart = machine.harts[0]
        hart.pc, hart.x["t0"], hart.x["t1"] = start, 0, rounds
        assert machine.run(timeout_s=20).reason == "break"
        assert (hart.pc, hart.x["t0"]) == (end, value)
