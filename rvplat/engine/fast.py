"""Fast handlers: an instruction, or several in a row, as one piece of straight native code.

The fast handler contains the definition's text and the text of all that it calls and that could
raise or reach cold code. At a raise or a cold call it gives up: a tail call goes to the slow
handler, which begins the instruction anew. That is correct only if no state has been written
before. A definition that may give up after a write has no fast form (NoFastForm); its slow handler
is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from rvplat.engine.forms import Form
from rvplat.engine.operands import IMM, places
from rvplat.engine.regions.convention import CONVENTION, PARAMETERS_NOALIAS, arguments
from rvplat.hart.state import FETCH_ENTRIES, STOP_STUCK, FetchEntry, HartState, TlbEntry
from rvplat.hart.trap import Abandoned
from rvplat.isa.machinery import vocabulary
from rvplat.isa.machinery.extension import Instruction
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import Declaration, Definition, Dispatch, declare, s32, s64, u32, u64
from rvplat.lang.checking.definitions import Definitions
from rvplat.lang.native.emit_statements import Emitter
from rvplat.lang.native.function_text import RARE, Scope
from rvplat.lang.native.unit import NativeFunction, Unit
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.specialise import Constants
from rvplat.lang.typed_ir.values import Pointer, Value

# A handler begins at a cache line, so that its speed doesn't depend on the handlers before it.
LINE = "align 64"
FLOW = {"jump", "branch", "branch_in_page"}


@declare
def branch_in_page(hart: Any, offset: ux) -> None:
    """The meaning of `branch` if the target is in the page of the instruction."""


def _word(word: Any) -> Declaration:
    return cast(Declaration, word)


NEAR = Constants(words={_word(vocabulary.branch): _word(branch_in_page)})
"""The constants on which near handlers are specialised."""


class NoFastForm(Exception):
    """The definition may give up after it has written state."""


class HandlerEmitter(Emitter):
    """Emits a handler. `slot` is the LLVM name of the address of the instruction's slot."""

    slot = "%slot"

    def context(self) -> Value:
        return Value(Pointer(HartState), "%hart")

    def tail(self, handler: str, slot: str, budget: str) -> None:
        """A tail call of a handler with the same tlb."""
        given = arguments(slot, budget)
        self.line(f"musttail call {CONVENTION} void {handler}({given})")
        self.finish("ret void")

    def hart_place(self, name: str) -> str:
        offset = HartState.fields[name].offset
        return self.result(None, f"getelementptr inbounds i8, ptr %hart, i64 {offset}").text

    def forget_pages(self) -> None:
        """Let regions forget the pages that they keep, because what follows may change translations
        (hart/acceleration/kept_pages.py)."""
        self.line(f"store i64 1, ptr {self.hart_place('kept_stale')}")

    def dispatch(self, slot: str, budget: str) -> None:
        """Tail call the handler of a slot."""
        handler = self.result(None, f"load ptr, ptr {slot}")
        self.tail(handler.text, slot, budget)

    def address(self, sum: str) -> str:
        """A sum as an address: it has XLEN bits."""
        if self.definitions.value_type(ux) is u64:
            return sum
        return self.result(u64, f"and i64 {sum}, {0xFFFF_FFFF}").text

    def take_if_budget(self, slot: str, budget: str) -> None:
        """Dispatch a slot after a jump, unless the budget has ended."""
        over = self.result(bool, f"icmp slt i64 {budget}, 1")
        pause, on = self.label(), self.label()
        self.branch_on(over, pause, on, RARE)
        self.start(pause)
        self.tail('@"pause"', slot, budget)
        self.start(on)
        self.dispatch(slot, budget)

    def jump_to(self, target: str, budget: str) -> None:
        """Go on at an absolute address: through a fetch entry, or through `arrive` on a miss."""
        entry, miss = self.fetch_entry(target)
        away, on = self.label(), self.label()
        self.branch_on(miss, away, on, RARE)
        self.start(away)
        self.tail('@"arrive"', self.result(None, f"inttoptr i64 {target} to ptr").text, budget)
        self.start(on)
        self.take_if_budget(self.slot_in(entry, target), budget)

    def fetch_entry(self, target: str) -> tuple[str, Value]:
        """The fetch entry for an address, and whether it is another page's."""
        fetch = self.result(None, f"load ptr, ptr {self.hart_place('fetch')}").text
        page = self.result(None, f"lshr i64 {target}, 12").text
        index = self.result(None, f"and i64 {page}, {FETCH_ENTRIES - 1}").text
        unit = f"[{FetchEntry.size} x i8]"
        entry = self.result(None, f"getelementptr inbounds {unit}, ptr {fetch}, i64 {index}").text
        tag = self.result(None, f"load i64, ptr {entry}").text
        wanted = self.result(None, f"and i64 {target}, -4095").text
        return entry, self.result(bool, f"icmp ne i64 {tag}, {wanted}")

    def slot_in(self, entry: str, target: str) -> str:
        """The slot of an address in the page of a fetch entry, which is the hart's page now."""
        slots = self._entry_field(entry, "slots")
        bias = self._entry_field(entry, "bias")
        self.line(f"store i64 {bias}, ptr {self.hart_place('pc_bias')}")
        offset = self.result(None, f"and i64 {target}, 4094").text
        scaled = self.result(None, f"shl i64 {offset}, 3").text
        place = self.result(None, f"add i64 {slots}, {scaled}").text
        return self.result(None, f"inttoptr i64 {place} to ptr").text

    def leave_if_stuck(self) -> None:
        """Leave native code if a loop was ended (poll.py): that is no trap."""
        stop = self.result(u32, f"load i32, ptr {self.hart_place('stop')}").text
        self.leave_native_if(self.result(bool, f"icmp eq i32 {stop}, {STOP_STUCK}"))

    def leave_native_if(self, condition: Value) -> None:
        """Leave native code if a condition holds."""
        leave, on = self.label(), self.label()
        self.branch_on(condition, leave, on)
        self.start(leave)
        self.finish("ret void")
        self.start(on)

    def take_trap(self, raiser: Definition, native: NativeFunction, budget: str) -> None:
        """Take the trap that a definition's function has raised. pc, next_pc and the budget are in
        memory."""
        raised = self.unit.definitions.effects(raiser).raised
        if native.context is not None or Abandoned in raised:
            self.leave_if_stuck()
        self.tail('@"trap"', self.slot, budget)

    def _entry_field(self, entry: str, name: str) -> str:
        offset = FetchEntry.fields[name].offset
        place = self.result(None, f"getelementptr inbounds i8, ptr {entry}, i64 {offset}").text
        return self.result(None, f"load i64, ptr {place}").text


