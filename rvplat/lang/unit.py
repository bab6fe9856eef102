"""A unit of compilation: what definitions and what they call are named and typed in one LLVM
module. functions.py emits them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from rvplat.lang.check import check
from rvplat.lang.define import Callee, Definition, DefinitionError, Dispatch
from rvplat.lang.effects import EffectTable, Poll
from rvplat.lang.values import ir_type, value_type


@dataclass(frozen=True)
class NativeFunction:
    """A definition as an LLVM function. `slots`: what it returns, a raised flag (i1) last.
    `context`: the number of the parameter that its loops poll with (Poll), which comes after those
    of the text if none of these is one; None if it polls nothing."""

    symbol: str
    parameters: tuple[Any, ...]
    slots: tuple[Any, ...]
    raises: bool
    never_returns: bool
    cold: bool
    context: int | None = None

    @property
    def returns_ir(self) -> str:
        if not self.slots:
            return "void"
        if len(self.slots) == 1:
            return ir_type(self.slots[0])
        return "{ " + ", ".join(ir_type(k) for k in self.slots) + " }"


class Unit:
    """Collects definitions, what they need, and the module's texts.

    `implied` are the types of parameters without an annotation, by name; `words` lets a
    subclass of Emitter treat declared words itself; `poll` is what loops do at each turn.
    """

    def __init__(self, implied: dict[str, Any], poll: Poll | None = None) -> None:
        self.implied = {name: value_type(kind) for name, kind in implied.items()}
        self.poll = poll
        self.effects = EffectTable(poll)
        self.declarations: dict[str, None] = {}
        self.texts: list[str] = []
        self.functions: dict[int, NativeFunction] = {}
        self._keep: list[Any] = []  # ids stay valid
        self._checked: dict[int, Definition] = {}
        self.waiting: deque[Definition | Dispatch] = deque()
        self._names: dict[str, int] = {}

    def check(self, definition: Definition) -> None:
        """Refuse what `check.py` refuses, once for each definition."""
        if id(definition) not in self._checked:
            self._checked[id(definition)] = definition
            check(definition, self.effects)

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
        """The LLVM function of a definition or a dispatch table; emitted by `module_text`."""
        known = self.functions.get(id(target))
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
        context = None
        if effects.polls and self.poll is not None:
            kind = value_type(self.poll.kind)
            parameters += () if kind in parameters else (kind,)
            context = parameters.index(kind)
        native = NativeFunction(
            self.symbol("d." + target.name), parameters, slots, effects.raises, never, cold, context
        )
        self.functions[id(target)] = native
        self._keep.append(target)
        self.waiting.append(target)
        return native

    def frame(self, native: NativeFunction, lines: list[str], attributes: str) -> str:
        """The text of an internal function around its lines."""
        given = ", ".join(f"{ir_type(k)} %a{i}" for i, k in enumerate(native.parameters))
        head = f"define internal {native.returns_ir} {native.symbol}({given}) {attributes} {{"
        return "\n".join([head, "entry:", *lines, "}"])

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
