"""A unit of compilation: the names and types of definitions and their callees in one LLVM module.
functions.py emits them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from typing import Any

from rvplat.frozen import frozen
from rvplat.lang.checking.definitions import Definitions
from rvplat.lang.define import Callee, Definition, Dispatch, LanguageError
from rvplat.lang.struct import flat, is_struct
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.ir import Fixed
from rvplat.lang.typed_ir.specialise import Constants
from rvplat.lang.typed_ir.values import ir_type, value_type


@frozen
class NativeFunction:
    """A definition as an LLVM function. `slots`: the values that it returns, a raised flag last.
    `context`: the number of the parameter with which its loops poll (Poll). This is an added last
    parameter if the text has none. None if its loops don't poll."""

    symbol: str
    parameters: tuple[Any, ...]
    slots: tuple[Any, ...]
    raises: bool
    never_returns: bool
    cold: bool
    context: int | None = None
    shared: bool = False  # whether other units can call it

    @property
    def returns_ir(self) -> str:
        if not self.slots:
            return "void"
        if len(self.slots) == 1:
            return ir_type(self.slots[0])
        return "{ " + ", ".join(ir_type(k) for k in self.slots) + " }"


@frozen
class Linkage:
    """The functions that units share. `symbol` gives the symbol of a target's function, or "" if
    every unit makes its own. Another unit has the functions in `elsewhere`: this unit calls them by
    addresses that the loader stores in its variables `import.SYMBOL`."""

    symbol: Callable[[Definition | Dispatch], str] = lambda target: ""
    elsewhere: Container[str] = ()


