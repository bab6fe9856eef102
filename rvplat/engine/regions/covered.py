"""Covered loops: one check of a page serves several accesses, and the next iterations.

An innermost loop has two copies, and so have the ways around the inner loops of another. In the
fast one, accesses are not checked: before each iteration, a guard has found that all addresses at
small distances from a register lie in one page, and that the TLB has that page. Where the guard
fails, the slow copy does the iteration with all its checks, and leaves the region as other code
does.

A short loop has a third copy with several iterations. Its guard finds that the last of them is in
the page too, and that the budget lasts for all.

Within the loop, an address is the value that a register, or the sum of two, had at the loop's
header, and a number. If the loop adds a constant to that value in each iteration, or another
register that it doesn't change, the guard of the next iteration is one comparison with the last
address that is in the page. If the loop doesn't change the value, there is no further guard.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rvplat.engine.regions.flow import Flow
from rvplat.engine.regions.graph import PAGE, SINK
from rvplat.engine.regions.tables import Term
from rvplat.engine.regions.zones import Zone, short_loops

MOST = 48  # instructions of a loop that gets two copies
SPAN = PAGE // 2  # bytes that one guard covers, and how far they may lie from the register
FAST = PAGE  # what a register may be moved by in an iteration
FAST_COPY = "f"
SEVERAL = (4, 2)  # how many iterations the third copy may have


class Value(NamedTuple):
    """What a register holds within an iteration: the value that `base` had at the header, `moved`,
    and the value of the register `stride`, if there is one."""

    base: int
    moved: int = 0
    stride: int = 0


Base = tuple[int, int]
"""The registers whose sum is an address at the header; the second one may be 0."""


@dataclass(frozen=True)
class Group:
    """Accesses at `low` to `high` - 1 from the sum of `base` at the header. `align`: the largest
    of them. `step` is added to the sum in each iteration, and the register `stride`, if it isn't 0;
    None: the loop does something else with the registers."""

    base: Base
    low: int
    high: int
    align: int
    loads: bool
    stores: bool
    step: int | None
    stride: int

    @property
    def room(self) -> int:
        """How far the first byte may lie from the page's start."""
        return PAGE - (self.high - self.low)


@dataclass(frozen=True)
class Loop:
    """A covered loop of a zone: its header, all its instructions, and the base of the group of each
    covered access."""

    zone: Zone
    header: int
    body: frozenset[int]
    groups: tuple[Group, ...]
    covered: Mapping[int, Base]

    @property
    def several(self) -> int:
        """How many iterations the third copy has; 1: there is none."""
        if any(group.step is None for group in self.groups):
            return 1
        return next((n for n in SEVERAL if n * len(self.body) <= MOST), 1)

    @property
    def copies(self) -> tuple[str, ...]:
        """What labels have before the offset in the iterations without checks: FAST_COPY, and those
        of the third copy."""
        several = self.several
        return FAST_COPY, *(f"{FAST_COPY}{n}_" for n in range(several if several > 1 else 0))


def covered_loops(flow: Flow) -> Iterator[Loop]:
    """The loops of a region that are worth two copies. A loop through an indirect jump is not: the
    next case of an interpreter's switch is seldom the same."""
    for zone, members in flow.members.items():
        if not zone.is_loop:
            continue
        for header, body in short_loops(set(members), flow.after_each):
            if len(body) <= MOST and not any(map(flow.jumps, body)):
                groups, covered = _Iteration(flow, header, body).groups()
                if groups:
                    yield Loop(zone, header, frozenset(body), groups, covered)


