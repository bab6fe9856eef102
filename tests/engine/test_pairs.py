"""Pairs: the handler of two instructions does what the two do one after the other."""

from __future__ import annotations

import functools
import random
from pathlib import Path

import pytest

from rvplat.engine import pairs
from rvplat.hart.state import Slot
from rvplat.isa.machinery.extension import Compressed, Row, enabled_rows
from rvplat.lang import u64
from rvplat.machine.boards.catalogue import base_extensions
from tests.engine.native_bench import BASE, CODE, DATA, LIMIT, WFI, Twin, twin

LINES = [
    line.split()
    for line in Path(pairs.__file__).with_name("pairs.txt").read_text().splitlines()
    if not line.startswith("#")
]
ROWS = enabled_rows(list(base_extensions()))
PLACE = CODE + 0x800
TRIALS = 8
EDGES = [0, 1, 63, (1 << 31) - 1, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]


def key_of(row: Row) -> str:
    """A row's instruction and length, as pairs.txt writes them."""
    name = row.expands.name if isinstance(row, Compressed) else row.name
    return f"{name}.{row.pattern.length}"


@functools.cache
def rows_of(key: str) -> list[Row]:
    return [row for row in ROWS if key_of(row) == key]


def instruction(key: str, source: random.Random, offset: int) -> bytes:
    """An instruction of this form with any operands; a branch's target is in the page."""
    while True:
        row = source.choice(rows_of(key))
        free = sum(operand.mask for operand in row.pattern.operands.values())
        bits = row.pattern.match | source.getrandbits(32) & free
        if twin().reference.find(bits) is not row:
            continue
        imm = row.pattern.operands.get("imm")
        near = "pc+imm" not in row.syntax or imm is None or 0 <= offset + imm.extract(bits) < 4096
        if near:
            return bits.to_bytes(row.pattern.length, "little")


def set_registers(bench: Twin, source: random.Random) -> None:
    """Registers with addresses of data and with other values; the pc at the pair."""
    for n in range(1, 32):
        address = DATA + 0x1000 + 8 * source.randrange(-64, 64)
        other = source.choice([source.choice(EDGES), source.getrandbits(64)])
        bench.hart.x[n] = address if source.random() < 0.7 else other
        bench.hart.f[n] = source.getrandbits(64)
    bench.hart.mstatus = int(bench.hart.mstatus) | 3 << 13  # FS on
    bench.hart.pc = PLACE


def handler_at(bench: Twin, address: int) -> int:
    """The handler of the slot at an address."""
    page = (address - BASE) >> 12
    slots = int.from_bytes(bench.save()[-1][8 * page : 8 * page + 8], "little")
    return int(Slot.view(slots + (address & 0xFFF) * 8).handler)


@pytest.mark.parametrize("names", LINES, ids=[" ".join(line) for line in LINES])
def test_a_pair_leaves_what_its_instructions_leave(names: list[str]) -> None:
    """The first native runs decode the two slots: the last run takes the pair's handler. A jump
    may go to the data: native code then keeps other TLB entries (`ctx`) for that page."""
    bench, source = twin(), random.Random(" ".join(names))
    both = bench.core.handlers[" ".join(names)]
    for _ in range(TRIALS):
        bench.begin()
        first = instruction(names[0], source, PLACE & 0xFFF)
        second = instruction(names[1], source, (PLACE & 0xFFF) + len(first))
        bench.poke(PLACE, first + second + WFI.to_bytes(4, "little") * 2)
        bench.poke(DATA, source.randbytes(0x2000))  # once: a jump there makes native code of it
        bench.hart.pc = PLACE + len(first)
        for at in (PLACE + len(first), PLACE):
            set_registers(bench, source)
            bench.hart.pc = at
            bench.hart.limit = LIMIT
            bench.core.run(bench.native.address)
        assert handler_at(bench, PLACE) == both
        set_registers(bench, source)
        found = [one for one in bench.differences() if "jalr" not in names[1] or "ctx" not in one]
        assert found == [], (first + second).hex()


def test_every_line_of_the_file_has_a_handler() -> None:
    handlers = twin().core.handlers
    assert [line for line in LINES if handlers.get(" ".join(line), 0) == 0] == []
    assert len({tuple(line) for line in LINES}) == len(LINES)


def find(first: int, second: int, length: int) -> int:
    """The table's handler of a pair, or 0."""
    machine = twin().machine.view
    return int(pairs.find_pair(machine, u64(first), u64(second), u64(length)))


def test_every_pair_is_found_in_the_table_and_no_other() -> None:
    handlers = twin().core.handlers
    for first, second in LINES:
        alone = (handlers[first], handlers[f"{second} near"])
        length = int(first[-1])
        assert find(*alone, length) == handlers[f"{first} {second}"]
        assert find(*alone, 6 - length) == 0
    assert find(handlers["wfi.4"], handlers["wfi.4"], 4) == 0