class Unit:
    """Collects functions for definitions, the declarations that they need, and the module's texts.

    `definitions` are those that units share, or the types of parameters without an annotation, by
    name. `constants` hold for the whole unit.
    """

    def __init__(
        self, definitions: Definitions | dict[str, Any], constants: Constants | None = None,
        linkage: Linkage | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(definitions, Definitions):
            definitions = Definitions(definitions)
        self.definitions = definitions.specialised(constants) if constants else definitions
        self.linkage = linkage or Linkage()
        self.imports: list[str] = []  # symbols of other units' functions that this unit calls
        self.emitted: list[str] = []  # symbols of this unit's functions
        self.declarations: dict[str, None] = {}
        self.texts: list[str] = []
        self.metadata: list[str] = ['!0 = !{!"branch_weights", i32 1, i32 2000}']
        self.functions: dict[tuple[Definition | Dispatch, Fixed], NativeFunction] = {}
        self.waiting: deque[ir.Body | Dispatch] = deque()
        self._names: dict[str, int] = {}

    def declare(self, text: str) -> None:
        """Add a declaration (once)."""
        self.declarations[text] = None

    def metadata_of(self, text: str) -> str:
        """The name of a new metadata node. "{self}" in its text stands for it."""
        name = f"!{len(self.metadata)}"
        self.metadata.append(f"{name} = {text.replace('{self}', name)}")
        return name

    def results(self, target: Callee | Dispatch) -> tuple[Any, ...]:
        """The types of the values of a call."""
        return self.definitions.results(target)

    def symbol(self, name: str) -> str:
        """A unique symbol."""
        count = self._names[name] = self._names.get(name, 0) + 1
        return f'@"{name}"' if count == 1 else f'@"{name}.{count}"'

    def function(self, target: Definition | Dispatch) -> NativeFunction:
        """The LLVM function of a definition or a dispatch table. `module_text` emits it."""
        return self.native(
            target if isinstance(target, Dispatch) else self.definitions.body(target)
        )

    def native(self, target: ir.Body | Dispatch) -> NativeFunction:
        """As `function`, also for a specialised definition."""
        key = (target, ()) if isinstance(target, Dispatch) else (target.definition, target.fixed)
        if key not in self.functions:
            made = self.functions[key] = self._made(target)
            symbol = made.symbol.strip('@"')
            if made.shared and symbol in self.linkage.elsewhere:
                kinds = [ir_type(kind) for kind in made.parameters]
                self.import_function(symbol, made.returns_ir, kinds)
            else:
                self.emitted.append(symbol)
                self.waiting.append(target)
        return self.functions[key]

    def import_function(
        self, symbol: str, returns: str, kinds: list[str], how: str = "", convention: str = ""
    ) -> None:
        """Let a symbol be another unit's function. `how` ("musttail") is the kind of its calls, and
        `convention` how it takes arguments, if not as C functions do."""
        self.imports.append(symbol)
        given = ", ".join(f"{kind} %a{i}" for i, kind in enumerate(kinds))
        result, back = ("", "ret void") if returns == "void" else ("%r = ", f"ret {returns} %r")
        self.texts.append(
            f'@"import.{symbol}" = dso_local global ptr null\n'
            f'define internal {convention} {returns} @"{symbol}"({given}) alwaysinline #0 {{\n'
            f'  %f = load ptr, ptr @"import.{symbol}"\n'
            f"  {result}{how} call {convention} {returns} %f({given}) cold\n  {back}\n}}"
        )

    def _made(self, target: ir.Body | Dispatch) -> NativeFunction:
        definitions = self.definitions
        if isinstance(target, Dispatch):
            effects = definitions.effects(target)
            parameters = tuple(definitions.parameter_type(t, "hart") for t in target.args)
            fixed: Fixed = ()
            name, parts, never, cold = target.name, self.results(target), False, False
        else:
            definition, fixed = target.definition, target.fixed
            if open_ := definition.signature.fixed - dict(target.fixed).keys():
                raise LanguageError(definition.place, f"{min(open_)} is fixed, and not given")
            effects = definitions.effects(definition, target.fixed)
            parameters = tuple(kind for _, kind in target.parameters)
            parts, never = target.results, definition.signature.never_returns
            cold = definition.cold or never
            name = definition.name
        slots = parts + ((bool,) if effects.raises else ())
        context = None
        if effects.polls and definitions.poll is not None:
            kind = value_type(definitions.poll.kind)
            parameters += () if kind in parameters else (kind,)
            context = parameters.index(kind)
        shared = self.linkage.symbol(target if isinstance(target, Dispatch) else target.definition)
        full = ".".join([shared or f"d.{name}", *(str(value) for _, value in fixed)])
        symbol = f'@"{full}"' if shared else self.symbol(full)
        return NativeFunction(
            symbol, parameters, slots, effects.raises, never, cold, context, bool(shared)
        )

    def frame(self, native: NativeFunction, lines: list[str], attributes: str) -> str:
        """The text of a function around its lines."""
        given = ", ".join(f"{ir_type(k)} %a{i}" for i, k in enumerate(native.parameters))
        linkage = "dso_local" if native.shared else "internal"
        head = f"define {linkage} {native.returns_ir} {native.symbol}({given}) {attributes} {{"
        return "\n".join([head, "entry:", *lines, "}"])

    def export(self, target: Definition, name: str) -> None:
        """Export a definition as a C function, which exported.py describes. Structs can't be its
        parameters."""
        native = self.function(target)
        if any(is_struct(kind) for kind in native.parameters):
            problem = f"{target.name}: an exported definition can't take a struct: give its fields"
            raise LanguageError(target.place, problem)
        given = ", ".join(f"{ir_type(k)} %a{i}" for i, k in enumerate(native.parameters))
        lines = [f'define i8 @"{name}"({given}, ptr %out) #0 {{', "entry:"]
        call = f"call {native.returns_ir} {native.symbol}({given})"
        lines.append(f"  %r = {call}" if native.slots else f"  {call}")
        raised = "0"
        several = len(native.slots) > 1
        parts = [part for number, kind in enumerate(native.slots)
                 for part in flat(kind, (number,) if several else ())]  # fmt: skip
        for i, (position, kind) in enumerate(parts):
            value = "%r"
            if position:
                value = f"%v{i}"
                path = ", ".join(map(str, position))
                lines.append(f"  {value} = extractvalue {native.returns_ir} %r, {path}")
            if native.raises and i == len(parts) - 1:
                raised = value
                continue
            lines.append(f"  %p{i} = getelementptr i8, ptr %out, i64 {8 * i}")
            lines.append(f"  store {ir_type(value_type(kind))} {value}, ptr %p{i}")
        lines += [f"  %f = zext i1 {raised} to i8", "  ret i8 %f", "}"]
        self.texts.append("\n".join(lines))
        self.emitted.append(name)
