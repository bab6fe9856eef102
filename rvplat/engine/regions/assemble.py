"""The LLVM text of a region, put together from templates.

The region has the signature of a handler. It is entered through the slot of a head. Its blocks:

    I{offset}  an instruction; the text of its template
    T{offset}  its branch is taken: count the budget, and go on at the target
    J{offset}  its indirect jump: go on at a known target, or leave the region
    X{offset}  leave the region before the instruction
    K{offset}  leave the region for another page
    N{offset}  go on after it, where another block begins or the region ends
    E{offset}  enter a loop at an instruction: read its registers

The fast copies of a covered loop have the same with names before the offset (covered.py,
`Loop.copies`).

The budget is counted at the ends of blocks. A way out of a zone (zones.py) writes back the
registers that may have changed on the ways to it. A way out of the region also subtracts the
instructions that ran since the block began.
"""

from __future__ import annotations

from collections.abc import Collection

from rvplat.engine.regions.convention import CONVENTION, PARAMETERS_NOALIAS
from rvplat.engine.regions.covered import FAST_COPY, Loop, covered_loops
from rvplat.engine.regions.flow import Flow, Register
from rvplat.engine.regions.graph import PAGE, SINK, Decoded, Graph
from rvplat.engine.regions.guards import Guards, covered_prefix
from rvplat.engine.regions.heads import go_to_head, head_table
from rvplat.engine.regions.lines import Lines
from rvplat.engine.regions.marks import Marks
from rvplat.engine.regions.spans import SpanChecks, span_prefix, spans_of
from rvplat.engine.regions.tables import Access, Tables, Template, fill
from rvplat.engine.regions.zones import Zone

RARE = "!prof !0"
TAGS = ("read_tag", "write_tag")
KEPT = (*TAGS, "read_addend", "write_addend")


