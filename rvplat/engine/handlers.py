"""Every handler of the threaded interpreter as LLVM text.

A handler is `void (hart, slot, budget, tlb)` and ends with a tail call of the next slot's handler.
Each form has a fast handler (fast.py), a slow one, or both: the slow one calls the definition's
function, and there is none if no fast handler gives up. Branches also have a near handler.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rvplat.engine import core
from rvplat.engine.fast import (
    FLOW,
    NEAR,
    FastEmitter,
    HandlerEmitter,
    NoFastForm,
    read_operands,
)
from rvplat.engine.forms import HOST_FUNCTIONS, Form
from rvplat.engine.linking import SHARED_HANDLERS
from rvplat.engine.regions.convention import CONVENTION, KINDS, PARAMETERS, arguments
from rvplat.hart import trap
from rvplat.hart.acceleration import young_pages
from rvplat.hart.state import HartState
from rvplat.isa import fp_state
from rvplat.lang import Definition, u64
from rvplat.lang.host.system_calls import HOST_CALLS
from rvplat.lang.native.unit import Unit
from rvplat.lang.typed_ir.values import Value, ir_type

_SHARED = {f'@"{name}"' for name in SHARED_HANDLERS}


class HandlerText:
    """Makes the text of all handlers in a unit."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.near = unit.definitions.specialised(NEAR)
        self.slow_keys: set[str] = set()  # of the forms that need a slow handler
        self.callees: dict[str, str] = {}  # the functions apart that forms call

    def _symbol(self, definition: Any) -> str:
        """The symbol of a definition's native function."""
        return self.unit.function(definition).symbol

    def form(self, form: Form) -> list[str]:
        """Emit a form's handlers. Returns the symbols of the fast, near and slow one, and of the
        function apart that regions call for it, or "null"."""
        fast, near = self.fast_forms(form)
        slow = self.slow(form) if form.key in self.slow_keys else "null"
        return [fast, near, slow, self.callees.get(form.key, "null")]

    def fast_forms(self, form: Form) -> list[str]:
        """Emit a form's fast and near handlers. Returns their symbols; "null" for none."""
        effects = self.unit.definitions.effects(form.instruction.definition)
        fast = self.fast([form], near=False)
        near = self.fast([form], near=True) if "branch" in effects.words else fast
        if not (fast and near):
            self.slow_keys.add(form.key)
        return [fast or "null", near or "null"]

    def fast(self, chain: Sequence[Form], near: bool) -> str | None:
        """Emit the fast handler of forms in a row. Returns its symbol; None without a fast form."""
        symbol = f'@"{"near" if near else "fast"}.{" ".join(form.key for form in chain)}"'
        emitter = FastEmitter(self.unit, chain, self.near if near else self.unit.definitions)
        try:
            text = emitter.text(symbol)
        except NoFastForm:
            return None
        self.slow_keys |= emitter.gave_up
        if emitter.callee and len(chain) == 1:
            self.callees[chain[0].key] = emitter.callee
        self.unit.texts.append(text)
        self.unit.emitted.append(symbol.strip('@"'))
        return symbol

    def pair(self, first: Form, second: Form) -> str | None:
        """Emit the handler of a pair of forms. Returns its symbol; None if there can be none."""
        if self.unit.definitions.effects(first.instruction.definition).words & FLOW:
            return None
        words = self.unit.definitions.effects(second.instruction.definition).words
        return self.fast([first, second], near="branch" in words)

    def slow(self, form: Form) -> str:
        """Emit a form's slow handler. Returns its symbol."""
        self.unit.texts.append(self._slow(form))
        self.unit.emitted.append(form.slow.strip('@"'))
        return form.slow

    def _slow(self, form: Form) -> str:
        """Store the state in registers, call the definition, and check its results."""
        e = self._bare()
        values = read_operands(e, form.instruction)
        e.line(f"store i64 %budget, ptr {e.field('budget')}")
        pc = e.pc()
        e.line(f"store i64 {pc}, ptr {e.field('pc')}")
        after = e.result(u64, f"add i64 {pc}, {form.length}").text
        e.line(f"store i64 {after}, ptr {e.field('next_pc')}")
        self._call(e, form.instruction.definition, values)
        words = self.unit.definitions.effects(form.instruction.definition).words
        self._end(e, form.length, jumps=bool(words & FLOW))
        return e.handler(form.slow)

    def _call(self, e: Bare, definition: Definition, values: list[tuple[str, Value]]) -> None:
        native = self.unit.function(definition)
        given = ", ".join(["ptr %hart", *(f"{ir_type(v.type)} {v.text}" for _, v in values)])
        call = f"call {native.returns_ir} {native.symbol}({given})"
        if not native.raises:
            e.line(call)
            return
        raised = e.result(bool, call)
        trap, on = e.label(), e.label()
        e.branch_on(raised, trap, on)
        e.start(trap)
        e.take_trap(definition, native, "%budget")
        e.start(on)

    def _end(self, e: Bare, length: int, jumps: bool) -> None:
        """Retire the instruction. Call `resume` after a jump or if `resync` is set."""
        old = e.result(u64, f"load i64, ptr {e.field('budget')}").text
        budget = e.result(u64, f"sub i64 {old}, 1").text
        e.line(f"store i64 {budget}, ptr {e.field('budget')}")
        target = e.result(u64, f"load i64, ptr {e.field('next_pc')}").text
        e.line(f"store i64 {target}, ptr {e.field('pc')}")
        if jumps:
            e.tail('@"resume"', "%slot", budget)
            return
        changed = e.result(None, f"load i8, ptr {e.field('resync')}").text
        look = e.result(bool, f"icmp ne i8 {changed}, 0")
        away, on = e.label(), e.label()
        e.branch_on(look, away, on)
        e.start(away)
        e.tail('@"resume"', "%slot", budget)
        e.start(on)
        tlb = e.result(None, f"load ptr, ptr {e.field('tlb')}").text
        step = length * 8
        slot = e.result(None, f"getelementptr inbounds i8, ptr %slot, i64 {step}").text
        e.dispatch_with(slot, budget, tlb)

    def specials(self) -> None:
        """Emit the handlers that belong to no instruction, and `run`, which enters native code."""
        emit = self.unit.texts.append
        emit(self._resume())
        emit(self._pause("pause", through_bias=True))
        emit(self._pause("arrive", through_bias=False))
        emit(self._pause("special.page_end", through_bias=True))
        emit(self._trap())
        emit(self._decode())
        emit(self._straddle())
        emit(self._illegal())
        emit(self._breakpoint())
        emit(self._run())
        for name in HOST_FUNCTIONS:
            text, declarations = HOST_CALLS[name]
            emit(text)
            for declaration in declarations:
                self.unit.declare(declaration)

    def _run(self) -> str:
        """Enter native code at hart.pc. It returns with the reason in hart.stop."""
        names = [core.begin, fp_state.enter_unit, fp_state.leave_unit, young_pages.leave_young]
        begin, enter, leave, end = (self._symbol(definition) for definition in names)
        nowhere = arguments("null", "0", tlb="null")
        resume = f'call {CONVENTION} void @"resume"({nowhere})'
        calls = [f"call void {begin}(ptr %hart)", f"call void {enter}(ptr %hart)", resume,
                 f"call void {leave}(ptr %hart)", f"call void {end}(ptr %hart)"]  # fmt: skip
        body = "\n".join(f"  {call}" for call in [*calls, "ret void"])
        return f'define void @"run"(ptr %hart) #0 {{\nentry:\n{body}\n}}'

    def _bare(self) -> Bare:
        return Bare(self.unit)

    def _leave_at_none(self, e: Bare, address: str) -> None:
        """Leave native code if an address is 0."""
        e.leave_native_if(e.result(bool, f"icmp eq i64 {address}, 0"))

    def _go_on(self, e: Bare, found: str) -> None:
        """Dispatch the slot at an address, or leave native code if it is 0."""
        self._leave_at_none(e, found)
        slot = e.result(None, f"inttoptr i64 {found} to ptr").text
        budget = e.result(None, f"load i64, ptr {e.field('budget')}").text
        tlb = e.result(None, f"load ptr, ptr {e.field('tlb')}").text
        e.dispatch_with(slot, budget, tlb)

    def _resume(self) -> str:
        """Go on at hart.pc, with the state in memory."""
        e = self._bare()
        e.line(f"store ptr %slot, ptr {e.field('last_slot')}")
        found = e.result(None, f"call i64 {self._symbol(core.settle)}(ptr %hart)").text
        self._go_on(e, found)
        return e.handler('@"resume"')

    def _pause(self, name: str, through_bias: bool) -> str:
        """Store budget and pc, and call `resume`. The pc is that of %slot, or %slot is the pc
        itself."""
        e = self._bare()
        e.line(f"store i64 %budget, ptr {e.field('budget')}")
        pc = e.pc() if through_bias else e.result(u64, "ptrtoint ptr %slot to i64").text
        e.line(f"store i64 {pc}, ptr {e.field('pc')}")
        e.tail('@"resume"', "%slot", "%budget")
        return e.handler(f'@"{name}"')

    def _trap(self) -> str:
        """Take the trap that was raised at hart.pc."""
        e = self._bare()
        take = self._symbol(trap.take_trap)
        e.line(f"call void {take}(ptr %hart)")
        e.tail('@"resume"', "%slot", "%budget")
        return e.handler('@"trap"')

    def _decode(self) -> str:
        """Decode the slot and call its new handler."""
        e = self._bare()
        decode = self._symbol(core.decode_slot)
        address = e.result(u64, "ptrtoint ptr %slot to i64").text
        e.line(f"call void {decode}(ptr %hart, i64 {address})")
        e.dispatch_with("%slot", "%budget", "%tlb")
        return e.handler('@"special.decode"')

    def _straddle(self) -> str:
        """Run an instruction that straddles two pages."""
        e = self._bare()
        e.keep_place()
        straddle = self._symbol(core.straddle)
        found = e.result(None, f"call i64 {straddle}(ptr %hart)").text
        self._go_on(e, found)
        return e.handler('@"special.straddle"')

    def _illegal(self) -> str:
        """Raise illegal instruction: no row decodes it."""
        e = self._bare()
        e.keep_place()
        undecodable = self._symbol(core.undecodable)
        e.line(f"call i1 {undecodable}(ptr %hart)")
        e.tail('@"trap"', "%slot", "%budget")
        return e.handler('@"special.illegal"')

    def _breakpoint(self) -> str:
        """Stop before the instruction, or go on with its own handler."""
        e = self._bare()
        e.keep_place()
        meet = self._symbol(core.meet_breakpoint)
        address = e.result(u64, "ptrtoint ptr %slot to i64").text
        own = e.result(None, f"call i64 {meet}(ptr %hart, i64 {address})").text
        self._leave_at_none(e, own)
        handler = e.result(None, f"inttoptr i64 {own} to ptr").text
        e.tail(handler, "%slot", "%budget")
        return e.handler('@"special.breakpoint"')

    def import_handler(self, name: str) -> None:
        """Let a handler be another part's."""
        self.unit.import_function(name, "void", [*KINDS], " musttail", CONVENTION)

    def table(self, names: list[str]) -> None:
        """Emit the exported table of handlers."""
        rows = ",\n".join(f"  ptr {name}" for name in names)
        self.unit.texts.append(f'@"handlers" = constant [{len(names)} x ptr] [\n{rows}\n]')


