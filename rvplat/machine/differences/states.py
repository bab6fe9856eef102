"""The states of two machines with the same board, compared: harts' registers, RAM and output."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from rvplat.isa.machinery.disassemble import F_NAMES, X_NAMES
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.system import System
from rvplat.machine.snapshots.hart_state import save_hart

PAGE_BYTES = 4096
WORD = 8
MOST_WORDS = 8  # of RAM that are shown
MOST_OUTPUT = 40  # bytes that are shown
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
    """The first words of RAM that differ, by physical address, of two machines whose RAM was the
    same when both were saved last."""
    left = MOST_WORDS
    for page in sorted({*one.memory.images.written(), *two.memory.images.written()}):
        data = [_page(machine, page) for machine in (one, two)]
        for n in range(0, PAGE_BYTES, WORD) if data[0] != data[1] else ():
            first, second = (int.from_bytes(part[n : n + WORD], "little") for part in data)
            if first != second:
                yield f"RAM {page + n:#x}", first, second
                left -= 1
                if not left:
                    return


def _page(machine: System, address: int) -> bytes:
    """A page of RAM, or what there is of it."""
    ram = machine.memory.region(address)
    return ctypes.string_at(ram.address + address - ram.base, min(PAGE_BYTES, ram.end - address))


def other_outputs(one: System, two: System) -> Iterator[tuple[str, bytes, bytes]]:
    """The consoles whose output differs: the name, and the ends of both outputs."""
    for name, console in one.consoles.items():
        a, b = console.output, two.consoles[name].output
        if a != b:
            yield name, a[-MOST_OUTPUT:], b[-MOST_OUTPUT:]


def are_same(one: System, two: System) -> bool:
    """Whether harts, RAM and the output are the same."""
    return not (any(other_registers(one, two)) or any(other_outputs(one, two))
                or any(other_words(one, two)))  # fmt: skip
