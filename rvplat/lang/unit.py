"""A unit of compilation: the LLVM module that definitions and what they call become."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from rvplat.lang.define import Callee, Definition, DefinitionError, Dispatch
from rvplat.lang.effects import EffectTable
from rvplat.lang.emitter import Emitter
from rvplat.lang.values import Value, ir_type, value_type


@dataclass(frozen=True)
class NativeFunction:
    """A definition as an LLVM function. `slots`: what it returns, a raised flag (i1) last."""

    symbol: str
    parameters: tuple[Any, ...]
    slots: tuple[Any, ...]
    raises: bool
    never_returns: bool
    cold: bool

    @property
    def returns_ir(self) -> str:
        if not self.slots:
            return "void"
        if len(self.slots) == 1:
            return ir_type(self.slots[0])
        return "{ " + ", ".join(ir_type(k) for k in self.slots) + " }"


class FunctionEmitter(Emitter):
    """Emits a definition as an LLVM function of its own."""

    def __init__(self, unit: Unit, definition: Definition, native: NativeFunction) -> None:
        super().__init__(unit, definition)
        self.native = native

    def leave(self, values: list[Value]) -> None:
        if self.native.raises:
            values = [*values, Value(bool, "0")]
        self._return(values)

    def leave_raised(self) -> None:
        kinds = self.native.slots[:-1]
        blank = [Value(k, "null" if ir_type(k) == "ptr" else "0") for k in kinds]
        self._return([*blank, Value(bool, "1")])

    def _return(self, values: list[Value]) -> None:
        if not values:
            self.finish("ret void")
            return
        if len(values) == 1:
            self.finish(f"ret {ir_type(values[0].type)} {values[0].text}")
            return
        whole = "poison"
        for i, value in enumerate(values):
            part = f"{ir_type(value.type)} {value.text}"
            text = f"insertvalue {self.native.returns_ir} {whole}, {part}, {i}"
            whole = self.result(None, text).text
        self.finish(f"ret {self.native.returns_ir} {whole}")

    def text(self) -> str:
        definition = self.scope.definition
        for i, name in enumerate(definition.signature.names):
            kind = self.native.parameters[i]
            self.bind(name, Value(kind, f"%a{i}"))
        self.body(definition.tree.body)
        if not self.ended:
            if definition.signature.parts:
                raise self.fail(definition.tree, f"{definition.name} can end without a value")
            self.leave([])
        attributes = "cold noinline #0" if self.native.cold else "#0"
        return self.unit.frame(self.native, self.allocas + self.lines, attributes)


class Unit:
    """Collects definitions, emits what they need, gives the module's text.

    `implied` are the types of parameters without an annotation, by name; `words` lets a
    subclass of Emitter treat declared words itself.
    """

    def __init__(self, implied: dict[str, Any]) -> None:
        self.implied = {name: value_type(kind) for name, kind in implied.items()}
        self.effects = EffectTable()
        self.declarations: dict[str, None] = {}
        self.texts: list[str] = []
        self._functions: dict[int, NativeFunction] = {}
        self._keep: list[Any] = []  # ids stay valid
        self._waiting: deque[Definition | Dispatch] = deque()
        self._names: dict[str, int] = {}

    def declare(self, text: str) -> None:
        """Add a declaration (once)."""
        self.declarations[text] = None

    def parameter_type(self, kind: Any, name: str) -> Any:
        """An annotation, or what the unit implies for the name."""
        if kind is None or isinstance(kind, str):
            found = self.implied.get(name if kind is None else kind)
            if found is None:
                raise DefinitionError(name, "the parameter has no type")
            return found
        return value_type(kind)

    def parameter_types(self, callee: Callee) -> list[Any]:
        """The types of a callee's parameters."""
        signature = callee.signature
        try:
            pairs = zip(signature.types, signature.names, strict=True)
            return [self.parameter_type(k, n) for k, n in pairs]
        except DefinitionError as error:
            raise DefinitionError(f"{callee.function.__code__.co_filename}: {callee.name}",
                                  f"{error.where}: {error.problem}") from None  # fmt: skip

    def symbol(self, name: str) -> str:
        """A symbol that nothing else has."""
        count = self._names[name] = self._names.get(name, 0) + 1
        return f'@"{name}"' if count == 1 else f'@"{name}.{count}"'

    def function(self, target: Definition | Dispatch) -> NativeFunction:
        """The LLVM function of a definition or a dispatch table; emitted by `finish`."""
        known = self._functions.get(id(target))
        if known is not None:
            return known
        effects = self.effects.of(target)
        if isinstance(target, Dispatch):
            parameters = tuple(self.parameter_type(t, "hart") for t in target.args)
            parts = () if target.returns is None else (target.returns,)
            never, cold = False, False
        else:
            parameters = tuple(self.parameter_types(target))
            parts, never = target.signature.parts, target.signature.never_returns
            cold = target.cold or never
        slots = tuple(value_type(k) for k in parts) + ((bool,) if effects.raises else ())
        native = NativeFunction(
            self.symbol("d." + target.name), parameters, slots, effects.raises, never, cold
        )
        self._functions[id(target)] = native
        self._keep.append(target)
        self._waiting.append(target)
        return native

    def frame(self, native: NativeFunction, lines: list[str], attributes: str) -> str:
        """The text of an internal function around its lines."""
        given = ", ".join(f"{ir_type(k)} %a{i}" for i, k in enumerate(native.parameters))
        head = f"define internal {native.returns_ir} {native.symbol}({given}) {attributes} {{"
        return "\n".join([head, "entry:", *lines, "}"])

    def finish(self) -> None:
        """Emit everything that is waiting, and what it calls in turn."""
        while self._waiting:
            target = self._waiting.popleft()
            native = self._functions[id(target)]
            if isinstance(target, Dispatch):
                self.texts.append(self._dispatch_text(target, native))
            else:
                self.texts.append(FunctionEmitter(self, target, native).text())

    def _dispatch_text(self, table: Dispatch, native: NativeFunction) -> str:
        """A switch over the last argument to calls of the rows."""
        key = f"{ir_type(native.parameters[-1])} %a{len(native.parameters) - 1}"
        groups: dict[int, tuple[Definition, list[int]]] = {}
        for number, target in table.targets.items():
            groups.setdefault(id(target), (target, []))[1].append(number)
        cases, blocks = [], []
        for i, (target, numbers) in enumerate(groups.values()):
            kind = ir_type(native.parameters[-1])
            cases += [f"    {kind} {n}, label %case{i}" for n in numbers]
            blocks += self._case(f"case{i}", target, native)
        if table.default is None:
            blocks += ["default:", "  unreachable"]
        else:
            blocks += self._case("default", table.default, native)
        lines = [f"  switch {key}, label %default [", *cases, "  ]", *blocks]
        return self.frame(native, lines, "#0")

    def _case(self, label: str, target: Definition, native: NativeFunction) -> list[str]:
        """One row's block: call, and return in the shape of the table's function."""
        row = self.function(target)
        given = ", ".join(f"{ir_type(k)} %a{i}" for i, k in enumerate(native.parameters))
        call = f"call {row.returns_ir} {row.symbol}({given})"
        if row.slots == native.slots:
            if not row.slots:
                return [f"{label}:", f"  {call}", "  ret void"]
            r = f"%r.{label}"
            return [f"{label}:", f"  {r} = {call}", f"  ret {native.returns_ir} {r}"]
        return self._reshape(label, call, row, native)

    def _reshape(
        self, label: str, call: str, row: NativeFunction, native: NativeFunction
    ) -> list[str]:
        """The row raises never, or always: fill what the table's function returns besides."""
        r, lines = f"%r.{label}", [f"{label}:"]
        lines.append(f"  {r} = {call}" if row.slots else f"  {call}")
        values = ["0"] * len(native.slots)
        if row.never_returns:
            values[-1] = "1"
        elif len(row.slots) == 1:
            values[0] = r
        elif row.slots:
            raise DefinitionError(native.symbol, "a row returns another shape")
        if len(values) == 1:
            lines.append(f"  ret {native.returns_ir} {values[0]}")
            return lines
        whole = "poison"
        for i, (kind, value) in enumerate(zip(native.slots, values, strict=True)):
            name = f"%w{i}.{label}"
            inserted = f"insertvalue {native.returns_ir} {whole}, {ir_type(kind)} {value}, {i}"
            lines.append(f"  {name} = {inserted}")
            whole = name
        lines.append(f"  ret {native.returns_ir} {whole}")
        return lines

    def export(self, target: Definition, name: str) -> None:
        """A symbol with the C calling convention: (arguments..., result*) -> raised as i1."""
        native = self.function(target)
        given = ", ".join(f"{ir_type(k)} %a{i}" for i, k in enumerate(native.parameters))
        lines = [f'define i8 @"{name}"({given}, ptr %out) #0 {{', "entry:"]
        call = f"call {native.returns_ir} {native.symbol}({given})"
        lines.append(f"  %r = {call}" if native.slots else f"  {call}")
        raised = "0"
        for i, kind in enumerate(native.slots):
            value = "%r"
            if len(native.slots) > 1:
                value = f"%v{i}"
                lines.append(f"  {value} = extractvalue {native.returns_ir} %r, {i}")
            if native.raises and i == len(native.slots) - 1:
                raised = value
                continue
            lines.append(f"  %p{i} = getelementptr i8, ptr %out, i64 {8 * i}")
            lines.append(f"  store {ir_type(kind)} {value}, ptr %p{i}")
        lines += [f"  %f = zext i1 {raised} to i8", "  ret i8 %f", "}"]
        self.texts.append("\n".join(lines))

    def text(self) -> str:
        """The module's text."""
        self.finish()
        tail = ['attributes #0 = { nounwind strictfp }',
                '!0 = !{!"branch_weights", i32 1, i32 2000}']  # fmt: skip
        return "\n\n".join([*self.declarations, *self.texts, *tail]) + "\n"
