"""LLVM text for statements of the typed IR: one LLVM function at a time.

Locals are allocas, which LLVM turns into registers. A `raise` calls `unwind()`.
"""

from __future__ import annotations

from rvplat.lang.native.emit_expressions import Expressions
from rvplat.lang.native.function_text import RARE
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.values import Value, ir_type
from rvplat.lang.types import s64, u64


class Emitter(Expressions):
    """Emits one LLVM function. Subclasses emit how control leaves it."""

    def body(self, block: ir.Block) -> None:
        for statement in block:
            if self.ended:
                return
            self.scope.line = statement.line
            getattr(self, "do_" + type(statement).__name__.lower())(statement)

    def do_evaluate(self, node: ir.Evaluate) -> None:
        self.call(node.call)

    def do_assign(self, node: ir.Assign) -> None:
        if len(node.names) == 1:
            values = [self.value(node.value)]
        else:
            assert isinstance(node.value, ir.Call)
            values = self.call(node.value)
        for name, value in zip(node.names, values, strict=True):
            self.bind(name, value)

    def do_store(self, node: ir.Store) -> None:
        kind = ir_type(node.type)
        if node.op:
            place = self.place(node.place)
            old = self.result(node.type, f"load {kind}, ptr {place}")
            value = self.operation(node.type, node.op, old, self.value(node.value))
        else:
            value = self.value(node.value)
            place = self.place(node.place)
        self.wrote()
        self.line(f"store {kind} {value.text}, ptr {place}")

    def do_if(self, node: ir.If) -> None:
        then, otherwise, done = self.label(), self.label(), self.label()
        self.branch_on(self.value(node.test), then, otherwise, RARE if node.rare else "")
        self.start(then)
        self.body(node.then)
        ended = self.ended
        self.go(done)
        self.start(otherwise)
        self.body(node.otherwise)
        ended = ended and self.ended
        self.go(done)
        if not ended:
            self.start(done)

    def do_while(self, node: ir.While) -> None:
        test, inside, done = self.label(), self.label(), self.label()
        self.start(test)
        if node.test is None:
            self.go(inside)
        else:
            self.branch_on(self.value(node.test), inside, done)
        self.start(inside)
        self._turn(node, test, done)
        self.go(test)
        if node.test is not None or done in self.reached:
            self.start(done)

    def _turn(self, node: ir.While | ir.For, again: str, done: str) -> None:
        """Emit what a loop does in each iteration."""
        self.scope.loops.append((again, done))
        if node.polls:
            self.poll()
        self.body(node.body)
        self.scope.loops.pop()

    def do_for(self, node: ir.For) -> None:
        first, last = self.value(node.first), self.value(node.last)
        counter = self.alloca("i64")
        self.line(f"store i64 {first.text}, ptr {counter}")
        test, inside, again, done = self.label(), self.label(), self.label(), self.label()
        self.start(test)
        now = self.result(s64, f"load i64, ptr {counter}")
        relation = "slt" if node.step > 0 else "sgt"
        more = self.result(bool, f"icmp {relation} i64 {now.text}, {last.text}")
        self.branch_on(more, inside, done)
        self.start(inside)
        hints = self._begin_lanes(node.lanes)
        self.bind(node.name, Value(u64, now.text))
        self._turn(node, again, done)
        self.start(again)
        old = self.result(s64, f"load i64, ptr {counter}")
        new = self.result(s64, f"add i64 {old.text}, {node.step}")
        self.line(f"store i64 {new.text}, ptr {counter}")
        self.reach(test)
        self.finish(f"br label %{test}{hints}")
        self.access_group = ""
        self.start(done)

    def _begin_lanes(self, lanes: ir.Expr | None) -> str:
        """Begin the body of a loop with lanes, which LLVM then makes of vector instructions. Its
        last branch has the metadata that is returned."""
        if not isinstance(lanes, ir.Const) or lanes.value < 2:
            return ""
        node = self.unit.metadata_of
        self.access_group = node("distinct !{}")
        parts = [
            node(f'!{{!"llvm.loop.parallel_accesses", {self.access_group}}}'),
            node(f'!{{!"llvm.loop.vectorize.width", i32 {lanes.value}}}'),
            node('!{!"llvm.loop.interleave.count", i32 1}'),
        ]
        loop = node("distinct !{" + ", ".join(["{self}", *parts]) + "}")
        return f", !llvm.loop {loop}"

    def do_break(self, node: ir.Break) -> None:
        self.go(self.scope.loops[-1][1])

    def do_continue(self, node: ir.Continue) -> None:
        self.go(self.scope.loops[-1][0])

    def do_raise(self, node: ir.Raise) -> None:
        self.unwind()

    def do_try(self, node: ir.Try) -> None:
        catch, done = self.label(), self.label()
        self.catchers.append(catch)
        self.body(node.body)
        self.catchers.pop()
        ended = self.ended
        self.go(done)
        self.start(catch)
        self.body(node.handler)
        if not (ended and self.ended):
            self.go(done)
            self.start(done)

    def do_return(self, node: ir.Return) -> None:
        if len(node.values) == 1 and isinstance(node.values[0], ir.Call):
            self.give_back(self.call(node.values[0]))
        else:
            self.give_back([self.value(value) for value in node.values])

    def give_back(self, values: list[Value]) -> None:
        """Return from the definition's text."""
        if not self.scope.exit:
            self.leave(values)
            return
        for (kind, place), value in zip(self.scope.results, values, strict=True):
            self.line(f"store {ir_type(kind)} {value.text}, ptr {place}")
        self.go(self.scope.exit)
