"""The LLVM text of each part of the native code (`linking.py`). This module needs the compiler, so
a start with code from the cache does not import it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from weakref import WeakKeyDictionary

from rvplat.engine import exports
from rvplat.engine.architecture import Architecture
from rvplat.engine.forms import SLOW, SPECIAL, Pair
from rvplat.engine.handlers import HandlerText
from rvplat.engine.implied import implied_types
from rvplat.engine.linking import SHARED_HANDLERS, csr_symbol, shared_symbol
from rvplat.engine.poll import POLL
from rvplat.engine.sources import base_modules
from rvplat.frozen import frozen
from rvplat.hart.state import HartState
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.xlen import TYPES
from rvplat.lang import Definition, Record
from rvplat.lang.checking.definitions import Definitions
from rvplat.lang.native.functions import module_text
from rvplat.lang.native.unit import Linkage, Unit
from rvplat.lang.typed_ir.specialise import Constants

USUAL_LEVEL = 2
SHORT_LEVEL = 1
"""The level for extensions with so many rows that they have modules of their own: it takes a fifth
less time. Their loops over lanes become the same."""


@frozen
class PartText:
    """The text of a part, the symbols that it imports from the base part, those it defines, and the
    level to which LLVM optimises it."""

    text: str
    imports: tuple[str, ...]
    functions: tuple[str, ...]
    level: int = USUAL_LEVEL


_definitions: WeakKeyDictionary[Architecture, Definitions] = WeakKeyDictionary()


def definitions_of(architecture: Architecture) -> Definitions:
    """The definitions of an architecture. All its units share them, so each is typed once."""
    found = _definitions.get(architecture)
    if found is None:
        implied = implied_types((f.instruction for f in architecture.forms), architecture.layout)
        fixed = architecture.constants.items()
        constants: dict[tuple[Record, str], int] = {(HartState, name): n for name, n in fixed}
        types = TYPES[architecture.xlen]
        found = Definitions(implied, POLL, types).specialised(Constants(constants))
        _definitions[architecture] = found
    return found


def new_unit(architecture: Architecture, elsewhere: Container[str] = ()) -> Unit:
    """A unit for code of harts. The base part has the functions `elsewhere`."""
    return Unit(definitions_of(architecture), linkage=Linkage(shared_symbol, elsewhere))


def base_text(architecture: Architecture) -> PartText:
    """The text of the base part (`linking.py`)."""
    unit = new_unit(architecture.base)
    handlers = HandlerText(unit)
    handlers.specials()
    handlers.table([f'@"special.{name}"' for name in SPECIAL])
    for name, definition in exports.EXPORTS.items():
        unit.export(definition, f"export.{name}")
    for definition in _cold_definitions():
        unit.function(definition)
    return finished(unit)


def _cold_definitions() -> Iterator[Definition]:
    """The cold definitions of the base files, which parts share. Those with fixed parameters are in
    the parts that call them."""
    for module in base_modules():
        own = [
            thing
            for name, thing in vars(module).items()
            if isinstance(thing, Definition) and (thing.file, thing.name) == (module.__file__, name)
        ]
        yield from (one for one in own if shared_symbol(one) and not one.signature.fixed)


def extension_text(
    architecture: Architecture, extension: Extension, elsewhere: Container[str]
) -> PartText:
    """The text of an extension's part: its handlers and, if it is an added one, the functions of
    its CSRs. The base part has the functions `elsewhere`."""
    unit = new_unit(architecture, elsewhere)
    handlers = HandlerText(unit)
    for name in SHARED_HANDLERS:
        handlers.import_handler(name)
    forms = architecture.forms_by_extension[extension]
    handlers.table([name for form in forms for name in handlers.form(form)])
    for row in extension.csrs if extension in architecture.added else ():
        unit.export(row.reader, csr_symbol("read", row.number))
        if not row.read_only:
            unit.export(row.writer, csr_symbol("write", row.number))
        if row.access is not None:
            unit.export(row.access, csr_symbol("guard", row.number))
    return finished(unit, SHORT_LEVEL if extension.rows_in else USUAL_LEVEL)


def pairs_text(
    architecture: Architecture, pairs: Sequence[Pair], elsewhere: Container[str]
) -> PartText:
    """The text of the part with the pairs' handlers."""
    unit = new_unit(architecture.base, elsewhere)
    handlers = HandlerText(unit)
    handlers.table([handlers.pair(a, b) or "null" for a, b in pairs])
    for name in (*SHARED_HANDLERS, *sorted(SLOW + key for key in handlers.slow_keys)):
        handlers.import_handler(name)
    return finished(unit)


def finished(unit: Unit, level: int = USUAL_LEVEL) -> PartText:
    """The text of a unit's part."""
    text = module_text(unit)
    return PartText(text, tuple(unit.imports), tuple(unit.emitted), level)
