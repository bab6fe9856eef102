"""What a template adds up: the addresses of its access, and the value of its destination.

The compiler of regions looks for accesses near each other (regions/covered.py). What it needs to
know of an instruction is read from the text of its template, so that it holds for every extension.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rvplat.engine.regions.tables import Term

_LOAD = re.compile(r"(%\S+) = load (i\d+), ptr %«zone»x(?:(\d+)|«(\w+)»)")
_ADD = re.compile(r"(%\S+) = add (i\d+) (\S+), (\S+)")
_EXTEND = re.compile(r"(%\S+) = zext i32 (\S+) to i64")
_STORE = re.compile(r"store (i\d+) (\S+), ptr %«zone»x«rd»")
_NUMBER = re.compile(r"-?\d+|«(\w+)»")


class Sums:
    """The values in a text that are sums of registers, operands and numbers, of `xlen` bits. On
    RV32 an address is such a sum, zero-extended. More may not be added to that: it would not wrap
    at 32 bits."""

    def __init__(self, lines: Sequence[str], xlen: int) -> None:
        self._kind = f"i{xlen}"
        self._found: dict[str, tuple[Term, ...]] = {}
        self.result: tuple[Term, ...] = ()
        """The value of x[rd], if it is a sum."""
        for line in lines:
            self._read(line.strip())

    def _read(self, line: str) -> None:
        if found := _LOAD.fullmatch(line):
            if found[2] == self._kind:
                self._found[found[1]] = (("x", found[3] or found[4]),)
        elif found := _ADD.fullmatch(line):
            left, right = self.of(found[3]), self.of(found[4])
            if left and right and found[2] == self._kind:
                self._found[found[1]] = left + right
        elif found := _EXTEND.fullmatch(line):
            if self._kind == "i32":
                self._found[found[1]] = self.of(found[2])
        elif found := _STORE.fullmatch(line):
            self.result = self.of(found[2]) if found[1] == self._kind else ()

    def of(self, value: str) -> tuple[Term, ...]:
        """The terms of a value; none if it is no such sum."""
        if found := _NUMBER.fullmatch(value):
            return (("", found[1] or value),)
        return self._found.get(value, ())
