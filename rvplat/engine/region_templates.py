"""The text of a form in a region, with holes that the assembler of regions fills (assemble.py).

A template is made once, from the same definition as the form's handlers. In it

- `hart.x[rd]` is a local `%z3_x5` of a zone, which LLVM keeps in a host register (zones.py);
- what a fast handler would leave to the slow one is a jump to `give_up`, before anything is
  written: the region is left, and tier 0 executes the instruction;
- a branch is a jump to `taken`, a jump stores its target in `%target` and goes to `jump`, and
  everything else goes to `next`.

A hole is a name between two marks. `u` is different for each instruction of a region, so that names
are unique. The other holes are operands and labels.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from rvplat.engine.fast import FastEmitter, HandlerEmitter, NoFastForm
from rvplat.engine.forms import Form
from rvplat.engine.region_sums import Sums
from rvplat.engine.regions.convention import CONVENTION, arguments
from rvplat.engine.regions.tables import Template
from rvplat.hart.acceleration.kept_pages import KEPT_FIELDS, KEPT_READS, KEPT_WRITES
from rvplat.hart.state import HartState, MachineState, TlbEntry
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import Declaration, Definition, u64
from rvplat.lang.checking.definitions import Definitions
from rvplat.lang.native.function_text import RARE
from rvplat.lang.native.unit import NativeFunction, Unit
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.specialise import Constants
from rvplat.lang.typed_ir.values import Pointer, Value

OPEN, CLOSE = "«", "»"
_HOLE = re.compile(f"{OPEN}(\\w+){CLOSE}")
FILES = ("x", "f")
WAYS = ("leave", "exit", "pause", "far", "link")


def hole(name: str) -> str:
    """A hole in the text."""
    return f"{OPEN}{name}{CLOSE}"


def split(text: str) -> tuple[str, ...]:
    """A text as literal parts and names of holes in turn."""
    return tuple(_HOLE.split(text))


class NamesWithHoles(HandlerEmitter):
    """Names in the text begin with the hole `u`."""

    def machine_field(self, name: str) -> str:
        """A pointer in the machine's record."""
        machine = self.result(None, f"load ptr, ptr {self.hart_place('machine')}").text
        offset = MachineState.fields[name].offset
        place = self.result(None, f"getelementptr inbounds i8, ptr {machine}, i64 {offset}").text
        return self.result(None, f"load ptr, ptr {place}").text

    def temp(self) -> str:
        self.count += 1
        return f"%{hole('u')}t{self.count}"

    def label(self) -> str:
        self.count += 1
        return f"{hole('u')}L{self.count}"


