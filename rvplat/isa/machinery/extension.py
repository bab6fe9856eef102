"""An ISA extension: its instructions, compressed forms, CSRs and state, with version and standing.

    M = Extension("M", "2.0", "ratified", "Integer multiplication and division", requires=("I",))

    @M.instruction("0000001 rs2 rs1 000 rd 0110011", "mul rd, rs1, rs2")
    def mul(hart, rd, rs1, rs2):
        hart.x[rd] = hart.x[rs1] * hart.x[rs2]

A syntax names floating-point registers `frd`, `frs1`, `frs2` and `frs3`. An `rd` without the f is
an integer register: if it is x0, the definition receives SINK as its index, so that it can write
hart.x[rd] without a test.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from rvplat.frozen import frozen
from rvplat.isa.machinery.csr_rows import ALL_ONES, Csr, parse_fields
from rvplat.isa.machinery.encoding import Pattern, parse
from rvplat.isa.machinery.xlen import WIDTHS
from rvplat.lang import Definition, LanguageError, define, u64

if TYPE_CHECKING:
    from rvplat.isa.machinery.ratifications import Ratification

Standing = Literal["ratified", "frozen", "draft"]
SINK = 32  # the index of hart.x that takes what is written to x0


def place_of_caller() -> str:
    """FILE:LINE of the innermost frame outside this file, generated code and private helpers."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        code = frame.f_code
        if code.co_filename not in (__file__, "<string>") and code.co_name[0] != "_":
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


@define
def rd_is_zero(rd: u64) -> bool:
    """Whether the destination is x0."""
    return rd == SINK


@frozen
class Instruction:
    """Pattern, syntax and meaning of one instruction. `xlen` is 0 if every XLEN has it. `own_text`
    is what a reader should see, if the definition was made of that."""

    name: str
    pattern: Pattern
    syntax: str
    definition: Definition
    extension: Extension
    xlen: int = 0
    requires: tuple[str, ...] = ()  # further extensions that must be enabled
    excludes: tuple[str, ...] = ()  # extensions that take its encoding
    own_text: Definition | None = None

    @property
    def text(self) -> Definition:
        """The definition that shows what the instruction does."""
        return self.own_text or self.definition

    @property
    def operands(self) -> tuple[str, ...]:
        """The operands that the definition takes, in its order."""
        return self.definition.signature.names[1:]

    @property
    def place(self) -> str:
        """The file and line that define it."""
        return self.text.place

    @property
    def redirects_rd(self) -> bool:
        """Whether rd names an integer register (the syntax says frd otherwise)."""
        return "rd" in self.pattern.operands and re.search(r"\bfrd\b", self.syntax) is None


@frozen
class Compressed:
    """A 16-bit form of another instruction. `mapping` gives each operand of that instruction: the
    name of an operand of this form, or a number."""

    name: str
    pattern: Pattern
    syntax: str
    expands: Instruction
    extension: Extension
    mapping: dict[str, str | int]
    xlen: int = 0
    requires: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    place: str = field(default_factory=place_of_caller, compare=False, repr=False)


