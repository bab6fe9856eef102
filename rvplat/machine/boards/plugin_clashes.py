"""Find the faults of extensions from plugins: all at once, one line each, with file and line.

`rvplat check` and the building of a machine use the same checks. Shipped extensions are not checked
here; tests check them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from rvplat.engine.architecture import Architecture, entries, fields_of, flag_field
from rvplat.engine.decode import MAX_CONDITIONS, MAX_PIECES, find_overlaps
from rvplat.engine.forms import Form
from rvplat.errors import nearest
from rvplat.hart.state import HartState
from rvplat.isa.machinery.csr_rows import Csr
from rvplat.isa.machinery.destinations import unguarded
from rvplat.isa.machinery.extension import Extension, Row
from rvplat.lang import Definition, Dispatch, LanguageError

CSRS = 1 << 12
Known = Mapping[str, Extension]


def clashes(plugins: Sequence[Extension], shipped: Known, harts: Sequence[Extension]) -> list[str]:
    """The faults of plugins' extensions, except in the bodies of definitions (`bad_texts`). `harts`
    are the extensions that the board's harts have."""
    found = [*_of_names(plugins, shipped), *_of_csrs(plugins, shipped)]
    found += [*_of_fields(plugins, shipped), *_of_instructions(plugins, shipped)]
    found += [text for one in plugins for row in one.instructions for text in unguarded(row)]
    return [*found, *_of_encodings(plugins, harts)]


def bad_texts(architecture: Architecture) -> list[str]:
    """The definitions of plugins that cannot be compiled. The code of the others is discarded.
    Call it only if there are no clashes."""
    return list(dict.fromkeys(_of_texts(architecture)))


# --- names and requirements -----------------------------------------------------------------------


def _of_names(plugins: Sequence[Extension], shipped: Known) -> Iterator[str]:
    taken = {name.lower(): extension for name, extension in shipped.items()}
    known = {**shipped, **{one.name: one for one in plugins}}
    for one in plugins:
        other = taken.setdefault(one.name.lower(), one)
        if other is not one:
            yield f"{one.place}: the extension {one.name} is already defined at {other.place}"
        yield from _of_requirements(one, known)


def _of_requirements(one: Extension, known: Known) -> Iterator[str]:
    wants = [(one.place, one.name, name) for name in (*one.requires, *one.implied_by)]
    rows: list[Row] = [*one.instructions, *one.compressed_forms]
    for row in rows:
        wants += [(row.place, row.name, name) for name in (*row.requires, *row.excludes)]
    for place, who, name in dict.fromkeys(wants):
        if name not in known:
            hint = nearest(name, known)
            more = f"; did you mean {hint}?" if hint else ""
            yield f"{place}: {who} names the extension {name}, which does not exist{more}"
    circle = _circle(one, known)
    if circle:
        yield f"{one.place}: {' requires '.join(circle)}: a circle"


def _circle(one: Extension, known: Known) -> list[str]:
    """The names on a path from an extension back to itself; empty if there is none."""
    ways = [[one.name, name] for name in one.requires]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        if way[-1] == one.name:
            return way
        if way[-1] in known and way[-1] not in seen:
            seen.add(way[-1])
            ways += [[*way, name] for name in known[way[-1]].requires]
    return []


# --- CSRs and other state -------------------------------------------------------------------------


def _of_csrs(plugins: Sequence[Extension], shipped: Known) -> Iterator[str]:
    numbers = {row.number: row for one in shipped.values() for row in one.csrs}
    names = {row.name: row for row in numbers.values()}
    for row in (row for one in plugins for row in one.csrs):
        what = f"{row.place}: the CSR {row.name} ({row.number:#x})"
        if not 0 <= row.number < CSRS:
            yield f"{what}: expected a number below {CSRS:#x}"
        other = numbers.setdefault(row.number, row)
        if other is not row:
            yield f"{what} has the number of {_csr(other)}"
        other = names.setdefault(row.name, row)
        if other is not row:
            yield f"{what} has the name of {_csr(other)}"
        if any(one.high > 63 for one in row.fields):
            yield f"{what} has a field above bit 63"
        if not row.storage and (row.read is None or (row.write is None and not row.read_only)):
            yield f"{what} has no storage: it needs a read, and a write unless it is read-only"


def _csr(row: Csr) -> str:
    return f"{row.name} ({row.number:#x}) of {row.extension}, {row.place}"


