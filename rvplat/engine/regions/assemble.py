"""The LLVM text of a region, put together from templates.

The region has the signature of a handler. It is entered through the slot of a head. Its blocks:

    I{offset}  an instruction; the text of its template
    T{offset}  its branch is taken: count the budget, and go on at the target
    J{offset}  its indirect jump: go on at a known target, or leave the region
    X{offset}  leave the region before the instruction
    N{offset}  go on after it, where another block begins or the region ends

The budget is counted at the ends of blocks. A way out writes back the registers that may have
changed on the ways to it, and subtracts the instructions that ran since the block began.
"""

from __future__ import annotations

from collections import Counter, deque

from rvplat.engine.regions.graph import PAGE, SINK, Decoded, Graph
from rvplat.engine.regions.tables import Tables, Template, fill

Register = tuple[str, int]
RARE = "!prof !0"


class Assembler:
    """Makes the text of one region."""

    def __init__(self, tables: Tables, graph: Graph) -> None:
        self.tables = tables
        self.graph = graph
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self.registers: set[Register] = set()
        self.kept: set[int] = set()
        self.count = 0
        self.exits: dict[frozenset[Register], int] = {}
        self.leaders = self._leaders()
        self.retired = self._retired()
        self.dirty = self._dirty()

    # --- the flow ---

    def template(self, one: Decoded) -> Template:
        return self.tables.templates[one.form]

    def target(self, offset: int) -> int:
        """The target of a branch, as an offset from the page."""
        one = self.graph.instructions[offset]
        return offset + one.operands[self.template(one).branch]

    def after(self, offset: int) -> int:
        return offset + self.graph.instructions[offset].length

    def successors(self, offset: int) -> list[int]:
        """The instructions of the region that may follow."""
        template = self.template(self.graph.instructions[offset])
        found = []
        if "next" in template.ways:
            found.append(self.after(offset))
        if "taken" in template.ways:
            found.append(self.target(offset))
        if "jump" in template.ways:
            found += self.graph.jumps(offset)
        return [one for one in found if one in self.graph.instructions]

    def _leaders(self) -> set[int]:
        """Where blocks begin: heads, targets, and what follows in several ways."""
        found = self.graph.heads | self.graph.targets | self.graph.returns
        for offset, one in self.graph.instructions.items():
            if self.template(one).branch:
                found.add(self.target(offset))
        falls = Counter(
            self.after(offset)
            for offset, one in self.graph.instructions.items()
            if "next" in self.template(one).ways
        )
        found |= {offset for offset in self.graph.instructions if falls[offset] != 1}
        return found & self.graph.instructions.keys()

    def _retired(self) -> dict[int, int]:
        """How many instructions of its block ran before each instruction."""
        found = {}
        for leader in self.leaders:
            offset, count = leader, 0
            while offset in self.graph.instructions and (count == 0 or offset not in self.leaders):
                found[offset] = count
                if "next" not in self.template(self.graph.instructions[offset]).ways:
                    break
                offset, count = self.after(offset), count + 1
        return found

    def written(self, offset: int) -> frozenset[Register]:
        """The registers that an instruction changes."""
        one = self.graph.instructions[offset]
        found = {(file, number_of(one, name)) for file, name in self.template(one).writes}
        return frozenset(found - {("x", SINK)})

    def dirty_after(self, offset: int) -> frozenset[Register]:
        """The registers that may differ from the hart's record after an instruction."""
        return self.dirty[offset] | self.written(offset)

    def _dirty(self) -> dict[int, frozenset[Register]]:
        """The registers that may differ from the hart's record before each instruction."""
        found: dict[int, frozenset[Register]] = {}
        waiting = deque(self.graph.instructions)
        while waiting:
            offset = waiting.popleft()
            after = found.setdefault(offset, frozenset()) | self.written(offset)
            for successor in self.successors(offset):
                known = found.setdefault(successor, frozenset())
                if not after <= known:
                    found[successor] = known | after
                    waiting.append(successor)
        return found

    # --- text ---

    def value(self, text: str) -> str:
        self.count += 1
        self.lines.append(f"  %v{self.count} = {text}")
        return f"%v{self.count}"

    def hart_place(self, field: str, index: int = 0) -> str:
        """The address of a field of the hart's record, or of an element of 8 bytes."""
        offset = self.tables.offsets[field] + 8 * index
        return self.value(f"getelementptr inbounds i8, ptr %hart, i64 {offset}")

    def glue(self, what: str, **holes: str) -> None:
        self.count += 1
        self.lines.append(fill(self.tables.glue[what], {"u": f"g{self.count}_", **holes}))

    def write_back(self, registers: frozenset[Register]) -> None:
        for file, number in sorted(registers):
            value = self.value(f"load i64, ptr %{file}{number}")
            self.lines.append(f"  store i64 {value}, ptr {self.hart_place(file, number)}")

    def slot(self, offset: int) -> str:
        return self.value(f"getelementptr inbounds i8, ptr %slots, i64 {offset * 8}")

    def budget(self, less: int) -> str:
        now = self.value("load i64, ptr %b")
        return self.value(f"sub i64 {now}, {less}") if less else now

    def leave(self, offset: int, dirty: frozenset[Register], budget: str) -> None:
        """Go on in tier 0 at an instruction of the page."""
        self.write_back(dirty)
        if offset >= PAGE or offset < 0:
            pc = self.value(f"add i64 %page, {offset}")
            self.glue("far", target=pc, budget=budget)
        else:
            self.glue("leave", slot=self.slot(offset), budget=budget)

    def instruction(self, offset: int, one: Decoded) -> None:
        template, u = self.template(one), f"i{offset}_"
        holes = {name: str(value) for name, value in one.operands.items()}
        holes |= {"u": u, "next": f"N{offset}", "taken": f"T{offset}", "jump": f"J{offset}",
                  "give_up": f"X{offset}", "base": str(one.operands.get("rs1", SINK))}  # fmt: skip
        self.lines.append(f"I{offset}:\n  %{u}pc = add i64 %page, {offset}")
        self.lines.append(fill(template.text, holes))
        self.allocas.append(fill(template.allocas, holes))
        for file, name in (*template.reads, *template.writes):
            self.registers.add((file, number_of(one, name)))
        if template.keeps:
            self.kept.add(one.operands.get("rs1", SINK))
        for way in template.ways:
            getattr(self, "way_" + way)(offset, one)

    def way_give_up(self, offset: int, one: Decoded) -> None:
        """All ways out with the same registers to write back share a block."""
        number = self.exits.setdefault(self.dirty[offset], len(self.exits))
        self.lines.append(f"X{offset}:")
        budget = self.budget(self.retired[offset])
        self.lines.append(
            f"  store i64 {budget}, ptr %exit_budget\n  store i64 {offset * 8}, ptr %exit_slot\n"
            f"  store i64 {self.tables.forms[one.form]}, ptr %exit_form\n  br label %W{number}"
        )

    def _exits(self) -> None:
        for dirty, number in self.exits.items():
            self.lines.append(f"W{number}:")
            self.write_back(dirty)
            budget = self.value("load i64, ptr %exit_budget")
            form = self.value("load i64, ptr %exit_form")
            inside = self.value("load i64, ptr %exit_slot")
            slot = self.value(f"getelementptr inbounds i8, ptr %slots, i64 {inside}")
            self.glue("exit", slot=slot, budget=budget, form=form)

    def way_next(self, offset: int, one: Decoded) -> None:
        after = offset + one.length
        self.lines.append(f"N{offset}:")
        if after in self.graph.instructions and after not in self.leaders:
            self.lines.append(f"  br label %I{after}")
            return
        budget = self.budget(self.retired[offset] + 1)
        if after in self.graph.instructions:
            self.lines.append(f"  store i64 {budget}, ptr %b\n  br label %I{after}")
        elif after >= PAGE:  # the slot after the page's last goes on with the next page
            self.write_back(self.dirty_after(offset))
            self.glue("leave", slot=self.slot(PAGE), budget=budget)
        else:
            self.leave(after, self.dirty_after(offset), budget)

    def way_taken(self, offset: int, one: Decoded) -> None:
        target = self.target(offset)
        dirty = self.dirty_after(offset)
        self.lines.append(f"T{offset}:")
        budget = self.budget(self.retired[offset] + 1)
        if not 0 <= target < PAGE:
            self.leave(target, dirty, budget)
            return
        self.lines.append(f"  store i64 {budget}, ptr %b")
        over = self.value(f"icmp slt i64 {budget}, 1")
        self.lines.append(f"  br i1 {over}, label %P{offset}, label %G{offset}, {RARE}")
        self.lines.append(f"P{offset}:")
        self.write_back(dirty)
        self.glue("pause", slot=self.slot(target), budget=budget)
        self.lines.append(f"G{offset}:")
        if target in self.graph.instructions:
            self.lines.append(f"  br label %I{target}")
        else:
            self.leave(target, dirty, budget)

    def way_jump(self, offset: int, one: Decoded) -> None:
        dirty = self.dirty_after(offset)
        self.lines.append(f"J{offset}:")
        budget = self.budget(self.retired[offset] + 1)
        self.lines.append(f"  store i64 {budget}, ptr %b")
        target = self.value("load i64, ptr %target")
        targets = self.graph.jumps(offset)
        if targets:
            inside = self.value(f"sub i64 {target}, %page")
            over = self.value(f"icmp slt i64 {budget}, 1")
            self.lines.append(f"  br i1 {over}, label %F{offset}, label %S{offset}, {RARE}")
            self.lines.append(f"S{offset}:\n  switch i64 {inside}, label %F{offset} [")
            cases = [f"i64 {t}, label %I{t}" for t in sorted(targets)]
            self.lines.append("    " + "\n    ".join(cases) + "\n  ]")
        else:
            self.lines.append(f"  br label %F{offset}")
        self.lines.append(f"F{offset}:")
        self.write_back(dirty)
        self.glue("far", target=target, budget=budget)

    def text(self) -> str:
        """The module."""
        for offset, one in sorted(self.graph.instructions.items()):
            self.instruction(offset, one)
        self._exits()
        body = self.lines
        self.lines = []
        self._entry()
        return "\n".join([
            *self.tables.declarations,
            'define void @"region"(ptr noalias %hart, ptr %slot, i64 %budget, ptr %tlb) '
            "#0 align 64 {", *self.lines, *body, "}",
            "attributes #0 = { nounwind strictfp }",
            '!0 = !{!"branch_weights", i32 1, i32 2000}', "",
        ])  # fmt: skip

    def _entry(self) -> None:
        put = self.lines.append
        put("entry:")
        for name in ("b", "target", "exit_budget", "exit_slot", "exit_form"):
            put(f"  %{name} = alloca i64")
        registers = self.registers.union(*self.dirty.values()) | {("x", 0), ("x", SINK)}
        for file, number in sorted(registers):
            put(f"  %{file}{number} = alloca i64")
        for base in sorted(self.kept):
            for name in ("read_tag", "read_addend", "write_tag", "write_addend"):
                put(f"  %kept_{name}{base} = alloca i64")
                put(f"  store i64 -1, ptr %kept_{name}{base}")
        put("".join(self.allocas))
        put("  store i64 %budget, ptr %b\n  store i64 0, ptr %x0\n  store i64 0, ptr %x32")
        for file, number in sorted(registers - {("x", 0), ("x", SINK)}):
            value = self.value(f"load i64, ptr {self.hart_place(file, number)}")
            put(f"  store i64 {value}, ptr %{file}{number}")
        bias = self.value(f"load i64, ptr {self.hart_place('pc_bias')}")
        address = self.value("ptrtoint ptr %slot to i64")
        pc = self.value(f"add i64 {bias}, {self.value(f'lshr i64 {address}, 3')}")
        inside = self.value(f"and i64 {pc}, 4094")
        put(f"  %page = sub i64 {pc}, {inside}")
        back = self.value(f"sub i64 0, {self.value(f'shl i64 {inside}, 3')}")
        put(f"  %slots = getelementptr i8, ptr %slot, i64 {back}")
        put(f"  switch i64 {inside}, label %nowhere [")
        for head in sorted(self.graph.heads):
            put(f"    i64 {head}, label %I{head}")
        put("  ]\nnowhere:\n  unreachable")


def number_of(one: Decoded, name: str) -> int:
    """The number of a register: an operand's, or the name is the number."""
    return int(name) if name.isdigit() else one.operands[name]
