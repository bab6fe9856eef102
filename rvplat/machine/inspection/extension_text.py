"""Describe an extension from its definition: instructions, encodings, CSRs. `rvplat isa` and the
documentation use it.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator

from rvplat import errors
from rvplat.frozen import frozen
from rvplat.isa.machinery.csr_rows import ALL_ONES, Csr
from rvplat.isa.machinery.encoding import Pattern, token_width
from rvplat.isa.machinery.extension import Compressed, Extension, Row
from rvplat.lang import Definition
from rvplat.lang.define import text_of

PRIVILEGES = ("U", "S", "H", "M")


def rows_of(extension: Extension) -> list[Row]:
    """The instructions of an extension, then its compressed forms."""
    return [*extension.instructions, *extension.compressed_forms]


@frozen
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
    """The conditions on an instruction's operands: "rd != 0, imm != 0"; "" if there are none."""
    found = []
    for term in pattern.conditions:
        for operand in pattern.operands.values():
            if operand.mask == term.mask:
                sign = "==" if term.equal else "!="
                found.append(f"{operand.name} {sign} {operand.extract(term.value)}")
    return ", ".join(found)


def expansion(row: Compressed) -> str:
    """The instruction that a compressed form expands to, with its operands."""
    values = ", ".join(
        str(value) if name == value else f"{name}={value}" for name, value in row.mapping.items()
    )
    return f"{row.expands.name} {values}".rstrip()


def doc_of(thing: Definition | None) -> str:
    """The docstring of a definition, on one line; "" if there is none."""
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
    """The lowest mode that may access a CSR, and how, by its number: "MRW", "URO" (CSR listing)."""
    return PRIVILEGES[csr.privilege] + ("RO" if csr.read_only else "RW")


def fields_of(csr: Csr) -> str:
    """The named fields: "MPP[12:11] MIE[3]"; "" if there are none."""
    return " ".join(
        f"{field.name}[{field.high}]" if field.high == field.low
        else f"{field.name}[{field.high}:{field.low}]"
        for field in csr.fields
    )  # fmt: skip


def legal_values(csr: Csr) -> str:
    """The values that a write can leave in the CSR."""
    if csr.read_only:
        return "no write is legal"
    if csr.write is not None:
        return doc_of(csr.write) or f"`{csr.write.name}` decides"
    if csr.writable == ALL_ONES:
        return "any"
    return f"only bits {csr.writable:#x} can be written" if csr.writable else "read-only"


def groups(csrs: Iterable[Csr]) -> Iterator[tuple[Csr, int]]:
    """CSRs by number; a run of similar ones is one group: (the first, their count)."""
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


@frozen
class Found:
    """What a name refers to: an extension, or one of its instructions (some have several
    patterns) or CSRs."""

    extension: Extension
    rows: tuple[Row, ...] = ()
    csr: Csr | None = None


def find(name: str, extensions: Iterable[Extension]) -> Found | None:
    """The extension, instruction or CSR with a name, in any case; also as EXTENSION.NAME."""
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
    """The most similar name of an extension, instruction or CSR; None if none is similar."""
    names = {}
    for extension in extensions:
        rows = (row.name for row in rows_of(extension))
        for one in (extension.name, *rows, *(csr.name for csr in extension.csrs)):
            names[one.lower()] = one
    near = errors.nearest(name.lower(), names)
    return None if near is None else names[near]