class Bare(HandlerEmitter):
    """Emits a handler line by line, not from a definition's text."""

    def __init__(self, unit: Unit) -> None:
        super().__init__(unit, None)
        self.forget_pages()

    def field(self, name: str) -> str:
        """The address of a field of the hart."""
        offset = HartState.fields[name].offset
        return self.result(None, f"getelementptr inbounds i8, ptr %hart, i64 {offset}").text

    def pc(self) -> str:
        """pc = pc_bias + (slot address >> 3)."""
        bias = self.result(u64, f"load i64, ptr {self.field('pc_bias')}").text
        address = self.result(u64, "ptrtoint ptr %slot to i64").text
        offset = self.result(u64, f"lshr i64 {address}, 3").text
        return self.result(u64, f"add i64 {bias}, {offset}").text

    def keep_place(self) -> None:
        """Store the budget and the slot's pc."""
        self.line(f"store i64 %budget, ptr {self.field('budget')}")
        self.line(f"store i64 {self.pc()}, ptr {self.field('pc')}")

    def dispatch_with(self, slot: str, budget: str, tlb: str) -> None:
        """Go on with a slot's handler."""
        handler = self.result(None, f"load ptr, ptr {slot}").text
        given = arguments(slot, budget, tlb=tlb)
        self.line(f"musttail call {CONVENTION} void {handler}({given})")
        self.finish("ret void")

    def handler(self, symbol: str) -> str:
        """The text of the handler."""
        shared = symbol in _SHARED or symbol.startswith('@"slow.')
        linkage = "dso_local" if shared else "internal"
        head = f"define {linkage} {CONVENTION} void {symbol}({PARAMETERS}) noinline #0 {{"
        return "\n".join([head, "entry:", *self.allocas, *self.lines, "}"])
