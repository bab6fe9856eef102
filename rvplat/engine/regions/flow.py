"""What the compiler of regions asks about the flow of a region: blocks, zones, registers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

from rvplat.engine.regions.graph import SINK, Decoded, Graph
from rvplat.engine.regions.tables import Tables, Template
from rvplat.engine.regions.zones import Zone, inner_loops, zones_of

Register = tuple[str, int]
HOST_REGISTERS = 16  # about as many values of a loop fit
JUMPING = 18  # if it has indirect jumps: an interpreter would leave a smaller zone at each of them
OUTER = 26  # if it has one inner loop: LLVM spills around that what only the outer one uses
CROWDED = 11  # with so many it is better to keep only those that are used often


class Flow:
    """Facts about a region. Instructions are named by their page offsets.

    `leaders` begin blocks; `retired` is how many instructions of its block ran before each one;
    `dirty` and `known` are the registers that may differ from the hart's record, and that the zone
    has read from it, before each one; `members` are the instructions of each zone, in order.
    """

    def __init__(self, tables: Tables, graph: Graph) -> None:
        self.tables, self.graph = tables, graph
        self.after_each = {offset: self.successors(offset) for offset in graph.instructions}
        self.zones = zones_of(self.after_each, graph.heads, self._fits, self.jumps)
        self.members: dict[Zone, list[int]] = {}
        for offset in sorted(self.zones):
            self.members.setdefault(self.zones[offset], []).append(offset)
        self.leaders = self._leaders()
        self.retired = self._retired()
        self.dirty = self._within(self.written)
        self.known = self._known()

    def template(self, one: Decoded) -> Template:
        return self.tables.templates[one.form]

    def jumps(self, offset: int) -> bool:
        """Whether an instruction is an indirect jump."""
        return "jump" in self.template(self.graph.instructions[offset]).ways

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

    def used(self, offset: int) -> frozenset[Register]:
        """The registers that an instruction reads or changes."""
        template = self.template(self.graph.instructions[offset])
        return self._numbered(offset, (*template.reads, *template.writes))

    def written(self, offset: int) -> frozenset[Register]:
        """The registers that an instruction changes."""
        template = self.template(self.graph.instructions[offset])
        return self._numbered(offset, template.writes) - {("x", SINK)}

    def _numbered(self, offset: int, names: Iterable[Sequence[str]]) -> frozenset[Register]:
        """Registers with their numbers: those of the instruction's operands, or the name is the
        number."""
        operands = self.graph.instructions[offset].operands
        return frozenset(
            (file, int(name) if name.isdigit() else operands[name]) for file, name in names
        )

    def used_in(self, offsets: Iterable[int]) -> frozenset[Register]:
        """The registers that some instructions read or change."""
        return frozenset[Register]().union(*map(self.used, offsets))

    def base(self, offset: int) -> int | None:
        """The base register whose page an instruction keeps."""
        one = self.graph.instructions[offset]
        return one.operands.get("rs1", SINK) if self.template(one).keeps else None

    def _values(self, loop: Iterable[int]) -> int:
        """How many values a loop keeps, besides floating point ones or with them."""
        files = Counter(file for file, _ in self.used_in(loop) - {("x", 0), ("x", SINK)})
        bases = {self.base(offset) for offset in loop} - {None}
        return max(files["x"] + 2 * len(bases), files["f"])

    def _fits(self, loop: set[int]) -> bool:
        """Whether a loop is better kept whole: its values fit in the host's registers, or it has
        one of the shapes that lose more when they are split."""
        values = self._values(loop)
        if values <= HOST_REGISTERS or values > OUTER:
            return values <= HOST_REGISTERS
        inner = list(inner_loops(set(loop), self.after_each))
        if len(inner) == 1 and len(inner[0][1]) < len(loop):
            return True
        return any(map(self.jumps, loop)) and values <= JUMPING

    def _within(self, make: Callable[[int], frozenset[Register]]) -> dict[int, frozenset[Register]]:
        """The union of what `make` gives for the instructions before each, on all ways in its
        zone."""
        found: dict[int, frozenset[Register]] = {}
        waiting = deque(self.graph.instructions)
        while waiting:
            offset = waiting.popleft()
            after = found.setdefault(offset, frozenset()) | make(offset)
            for successor in self.after_each[offset]:
                if self.leaves_zone(offset, successor):
                    continue
                known = found.setdefault(successor, frozenset())
                if not after <= known:
                    found[successor] = known | after
                    waiting.append(successor)
        return found

    def dirty_after(self, offset: int) -> frozenset[Register]:
        """The registers that may differ from the hart's record after an instruction."""
        return self.dirty[offset] | self.written(offset)

    def _known(self) -> dict[int, frozenset[Register]]:
        """The registers that a zone has read from the hart's record before each instruction."""
        found = self._within(self.used)
        for zone, offsets in self.members.items():
            if zone.is_loop:
                held = self.used_in(offsets) - self._seldom(offsets)
                found.update(dict.fromkeys(offsets, held))
        return found

    def _seldom(self, loop: list[int]) -> frozenset[Register]:
        """The registers that a crowded loop reads from the hart's record each time: it never
        changes them, and its innermost loops don't use them."""
        if self._values(loop) <= CROWDED:
            return frozenset()
        inner = [at for _, body in inner_loops(set(loop), self.after_each) for at in body]
        written = frozenset[Register]().union(*map(self.written, loop))
        return self.used_in(loop) - self.used_in(inner) - written - {("x", 0), ("x", SINK)}

    def leaves_zone(self, offset: int, target: int) -> bool:
        """Whether a way leads to another zone, or to the root of its tree."""
        zone = self.zones[offset]
        return self.zones[target] != zone or target == zone.root

    def bases(self, zone: Zone) -> set[int]:
        """The base registers whose pages a zone keeps."""
        return {base for base in map(self.base, self.members[zone]) if base is not None}
