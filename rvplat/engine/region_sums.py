"""What a template adds up: the addresses of its access, and the value of its destination.

The compiler of regions looks for accesses near each other (regions/covered.py). What it needs to
know of an instruction is read from the text of its template, so that it holds for every extension.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rvplat.engine.regions.tables import Term

_LOAD = re.compile(r"(%\S+) = load i64, ptr %«zone»x(?:(\d+)|«(\w+)»)")
_ADD = re.compile(r"(%\S+) = add i64 (\S+), (\S+)")
_STORE = re.compile(r"store i64 (\S+), ptr %«zone»x«rd»")
_NUMBER = re.compile(r"-?\d+|«(\w+)»")


class Sums:
    """The values in a text that are sums of registers, operands and numbers."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._found: dict[str, tuple[Term, ...]] = {}
        self.result: tuple[Term, ...] = ()
        """The value of x[rd], if it is a sum."""
        for line in lines:
            self._read(line.strip())

    def _read(self, line: str) -> None:
        if found := _LOAD.fullmatch(line):
            self._found[found[1]] = (("x", found[2] or found[3]),)
        elif found := _ADD.fullmatch(line):
            left, right = self.of(found[2]), self.of(found[3])
            if left and right:
                self._found[found[1]] = left + right
        elif found := _STORE.fullmatch(line):
            self.result = self.of(found[1])

    def of(self, value: str) -> tuple[Term, ...]:
        """The terms of a value; none if it is no such sum."""
        if found := _NUMBER.fullmatch(value):
            return (("", found[1] or value),)
        return self._found.get(value, ())