def _of_fields(plugins: Sequence[Extension], shipped: Known) -> Iterator[str]:
    """Fields of the hart that two extensions would share. `_of_csrs` reports CSRs with the same
    name."""
    csrs = {row.name for one in shipped.values() for row in one.csrs}
    taken = dict.fromkeys(HartState.fields, "of every hart")
    for one in shipped.values():
        for name, _, _ in fields_of(one):
            taken.setdefault(name, f"of {one.name}, {one.place}")
    for one in plugins:
        taken.setdefault(flag_field(one), f"of {one.name}, {one.place}")
    for one in plugins:
        places = zip(one.states, one.state_places, strict=True)
        wanted = [(name, "state", place) for (name, _, _), place in places]
        wanted += [(row.name, "CSR", row.place) for row in one.csrs if row.storage]
        for name, what, place in wanted:
            if not name.isidentifier():
                yield f"{place}: the {what} {name!r} is not an identifier"
            elif name in taken and (what == "state" or name not in csrs):
                yield f"{place}: the {what} {name} has the name of a field {taken[name]}"
            taken.setdefault(name, f"at {place}")
            if what == "CSR":
                csrs.add(name)


# --- instructions ---------------------------------------------------------------------------------


def _of_instructions(plugins: Sequence[Extension], shipped: Known) -> Iterator[str]:
    names = {row.name: row for one in shipped.values() for row in one.instructions}
    for row in (row for one in plugins for row in one.instructions):
        other = names.setdefault(row.name, row)
        if other is not row:
            whose = f"{other.extension.name}, {other.place}"
            yield f"{row.place}: the instruction {row.name} has the name of one of {whose}"
    for one in plugins:
        rows: list[Row] = [*one.instructions, *one.compressed_forms]
        for form in rows:
            yield from _of_pattern(form)


def _of_pattern(row: Row) -> Iterator[str]:
    if len(row.pattern.conditions) > MAX_CONDITIONS:
        yield f"{row.place}: {row.name} has more than {MAX_CONDITIONS} terms in `where`"
    for operand in row.pattern.operands.values():
        if len(operand.pieces) > MAX_PIECES:
            yield f"{row.place}: {row.name}: {operand.name} has more than {MAX_PIECES} pieces"


def _of_encodings(plugins: Sequence[Extension], harts: Sequence[Extension]) -> Iterator[str]:
    """Instructions of the board's harts whose encodings overlap."""
    mine = {one.name for one in plugins}
    for a, b in find_overlaps(entries(harts)):
        if {a.extension, b.extension} & mine:
            one, other = (a, b) if a.extension in mine else (b, a)
            yield (
                f"{one.place}: {one.name} ({one.pattern.text}) overlaps {other.name} "
                f"({other.pattern.text}) of {other.extension}, {other.place}"
            )


# --- texts ----------------------------------------------------------------------------------------


def _of_texts(architecture: Architecture) -> Iterator[str]:
    from rvplat.engine.handlers import HandlerText  # late: it imports the compiler
    from rvplat.engine.units import new_unit
    from rvplat.lang.native.functions import emit_waiting

    plugins = architecture.added
    rows = [row for one in plugins for row in one.instructions]
    forms = [Form(row, row.pattern.length) for row in rows]
    unit = new_unit(architecture)
    handlers = HandlerText(unit)
    for form in forms:
        yield from _trial(form.instruction.definition, partial(handlers.form, form))
    for row in (row for one in plugins for row in one.csrs):
        for definition in (row.read, row.write, row.access):
            if definition is not None:
                yield from _trial(definition, partial(unit.function, definition))
    while unit.waiting:
        target = unit.waiting[0]
        named = target if isinstance(target, Dispatch) else target.definition
        yield from _trial(named, partial(emit_waiting, unit))


def _trial(target: Definition | Dispatch, make: Callable[[], object]) -> Iterator[str]:
    """The fault of one definition. A fault in a function that it calls names its own place."""
    place = target.place if isinstance(target, Definition) else target.name
    try:
        make()
    except LanguageError as error:
        yield str(error) if error.where.rpartition(":")[2].isdigit() else f"{place}: {error}"
    except RecursionError:
        yield f"{place}: {target.name} calls itself, or is nested too deep"
    except Exception as error:  # a bug of the compiler that this definition triggers
        yield f"{place}: no native code can be made: {type(error).__name__}: {error}"
