"""CSR rows: number, name, fields, legal values, condition of access, side effects."""

from __future__ import annotations

import linecache
import re
from dataclasses import field
from functools import cached_property
from typing import Any

from rvplat.frozen import frozen
from rvplat.lang import Definition, LanguageError, u32, u64

ALL_ONES = (1 << 64) - 1


@frozen
class CsrField:
    """A named field: bits high to low."""

    name: str
    high: int
    low: int

    def extract(self, value: int) -> int:
        return (int(value) >> self.low) & ((1 << (self.high - self.low + 1)) - 1)


@frozen
class Csr:
    """One CSR.

    `read(hart, number: u32) -> u64`, `write(hart, value: u64, number: u32)` and
    `access(hart, write: bool, number: u32)` are definitions. Without `read`, the value is that of
    the hart's field of the same name. Without `write`, a write changes the `writable` bits of that
    field. `access` raises an exception where the access isn't allowed. `storage` is False for a
    CSR without a field. `place` is the file and line that define the row.
    """

    number: int
    name: str
    extension: str
    fields: tuple[CsrField, ...] = ()
    writable: int = ALL_ONES
    reset: int = 0
    read: Definition | None = None
    write: Definition | None = None
    access: Definition | None = None
    storage: bool = True
    place: str = field(default="", compare=False, repr=False)

    @cached_property
    def reader(self) -> Definition:
        """What reads it: `read`, or a definition that gives the hart's field of its name."""
        if self.read is not None:
            return self.read
        return _access(self, "read", f"hart, number: u32) -> u64:\n    return hart.{self.name}")

    @cached_property
    def writer(self) -> Definition:
        """What writes it: `write`, or a definition that writes the `writable` bits of the hart's
        field."""
        if self.write is not None:
            return self.write
        value = "value"
        if self.writable != ALL_ONES:
            kept = self.writable ^ ALL_ONES
            value = f"(hart.{self.name} & {kept:#x}) | (value & {self.writable:#x})"
        text = f"hart, value: u64, number: u32):\n    hart.{self.name} = {value}"
        return _access(self, "write", text)

    @property
    def privilege(self) -> int:
        """Lowest privilege with access: 0 U, 1 S, 2 H and VS, 3 M (Zicsr, CSR listing)."""
        return (self.number >> 8) & 3

    @property
    def read_only(self) -> bool:
        """Whether a write is illegal: the number's two highest bits are ones."""
        return self.number >> 10 == 3


def _access(row: Csr, doing: str, text: str) -> Definition:
    """A definition from generated text. Its file name shows what it was generated for."""
    file = f"<csr {row.name} {doing}>"
    text = f"def access({text}\n"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope: dict[str, Any] = {"u32": u32, "u64": u64}
    exec(compile(text, file, "exec"), scope)
    return Definition(scope["access"])


_FIELD = re.compile(r"(\w+)\[(\d+)(?::(\d+))?\]")


def parse_fields(name: str, text: str) -> tuple[CsrField, ...]:
    """Parse "MODE[63:60] ASID[59:44] V[0]". LanguageError for overlap or bad text."""
    fields = []
    taken = 0
    for token in text.split():
        found = _FIELD.fullmatch(token)
        if found is None:
            raise LanguageError(f"CSR {name}", f"field {token!r} is not NAME[HIGH:LOW]")
        high, low = int(found[2]), int(found[3] or found[2])
        mask = ((1 << (high - low + 1)) - 1) << low
        if high < low:
            raise LanguageError(f"CSR {name}", f"field {token!r}: write NAME[HIGH:LOW]")
        if taken & mask:
            raise LanguageError(f"CSR {name}", f"field {token!r} overlaps another field")
        taken |= mask
        fields.append(CsrField(found[1], high, low))
    return tuple(fields)
