"""Two harts in two threads, natively: one decodes what the other stores.

The decoder keeps to the engine's protocol: it marks the line, reads, puts its slot in place, and
looks again. What it "decodes" is the word itself, so that a slot that outlives a store is seen.
Each round the writer stores once and says so; by then no slot may hold the old word.
"""

from __future__ import annotations

import ctypes
import threading
from typing import cast

import pytest

from rvplat.hart.acceleration import invalidate
from rvplat.isa.machinery.vocabulary import store_u64, synchronise_instructions
from rvplat.lang import atomic_load_u64, atomic_store_u64, define, read_u64, u64, write_u64
from rvplat.lang.define import Definition
from tests.hart.memory_bench import DECODE, DEFINITIONS, RAM, Bench

PAGE = 3
PA = RAM + 0x1000 * PAGE
LINE = 5
ROUNDS = 100_000


@define
def decode_line(hart, word: u64, host: u64, slot: u64):
    """Decode the line's first word into its first slot."""
    settled = False
    while not settled:
        invalidate.mark_lines(hart, word, u64(PA), u64(1 << LINE))
        seen = read_u64(host)
        write_u64(slot, seen)
        settled = invalidate.lines_settled(hart, word, u64(1 << LINE)) and read_u64(host) == seen
        if not settled:
            write_u64(slot, u64(DECODE))


@define
def decode_rounds(hart, word: u64, host: u64, slot: u64, said: u64, with_fence: bool) -> u64:
    """Decode again and again; when the writer has spoken, count a stale slot, and answer."""
    stale = u64(0)
    for i in range(1, ROUNDS + 1):
        while atomic_load_u64(said) != u64(i):
            write_u64(slot, u64(DECODE))
            decode_line(hart, word, host, slot)
        if with_fence:
            synchronise_instructions(hart)
        held = read_u64(slot)
        if held != DECODE and held != read_u64(host):
            stale += 1
        atomic_store_u64(said + 8, u64(i))
    return stale


@define
def store_rounds(hart, said: u64):
    """Store once a round, after the decoder has answered."""
    for i in range(1, ROUNDS + 1):
        store_u64(hart, u64(PA + 64 * LINE), (u64(i) << 8) + 1)
        atomic_store_u64(said, u64(i))
        while atomic_load_u64(said + 8) != u64(i):
            pass


for _definition in (cast(Definition, one) for one in (decode_rounds, store_rounds)):
    DEFINITIONS[_definition.name] = _definition


@pytest.mark.parametrize("old", [True, False], ids=["old page", "page that turns to and from code"])
def test_no_slot_outlives_a_store(old: bool) -> None:
    memory = Bench("native", harts=2)
    words = (ctypes.c_uint64 * (2 * 2048))(*[DECODE] * (2 * 2048))
    said = (ctypes.c_uint64 * 2)()
    slots = ctypes.addressof(words)
    table = int(memory.harts[0].slot_pages) + 8 * PAGE
    ctypes.c_uint64.from_address(table).value = slots
    word = int(memory.machine.ram[0].code) + 8 * PAGE
    reader, writer = memory.harts
    if old:  # other code keeps the page's stores on the slow path
        memory.mark_lines(word, PA, 1)
    address = ctypes.addressof(said)
    other = threading.Thread(target=memory.on, args=(writer, "store_rounds", address))
    other.start()
    host = memory.host(PA + 64 * LINE)
    given = (word, host, slots + 512 * LINE, address, int(not old))
    assert memory.on(reader, "decode_rounds", *given) == 0
    other.join()