class TemplateEmitter(NamesWithHoles, FastEmitter):
    """Emits the template of a form."""

    def __init__(self, unit: Unit, form: Form, definitions: Definitions) -> None:
        super().__init__(unit, [form], definitions)
        self._assigned: dict[tuple[Definition, ir.Fixed], frozenset[str]] = {}
        self.reads: set[tuple[str, str]] = set()
        self.writes: set[tuple[str, str]] = set()
        self.ways: set[str] = set()
        self.branch = ""
        self.keeps = False

    # --- locals ---

    def bind(self, name: str, value: Value) -> None:
        """A parameter that the text never assigns needs no memory."""
        body = self.scope.text
        assert body is not None
        key = body.definition, body.fixed
        if key not in self._assigned:
            self._assigned[key] = ir.assigned_names(body.statements)
        if name in self._assigned[key]:
            super().bind(name, value)
        else:
            self.scope.values[name] = value

    def on_local(self, node: ir.Local) -> Value:
        value = self.scope.values.get(node.name)
        return super().on_local(node) if value is None else value

    # --- registers and kept pages ---

    def _register(self, place: ir.Place) -> tuple[str, str] | None:
        """The file and number, a hole's name or digits, of a register; None for other places."""
        if not isinstance(place, ir.ElementPlace) or not isinstance(place.base, ir.FieldPlace):
            return None
        field = place.base
        if field.base.type != Pointer(HartState) or field.field.name not in FILES:
            return None
        index = place.index
        while isinstance(index, ir.Convert):
            index = index.value
        known = self.scope.values
        if isinstance(index, ir.Const):
            return field.field.name, str(index.value)
        if isinstance(index, ir.Local) and index.name in known:
            text = known[index.name].text
            if text.isdigit() or _HOLE.fullmatch(text):
                return field.field.name, text.strip(OPEN + CLOSE)
        raise NoFastForm  # the text computes which register it means

    def place(self, node: ir.Place) -> str:
        register = self._register(node)
        if register is not None:
            file, number = register
            return f"%{hole('zone')}{file}{number if number.isdigit() else hole(number)}"
        if isinstance(node, ir.FieldPlace) and node.field.name in KEPT_FIELDS:
            self.keeps = True
            return f"%{hole('kept')}{node.field.name}"
        return super().place(node)

    def read(self, node: ir.Read, place: ir.Place) -> Value:
        if isinstance(place, ir.FieldPlace) and place.field is HartState.fields["tlb"]:
            kind = Pointer(TlbEntry)  # it is seldom needed, so it takes no host register
            return self.result(kind, f"load ptr, ptr {self.hart_place('tlb')}")
        register = self._register(place)
        if register is not None and not self.ended:
            self.reads.add(register)
        return super().read(node, place)

    def do_store(self, node: ir.Store) -> None:
        before, register = self.written, self._register(node.place)
        if register is not None:
            self.writes.add(register)
            if node.op:
                self.reads.add(register)
        super().do_store(node)
        if isinstance(node.place, ir.FieldPlace) and node.place.field.name in KEPT_FIELDS:
            self.written = before  # a kept page is no state

    def do_if(self, node: ir.If) -> None:
        """Another page than the kept one is rare."""
        test = node.test
        left = test.left if isinstance(test, ir.Compare) else None
        place = left.place if isinstance(left, ir.Read) else None
        is_kept = isinstance(place, ir.FieldPlace) and place.field.name in KEPT_FIELDS
        super().do_if(dataclasses.replace(node, rare=True) if is_kept else node)

    def _pc(self) -> Value:
        return Value(u64, f"%{hole('u')}pc")

    # --- ways out ---

    def way(self, name: str) -> None:
        """Go to a label of the region."""
        if not self.ended:
            self.ways.add(name)
            self.finish(f"br label %{hole(name)}")

    def give_up(self) -> None:
        if self.ended:
            return
        if self.written:
            raise NoFastForm
        self.way("give_up")

    def trap_of(self, target: ir.Body) -> None:
        self.give_up()

    @property
    def xlen(self) -> int:
        return int(self.definitions.value_type(ux).bits)

    def leave(self, values: list[Value]) -> None:
        self.way("next")

    def inlines(self, target: ir.Body) -> bool:
        return not target.definition.apart

    def call_apart(self, target: ir.Body, arguments: list[Value]) -> list[Value]:
        if self.callee:
            raise NoFastForm  # the table has one function for each form
        return super().call_apart(target, arguments)

    def symbol_of(self, native: NativeFunction) -> str:
        """The address of the function apart, from the table of those that the forms call."""
        table = self.machine_field("callees")
        row = f"getelementptr inbounds i64, ptr {table}, i64 {hole('form')}"
        place = self.result(None, row).text
        return self.result(None, f"load ptr, ptr {place}").text

    def speak(self, word: Declaration, arguments: list[Value]) -> Value | None:
        if word.name == "jump":
            self.line(f"store i64 {self.resize(arguments[1], u64).text}, ptr %target")
            self.way("jump")
        elif word.name == "branch":
            offset = _HOLE.fullmatch(arguments[1].text)
            if offset is None:
                raise NoFastForm
            self.branch = offset[1]
            self.way("taken")
        else:
            return None
        return Value(None, "")

    # --- the whole ---

    def template(self) -> Template:
        """The template. NoFastForm if there is none."""
        self._begin(self.form)
        if not self.ended:
            self.leave([])
        text = split("\n".join(self.lines) + "\n")
        allocas = split("\n".join(self.allocas) + "\n") if self.allocas else ("",)
        order = tuple(sorted(self.reads)), tuple(sorted(self.writes))
        ways = tuple(sorted(self.ways))
        is_sum = ways == ("next",) and order[1] == (("x", "rd"),)
        total = Sums(self.lines, self.xlen).result if is_sum else ()
        return Template(text, allocas, *order, self.branch, ways, self.keeps, total)

    def operands(self, form: Form) -> list[tuple[str, Value]]:
        kinds = self.definitions.implied
        return [(name, Value(kinds[name], hole(name))) for name in form.instruction.operands]


