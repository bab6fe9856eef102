"""Native code of devices: a function for each definition of a device's class.

They are functions (device, a, b, hart) -> value. `a` and `b` are the arguments, `hart` the hart
that makes the access. If a definition raises, the function sets the hart's `port_error`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rvplat.engine.architecture import Architecture
from rvplat.engine.native import Core
from rvplat.engine.sources import digest_of_definitions
from rvplat.frozen import frozen
from rvplat.hart.state import HartState
from rvplat.lang import Definition, Integer, Record
from rvplat.lang.native.native_code import NativeCode

if TYPE_CHECKING:
    from rvplat.engine.units import PartText
    from rvplat.lang.native.unit import NativeFunction, Unit

TIME = frozenset({"now", "wall_ns"})
"""The words that tell the time."""

MOST_ARGUMENTS = 2  # besides the device

_ERROR = HartState.fields["port_error"].offset


@frozen
class DeviceClass:
    """A class of native devices: its name, the place of its text, the record of its devices."""

    name: str
    place: str
    layout: Record

    @property
    def definitions(self) -> list[Definition]:
        return [m for m in self.layout.methods.values() if isinstance(m, Definition)]

    def symbol(self, what: str, name: str) -> str:
        """The symbol of a function: "call" a definition, or "time", if that tells the time."""
        return f"device.{self.name}.{what}.{name}"

    def key(self) -> str:
        """What its native code depends on, besides the base part."""
        fields = [(f.name, f.offset, f.count) for f in self.layout.fields.values()]
        return f"{self.name} {fields} {digest_of_definitions(self.definitions)}"


def _is_number(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Integer)


def load_devices(core: Core, name: str, classes: Sequence[DeviceClass], what: str) -> NativeCode:
    """The native code of some classes, in one part of that name. `what` describes them.

    LanguageError if a definition can't be compiled.
    """
    key = "\n".join(one.key() for one in classes)
    title = f"{what}: {', '.join(sorted({one.place for one in classes}))}"
    return core.load_part(name, key, partial(_text, core.architecture.base, classes), what, title)


def _text(
    architecture: Architecture, classes: Sequence[DeviceClass], elsewhere: Container[str]
) -> PartText:
    from rvplat.engine.units import finished, new_unit  # imports the compiler

    unit = new_unit(architecture, elsewhere)
    for one in classes:
        emit(unit, one)
    return finished(unit)


def emit(unit: Unit, one: DeviceClass) -> None:
    """Add the functions of a class to a unit."""
    for definition in one.definitions:
        unit.function(definition)
        if is_simple(definition):
            emit_definition(unit, one, definition)


def is_simple(definition: Definition) -> bool:
    """Whether Python and harts can call it: it takes and returns few numbers."""
    signature = definition.signature
    kinds = [*signature.types[1:], *signature.parts]
    numbers = all(kind is bool or _is_number(kind) for kind in kinds)
    return numbers and len(signature.names) <= MOST_ARGUMENTS + 1 and len(signature.parts) <= 1


def emit_definition(unit: Unit, one: DeviceClass, definition: Definition) -> None:
    """Add the function of one definition."""
    native = unit.function(definition)
    times = unit.definitions.effects(definition).words & TIME
    _emit(unit, one.symbol("call", definition.name), _call(native, definition))
    if times:  # only its presence counts
        _emit(unit, one.symbol("time", definition.name), ["ret i64 0"])


def _emit(unit: Unit, symbol: str, lines: Iterable[str]) -> None:
    head = f'define i64 @"{symbol}"(ptr %device, i64 %a, i64 %b, ptr %hart) #0 {{'
    unit.texts.append("\n".join([head, "entry:", *(f"  {line}" for line in lines), "}"]))
    unit.emitted.append(symbol)


def _call(native: NativeFunction, definition: Definition) -> Iterator[str]:
    """Call a definition with its arguments from %a and %b."""
    own = len(definition.signature.names)
    given = ["ptr %device"]
    for number, kind in enumerate(native.parameters[1:own]):
        source = ("%a", "%b")[number]
        if kind is bool:
            yield f"%g{number} = icmp ne i64 {source}, 0"
            given.append(f"i1 %g{number}")
        elif kind.bits < 64:
            yield f"%g{number} = trunc i64 {source} to i{kind.bits}"
            given.append(f"i{kind.bits} %g{number}")
        else:
            given.append(f"i64 {source}")
    given += ["ptr %hart"] * (len(native.parameters) - own)  # for loops that poll
    call = f"call {native.returns_ir} {native.symbol}({', '.join(given)})"
    if not native.slots:
        yield from (call, "ret i64 0")
        return
    yield f"%r = {call}"
    yield from _returned(native)


def _returned(native: NativeFunction) -> Iterator[str]:
    """The value in %r as an i64, and what was raised."""
    several = len(native.slots) > 1
    value = "%r"
    if native.raises:
        raised = f"extractvalue {native.returns_ir} %r, {len(native.slots) - 1}"
        yield f"%x = {raised if several else 'xor i1 %r, 0'}"
        yield f"%e = getelementptr i8, ptr %hart, i64 {_ERROR}"
        yield "%old = load i8, ptr %e"
        yield "%xb = zext i1 %x to i8"
        yield "%new = or i8 %old, %xb"
        yield "store i8 %new, ptr %e"
        if not several:
            yield "ret i64 0"
            return
        value = "%u"
        yield f"%u = extractvalue {native.returns_ir} %r, 0"
    kind = native.slots[0]
    bits = 1 if kind is bool else kind.bits
    if bits < 64:
        yield f"%z = zext i{bits} {value} to i64"
        value = "%z"
    yield f"ret i64 {value}"
