"""CSR rows: number, name, fields, legal values, condition of access, side effects."""

from __future__ import annotations

import linecache
import re
from collections.abc import Mapping
from dataclasses import field, replace
from functools import cached_property
from typing import Any

from rvplat.frozen import frozen
from rvplat.lang import Definition, LanguageError, u32, u64

ALL_ONES = (1 << 64) - 1
LOW, HIGH = "0xFFFF_FFFF", "0xFFFF_FFFF_0000_0000"


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

    On RV32 an access has 32 bits: the value read is truncated, the value written zero-extended. A
    register that has 64 bits there too has a number `high`, and `rows_of_rv32` gives its halves.
    Such a half calls the definitions of the `whole`; `access` gets the half's number.
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
    xlen: int = 0  # 0: every XLEN has it
    high: int = 0  # the number of its high half on RV32
    whole: Csr | None = None  # the register of which it is a half
    field_text: str = field(default="", compare=False, repr=False)
    place: str = field(default="", compare=False, repr=False)

    @cached_property
    def reader(self) -> Definition:
        """What reads it: `read`, or a definition that gives the hart's field of its name."""
        if self.read is not None:
            return self.read
        if self.whole is not None:
            return self._half("read", "hart, number: u32) -> u64", "return whole{part}")
        return _access(self, "read", f"hart, number: u32) -> u64:\n    return hart.{self.name}")

    @cached_property
    def writer(self) -> Definition:
        """What writes it: `write`, or a definition that writes the `writable` bits of the hart's
        field."""
        if self.write is not None:
            return self.write
        if self.whole is not None:
            other, new = (LOW, "value << 32") if self._is_high else (HIGH, "value")
            text = f"write(hart, whole & {other} | {new}, u32({self.whole.number:#x}))"
            return self._half("write", "hart, value: u64, number: u32)", text)
        value = "value"
        if self.writable != ALL_ONES:
            kept = self.writable ^ ALL_ONES
            value = f"(hart.{self.name} & {kept:#x}) | (value & {self.writable:#x})"
        text = f"hart, value: u64, number: u32):\n    hart.{self.name} = {value}"
        return _access(self, "write", text)

    @property
    def after_reset(self) -> int:
        """Its value after a reset. `reset` is that of the field, which halves share."""
        if self.whole is None:
            return self.reset
        return self.whole.reset >> 32 if self._is_high else self.whole.reset & 0xFFFF_FFFF

    @property
    def _is_high(self) -> bool:
        return self.whole is not None and self.number == self.whole.high

    def _half(self, doing: str, head: str, last: str) -> Definition:
        """A definition that begins with reading the `whole`. {part} selects this half."""
        whole = self.whole
        assert whole is not None
        given: dict[str, Any] = {"read": whole.reader}
        if doing == "write":
            given["write"] = whole.writer
        first = f"whole = read(hart, u32({whole.number:#x}))"
        last = last.format(part=" >> 32" if self._is_high else f" & {LOW}")
        return _access(self, doing, f"{head}:\n    {first}\n    {last}", given)

    @cached_property
    def narrow(self) -> tuple[Csr, ...]:
        """Its rows on RV32."""
        return rows_of_rv32(self)

    @property
    def privilege(self) -> int:
        """Lowest privilege with access: 0 U, 1 S, 2 H and VS, 3 M (Zicsr, CSR listing)."""
        return (self.number >> 8) & 3

    @property
    def read_only(self) -> bool:
        """Whether a write is illegal: the number's two highest bits are ones."""
        return self.number >> 10 == 3


def _access(row: Csr, doing: str, text: str, given: Mapping[str, Any] | None = None) -> Definition:
    """A definition from generated text. Its file name shows what it was generated for."""
    file = f"<csr {row.name} {doing}>"
    text = f"def access({text}\n"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope: dict[str, Any] = {"u32": u32, "u64": u64, **(given or {})}
    exec(compile(text, file, "exec"), scope)
    return Definition(scope["access"])


def rows_of_rv32(row: Csr) -> tuple[Csr, ...]:
    """The rows that a register has on RV32: none, one, or one for each half.

    A register of 64 bits on every XLEN has a low and a high half there. The high half's name ends
    with an h. Writing a half leaves the other as it is (Zicsr, "CSR Listing").
    """
    if row.high == 0 and row.xlen == 64:
        return ()
    low = tuple(
        replace(one, high=min(one.high, 31))
        for one in parse_fields(row.name, row.field_text, 32)
        if one.low < 32
    )
    if row.high == 0:
        return (replace(row, fields=low, reset=row.reset & 0xFFFF_FFFF, xlen=32),)
    fixed = " ".join(text for text in row.field_text.split() if not _OF_WIDTH.match(text))
    up = (replace(one, high=one.high - 32, low=max(one.low - 32, 0))
          for one in parse_fields(row.name, fixed) if one.high >= 32)  # fmt: skip
    return (
        replace(row, fields=low, xlen=32, whole=row, read=None, write=None),
        replace(
            row, number=row.high, name=row.name + "h", fields=tuple(up), xlen=32, whole=row,
            read=None, write=None, storage=False,
        ),
    )  # fmt: skip


_FIELD = re.compile(r"(\w+)\[(\d+)(?::(\d+))?\]")
_OF_WIDTH = re.compile(r"[SU]XL\[|\w+\[XLEN")
"""Fields that tell XLEN, which RV32 lacks, and those at the upper end of a register."""
_FROM_TOP = re.compile(r"XLEN-(\d)")


def parse_fields(name: str, text: str, xlen: int = 64) -> tuple[CsrField, ...]:
    """Parse "MODE[63:60] ASID[59:44] V[0]"; XLEN-1 is the highest bit of a register. LanguageError
    for overlap or bad text."""
    text = _FROM_TOP.sub(lambda found: str(xlen - int(found[1])), text)
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
