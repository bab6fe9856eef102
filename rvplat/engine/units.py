"""The LLVM text of each part of the native code (`linking.py`). This module needs the compiler, so
a start with code from the cache does not import it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from weakref import WeakKeyDictionary

from rvplat.engine import exports
from rvplat.engine.architecture import Architecture
from rvplat.engine.forms import SPECIAL, Pair
from rvplat.engine.handlers import HandlerText
from rvplat.engine.implied import implied_types
from rvplat.engine.linking import SHARED_HANDLERS, csr_symbol, shared_symbol
from rvplat.engine.poll import POLL
from rvplat.frozen import frozen
from rvplat.hart.state import HartState
from rvplat.isa.machinery.extension import Extension
from rvplat.lang.checking.definitions import Definitions
from rvplat.lang.native.functions import module_text
from rvplat.lang.native.unit import Linkage, Unit
from rvplat.lang.typed_ir.specialise import Constants


@frozen
class PartText:
    """The text of a part, the symbols that it imports from the base part, and those it defines."""

    text: str
    imports: tuple[str, ...]
    functions: tuple[str, ...]


_definitions: WeakKeyDictionary[Architecture, Definitions] = WeakKeyDictionary()


def definitions_of(architecture: Architecture) -> Definitions:
    """The definitions of an architecture. All its units share them, so each is typed once."""
    found = _definitions.get(architecture)
    if found is None:
        implied = implied_types((f.instruction for f in architecture.forms), architecture.layout)
        constants = {(HartState, name): n for name, n in architecture.constants.items()}
        found = Definitions(implied, POLL).specialised(Constants(constants))
        _definitions[architecture] = found
    return found


def new_unit(architecture: Architecture, elsewhere: Container[str] = ()) -> Unit:
    """A unit for code of harts. The base part has the functions `elsewhere`."""
    return Unit(definitions_of(architecture), linkage=Linkage(shared_symbol, elsewhere))


def fast_text(architecture: Architecture, pairs: Sequence[Pair]) -> tuple[PartText, set[str]]:
    """The text of the part of the shipped extensions' fast handlers, and the keys of the forms that
    need a slow handler."""
    unit = new_unit(architecture.base)
    handlers = HandlerText(unit)
    names = [name for form in architecture.base.forms for name in handlers.fast_forms(form)]
    names += [handlers.pair(a, b) or "null" for a, b in pairs]
    handlers.table(names)
    slow = [
        f"slow.{form.key}" for form in architecture.base.forms if form.key in handlers.slow_keys
    ]
    for name in (*SHARED_HANDLERS, *slow):
        handlers.import_handler(name)
    return finished(unit), handlers.slow_keys


def base_text(architecture: Architecture, slow_keys: Container[str]) -> PartText:
    """The text of the base part: slow handlers of the shipped extensions, and exported functions.
    `slow_keys`: of the forms that need a slow handler."""
    unit = new_unit(architecture.base)
    handlers = HandlerText(unit)
    handlers.specials()
    names = [
        handlers.slow(form) if form.key in slow_keys else "null" for form in architecture.base.forms
    ]
    handlers.table([*names, *(f'@"special.{name}"' for name in SPECIAL)])
    for name, definition in exports.EXPORTS.items():
        unit.export(definition, f"export.{name}")
    return finished(unit)


def extension_text(
    architecture: Architecture, extension: Extension, elsewhere: Container[str]
) -> PartText:
    """The text of the part of a plugin's extension: its handlers and the functions of its CSRs."""
    unit = new_unit(architecture, elsewhere)
    handlers = HandlerText(unit)
    for name in SHARED_HANDLERS:
        handlers.import_handler(name)
    names = []
    for form in architecture.forms_of(extension):
        names += handlers.form(form)
    handlers.table(names)
    for row in extension.csrs:
        unit.export(row.reader, csr_symbol("read", row.number))
        if not row.read_only:
            unit.export(row.writer, csr_symbol("write", row.number))
        if row.access is not None:
            unit.export(row.access, csr_symbol("guard", row.number))
    return finished(unit)


def finished(unit: Unit) -> PartText:
    """The text of a unit's part."""
    text = module_text(unit)
    return PartText(text, tuple(unit.imports), tuple(unit.emitted))
