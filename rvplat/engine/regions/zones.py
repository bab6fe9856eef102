"""Zones: the parts of a region that keep guest registers in host registers.

Between zones, the guest's registers are in the hart's record. So a value lives no longer than its
zone: LLVM has few values to move where ways meet, and a way out writes back few registers. A zone
is

- a loop: it reads its registers at its entries. It is an innermost loop, or a larger one if its
  registers and kept pages fit into the host's registers;
- or a tree: instructions that are reached from its root in one way each. It reads a register at
  the first use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

Successors = Mapping[int, Collection[int]]


@dataclass(frozen=True)
class Zone:
    """A zone, with a number that is unique in the region. `root`: of a tree."""

    number: int
    root: int | None = None

    @property
    def is_loop(self) -> bool:
        return self.root is None


def zones_of(
    successors: Successors,
    heads: Collection[int],
    fits: Callable[[set[int]], bool],
    jumps: Callable[[int], bool] = lambda one: False,
) -> dict[int, Zone]:
    """The zone of each instruction. `fits`: whether a loop's values fit in host registers. `jumps`:
    whether an instruction is an indirect jump."""
    found: dict[int, Zone] = {}
    count = 0
    for loop in _loops(set(successors), successors, fits, jumps):
        count += 1
        found.update(dict.fromkeys(loop, Zone(count)))
    ways = Counter(after for every in successors.values() for after in every)
    before = {after: one for one, every in successors.items() for after in every}
    for one in sorted(successors):
        path = []
        while one not in found:  # back to the root of the tree
            path.append(one)
            if one in heads or ways[one] != 1 or _is_loop(found.get(before[one])):
                count += 1
                found[one] = Zone(count, one)
                break
            one = before[one]
        found.update(dict.fromkeys(path, found[one]))
    return found


def _is_loop(zone: Zone | None) -> bool:
    return zone is not None and zone.is_loop


def _loops(
    nodes: set[int],
    successors: Successors,
    fits: Callable[[set[int]], bool],
    jumps: Callable[[int], bool],
) -> Iterator[set[int]]:
    """The loops that are zones, among some instructions."""
    for part in _strong_parts(nodes, successors):
        (first, *more) = part
        if not more and first not in successors[first]:
            continue
        if fits(part):
            yield part
            continue
        header = _header(part, successors)
        within = {one: [a for a in successors[one] if a != header] for one in part}
        inner = list(_loops(part, within, fits, jumps))
        # An interpreter would leave this zone at each of its jumps. So it is not one.
        body = _body_beside(part, header, successors, inner) if inner else set()
        if body and fits(body) and not any(map(jumps, body)):
            yield body
        yield from inner or [part]


def inner_loops(nodes: set[int], successors: Successors) -> Iterator[tuple[int, set[int]]]:
    """The innermost loops among some instructions, each with its header."""
    for part in _strong_parts(nodes, successors):
        (first, *more) = part
        if not more and first not in successors[first]:
            continue
        header = _header(part, successors)
        within = {one: [a for a in successors[one] if a != header] for one in part}
        inner = list(inner_loops(part, within))
        bodies = [body for _, body in inner]
        if inner and (body := _body_beside(part, header, successors, bodies)):
            yield header, body
        yield from inner or [(header, part)]


def short_loops(nodes: set[int], successors: Successors) -> Iterator[tuple[int, set[int]]]:
    """The innermost loops among some instructions, and of each outer one the ways that avoid its
    inner loops, each with its header. No instruction is in two of them. Without the way to its
    header, none has a cycle."""
    for part in _strong_parts(nodes, successors):
        (first, *more) = part
        if not more and first not in successors[first]:
            continue
        header = _header(part, successors)
        within = {one: [a for a in successors[one] if a != header] for one in part}
        inner = list(short_loops(part, within))
        yield from inner
        free = part.difference(*(body for _, body in inner))
        among = {one: free.intersection(successors[one]) for one in free}
        for body in _strong_parts(free, among):
            if header in body and (len(body) > 1 or header in among[header]):
                yield header, body


def _body_beside(
    part: set[int], header: int, successors: Successors, inner: list[set[int]]
) -> set[int]:
    """The instructions of a loop that has the same header as an outer one: what leads back to the
    header and is in no other inner loop."""
    before: dict[int, list[int]] = {}
    for one in part:
        for after in successors[one]:
            before.setdefault(after, []).append(one)
    found: set[int] = set()
    for last in before[header]:
        body, work = {header}, [last]
        while work:
            one = work.pop()
            if one not in body:
                body.add(one)
                work += before.get(one, ())
        if not any(body & other for other in inner):
            found |= body
    return found


def _header(part: set[int], successors: Successors) -> int:
    """The first instruction at which a loop is entered from elsewhere."""
    entered = {
        after
        for one, every in successors.items()
        if one not in part
        for after in every
        if after in part
    }
    return min(entered or part)


def _strong_parts(nodes: set[int], successors: Successors) -> Iterator[set[int]]:
    """The strongly connected components (Tarjan's algorithm)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    held: set[int] = set()
    for start in sorted(nodes):
        if start in index:
            continue
        work = [(start, iter(sorted(nodes.intersection(successors[start]))))]
        index[start] = low[start] = len(index)
        stack.append(start)
        held.add(start)
        while work:
            one, rest = work[-1]
            for after in rest:
                if after not in index:
                    index[after] = low[after] = len(index)
                    stack.append(after)
                    held.add(after)
                    work.append((after, iter(sorted(nodes.intersection(successors[after])))))
                    break
                if after in held:
                    low[one] = min(low[one], index[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[one])
                if low[one] == index[one]:
                    part = set()
                    while one not in part:
                        part.add(stack.pop())
                    held -= part
                    yield part
