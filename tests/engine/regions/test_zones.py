"""The zones of regions, for random flows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvplat.engine.regions.zones import inner_loops, short_loops, zones_of

NODES = 24
flows = st.lists(
    st.lists(st.integers(0, NODES - 1), max_size=3, unique=True), min_size=NODES, max_size=NODES
)


def reached(start: int, within: set[int], flow: dict[int, list[int]]) -> set[int]:
    """What can be reached from a node by at least one step, in a set."""
    found: set[int] = set()
    waiting = [start]
    while waiting:
        for after in flow[waiting.pop()]:
            if after in within and after not in found:
                found.add(after)
                waiting.append(after)
    return found


@given(flows, st.sets(st.integers(0, NODES - 1)), st.integers(1, NODES))
def test_each_instruction_is_in_a_loop_or_a_tree(
    every: list[list[int]], heads: set[int], most: int
) -> None:
    flow = dict(enumerate(every))
    zones = zones_of(flow, heads, lambda loop: len(loop) <= most)
    assert set(zones) == set(flow)
    ways = Counter(after for afters in every for after in afters)
    for zone in set(zones.values()):
        members = {one for one, of in zones.items() if of == zone}
        if zone.is_loop:
            assert all(members <= reached(one, members, flow) for one in members)
            continue
        assert zone.root in members
        for one in members - {zone.root}:
            assert ways[one] == 1
            assert one not in heads
            assert one in reached(zone.root, members, flow)


def test_a_loop_that_does_not_fit_is_split_at_its_header() -> None:
    outer_with_inner = {0: [1], 1: [2], 2: [2, 3], 3: [1, 4], 4: []}
    zones = zones_of(outer_with_inner, {0}, lambda loop: len(loop) < 2)
    assert zones[2].is_loop
    assert not zones[1].is_loop
    assert not zones[3].is_loop
    whole = zones_of(outer_with_inner, {0}, lambda loop: True)
    assert whole[1] == whole[2] == whole[3]


@pytest.mark.parametrize("loops", [inner_loops, short_loops])
@given(every=flows)
def test_a_short_loop_has_no_cycle_without_its_header(
    loops: Callable[..., Iterator[tuple[int, set[int]]]], every: list[list[int]]
) -> None:
    flow = dict(enumerate(every))
    found = list(loops(set(flow), flow))
    assert sum(len(body) for _, body in found) == len(set().union(*(body for _, body in found)))
    for header, body in found:
        assert all(body <= reached(one, body, flow) for one in body)
        rest = body - {header}
        assert all(one not in reached(one, rest, flow) for one in rest)


def test_a_loop_may_share_its_header_with_an_outer_one() -> None:
    """As in `while (more) { while (a()) b(); while (c()) d(); }`, entered at the first test."""
    flow = {0: [2], 1: [2], 2: [2, 3], 3: [3, 4], 4: [1, 5], 5: []}
    assert list(inner_loops(set(flow), flow)) == [(2, {2}), (3, {3})]


def test_ways_around_an_inner_loop() -> None:
    """As in a sieve: most numbers have no inner loop."""
    flow = {0: [1], 1: [2, 4], 2: [2, 3], 3: [4], 4: [1, 5], 5: []}
    assert list(inner_loops(set(flow), flow)) == [(2, {2})]
    assert list(short_loops(set(flow), flow)) == [(2, {2}), (1, {1, 4})]


def test_a_loop_that_shares_the_header_of_one_that_does_not_fit_is_a_zone() -> None:
    """Otherwise its registers would be in the hart's record, unlike those of other loops."""
    flow = {0: [2], 1: [2], 2: [2, 3], 3: [3, 4], 4: [1, 5], 5: []}
    zones = zones_of(flow, {0}, lambda loop: len(loop) < 2)
    assert zones[2].is_loop
    assert zones[3].is_loop
    assert not zones[4].is_loop
    interpreter = zones_of(flow, {0}, lambda loop: len(loop) < 2, lambda one: one == 2)
    assert not interpreter[2].is_loop