class FastEmitter(HandlerEmitter):
    """Emits the fast handler of a form, or of several forms in a row. `definitions` are those of
    the unit, or further specialised ones."""

    def __init__(self, unit: Unit, chain: Sequence[Form], definitions: Definitions) -> None:
        super().__init__(unit, None)
        self.definitions = definitions
        self.chain = chain
        self.form = chain[0]
        self.budget = "%budget"
        self.written = False
        self.gave_up: set[str] = set()  # keys of forms whose slow handlers the text calls
        self.callee = ""  # symbol of the function apart that the text calls last
        self._calling: ir.Body | None = None  # the definition of a call of a function apart
        self._written_at: dict[str, bool] = {}  # by label: whether state was written before
        self._started: set[str] = set()

    # --- whether state was written before a point ---

    def wrote(self) -> None:
        self.written = True

    def reach(self, label: str) -> None:
        super().reach(label)
        if self.ended:
            return
        if label in self._started and self.written and not self._written_at[label]:
            raise NoFastForm
        self._written_at[label] = self._written_at.get(label, False) or self.written

    def start(self, label: str) -> None:
        super().start(label)
        self._started.add(label)
        self.written = self._written_at.setdefault(label, self.written)

    # --- giving up, and putting text in place ---

    def give_up(self) -> None:
        """Let the slow handler begin the instruction anew."""
        if self.ended:
            return
        if self.written:
            raise NoFastForm
        self.gave_up.add(self.form.key)
        self.tail(self.form.slow, self.slot, self.budget)

    def leave_raised(self) -> None:
        """To begin anew would call a function apart again, and that would raise again."""
        if self._calling is None:
            self.give_up()
        else:
            self.trap_of(self._calling)

    def trap_of(self, target: ir.Body) -> None:
        """Take the trap that a function apart has raised, as a slow handler does."""
        self.line(f"store i64 {self.budget}, ptr {self.hart_place('budget')}")
        after = self.result(u64, f"add i64 {self._pc().text}, {self.form.length}").text
        self.line(f"store i64 {after}, ptr {self.hart_place('next_pc')}")
        self.forget_pages()
        self.take_trap(target.definition, self.unit.native(target), self.budget)

    def inlines(self, target: ir.Body) -> bool:
        if target.definition.apart:
            return False
        effects = self.definitions.effects(target.definition, target.fixed)
        return effects.raises or effects.cold or bool(effects.words & FLOW)

    def in_place(self, target: ir.Body, arguments: list[Value]) -> list[Value]:
        if target.definition.cold or target.definition.signature.never_returns:
            self.give_up()
            return [Value(kind, "poison") for kind in target.results]
        return super().in_place(target, arguments)

    def call_function(self, target: ir.Body | Dispatch, arguments: list[Value]) -> list[Value]:
        if isinstance(target, Dispatch):
            self.give_up()
            return [Value(kind, "poison") for kind in self.unit.results(target)]
        if target.definition.apart:
            return self.call_apart(target, arguments)
        if self.definitions.effects(target.definition, target.fixed).writes:
            self.written = True
            self.forget_pages()
        return super().call_function(target, arguments)

    def call_apart(self, target: ir.Body, arguments: list[Value]) -> list[Value]:
        """Call a function apart. If it raises and the text has no `except`, its trap is taken. An
        exception reads the instruction at `pc`."""
        self.callee = self.unit.native(target).symbol
        if self.definitions.effects(target.definition, target.fixed).raises:
            self.line(f"store i64 {self._pc().text}, ptr {self.hart_place('pc')}")
        self._calling = target
        values = super().call_function(target, arguments)
        self._calling = None
        self.written = True
        return values

    # --- state in host registers ---

    def read(self, node: ir.Read, place: ir.Place) -> Value:
        if isinstance(place, ir.FieldPlace) and place.base.type == Pointer(HartState):
            name = place.field.name
            if name == "tlb":
                return Value(Pointer(TlbEntry), "%tlb")
            if name == "pc":
                return self._pc()
            if name == "next_pc":
                return self.result(u64, f"add i64 {self._pc().text}, {self.form.length}")
        return super().read(node, place)

    def _pc(self) -> Value:
        """pc = pc_bias + (slot address >> 3)."""
        bias = self.result(u64, f"load i64, ptr {self.hart_place('pc_bias')}")
        address = self.result(u64, f"ptrtoint ptr {self.slot} to i64")
        offset = self.result(u64, f"lshr i64 {address.text}, 3")
        return self.result(u64, f"add i64 {bias.text}, {offset.text}")

    # --- leaving ---

    def retire(self) -> str:
        """The budget after this instruction."""
        return self.result(u64, f"sub i64 {self.budget}, 1").text

    def next_slot(self) -> str:
        """The slot of the instruction after this one."""
        step = self.form.length * 8
        return self.result(None, f"getelementptr inbounds i8, ptr {self.slot}, i64 {step}").text

    def leave(self, values: list[Value]) -> None:
        """Go on with the next slot."""
        budget = self.retire()
        self.dispatch(self.next_slot(), budget)

    def speak(self, word: Declaration, arguments: list[Value]) -> Value | None:
        if word.name == "jump":
            self.jump_to(self.resize(arguments[1], u64).text, self.retire())
        elif word.name == "branch_in_page":
            offset = self.result(None, f"shl i64 {self._distance(arguments[1])}, 3").text
            slot = self.result(None, f"getelementptr i8, ptr {self.slot}, i64 {offset}").text
            self.take_if_budget(slot, self.retire())
        elif word.name == "branch":
            pc = self._pc().text
            target = self.result(u64, f"add i64 {pc}, {self._distance(arguments[1])}").text
            self.jump_to(self.address(target), self.retire())
        else:
            return None
        return Value(None, "")

    def _distance(self, offset: Value) -> str:
        """A branch's offset, sign-extended."""
        return self.resize(Value(s32 if offset.type is u32 else s64, offset.text), s64).text

    # --- the whole ---

    def text(self, symbol: str) -> str:
        """The handler's LLVM text. NoFastForm if there is none."""
        for form in self.chain[:-1]:
            self._first(form)
        self._begin(self.chain[-1])
        if not self.ended:
            self.leave([])
        head = f"define internal {CONVENTION} void {symbol}({PARAMETERS_NOALIAS}) #0 {LINE} {{"
        lines = [head, "entry:"]
        return "\n".join([*lines, *self.allocas, *self.lines, "}"])

    def _begin(self, form: Form, exit: str = "") -> None:
        """Begin a form's text: it has written no state yet."""
        self.form = form
        self.written = False
        body = self.definitions.body(form.instruction.definition)
        self.enter(Scope(body, exit=exit))
        hart = Value(Pointer(HartState), "%hart")
        if body.definition.apart:
            self.call_apart(body, [hart, *(value for _, value in self.operands(form))])
            return
        self.bind("hart", hart)
        for name, value in self.operands(form):
            self.bind(name, value)
        self.body(body.statements)

    def operands(self, form: Form) -> list[tuple[str, Value]]:
        """The operands by name."""
        return read_operands(self, form.instruction)

    def _first(self, form: Form) -> None:
        """Emit a form that is not the last: it retires, and the next form has the next slot."""
        exit = self.label()
        self._begin(form, exit)
        self.start(exit)
        self.budget, self.slot = self.retire(), self.next_slot()


def read_operands(emitter: HandlerEmitter, instruction: Instruction) -> list[tuple[str, Value]]:
    """Load the operands from the slot."""
    values = {}
    for place in places(instruction):
        offset = 12 if place.index == IMM else 8 + place.index
        kind, extend = ("i32", "sext") if place.index == IMM else ("i8", "zext")
        at = emitter.result(
            None, f"getelementptr inbounds i8, ptr {emitter.slot}, i64 {offset}"
        ).text
        raw = emitter.result(None, f"load {kind}, ptr {at}").text
        wanted = emitter.definitions.implied[place.name]
        value = emitter.result(u64, f"{extend} {kind} {raw} to i64") if wanted is u64 else None
        values[place.name] = value or Value(wanted, raw)
    return [(name, values[name]) for name in instruction.operands]