@dataclass(frozen=True, eq=False)
class Extension:
    """A named part of the architecture. A hart that has it also has the extensions in `requires`.

    A hart that has all of `implied_by` has this extension, even if its ISA string doesn't name it
    (C and D imply Zcd). `place` is the file and line that define the extension, `state_places`
    those that define its states.

    An extension that is large or that few harts have has its rows in modules of their own,
    `rows_in`. They are imported when its rows are asked for, and native code is made of them only
    for boards whose harts have it. `state_in` are those of them that define its CSRs and states,
    which each start needs: a start with native code from the cache imports no others. `asks` names
    extensions whose flags (`hart.has_zvfh`) its texts test: where no hart has such an extension,
    native code is made without what depends on it.

    `widths` are the XLENs for which it exists. An object stands for the extension on one XLEN,
    `xlen`, and its rows are those of that XLEN. Modules define it for RV64; `of` gives the other.
    """

    name: str
    version: str
    standing: Standing
    title: str = ""
    requires: tuple[str, ...] = ()
    implied_by: tuple[str, ...] = ()
    rows_in: tuple[str, ...] = ()
    state_in: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    widths: tuple[int, ...] = WIDTHS
    xlen: int = 64
    state_places: list[str] = field(default_factory=list, repr=False)
    unsaved_states: set[str] = field(default_factory=set, repr=False)
    place: str = field(default_factory=place_of_caller, repr=False)
    _instructions: list[Instruction] = field(default_factory=list, repr=False)
    _compressed_forms: list[Compressed] = field(default_factory=list, repr=False)
    _csrs: list[Csr] = field(default_factory=list, repr=False)
    _states: list[tuple[str, Any, int]] = field(default_factory=list, repr=False)
    _others: dict[int, Extension] = field(default_factory=dict, repr=False)

    @property
    def ratification(self) -> Ratification | None:
        """When it was ratified and where its text is; None for a plugin's, and for a draft."""
        from rvplat.isa.machinery.ratifications import ratifications

        return ratifications().get(self.name) if self.standing == "ratified" else None

    def _import_rows(self) -> None:
        for module in self.rows_in:
            import_module(module)

    def _import_state(self) -> None:
        for module in self.state_in:
            import_module(module)

    @property
    def instructions(self) -> list[Instruction]:
        """Its instructions for its XLEN, in the order of their definition."""
        self._import_rows()
        return [row for row in self._instructions if row.xlen in (0, self.xlen)]

    @property
    def compressed_forms(self) -> list[Compressed]:
        """Its 16-bit forms of instructions."""
        self._import_rows()
        return [row for row in self._compressed_forms if row.xlen in (0, self.xlen)]

    @property
    def csrs(self) -> list[Csr]:
        """Its CSRs. On RV32, some are two (csr_rows.py)."""
        self._import_state()
        if self.xlen == 64:
            return [row for row in self._csrs if row.xlen in (0, 64)]
        return [one for row in self._csrs for one in row.narrow]

    @property
    def states(self) -> list[tuple[str, Any, int]]:
        """The fields that it adds to a hart, besides those of its CSRs: name, type, count."""
        self._import_state()
        return self._states

    def of(self, xlen: int) -> Extension:
        """The same extension with the rows of an XLEN, 32 or 64."""
        if xlen == self.xlen:
            return self
        if xlen not in self._others:
            self._others[xlen] = replace(self, xlen=xlen, _others={self.xlen: self})
        return self._others[xlen]

    def instruction(
        self, pattern: str, syntax: str, *, where: str = "", xlen: int = 0, name: str = "",
        requires: tuple[str, ...] = (), excludes: tuple[str, ...] = (),
        text: Definition | None = None, rv32: str = "",
    ) -> Callable[[Callable[..., None]], Instruction]:  # fmt: skip
        """Add an instruction. Without `name`, the function's name gives it, with "." for "_".
        `text` is the definition to show, if what is decorated was made of it. `rv32` is another
        pattern for RV32; then `pattern` is that of RV64."""

        def add(function: Callable[..., None]) -> Instruction:
            definition = function if isinstance(function, Definition) else Definition(function)
            title = name or definition.name.rstrip("_").replace("_", ".")
            for pattern_here, width in _widths(pattern, xlen, rv32):
                parsed = parse(pattern_here, where)
                for operand in definition.signature.names[1:]:
                    if operand not in parsed.operands:
                        raise LanguageError(f"{self.name} {title}", f"no operand {operand!r}")
                row = Instruction(
                    title, parsed, syntax, definition, self, width, requires, excludes, text
                )  # fmt: skip
                self._instructions.append(row)
            return row

        return add

    def share(self, *rows: Instruction) -> None:
        """Add instructions that another extension defines, each with all its patterns: each of the
        two extensions alone gives them."""
        for row in rows:
            own = row.extension._instructions
            self._instructions.extend(one for one in own if one.name == row.name)

    def compressed(
        self, pattern: str, syntax: str, expands: Instruction, *, where: str = "", xlen: int = 0,
        requires: tuple[str, ...] = (), excludes: tuple[str, ...] = (), rv32: str = "",
        **mapping: str | int,
    ) -> Compressed:  # fmt: skip
        """Add a 16-bit form. `mapping` may omit operands that have the same name in both forms.
        `rv32` is as of `instruction`."""
        for pattern_here, width in _widths(pattern, xlen, rv32):
            parsed = parse(pattern_here, where)
            row = self._compressed(parsed, syntax, expands, width, requires, excludes, mapping)
        return row

    def _compressed(
        self, parsed: Pattern, syntax: str, expands: Instruction, xlen: int,
        requires: tuple[str, ...], excludes: tuple[str, ...], mapping: dict[str, str | int],
    ) -> Compressed:  # fmt: skip
        title = syntax.split()[0]
        full = {name: mapping.get(name, name) for name in expands.pattern.operands}
        for name, source in full.items():
            if isinstance(source, str) and source not in parsed.operands:
                raise LanguageError(f"{self.name} {title}", f"{name}: no operand {source!r}")
        for name in mapping:
            if name not in expands.pattern.operands:
                message = f"{expands.name} has no operand {name!r}"
                raise LanguageError(f"{self.name} {title}", message)
        row = Compressed(title, parsed, syntax, expands, self, full, xlen, requires, excludes)
        self._compressed_forms.append(row)
        return row

    def csr(
        self, number: int, name: str, *, fields: str = "", writable: int = ALL_ONES,
        reset: int = 0, read: Any = None, write: Any = None, access: Any = None,
        storage: bool = True, xlen: int = 0, high: int = 0,
    ) -> Csr:  # fmt: skip
        """Add a CSR row (see `Csr`): number, name, fields such as "MODE[63:60] V[0]", the bits that
        a write changes, the value after a reset, the number of the high half on RV32."""
        row = Csr(
            number, name, self.name, parse_fields(name, fields), writable, reset, read, write,
            access, storage, xlen, high, None, fields, place_of_caller(),
        )  # fmt: skip
        self._csrs.append(row)
        return row

    def share_csr(self, row: Csr) -> None:
        """Add a CSR that another extension defines: each of the two alone gives it."""
        self._csrs.append(row)

    def state(self, name: str, kind: Any, count: int = 0, saved: bool = True) -> None:
        """Add a field (or an array of `count`) to the hart's record. Snapshots have it, unless it
        is not `saved` because it belongs to the host."""
        self._states.append((name, kind, count))
        if not saved:
            self.unsaved_states.add(name)
        self.state_places.append(place_of_caller())


Row = Instruction | Compressed


def _widths(pattern: str, xlen: int, rv32: str) -> list[tuple[str, int]]:
    """The patterns of a row and their XLENs, that of RV64 last."""
    return [(rv32, 32), (pattern, 64)] if rv32 else [(pattern, xlen)]


def enabled_rows(extensions: Iterable[Extension]) -> list[Row]:
    """The rows that a hart with exactly these extensions decodes, the most specific first."""
    extensions = list(extensions)
    names = {extension.name for extension in extensions}
    rows: list[Row] = []
    for extension in extensions:
        rows += [*extension.instructions, *extension.compressed_forms]
    enabled = [
        row
        for row in {id(row): row for row in rows}.values()  # extensions share some
        if names.issuperset(row.requires) and names.isdisjoint(row.excludes)
    ]
    return sorted(enabled, key=lambda row: row.pattern.rank, reverse=True)


__all__ = [
    "SINK", "Compressed", "Extension", "Instruction", "Row", "Standing", "enabled_rows",
    "rd_is_zero",
]  # fmt: skip
