"""The states of two machines with the same board, compared: harts' registers, and RAM."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from rvplat.isa.machinery.disassemble import F_NAMES, X_NAMES
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.system import System
from rvplat.machine.snapshots.hart_state import save_hart

PIECE = 1 << 20  # bytes of RAM that are compared at once
WORD = 8
MOST_WORDS = 8  # of RAM that are shown
#: What the host's caches did not know, and how the instructions were portioned: not the guest's.
_HIDDEN = ("tlb_misses", "walks", "budget", "instret_base", "retired_before")
_NAMES = {"x": X_NAMES, "f": F_NAMES}

Row = tuple[str, int, int]  # a name, the value in A and that in B


def registers(machine: System, hart: Hart) -> dict[str, Any]:
    """The saved fields of a hart, and `instret`."""
    found = save_hart(machine, hart)
    return {"instret": hart.retired, **{n: v for n, v in found.items() if n not in _HIDDEN}}


def other_registers(one: System, two: System) -> Iterator[tuple[int, Row]]:
    """The registers that differ, with the number of their hart."""
    for a, b in zip(one.harts, two.harts, strict=True):
        first, second = registers(one, a), registers(two, b)
        for name, value in first.items():
            if value != second[name]:
                for row in _rows(a, name, value, second[name]):
                    yield a.number, row


def _rows(hart: Hart, name: str, a: Any, b: Any) -> Iterator[Row]:
    """The numbers of a field that differ."""
    if isinstance(a, int):
        yield name, a, b
        return
    field = hart.layout.fields[name]
    size = field.stride if field.count else len(a)
    names = _NAMES.get(name)
    for n in range(len(a) // size):
        if names and n >= len(names):
            continue  # it takes what is written to x0
        one, two = (int.from_bytes(data[n * size : (n + 1) * size], "little") for data in (a, b))
        if one != two:
            yield (names[n] if names else f"{name}[{n}]" if field.count else name), one, two


def other_words(one: System, two: System) -> Iterator[Row]:
    """The first words of RAM that differ, by physical address."""
    left = MOST_WORDS
    for a, b in zip(one.memory.regions, two.memory.regions, strict=True):
        for at in _other_pieces(a.address, b.address, a.size):
            size = min(PIECE, a.size - at)
            data = [ctypes.string_at(ram.address + at, size) for ram in (a, b)]
            for n in range(0, size, WORD):
                first, second = (piece[n : n + WORD] for piece in data)
                if first != second:
                    values = (int.from_bytes(word, "little") for word in (first, second))
                    yield f"RAM {a.base + at + n:#x}", *values
                    left -= 1
                    if not left:
                        return


def _other_pieces(one: int, two: int, size: int) -> Iterator[int]:
    """The offsets of pieces that differ, of two host addresses."""
    compare: Any = ctypes.CDLL(None).memcmp
    compare.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    for at in range(0, size, PIECE):
        if compare(one + at, two + at, min(PIECE, size - at)):
            yield at


def are_same(one: System, two: System) -> bool:
    """Whether harts and RAM are the same."""
    if next(other_registers(one, two), None) is not None:
        return False
    return next(other_words(one, two), None) is None
