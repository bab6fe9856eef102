"""The LLVM text of each part of the native code (`linking.py`). This module needs the compiler, so
a start with code from the cache does not import it."""

from __future__ import annotations

from collections.abc import Container, Sequence

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
from rvplat.lang.native.functions import module_text
from rvplat.lang.native.unit import Linkage, Unit
from rvplat.lang.typed_ir.specialise import Constants


@frozen
class PartText:
    """The text of a part, the symbols that it imports from the base part, and those it defines."""

    text: str
    imports: tuple[str, ...]
    functions: tuple[str, ...]


def new_unit(architecture: Architecture, elsewhere: Container[str] = ()) -> Unit:
    """A unit for code of harts. The base part has the functions `elsewhere`."""
    implied = implied_types((f.instruction for f in architecture.forms), architecture.layout)
    constants = {(HartState, name): n for name, n in architecture.constants.items()}
    linkage = Linkage(shared_symbol, elsewhere)
    return Unit(implied, POLL, Constants(constants), linkage)


def base_text(architecture: Architecture, pairs: Sequence[Pair]) -> PartText:
    """The text of the base part: handlers of the shipped extensions, and exported functions."""
    unit = new_unit(architecture.base)
    handlers = HandlerText(unit)
    handlers.specials()
    names = []
    for form in architecture.base.forms:
        names += handlers.form(form)
    names += [f'@"special.{name}"' for name in SPECIAL]
    names += [handlers.pair(a, b) or "null" for a, b in pairs]
    handlers.table(names)
    for name, definition in exports.EXPORTS.items():
        unit.export(definition, f"export.{name}")
    return finished(unit)


def extension_text(
    architecture: Architecture, extension: Extension, elsewhere: Container[str]
) -> PartText:
    """The text of the part of a plugin's extension: its handlers and the functions of its CSRs."""
    unit = new_unit(architecture, elsewhere)
    for name in SHARED_HANDLERS:
        unit.import_function(name, "void", ["ptr", "ptr", "i64", "ptr"], " musttail")
    handlers = HandlerText(unit)
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
