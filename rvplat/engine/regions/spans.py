"""Spans: one check of a page serves several accesses of straight code.

Accesses to fields of a structure, or to a function's frame, are at constant distances from a value.
Where they follow each other in one way only, the first one checks that all of them lie in one page,
and that the TLB has that page. The others are not checked, so the region isn't left there: LLVM
need not keep what each of these ways out would write back. If the accesses lie in two pages, the
region is left at the first one. It counts that: if it happens often, as with a frame that a hot
function always has there, the next region checks these accesses one by one (hot_code.py).

The check of a span that begins at the offset F has the blocks

    YF  the accesses lie in two pages
    HF  they lie in one page
    MF  it is not the page that is kept: look it up in the TLB
    VF  the TLB has it
    AF  go on with the page
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from rvplat.engine.regions.covered import Value, sum_before
from rvplat.engine.regions.flow import Flow
from rvplat.engine.regions.graph import PAGE
from rvplat.engine.regions.guards import RARE, address_of, entry_field, tlb_entry
from rvplat.engine.regions.lines import Lines
from rvplat.engine.regions.tables import Tables

SPAN = PAGE // 8  # bytes that one check covers
WORTH = 2  # a check of a span takes longer than that of an access
RESULTS = PAGE  # what an instruction made is named by its offset and this


_Spans = dict[tuple[int, bool], "Span | None"]
"""The last span of loads or of stores from a value; None: they have none."""


@dataclass
class Span:
    """Accesses at `low` to `high` - 1 from a value. Before the `first` of them, the integer
    register `register` holds the value and `moved`. `base`: the base register whose page it keeps.
    `align`: the largest of the accesses. `forks`: how many there were before it on its way.
    `worth`: how many accesses the check is likely to serve, if each fork is taken half the time."""

    first: int
    register: int
    base: int
    stores: bool
    moved: int
    low: int
    high: int
    align: int
    forks: int
    worth: float = 0.0

    def joined(self, low: int, size: int) -> tuple[int, int, int]:
        """What `low`, `high` and `align` are with a further access."""
        align = max(self.align, size)
        return min(self.low, low) // align * align, max(self.high, low + size), align

    def add(self, low: int, size: int, forks: int) -> None:
        self.low, self.high, self.align = self.joined(low, size)
        self.worth += 0.5 ** (forks - self.forks)


def spans_of(flow: Flow, checked: Collection[int], split: Collection[int] = ()) -> dict[int, Span]:
    """The span of each access that has one. `checked`: instructions that are left out. `split`:
    accesses that begin no span, and those that would share their check."""
    found = _Straight(flow, checked, split).found
    return {offset: span for offset, span in found.items() if span.worth >= WORTH}


class _Straight:
    """Follows values from each instruction that is reached in several ways."""

    def __init__(self, flow: Flow, checked: Collection[int], split: Collection[int]) -> None:
        self._flow, self._checked, self._split = flow, checked, split
        self.found: dict[int, Span] = {}
        inside = Counter(
            after for offset in flow.graph.instructions for after in self._all_after(offset)
        )
        every = Counter(after for some in flow.after_each.values() for after in some)
        self._straight = {
            offset for offset in inside if every[offset] == 1 and offset not in flow.graph.heads
        }
        for offset in sorted(flow.graph.instructions):
            if offset not in self._straight:
                self._follow(offset)

    def _all_after(self, offset: int) -> Iterator[int]:
        for after in self._flow.after_each[offset]:
            if not self._flow.leaves_zone(offset, after):
                yield after

    def _follow(self, root: int) -> None:
        work: list[tuple[int, int, dict[int, Value | None], _Spans]] = [(root, 0, {}, {})]
        while work:
            offset, forks, values, spans = work.pop()
            if offset not in self._checked:
                self._access(offset, forks, values, spans)
            terms = self._flow.template(self._flow.graph.instructions[offset]).sum
            made = sum_before(self._flow, offset, values, terms) if terms else None
            for file, number in self._flow.written(offset):
                if file == "x":
                    values[number] = made or Value(RESULTS + offset)
            after = [one for one in self._all_after(offset) if one in self._straight]
            forks += len(self._flow.after_each[offset]) > 1
            work += [(one, forks, dict(values), dict(spans)) for one in after]

    def _access(
        self, offset: int, forks: int, values: Mapping[int, Value | None], spans: _Spans
    ) -> None:
        """Add an access to the last span from the same value, or begin another one."""
        flow, one = self._flow, self._flow.graph.instructions[offset]
        access, base = flow.tables.accesses.get(one.form), flow.base(offset)
        if access is None or base is None:
            return
        value = sum_before(flow, offset, values, access.address)
        if value is None or value.stride or value.moved % access.size:
            return
        key = value.base, access.stores
        if offset in self._split:
            spans[key] = None
        span = spans.get(key)
        if span is None and key in spans:
            return
        if span is not None:
            low, high, _ = span.joined(value.moved, access.size)
        if span is None or high - low > SPAN:
            (name,) = (name for file, name in access.address if file == "x")
            register = int(name) if name.isdigit() else one.operands[name]
            moved = (values.get(register) or Value(register)).moved
            start = value.moved
            span = Span(offset, register, base, access.stores, moved, start, start, 1, forks)
        spans[key] = self.found[offset] = span
        span.add(value.moved, access.size, forks)


class SpanChecks:
    """Adds the checks of spans to a text. `tables` has the offsets and XLEN; `slot_at` gives the
    slot at a distance from the page's first one."""

    def __init__(self, out: Lines, tables: Tables, slot_at: Callable[[str], str]) -> None:
        self._out, self._offsets, self._slot_at = out, tables.offsets, slot_at
        self._kind = f"i{tables.xlen}"  # of a register

    def allocas(self, span: Span) -> None:
        self._out.put(f"  %{span_prefix(span)}addend = alloca i64")

    def text(self, span: Span, register: str, kept: str, away: str) -> None:
        """Check the page of a span before its first access. `register` is the local of its
        register, `kept` begins the names of its kept page, `away` is where to go if it fails."""
        value, put, at = self._out.value, self._out.put, span.first
        kind = "write" if span.stores else "read"
        size = span.high - span.low
        here = value(f"load {self._kind}, ptr {register}")
        first = value(f"add {self._kind} {here}, {span.low - span.moved}")
        start = address_of(self._out, self._kind, first)
        page = value(f"and i64 {start}, {-PAGE | span.align - 1}")
        if size > span.align:
            over = value(f"icmp ugt i64 {value(f'and i64 {start}, {PAGE - 1}')}, {PAGE - size}")
            put(f"  br i1 {over}, label %Y{at}, label %H{at}, {RARE}\nY{at}:")
            self._count_split(at)
            put(f"  br label %{away}\nH{at}:")
        tag = value(f"load i64, ptr %{kept}kept_{kind}_tag")
        other = value(f"icmp ne i64 {tag}, {page}")
        put(f"  br i1 {other}, label %M{at}, label %A{at}, {RARE}\nM{at}:")
        entry = tlb_entry(self._out, self._offsets, start)
        tag = entry_field(self._out, self._offsets, entry, kind + "_tag")
        missing = value(f"icmp ne i64 {tag}, {page}")
        put(f"  br i1 {missing}, label %{away}, label %V{at}, {RARE}\nV{at}:")
        put(f"  store i64 {tag}, ptr %{kept}kept_{kind}_tag")
        addend = entry_field(self._out, self._offsets, entry, "addend")
        put(f"  store i64 {addend}, ptr %{kept}kept_{kind}_addend")
        put(f"  br label %A{at}\nA{at}:")
        addend = value(f"load i64, ptr %{kept}kept_{kind}_addend")
        put(f"  store i64 {addend}, ptr %{span_prefix(span)}addend")

    def _count_split(self, at: int) -> None:
        """Note that the accesses lie in two pages."""
        value, offsets = self._out.value, self._offsets
        count = value(f"getelementptr inbounds i8, ptr %hart, i64 {offsets['split_count']}")
        more = value(f"add i64 {value(f'load i64, ptr {count}')}, 1")
        self._out.put(f"  store i64 {more}, ptr {count}")
        slot = self._slot_at(str(at * 8))
        place = value(f"getelementptr inbounds i8, ptr %hart, i64 {offsets['split_slot']}")
        self._out.put(f"  store ptr {slot}, ptr {place}")


def span_prefix(span: Span) -> str:
    """What the name of the local of a span begins with."""
    return f"s{span.first}_"
