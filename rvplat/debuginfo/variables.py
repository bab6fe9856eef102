"""Variables with static addresses, and paths into them.

    state.counts[3]    ring->head    *pointer    matrix[1][2]    main.c:state    work::calls

A pointer is followed by `->`, `.` and `[n]`. `FILE:NAME` chooses among static variables of one
name, `FUNCTION::NAME` is a static variable of a function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.debuginfo.expressions import evaluate, no_memory, parsed
from rvplat.debuginfo.faults import NotThere, OutsideError, reading
from rvplat.debuginfo.functions import SCOPES
from rvplat.debuginfo.type_entries import TypeReader
from rvplat.debuginfo.types import Array, Pointer, Structure, Type
from rvplat.debuginfo.units import Units, attribute, inherited, origin_of, text_of
from rvplat.errors import did_you_mean, nearest
from rvplat.frozen import frozen

if TYPE_CHECKING:
    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.die import DIE

_HEAD = re.compile(
    r"\s*(?P<stars>\**)\s*(?:(?P<file>[^\s:*\[\]>]+):(?!:))?(?P<name>(?:[A-Za-z_$][\w$]*::)*[A-Za-z_$][\w$.]*?)"
    r"(?P<rest>(?:\s*(?:->|\.|\[).*)?)$"
)
_STEP = re.compile(r"\s*(?:(?:\.|->)\s*([A-Za-z_$][\w$]*)|\[\s*(-?(?:0[xX][0-9a-fA-F]+|\d+))\s*\])")

#: The value of a pointer of so many bytes at an address.
Follow = Callable[[int, int], int]


@frozen
class Variable:
    """A variable or a part of one: its address in the running program, and its type."""

    path: str
    address: int
    type: Type


@frozen
class _Entry:
    """A variable of the file: the file of its unit, and its entries."""

    unit: CompileUnit
    file: str
    die: DIE


class Variables:
    """The variables of a file. All names are read at first use."""

    def __init__(self, path: Path, units: Units) -> None:
        self._path = path
        self._units = units
        self._types = TypeReader(units.dwarf.config.default_address_size)

    @cached_property
    def _by_name(self) -> dict[str, list[_Entry]]:
        found: dict[str, list[_Entry]] = {}
        with reading(self._path, ".debug_info"):
            for unit in self._units.all:
                top = unit.get_top_DIE()
                file = text_of(attribute(top, "DW_AT_name") or b"")
                for prefix, die in _variables(top, ""):
                    name = text_of(inherited(die, "DW_AT_name") or b"")
                    found.setdefault(prefix + name, []).append(_Entry(unit, file, die))
        return found

    def names(self) -> list[str]:
        """The names of all variables; static ones of functions as FUNCTION::NAME."""
        return list(self._by_name)

    def find(self, path: str, moved: int, follow: Follow) -> Variable:
        """A variable or a part of one. `moved` is added to the addresses of the file; `follow`
        reads pointers; what it raises passes.

        Raises:
            LookupError: there is none.
        """

        def pointer_at(address: int, size: int) -> int:
            try:
                return follow(address, size)
            except Exception as error:
                raise OutsideError(error) from error

        try:
            return self._find(path, moved, pointer_at)
        except OutsideError as found:
            raise found.error from None

    def _find(self, path: str, moved: int, follow: Follow) -> Variable:
        head = _HEAD.match(path)
        if head is None:
            raise LookupError(f"{path!r}: expected a path such as state.counts[3] or *pointer")
        entry = self._entry(head["name"], head["file"], path)
        with reading(self._path, ".debug_info"):
            address = self._address(entry, path) + moved
            kind = self._types.of(_typed(entry.die))
            here = Variable(path, address, kind)
            for name, index in _steps(head["rest"], path):
                here = _part(here, name, index, follow)
            for _ in head["stars"]:
                here = _followed(here, follow)
            _read_whole(here.type, set())
        return here

    def _entry(self, name: str, file: str | None, path: str) -> _Entry:
        entries = self._by_name.get(name, [])
        if file is not None:
            entries = [one for one in entries if ("/" + one.file).endswith("/" + file)]
        if not entries:
            hint = did_you_mean(nearest(name, self._by_name))
            raise NotThere(f"{path!r}: the program has no variable {name!r}{hint}")
        if len(entries) > 1:
            external = [one for one in entries if inherited(one.die, "DW_AT_external")]
            if len(external) != 1:
                places = ", ".join(f"{Path(one.file).name}:{name}" for one in entries)
                raise NotThere(f"{path!r}: several variables have this name: {places}")
            entries = external
        return entries[0]

    def _address(self, entry: _Entry, path: str) -> int:
        if not _is_static(entry.die):
            raise NotThere(f"{path!r}: it has no fixed address")
        dwarf, code = self._units.dwarf, bytes(attribute(entry.die, "DW_AT_location"))
        first, *others = parsed(dwarf, code)
        start = first.args[0]
        if first.op_name == "DW_OP_addrx":
            start = dwarf.get_addr(entry.unit, start)
        rest = code[others[0].offset :] if others else b""
        return evaluate(dwarf, rest, {}, no_memory, dwarf.config.default_address_size, [start])


def _read_whole(kind: Type, seen: set[int]) -> None:
    """Read the members of a type now: later, nobody would tell of a damaged file."""
    if id(kind) in seen:
        return
    seen.add(id(kind))
    if isinstance(kind, Array):
        _read_whole(kind.element, seen)
    elif isinstance(kind, Structure):
        for member in kind.members.values():
            _read_whole(member.type, seen)


def _typed(die: DIE) -> DIE:
    """The entry with the type: the declaration, if this one only defines it."""
    while "DW_AT_type" not in die.attributes:
        declared = origin_of(die)
        if declared is None:
            break
        die = declared
    return die


def _variables(die: DIE, prefix: str) -> Iterator[tuple[str, DIE]]:
    """The variables with a location in an entry, and what stands before their names."""
    for child in die.iter_children():
        if child.tag == "DW_TAG_variable":
            if "DW_AT_location" in child.attributes:
                yield prefix, child
        elif child.tag == "DW_TAG_subprogram" and child.has_children:
            name = text_of(inherited(child, "DW_AT_name") or b"?")
            for inner, one in _variables(child, f"{name}::"):
                if _is_static(one):
                    yield inner, one
        elif child.tag == "DW_TAG_lexical_block":
            yield from _variables(child, prefix)
        elif child.tag in SCOPES:
            name = text_of(attribute(child, "DW_AT_name") or b"")
            yield from _variables(child, f"{prefix}{name}::" if name else prefix)


def _is_static(die: DIE) -> bool:
    """Whether the location is an expression that begins with an address."""
    code = attribute(die, "DW_AT_location")
    return isinstance(code, list | bytes) and len(code) > 1 and code[0] in (0x03, 0xA1)


def _steps(rest: str, path: str) -> Iterator[tuple[str, int]]:
    """The members (name, 0) and indexes ("", n) after a name."""
    at = 0
    while rest[at:].strip():
        step = _STEP.match(rest, at)
        if step is None:
            raise NotThere(f"{path!r}: expected .MEMBER, ->MEMBER or [NUMBER] at {rest[at:]!r}")
        yield step[1] or "", int(step[2], 0) if step[2] else 0
        at = step.end()


def _part(here: Variable, name: str, index: int, follow: Follow) -> Variable:
    """A member, or an element."""
    if not name and isinstance(here.type, Array):
        if index < 0 or (here.type.count and index >= here.type.count):
            raise NotThere(f"{here.path!r}: no element {index} of {here.type.name}")
        element = here.type.element
        return Variable(here.path, here.address + index * element.size, element)
    if isinstance(here.type, Pointer):
        here = _followed(here, follow)
        if not name:
            return Variable(here.path, here.address + index * here.type.size, here.type)
    if not name or not isinstance(here.type, Structure):
        what = f"member {name!r}" if name else "elements"
        raise NotThere(f"{here.path!r}: {here.type.name} has no {what}")
    member = here.type.members.get(name)
    if member is None:
        hint = did_you_mean(nearest(name, here.type.members))
        raise NotThere(f"{here.path!r}: {here.type.name} has no member {name!r}{hint}")
    return Variable(here.path, here.address + member.offset, member.type)


def _followed(here: Variable, follow: Follow) -> Variable:
    """What a pointer points to."""
    if not isinstance(here.type, Pointer) or here.type.target is None:
        raise NotThere(f"{here.path!r}: {here.type.name} points to nothing that has a type")
    return Variable(here.path, follow(here.address, here.type.size), here.type.target)