def region_definitions(unit: Unit) -> Definitions:
    """The definitions for templates: accesses keep pages."""
    words: dict[Any, Any] = {**KEPT_READS, **KEPT_WRITES}
    return unit.definitions.specialised(Constants(words=words))


def template_of(unit: Unit, form: Form, definitions: Definitions) -> Template | None:
    """The template of a form; None if it must be left to tier 0."""
    try:
        made = TemplateEmitter(unit, form, definitions).template()
    except NoFastForm:
        return None
    return made if set(made.ways) - {"give_up"} else None


class GlueEmitter(NamesWithHoles):
    """Emits how a region is left, which is the same for all instructions."""

    def tail(self, handler: str, slot: str, budget: str) -> None:
        """Handlers of the base part are found through the machine's record. `tlb` is in the hart's:
        in the region it takes no register."""
        if handler.startswith("@"):
            handler = self.machine_field(handler.strip('@"') + "_handler")
        tlb = self.result(None, f"load ptr, ptr {self.hart_place('tlb')}").text
        given = arguments(slot, budget, tlb)
        self.line(f"musttail call {CONVENTION} void {handler}({given})")
        self.finish("ret void")

    def leave_at_head(self) -> None:
        """Go on in tier 0 with the handler of the slot. If that is the region itself, at a head,
        the slow handler of form number `form` executes the instruction."""
        handler = self.result(None, f"load ptr, ptr {hole('slot')}")
        itself = self.result(bool, f'icmp eq ptr {handler.text}, @"region"')
        slow, other = self.label(), self.label()
        self.branch_on(itself, slow, other)
        self.start(other)
        self.tail(handler.text, hole("slot"), hole("budget"))
        self.start(slow)
        table = self.machine_field("slow_handlers")
        row = f"getelementptr inbounds i64, ptr {table}, i64 {hole('form')}"
        place = self.result(None, row).text
        slow_handler = self.result(None, f"load ptr, ptr {place}").text
        self.tail(slow_handler, hole("slot"), hole("budget"))

    def note_exit(self, slot: str) -> None:
        """Note the slot at which tier 0 goes on (hot_code.py, `sample_exit`)."""
        self.line(f"store ptr {slot}, ptr {self.hart_place('left_slot')}")

    def link(self) -> None:
        """Go on at `target`, which is likely in another region. Without a fetch entry go `away`,
        before anything is written."""
        entry, miss = self.fetch_entry(hole("target"))
        on = self.label()
        self.finish(f"br i1 {miss.text}, label %{hole('away')}, label %{on}, {RARE}")
        self.start(on)
        self.dispatch(self.slot_in(entry, hole("target")), hole("budget"))

    def lines_of(self) -> tuple[str, ...]:
        return split("\n".join(self.lines) + "\n")


def glue(unit: Unit) -> dict[str, tuple[str, ...]]:
    """The ways to leave a region, by name, with the holes `slot`, `budget`, `target`, `form`,
    `away`."""
    slot, budget = hole("slot"), hole("budget")
    emitters = {name: GlueEmitter(unit, None) for name in WAYS}
    emitters["leave"].note_exit(slot)
    emitters["leave"].dispatch(slot, budget)
    emitters["exit"].leave_at_head()
    emitters["pause"].tail('@"pause"', slot, budget)
    emitters["far"].jump_to(hole("target"), budget)
    emitters["link"].link()
    return {name: emitter.lines_of() for name, emitter in emitters.items()}
