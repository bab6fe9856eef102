"""An extension as its definition says it: instructions, encodings, CSRs. Data for `rvplat isa` and
for the documentation.
"""

from __future__ import annotations

import ast
import difflib
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rvplat.isa.machinery.csr_rows import ALL_ONES, Csr
from rvplat.isa.machinery.encoding import Pattern, token_width
from rvplat.isa.machinery.extension import Compressed, Extension, Row
from rvplat.lang import Definition
from rvplat.lang.define import text_of

PRIVILEGES = ("U", "S", "H", "M")


def rows_of(extension: Extension) -> list[Row]:
    """Its instructions, then its compressed forms."""
    return [*extension.instructions, *extension.compressed_forms]


@dataclass(frozen=True)
class Box:
    """Instruction bits `high` to `low`: fixed bits, or an operand (`imm[11:0]`)."""

    high: int
    low: int
    text: str


def boxes(pattern: Pattern) -> list[Box]:
    """The parts of an instruction, from the most significant bit."""
    low, found = 0, []
    for token in reversed(pattern.text.split()):
        width = token_width(token)
        found.append(Box(low + width - 1, low, token))
        low += width
    return found[::-1]


def conditions(pattern: Pattern) -> str:
    """What else must hold of an instruction's operands: "rd != 0, imm != 0"; perhaps nothing."""
    found = []
    for term in pattern.conditions:
        for operand in pattern.operands.values():
            if operand.mask == term.mask:
                sign = "==" if term.equal else "!="
                found.append(f"{operand.name} {sign} {operand.extract(term.value)}")
    return ", ".join(found)


def expansion(row: Compressed) -> str:
    """The instruction that a compressed form stands for, with its operands."""
    values = ", ".join(
        str(value) if name == value else f"{name}={value}" for name, value in row.mapping.items()
    )
    return f"{row.expands.name} {values}".rstrip()


def doc_of(thing: Definition | None) -> str:
    """The docstring of a definition, on one line; perhaps nothing."""
    return " ".join((thing.__doc__ or "").split()) if thing is not None else ""


def body_of(definition: Definition) -> str:
    """The statements of a definition, without its docstring."""
    body = definition.tree.body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    lines = text_of(definition.file).splitlines()
    if not body or not lines:
        return "\n".join(map(ast.unparse, body))
    return textwrap.dedent("\n".join(lines[body[0].lineno - 1 : body[-1].end_lineno]))


def access(csr: Csr) -> str:
    """Who may read and write a CSR by its number: "MRW", "URO" (CSR listing)."""
    return PRIVILEGES[csr.privilege] + ("RO" if csr.read_only else "RW")


def fields_of(csr: Csr) -> str:
    """The named fields: "MPP[12:11] MIE[3]"; perhaps nothing."""
    return " ".join(
        f"{field.name}[{field.high}]" if field.high == field.low
        else f"{field.name}[{field.high}:{field.low}]"
        for field in csr.fields
    )  # fmt: skip


def legal_values(csr: Csr) -> str:
    """What a write leaves in it."""
    if csr.read_only:
        return "no write is legal"
    if csr.write is not None:
        return doc_of(csr.write) or f"`{csr.write.name}` decides"
    if csr.writable == ALL_ONES:
        return "any"
    return f"only bits {csr.writable:#x} can be written" if csr.writable else "read-only"


def groups(csrs: Iterable[Csr]) -> Iterator[tuple[Csr, int]]:
    """By number: CSRs of one kind that follow each other, as the first and how many they are."""
    first, count = None, 0
    for csr in sorted(csrs, key=lambda csr: csr.number):
        if first is not None and _alike(first, csr, count):
            count += 1
            continue
        if first is not None:
            yield first, count
        first, count = csr, 1
    if first is not None:
        yield first, count


def _alike(first: Csr, other: Csr, distance: int) -> bool:
    stem = first.name.rstrip("0123456789")
    meaning = (first.read, first.write, first.access, first.writable, first.reset)
    return (
        other.number == first.number + distance
        and stem != first.name
        and other.name == f"{stem}{int(first.name[len(stem) :]) + distance}"
        and meaning == (other.read, other.write, other.access, other.writable, other.reset)
    )


@dataclass(frozen=True)
class Found:
    """What a name is: an extension, and perhaps one of its instructions (some have more than one
    pattern) or CSRs."""

    extension: Extension
    rows: tuple[Row, ...] = ()
    csr: Csr | None = None


def find(name: str, extensions: Iterable[Extension]) -> Found | None:
    """The extension, instruction or CSR of that name, in whatever case; EXTENSION.NAME too."""
    wanted = name.lower()
    known = list(extensions)
    for extension in known:
        if extension.name.lower() == wanted:
            return Found(extension)
    for extension in known:
        for short in (wanted, wanted.removeprefix(f"{extension.name.lower()}.")):
            rows = [row for row in rows_of(extension) if short in (row.name, row.syntax.split()[0])]
            if rows:
                return Found(extension, tuple(rows))
            for csr in extension.csrs:
                if csr.name == short:
                    return Found(extension, csr=csr)
    return None


def nearest(name: str, extensions: Iterable[Extension]) -> str | None:
    """The name of an extension, instruction or CSR that is most like it; None if none is."""
    names = {}
    for extension in extensions:
        rows = (row.name for row in rows_of(extension))
        for one in (extension.name, *rows, *(csr.name for csr in extension.csrs)):
            names[one.lower()] = one
    near = difflib.get_close_matches(name.lower(), names, n=1)
    return names[near[0]] if near else None
