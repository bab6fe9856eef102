"""`Architecture`: the hart's record, CSRs and decoder rows for some extensions and an XLEN.

An architecture is a value: two machines of one process can have different extensions, or two
versions of one. `enable` gives each hart its extensions, a part of those of the architecture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import rvplat.hart.acceleration.kept_pages
import rvplat.hart.implementations  # noqa: F401
from rvplat.engine import exports  # noqa: F401 (imports all modules that add to the records)
from rvplat.engine.decode import DecodeEntry, entry_of
from rvplat.engine.forms import Form
from rvplat.frozen import frozen
from rvplat.hart import csr
from rvplat.hart.state import OUTSIDE, SAVED, HartState
from rvplat.isa.machinery.csr_rows import Csr
from rvplat.isa.machinery.extension import Extension, Instruction, enabled_rows
from rvplat.lang import LanguageError, Record, u8, u64

FieldRow = tuple[str, Any, int]


@frozen
class Architecture:
    """What harts of a machine can have.

    Each extension has its own native code. `shipped` are the extensions of every architecture: code
    that all share has their CSRs. `added` are those of plugins, and large ones that ship. No two
    extensions have the same name, CSR number or field of the hart (`plugin_clashes`). `compressed`:
    every hart has C, so that IALIGN is 16, or none has it; None: some have. `xlen` is in bits.
    """

    shipped: tuple[Extension, ...]
    added: tuple[Extension, ...] = ()
    compressed: bool | None = True
    xlen: int = 64

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """All extensions, the shipped ones first."""
        return (*self.shipped, *self.added)

    @cached_property
    def base(self) -> Architecture:
        """The architecture without the added extensions."""
        return replace(self, added=()) if self.added else self

    @property
    def constants(self) -> dict[str, int]:
        """Fields of the hart's record that have the same value in all harts. The flags of absent
        extensions for which added ones ask are among them."""
        names = {extension.name for extension in self.extensions}
        absent = (name for one in self.added for name in one.asks if name not in names)
        found = {flag_of(name): 0 for name in absent}
        if self.compressed is not None:
            found["ialign_mask"] = ialign_mask(self.compressed)
        return found

    def constants_of(self, extension: Extension) -> dict[str, int]:
        """The constants among the fields of an extension."""
        own = {name for name, _, _ in fields_of(extension)}
        return {name: value for name, value in self.constants.items() if name in own}

    @cached_property
    def layout(self) -> Record:
        """The hart's record. It begins with the record of `base`, so that the native code of `base`
        can use it."""
        layout = self.base.layout.extended() if self.added else HartState.extended()
        for extension in self.added or self.shipped:
            flags = {flag_of(name) for name in (extension.name, *extension.asks)}
            unsaved = flags | extension.unsaved_states
            for name, kind, count in fields_of(extension):
                if name not in layout.fields:  # shipped extensions share some fields
                    layout.add(name, kind, count, OUTSIDE if name in unsaved else SAVED)
        layout.tables = dict(csr.tables(self.csrs))
        return layout

    @cached_property
    def csrs(self) -> dict[int, Csr]:
        """The CSRs by number. TypeError if two have the same number."""
        found: dict[int, Csr] = {}
        for row in (row for one in self.extensions for row in one.csrs):
            known = found.setdefault(row.number, row)
            if known is not row:
                raise TypeError(f"CSR {row.number:#x} is {known.name}, and {row.name} too")
        return found

    @cached_property
    def forms(self) -> list[Form]:
        """Every instruction in every length that it comes in. LanguageError for a name twice."""
        return forms(self.extensions)

    @cached_property
    def forms_by_extension(self) -> dict[Extension, list[Form]]:
        """The forms that each extension adds to those before it: its instructions, and new lengths
        of other instructions."""
        known: set[str] = set()
        found = {}
        for extension in self.extensions:
            new = {form.key: form for form in forms([extension])}
            found[extension] = [form for key, form in new.items() if key not in known]
            known |= new.keys()
        return found

    def prepare(self, hart: Any, extensions: Sequence[Extension]) -> None:
        """Set the fields that never change: the constants, and which extensions the hart has."""
        hart.ialign_mask = ialign_mask(any(one.name == "Zca" for one in extensions))
        for name, value in self.constants.items():
            setattr(hart, name, value)
        for extension in extensions:
            setattr(hart, flag_field(extension), 1)

    def enabled_entries(self, extensions: Iterable[Extension]) -> list[DecodeEntry]:
        """The patterns that a hart with exactly these extensions decodes."""
        return entries(extensions)


def ialign_mask(compressed: bool) -> int:
    """The bits that a jump's target must have clear."""
    return 1 if compressed else 3


def flag_field(extension: Extension) -> str:
    """The name of the hart's field that says whether it has the extension."""
    return flag_of(extension.name)


def flag_of(name: str) -> str:
    """As flag_field, by the extension's name."""
    return "has_" + name.lower()


def fields_of(extension: Extension) -> Iterator[FieldRow]:
    """The fields that an extension adds to the hart's record: name, type, count (0: no array)."""
    for name in (extension.name, *extension.asks):
        yield flag_of(name), u8, 0
    yield from extension.states
    yield from ((row.name, u64, 0) for row in extension.csrs if row.storage)


def enable(hart: Any, extensions: Sequence[Extension]) -> None:
    """Give a hart these extensions, with their CSRs at their reset values."""
    for extension in extensions:
        setattr(hart, flag_field(extension), 1)
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


def shared_entries(harts: Iterable[Iterable[Extension]]) -> list[DecodeEntry]:
    """The patterns that all of these harts decode alike. A pattern is left out if a hart has a more
    specific one, which the others lack, for some of its encodings."""
    each = [enabled_rows(extensions) for extensions in harts]
    common = set.intersection(*({id(row) for row in rows} for rows in each))
    others = [row.pattern for rows in each for row in rows if id(row) not in common]
    return [
        entry_of(row)
        for row in each[0]
        if id(row) in common and not any(row.pattern.may_be(other) for other in others)
    ]


def entries(extensions: Iterable[Extension]) -> list[DecodeEntry]:
    """The patterns that a hart with exactly these extensions decodes."""
    return [entry_of(row) for row in enabled_rows(extensions)]
