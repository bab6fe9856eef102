"""The architecture that a process knows: extensions, installed into the hart's record and tables.

An extension is installed once; what a hart *has* is chosen later, hart by hart (`enable`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rvplat.engine.decode import Entry, entry_of
from rvplat.engine.forms import Form
from rvplat.hart import csr
from rvplat.hart.state import Hart
from rvplat.isa.extension import Extension, Instruction, enabled_rows
from rvplat.lang import DefinitionError, u8, u64

_installed: dict[str, Extension] = {}


def flag(extension: Extension) -> str:
    """The name of the hart's field that says whether it has the extension."""
    return "has_" + extension.name.lower()


def install(extensions: Iterable[Extension]) -> None:
    """Give the hart's record the extensions' state and the tables their CSRs. TypeError when two
    extensions of one name differ, or a name is taken."""
    for extension in extensions:
        known = _installed.setdefault(extension.name, extension)
        if known is not extension:
            raise TypeError(f"two extensions are called {extension.name}")
        if flag(extension) not in Hart.fields:
            Hart.add(flag(extension), u8)
        for name, kind, count in extension.states:
            if name not in Hart.fields:
                Hart.add(name, kind, count)
        for row in extension.csrs:
            if row.storage and row.name not in Hart.fields:
                Hart.add(row.name, u64)
        csr.install(extension.csrs)


def enable(hart: Any, extensions: Sequence[Extension]) -> None:
    """Let a hart have these extensions, with their CSRs at their reset values."""
    for extension in extensions:
        setattr(hart, flag(extension), 1)
        csr.enable(hart, extension.csrs)


def forms(extensions: Iterable[Extension]) -> list[Form]:
    """Every instruction in every length that it comes in. DefinitionError for a name twice."""
    lengths: dict[str, set[int]] = {}
    rows: dict[str, Instruction] = {}
    extensions = list(extensions)
    for extension in extensions:
        for row in extension.instructions:
            if rows.setdefault(row.name, row) is not row:
                raise DefinitionError(f"{extension.name} {row.name}", "is defined twice")
            lengths.setdefault(row.name, set()).add(row.pattern.length)
    for extension in extensions:
        for short in extension.compressed_forms:
            lengths.setdefault(short.expands.name, set()).add(2)
            rows.setdefault(short.expands.name, short.expands)
    return [Form(rows[name], n) for name in sorted(lengths) for n in sorted(lengths[name])]


def entries(extensions: Iterable[Extension], xlen: int = 64) -> list[Entry]:
    """The patterns that a hart with exactly these extensions decodes."""
    return [entry_of(row) for row in enabled_rows(extensions, xlen)]