class Assembler(Lines):
    """Makes the text of one region."""

    def __init__(
        self, tables: Tables, graph: Graph, split: Collection[int] = (), covers: bool = False
    ) -> None:
        super().__init__()
        self.tables = tables
        self.graph = graph
        self.allocas: list[str] = []
        self.entered: set[int] = set()  # instructions of loops that are reached from elsewhere
        self.exits: dict[tuple[Zone, frozenset[Register]], int] = {}
        self.flow = Flow(tables, graph)
        self.zones = self.flow.zones
        self.copy = ""  # in a fast copy of a covered loop, one of `Loop.copies`
        self.loops = list(covered_loops(self.flow))
        self.loop_of = {offset: loop for loop in self.loops for offset in loop.body}
        self.spans = spans_of(self.flow, self.loop_of, split)
        self.checks = SpanChecks(self, tables, self.slot_at)
        self.guards = Guards(self, tables, self.place_at_header)
        self.marks = Marks(self, self.flow, covers)

    def hart_place(self, field: str, index: int = 0) -> str:
        """The address of a field of the hart's record, or of an element of 8 bytes."""
        offset = self.tables.offsets[field] + 8 * index
        return self.value(f"getelementptr inbounds i8, ptr %hart, i64 {offset}")

    def glue(self, what: str, **holes: str) -> None:
        self.count += 1
        self.lines.append(fill(self.tables.glue[what], {"u": f"g{self.count}_", **holes}))

    def local(self, zone: Zone, register: Register) -> str:
        """The zone's local for a register."""
        return f"%z{zone.number}_{register[0]}{register[1]}"

    def place_at_header(self, loop: Loop, number: int) -> str:
        """Where an integer register is at the header of a loop."""
        register = "x", number
        if register in self.flow.known[loop.header]:
            return self.local(loop.zone, register)
        return self.hart_place(*register)

    def kind(self, register: Register) -> str:
        """The LLVM type of a register's value, in the low bytes of a cell of 8."""
        return f"i{self.tables.xlen}" if register[0] == "x" else "i64"

    def page_sum(self, offset: int) -> str:
        """The address at an offset from the page. Addresses have XLEN bits."""
        found = self.value(f"add i64 %page, {offset}")
        return self.value(f"and i64 {found}, {0xFFFF_FFFF}") if self.tables.xlen == 32 else found

    def read_registers(self, zone: Zone, registers: frozenset[Register]) -> None:
        """Read registers from the hart's record."""
        for register in sorted(registers - {("x", SINK)}):
            value = "0"
            if register != ("x", 0):
                value = self.value(f"load {self.kind(register)}, ptr {self.hart_place(*register)}")
            place = self.local(zone, register)
            self.lines.append(f"  store {self.kind(register)} {value}, ptr {place}")

    def write_back(self, zone: Zone, registers: frozenset[Register]) -> None:
        for register in sorted(registers):
            kind = self.kind(register)
            value = self.value(f"load {kind}, ptr {self.local(zone, register)}")
            self.lines.append(f"  store {kind} {value}, ptr {self.hart_place(*register)}")

    def go(self, offset: int, target: int) -> None:
        """Go on from an instruction at another of the region."""
        zone = self.zones[offset]
        if self.flow.leaves_zone(offset, target):
            self.write_back(zone, self.flow.dirty_after(offset))
        self.lines.append(f"  br label %{self.label(offset, target)}")

    def at(self, offset: int) -> str:
        """What the labels of an instruction end with, in the copy that is made."""
        return f"{self.copy}{offset}"

    def entry(self, target: int) -> str:
        """The label at which an instruction is reached from other zones."""
        if not self.zones[target].is_loop:
            return f"I{target}"
        self.entered.add(target)
        return f"E{target}"

    def label(self, offset: int, target: int) -> str:
        """The label at which an instruction is reached from another."""
        if self.flow.leaves_zone(offset, target):
            return self.entry(target)
        loop = self.loop_of.get(target)
        inside = self.copy and loop is self.loop_of.get(offset)
        if loop is not None and target == loop.header:
            if not inside:
                return f"C{target}"
            _, *after = loop.copies[loop.copies.index(self.copy) :]
            return f"I{after[0]}{target}" if after and self.copy != FAST_COPY else f"B{target}"
        return f"I{self.copy if inside else ''}{target}"

    def _loop_entries(self) -> None:
        for target in sorted(self.entered):
            zone = self.zones[target]
            self.lines.append(f"E{target}:")
            self.read_registers(zone, self.flow.known[target])
            for base in sorted(self.kept(zone)):
                for name in TAGS:
                    self.put(f"  store i64 -1, ptr %z{zone.number}_{base}_kept_{name}")
            for loop in self.loops:
                if loop.zone == zone:
                    self.guards.reset(loop)
            at_header = target in (loop.header for loop in self.loops)
            self.lines.append(f"  br label %{'C' if at_header else 'I'}{target}")

    def kept(self, zone: Zone) -> set[int]:
        """The base registers whose pages a zone keeps in locals."""
        if not zone.is_loop:
            return set()
        every = self.flow.members[zone]
        covered = {at for at in every if at in self.loop_of and at in self.loop_of[at].covered}
        return {base for at in every if (base := self.flow.base(at)) is not None
                and at not in covered}  # fmt: skip

    def left(self, less: int) -> str:
        """The budget less 1, as in `%b`, less some instructions."""
        now = self.value("load i64, ptr %b")
        return self.value(f"sub i64 {now}, {less}") if less else now

    def count_budget(self, less: int) -> str:
        """Count the instructions of a block. Returns what `%b` has then."""
        left = self.left(less)
        self.put(f"  store i64 {left}, ptr %b")
        return left

    def leave(self, way: str, offset: int, less: int) -> None:
        """Leave the region at an offset of the page, after some instructions: by a shared block, so
        that LLVM has no other sums of the budget to keep."""
        if way == "far":
            self.put(f"  store i64 {self.page_sum(offset)}, ptr %target")
        else:
            self.put(f"  store i64 {offset * 8}, ptr %exit_slot")
        self.put(f"  store i64 {self.left(less)}, ptr %exit_budget\n  br label %{way}")

    def instruction(self, offset: int, one: Decoded) -> None:
        template, zone, u = self.template(offset, one), self.zones[offset], f"i{self.at(offset)}_"
        loop, base = self.loop_of.get(offset), self.flow.base(offset)
        in_locals = zone.is_loop and (loop is None or self.copy)
        here = self.at(offset)
        holes = {name: str(value) for name, value in one.operands.items()}
        holes["form"] = str(self.tables.forms[one.form])
        holes |= {"u": u, "next": f"N{here}", "taken": f"T{here}", "jump": f"J{here}",
                  "give_up": f"X{here}", "zone": f"z{zone.number}_",
                  "kept": f"z{zone.number}_{base}_" if in_locals else f"m{base}_"}  # fmt: skip
        span = self.spans.get(offset)
        if loop is not None and offset in loop.covered:
            holes["covered"] = covered_prefix(loop, loop.covered[offset])
        if span is not None:
            holes["covered"] = span_prefix(span)
        self.lines.append(f"I{here}:\n  %{u}pc = add i64 %page, {offset}")
        self.read_registers(zone, self.flow.used(offset) - self.flow.known[offset])
        ways = set(template.ways)
        if span is not None and span.first == offset:
            self.checks.text(
                span, self.local(zone, ("x", span.register)), holes["kept"], f"X{here}"
            )
            ways.add("give_up")
        self.lines.append(fill(template.text, holes))
        self.allocas.append(fill(template.allocas, holes))
        for way in sorted(ways):
            getattr(self, "way_" + way)(offset, one)

    def template(self, offset: int, one: Decoded) -> Template | Access:
        loop = self.loop_of.get(offset)
        if (self.copy and loop is not None and offset in loop.covered) or offset in self.spans:
            return self.tables.accesses[one.form]
        return self.flow.template(one)

    def way_give_up(self, offset: int, one: Decoded) -> None:
        """All ways out with the same registers to write back share a block."""
        key = self.zones[offset], self.flow.dirty[offset]
        number = self.exits.setdefault(key, len(self.exits))
        self.lines.append(f"X{self.at(offset)}:")
        self.marks.before(offset)
        self.put(f"  store i64 {self.tables.forms[one.form]}, ptr %exit_form")
        self.put(f"  store i64 {offset * 8}, ptr %exit_slot")
        left = self.left(self.flow.retired[offset])
        self.put(f"  store i64 {left}, ptr %exit_budget\n  br label %W{number}")

    def _exits(self) -> None:
        for (zone, dirty), number in self.exits.items():
            self.put(f"W{number}:")
            self.write_back(zone, dirty)
            self.put("  br label %exit")
        for name in ("exit", "leave", "pause", "far"):
            self.put(f"{name}:")
            budget = self.value(f"add i64 {self.value('load i64, ptr %exit_budget')}, 1")
            holes = {"budget": budget, "form": self.value("load i64, ptr %exit_form")}
            if name == "far":
                holes["target"] = self.value("load i64, ptr %target")
            else:
                holes["slot"] = self.slot_at(self.value("load i64, ptr %exit_slot"))
            self.glue(name, **holes)

    def slot_at(self, inside: str) -> str:
        """The slot at a distance from the page's first one: pc = pc_bias + (slot >> 3)."""
        bias = self.value(f"load i64, ptr {self.hart_place('pc_bias')}")
        slots = self.value(f"shl i64 {self.value(f'sub i64 %page, {bias}')}, 3")
        return self.value(f"inttoptr i64 {self.value(f'add i64 {slots}, {inside}')} to ptr")

    def link(self, at: str, target: str, left: str) -> None:
        """Leave the region for another page: straight to its region, or by the shared block `far`
        if the budget has ended or there is no fetch entry."""
        self.put(f"  store i64 {target}, ptr %target\n  store i64 {left}, ptr %exit_budget")
        over = self.value(f"icmp slt i64 {left}, 0")
        self.put(f"  br i1 {over}, label %far, label %K{at}, {RARE}\nK{at}:")
        budget = self.value(f"add i64 {left}, 1")
        self.glue("link", target=target, budget=budget, away="far")

    def way_next(self, offset: int, one: Decoded) -> None:
        after = offset + one.length
        self.lines.append(f"N{self.at(offset)}:")
        if after in self.graph.instructions and after not in self.flow.leaders:
            self.go(offset, after)
            return
        self.marks.through(offset)
        retired = self.flow.retired[offset] + 1
        if after in self.graph.instructions:
            self.count_budget(retired)
            self.go(offset, after)
            return
        self.write_back(self.zones[offset], self.flow.dirty_after(offset))
        self.leave("leave" if after < PAGE else "far", after, retired)

    def way_taken(self, offset: int, one: Decoded) -> None:
        at = self.at(offset)
        target, zone = self.flow.target(offset), self.zones[offset]
        dirty = self.flow.dirty_after(offset)
        self.lines.append(f"T{at}:")
        self.marks.through(offset)
        retired = self.flow.retired[offset] + 1
        if not 0 <= target < PAGE:
            self.write_back(zone, dirty)
            self.link(at, self.page_sum(target), self.left(retired))
            return
        left = self.count_budget(retired)
        if self.copy not in ("", FAST_COPY) and target in self.graph.instructions:
            self.go(offset, target)  # the guard has found that the budget lasts
            return
        over = self.value(f"icmp slt i64 {left}, 0")
        self.lines.append(f"  br i1 {over}, label %P{at}, label %G{at}, {RARE}")
        self.lines.append(f"P{at}:")
        self.write_back(zone, dirty)
        self.leave("pause", target, 0)
        self.lines.append(f"G{at}:")
        if target in self.graph.instructions:
            self.go(offset, target)
        else:
            self.write_back(zone, dirty)
            self.leave("leave", target, 0)

    def way_jump(self, offset: int, one: Decoded) -> None:
        at = self.at(offset)
        zone, dirty = self.zones[offset], self.flow.dirty_after(offset)
        self.lines.append(f"J{at}:")
        self.marks.through(offset)
        left = self.count_budget(self.flow.retired[offset] + 1)
        target = self.value("load i64, ptr %target")
        targets = sorted(self.graph.jumps(offset))
        if any(self.flow.leaves_zone(offset, inside) for inside in targets):
            self.write_back(zone, dirty)
            dirty = frozenset()
        if targets:
            inside = self.value(f"sub i64 {target}, %page")
            over = self.value(f"icmp slt i64 {left}, 0")
            self.lines.append(f"  br i1 {over}, label %F{at}, label %S{at}, {RARE}")
            self.lines.append(f"S{at}:\n  switch i64 {inside}, label %F{at} [")
            self.lines += [f"    i64 {t}, label %{self.label(offset, t)}" for t in targets]
            self.lines.append("  ]")
        else:
            self.lines.append(f"  br label %F{at}")
        self.lines.append(f"F{at}:")
        self.write_back(zone, dirty)
        self.link(at, target, left)

    def text(self) -> str:
        """The module."""
        for offset, one in sorted(self.graph.instructions.items()):
            self.instruction(offset, one)
        self._covered_loops()
        self._exits()
        for head in self.graph.heads:
            self.entry(head)
        self._loop_entries()
        body = self.lines
        self.lines = []
        self._entry()
        return "\n".join([
            *self.tables.declarations, *head_table(self.graph.heads),
            f'define {CONVENTION} void @"region"({PARAMETERS_NOALIAS}) #0 align 64 {{',
            *self.lines, *body, "}",
            "attributes #0 = { nounwind strictfp }",
            '!0 = !{!"branch_weights", i32 1, i32 2000}', "",
        ])  # fmt: skip

    def _covered_loops(self) -> None:
        for loop in self.loops:
            for self.copy in loop.copies:
                for offset in sorted(loop.body):
                    self.instruction(offset, self.graph.instructions[offset])
            self.copy = ""
            self.guards.text(loop)

    def _entry(self) -> None:
        put = self.lines.append
        put("entry:")
        for name in ("b", "target", "exit_budget", "exit_slot", "exit_form"):
            put(f"  %{name} = alloca i64")
        for zone, offsets in self.flow.members.items():
            for register in sorted(self.flow.used_in(offsets)):
                put(f"  {self.local(zone, register)} = alloca {self.kind(register)}")
        self._kept_pages()
        for loop in self.loops:
            self.guards.allocas(loop)
        for span in {span.first: span for span in self.spans.values()}.values():
            self.checks.allocas(span)
        put("".join(self.allocas))
        put(f"  store i64 {self.value('sub i64 %budget, 1')}, ptr %b")
        bias = self.value(f"load i64, ptr {self.hart_place('pc_bias')}")
        address = self.value("ptrtoint ptr %slot to i64")
        pc = self.value(f"add i64 {bias}, {self.value(f'lshr i64 {address}, 3')}")
        inside = self.value(f"and i64 {pc}, 4094")
        put(f"  %page = sub i64 {pc}, {inside}")
        self.marks.enter(self.slot_at(str(self.tables.offsets["marks"])))
        self._forget_pages()
        go_to_head(self, inside, {head: self.entry(head) for head in self.graph.heads})

    def _kept_pages(self) -> None:
        """Locals of loops for kept pages, and their places in the hart's record."""
        every: set[int] = set()
        for zone in self.flow.members:
            every |= self.flow.bases(zone)
            for base in sorted(self.kept(zone)):
                for name in KEPT:
                    self.put(f"  %z{zone.number}_{base}_kept_{name} = alloca i64")
        for base in sorted(every):
            for n, name in enumerate(KEPT):
                first = 0 if name in TAGS else self.tables.offsets["kept_tags"]
                offset = self.tables.offsets["kept_pages"] + 8 * (first + 2 * base + n % 2)
                place = f"getelementptr inbounds i8, ptr %hart, i64 {offset}"
                self.put(f"  %m{base}_kept_{name} = {place}")

    def _forget_pages(self) -> None:
        """Forget the kept pages in the hart's record if they may be wrong."""
        stale = self.hart_place("kept_stale")
        wrong = self.value(f"icmp ne i64 {self.value(f'load i64, ptr {stale}')}, 0")
        self.put(f"  br i1 {wrong}, label %forget, label %enter, {RARE}\nforget:")
        for word in range(0, self.tables.offsets["kept_tags"], 2):
            place = self.hart_place("kept_pages", word)
            self.put(f"  store volatile <2 x i64> splat (i64 -1), ptr {place}, align 8")
        self.put(f"  store i64 0, ptr {stale}\n  br label %enter\nenter:")