class _Iteration:
    """Follows the values of registers through an iteration of a loop."""

    def __init__(self, flow: Flow, header: int, body: Collection[int]) -> None:
        self._flow, self._header, self._body = flow, header, body
        self._before: dict[int, dict[int, Value | None]] = {header: {}}
        self._after: list[dict[int, Value | None]] = []  # at the ends of iterations
        for offset in self._order():
            self._follow(offset)

    def _order(self) -> list[int]:
        """The instructions, each after those that come before it in an iteration."""
        found: list[int] = []
        seen = set()
        work = [(self._header, False)]
        while work:
            offset, done = work.pop()
            if done:
                found.append(offset)
            elif offset not in seen:
                seen.add(offset)
                work.append((offset, True))
                work += [(one, False) for one in self._next(offset)]
        return found[::-1]

    def _next(self, offset: int) -> list[int]:
        """What follows an instruction in the iteration."""
        every = self._flow.after_each[offset]
        return [one for one in every if one in self._body and one != self._header]

    def _follow(self, offset: int) -> None:
        one = self._flow.graph.instructions[offset]
        state = dict(self._before[offset])
        terms = self._flow.template(one).sum
        made = sum_before(self._flow, offset, state, terms) if terms else None
        for file, number in self._flow.written(offset):
            if file == "x":
                state[number] = made
        for after in self._next(offset):
            self._before[after] = _join(self._before.get(after, state), state)
        if self._header in self._flow.after_each[offset]:
            self._after.append(state)

    def groups(self) -> tuple[tuple[Group, ...], dict[int, Base]]:
        """The groups, and the base of each covered access."""
        found: dict[Base, dict[int, tuple[int, int, bool]]] = {}
        for offset in self._before:
            access = self._flow.tables.accesses.get(self._flow.graph.instructions[offset].form)
            before = self._before[offset]
            value = sum_before(self._flow, offset, before, access.address) if access else None
            if access and value and value.moved % access.size == 0:
                row = value.moved, access.size, access.stores
                low, high = sorted((value.base, value.stride))
                found.setdefault((high, low), {})[offset] = row
        groups = [group for base in sorted(found) if (group := self._group(base, found[base]))]
        bases = {group.base for group in groups}
        covered = {at: base for base, rows in found.items() if base in bases for at in rows}
        groups.sort(key=lambda group: group.step is None)
        return tuple(groups), covered

    def _group(self, base: Base, rows: Mapping[int, tuple[int, int, bool]]) -> Group | None:
        low = min(moved for moved, _, _ in rows.values())
        high = max(moved + size for moved, size, _ in rows.values())
        align = max(size for _, size, _ in rows.values())
        stores = {store for _, _, store in rows.values()}
        step, stride = self._moves(base)
        if step is not None and (step % align or abs(step) > FAST):
            step, stride = None, 0
        few = step is None and (len(rows) < 2 or base[1])
        if high - low > SPAN or abs(low) > SPAN or few:
            return None
        return Group(base, low, high, align, False in stores, True in stores, step, stride)

    def _moves(self, base: Base) -> tuple[int | None, int]:
        """The number and the register that an iteration adds to a sum of registers."""
        step, strides = 0, []
        for register in filter(None, base):
            moves = self._after_all(register)
            if moves is None or moves.base != register:
                return None, 0
            step += moves.moved
            strides += [moves.stride] if moves.stride else []
        if not strides:
            return step, 0
        (stride, *more) = strides
        if step or more or self._after_all(stride) != Value(stride):
            return None, 0
        return 0, stride

    def _after_all(self, register: int) -> Value | None:
        """What a register holds after each iteration; None: not always the same."""
        return _join_all([after.get(register, Value(register)) for after in self._after])


def sum_before(
    flow: Flow, offset: int, state: Mapping[int, Value | None], terms: Sequence[Term]
) -> Value | None:
    """The value of a sum before an instruction, if it is known. `state` has the values that
    registers have then, where they changed."""
    operands = flow.graph.instructions[offset].operands
    half = 1 << flow.tables.xlen - 1
    moved, registers = 0, []
    for file, name in terms:
        number = int(name) if name.lstrip("-").isdigit() else operands[name]
        if file != "x":
            moved += (number + half) % (2 * half) - half
        elif number not in (0, SINK):
            registers.append(number)
    values = [state.get(number, Value(number)) for number in registers]
    if len(registers) == 2 and operands.get("rd") == registers[1]:
        values.reverse()
    if not values or None in values or len(values) > 2:
        return None
    first, *more = [value for value in values if value is not None]
    if more and first == Value(first.base) and more[0] != Value(more[0].base):
        first, more = more[0], [first]
    stride = first.stride
    if more:
        if stride or more[0] != Value(more[0].base):
            return None
        stride = more[0].base
    return Value(first.base, first.moved + moved, stride)


def _join(
    left: Mapping[int, Value | None], right: Mapping[int, Value | None]
) -> dict[int, Value | None]:
    """What is known where two ways meet."""
    found: dict[int, Value | None] = {}
    for register in left.keys() | right.keys():
        own = Value(register)
        value = left.get(register, own)
        found[register] = value if value == right.get(register, own) else None
    return found


def _join_all(values: Sequence[Value | None]) -> Value | None:
    return values[0] if values and all(value == values[0] for value in values) else None
