"""Pairs: one handler for two instructions that follow each other.

When two slots that follow each other are decoded and their pair has a handler, the first slot gets
it. The second slot keeps its own handler, for jumps to it. A hash table has the pairs' handlers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rvplat.engine.forms import Form, Pair
from rvplat.hart.state import MachineState
from rvplat.lang import Record, define, ptr, u64

_FILE = Path(__file__).with_name("pairs.txt")
_FACTOR = 0x9E37_79B9_7F4A_7C15
_BITS = 10

PairRow = Record("PairRow")
PairRow.add("first", u64)  # host address of a handler; 0: the row is empty
PairRow.add("second", u64)
PairRow.add("both", u64)
PairRow.add("length", u64)  # bytes of the first

MachineState.add("pairs", ptr(PairRow))


@define
def pair_index(first: u64, second: u64) -> u64:
    """The index at which the search for a pair begins."""
    return ((first ^ second << 17) * _FACTOR) >> (64 - _BITS)


@define
def find_pair(machine, first: u64, second: u64, length: u64) -> u64:
    """The handler of a pair, whose first instruction has this length; 0 if there is none."""
    index = pair_index(first, second)
    while machine.pairs[index].first != 0:
        row = machine.pairs[index]
        if row.first == first and row.second == second and row.length == length:
            return row.both
        index = (index + 1) & ((1 << _BITS) - 1)
    return u64(0)


def wanted_pairs(forms: Sequence[Form]) -> list[Pair]:
    """The pairs of pairs.txt whose forms both exist."""
    known = {form.key: form for form in forms}
    found = []
    for line in _FILE.read_text().splitlines():
        names = line.split()
        if not line.startswith("#") and all(name in known for name in names):
            found.append((known[names[0]], known[names[1]]))
    return found


def pair_table(rows: Sequence[tuple[int, int, int, int]]) -> Any:
    """The hash table of rows (first, second, both, length of the first), in host memory."""
    size = 1 << _BITS
    if len(rows) * 2 > size:
        raise ValueError(f"{len(rows)} pairs are too many for a table of {size}")
    table = (PairRow.structure() * size)()
    for first, second, both, length in rows:
        index = int(pair_index(first, second))
        while table[index].first != 0:
            index = (index + 1) % size
        row = table[index]
        row.first, row.second, row.both, row.length = first, second, both, length
    return table
