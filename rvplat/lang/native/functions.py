"""Definitions and dispatch tables as functions of an LLVM module."""

from __future__ import annotations

from rvplat.lang.define import Definition, Dispatch, LanguageError
from rvplat.lang.native.emit_statements import Emitter
from rvplat.lang.native.unit import NativeFunction, Unit
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.values import Value, ir_type


class FunctionEmitter(Emitter):
    """Emits a definition as an LLVM function."""

    def __init__(self, unit: Unit, body: ir.Body, native: NativeFunction) -> None:
        super().__init__(unit, body)
        self.whole_body = body
        self.native = native

    def context(self) -> Value:
        number = self.native.context
        assert number is not None
        return Value(self.native.parameters[number], f"%a{number}")

    def leave(self, values: list[Value]) -> None:
        if self.native.raises:
            values = [*values, Value(bool, "0")]
        self._return(values)

    def leave_raised(self) -> None:
        kinds = self.native.slots[:-1]
        blank = [Value(k, "zeroinitializer") for k in kinds]
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
        body, definition = self.whole_body, self.whole_body.definition
        for i, (name, kind) in enumerate(body.parameters):
            self.bind(name, Value(kind, f"%a{i}"))
        self.body(body.statements)
        if not self.ended:
            if body.results:
                where = f"{definition.file}:{definition.tree.lineno}"
                raise LanguageError(where, f"{definition.name} can end without a value")
            self.leave([])
        attributes = "cold noinline #0" if self.native.cold else "#0"
        if definition.apart:
            attributes = "noinline #0"
        return self.unit.frame(self.native, self.allocas + self.lines, attributes)


def emit_waiting(unit: Unit) -> None:
    """Emit all waiting functions, and those that they call."""
    while unit.waiting:
        target = unit.waiting.popleft()
        native = unit.native(target)
        if isinstance(target, Dispatch):
            unit.texts.append(_dispatch_text(unit, target, native))
        else:
            unit.texts.append(FunctionEmitter(unit, target, native).text())


def _dispatch_text(unit: Unit, table: Dispatch, native: NativeFunction) -> str:
    """A switch over the last argument to calls of the rows."""
    key = f"{ir_type(native.parameters[-1])} %a{len(native.parameters) - 1}"
    groups: dict[int, tuple[Definition, list[int]]] = {}
    for number, target in unit.definitions.rows(table).items():
        groups.setdefault(id(target), (target, []))[1].append(number)
    cases, blocks = [], []
    for i, (target, numbers) in enumerate(groups.values()):
        kind = ir_type(native.parameters[-1])
        cases += [f"    {kind} {n}, label %case{i}" for n in numbers]
        blocks += _case(unit, f"case{i}", target, native)
    if table.default is None:
        blocks += ["default:", "  unreachable"]
    else:
        blocks += _case(unit, "default", table.default, native)
    lines = [f"  switch {key}, label %default [", *cases, "  ]", *blocks]
    return unit.frame(native, lines, "#0")


def _case(unit: Unit, label: str, target: Definition, native: NativeFunction) -> list[str]:
    """One row's block: call, and return in the shape of the table's function."""
    row = unit.function(target)
    given = ", ".join(f"{ir_type(k)} %a{i}" for i, k in enumerate(native.parameters))
    call = f"call {row.returns_ir} {row.symbol}({given})"
    if row.slots == native.slots:
        if not row.slots:
            return [f"{label}:", f"  {call}", "  ret void"]
        r = f"%r.{label}"
        return [f"{label}:", f"  {r} = {call}", f"  ret {native.returns_ir} {r}"]
    return _reshape(label, call, row, native)


def _reshape(label: str, call: str, row: NativeFunction, native: NativeFunction) -> list[str]:
    """Convert the result of a row that never or always raises to that of the table's function."""
    r, lines = f"%r.{label}", [f"{label}:"]
    lines.append(f"  {r} = {call}" if row.slots else f"  {call}")
    values = ["0"] * len(native.slots)
    if row.never_returns:
        values[-1] = "1"
    elif len(row.slots) == 1:
        values[0] = r
    elif row.slots:
        raise LanguageError(native.symbol, "a row returns other types than its table")
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


def module_text(unit: Unit) -> str:
    """The text of the whole module."""
    emit_waiting(unit)
    tail = ["attributes #0 = { nounwind strictfp }", *unit.metadata]
    return "\n\n".join([*unit.declarations, *unit.texts, *tail]) + "\n"
