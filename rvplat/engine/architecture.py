"""The architecture that a process knows: extensions, installed into the hart's record and tables.

An extension is installed once; what a hart *has* is chosen later, hart by hart (`enable`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rvplat.engine.decode import DecodeEntry, entry_of
from rvplat.engine.forms import Form
from rvplat.hart import csr
from rvplat.hart.state import HartState
from rvplat.isa.machinery.extension import Extension, Instruction, enabled_rows
from rvplat.lang import LanguageError, u8, u64

_installed: dict[str, Extension] = {}
_owners: dict[str, Extension] = {}  # of the hart's fields that extensions added


def flag(extension: Extension) -> str:
    """The name of the hart's field that says whether it has the extension."""
    return "has_" + extension.name.lower()


def install(extensions: Iterable[Extension]) -> None:
    """Give the hart's record the extensions' state and the tables their CSRs. TypeError when two
    extensions of one name differ, or a name is taken."""
    for extension in extensions:
        known = _installed.setdefault(extension.name, extension)
        if known is not extension:
            raise TypeError(
                f"{extension.place}: the extension {extension.name} is there already in this "
                f"process, from {known.place}"
            )
        _add(extension, flag(extension), u8)
        for name, kind, count in extension.states:
            _add(extension, name, kind, count)
        for row in extension.csrs:
            if row.storage:
                _add(extension, row.name, u64)
        csr.install(extension.csrs)


def installed(name: str) -> Extension | None:
    """The extension of that name that the process knows."""
    return _installed.get(name)


def _add(extension: Extension, name: str, kind: Any, count: int = 0) -> None:
    """A field of the hart, unless it is there: those of rvplat's own extensions share some."""
    if name not in HartState.fields:
        HartState.add(name, kind, count)
        _owners[name] = extension


def field_of_another(extension: Extension, name: str) -> str:
    """Whose field of the hart has the name that an extension wants for one of its own: "of every
    hart" or "of F, FILE:LINE"; "" if nobody's."""
    if name not in HartState.fields or _owners.get(name) is extension:
        return ""
    owner = _owners.get(name)
    return f"of {owner.name}, {owner.place}" if owner is not None else "of every hart"


def enable(hart: Any, extensions: Sequence[Extension]) -> None:
    """Let a hart have these extensions, with their CSRs at their reset values."""
    for extension in extensions:
        setattr(hart, flag(extension), 1)
        csr.enable(hart, extension.csrs)


def forms(extensions: Iterable[Extension]) -> list[Form]:
    """Every instruction in every length that it comes in. LanguageError for a name twice."""
    lengths: dict[str, set[int]] = {}
    rows: dict[str, Instruction] = {}
    extensions = list(extensions)
    for extension in extensions:
        for row in extension.instructions:
            if rows.setdefault(row.name, row) is not row:
                raise LanguageError(f"{extension.name} {row.name}", "is defined twice")
            lengths.setdefault(row.name, set()).add(row.pattern.length)
    for extension in extensions:
        for short in extension.compressed_forms:
            lengths.setdefault(short.expands.name, set()).add(2)
            rows.setdefault(short.expands.name, short.expands)
    return [Form(rows[name], n) for name in sorted(lengths) for n in sorted(lengths[name])]


def entries(extensions: Iterable[Extension], xlen: int = 64) -> list[DecodeEntry]:
    """The patterns that a hart with exactly these extensions decodes."""
    return [entry_of(row) for row in enabled_rows(extensions, xlen)]
