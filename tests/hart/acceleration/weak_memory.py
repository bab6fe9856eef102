"""Memory as several texts see it: weak, as `interleaving.py` says."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.hart.acceleration.replay import Place

Sight = tuple[int, ...]  # for each shared place, the number of the oldest store that can be seen


class Message(NamedTuple):
    """A store to a place: its value, what who acquires it knows of, and whether it is an atomic
    operation's, which follows the store before it at once."""

    value: int
    sight: Sight
    atomic: bool = False


class Known(NamedTuple):
    """What a text must know of; would know of after a fence; and knew of at its last fence."""

    now: Sight
    fenced: Sight
    before: Sight


class At(NamedTuple):
    """Where a text is: in which of its functions, what that was given, what the text has written to
    places of its own, and the answers that the function's steps have got."""

    part: int = 0
    given: Any = None
    own: frozenset[tuple[Place, int]] = frozenset()
    answers: tuple[Any, ...] = ()


class State(NamedTuple):
    at: tuple[At, ...]  # of each text
    stores: tuple[tuple[Message, ...], ...]  # to each shared place, in their order
    known: tuple[Known, ...]  # of each text
    fences: Sight  # what was known at any fence


def _join(a: Sight, b: Sight) -> Sight:
    return tuple(map(max, a, b))


def replaced(sight: tuple[Any, ...], n: int, value: Any) -> tuple[Any, ...]:
    return (*sight[:n], value, *sight[n + 1 :])


def fenced(state: State, text: int) -> State:
    now = _join(state.known[text].fenced, state.fences)
    return state._replace(known=replaced(state.known, text, Known(now, now, now)), fences=now)


def load_seen(state: State, text: int, place: int, n: int, acquires: bool) -> State:
    """A load sees store number `n`."""
    message, known = state.stores[place][n], state.known[text]
    now = replaced(known.now, place, n)
    fenced = _join(replaced(known.fenced, place, n), message.sight)
    now = _join(now, message.sight) if acquires else now
    return state._replace(known=replaced(state.known, text, Known(now, fenced, known.before)))


def store_put(state: State, text: int, place: int, n: int, value: int, kind: str) -> State:
    """A store becomes number `n` of its place."""
    if n < len(state.stores[place]):
        state = _moved(state, place, n, 1)
    mine = state.known[text]
    given = mine.now if kind != "plain" else mine.before
    row = state.stores[place]
    row = (*row[:n], Message(value, replaced(given, place, n), kind == "atomic"), *row[n:])
    mine = Known(replaced(mine.now, place, n), replaced(mine.fenced, place, n), mine.before)
    known = replaced(state.known, text, mine)
    return state._replace(stores=replaced(state.stores, place, row), known=known)


def _moved(state: State, place: int, n: int, by: int) -> State:
    """The stores to a place from number `n` on get other numbers."""

    def moved(sight: Sight) -> Sight:
        at = sight[place]
        new = max(0, at + by)
        return sight if at < n or at == new else replaced(sight, place, new)

    def renumbered(message: Message) -> Message:
        value, sight, is_atomic = message
        now = moved(sight)
        return message if now is sight else Message(value, now, is_atomic)

    stores = tuple(tuple(map(renumbered, row)) for row in state.stores)
    known = tuple(Known(*map(moved, one)) for one in state.known)
    return State(state.at, stores, known, moved(state.fences))


def latest(state: State) -> State:
    """Everybody knows the last store to each place."""
    last = tuple(len(row) - 1 for row in state.stores)
    known = (Known(last, last, last),) * len(state.known)
    return state._replace(known=known, fences=last)


def pruned(state: State) -> State:
    """Without the stores that nobody can see any more."""
    for place in range(len(state.stores)):
        oldest = min(one.now[place] for one in state.known)
        if oldest > 0:
            stores = replaced(state.stores, place, state.stores[place][oldest:])
            state = _moved(state._replace(stores=stores), place, 0, -oldest)
    return state
