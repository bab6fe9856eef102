"""Runs definitions against each other in every order that a host's memory allows.

    everything({"writer": [store, say], "decoder": [decode, ask, run]}, check)

A text is one function or several in a row; each is given what the one before it returned. They run
under CPython, as the reference does. A step is an access to a place that is accessed
atomically, or that one text writes and another reads or writes; or it is a fence. The steps of the
texts are taken in every order. Memory is weak, as
AArch64's: a load may see any store to its place that is not older than what its text must know of,
and a store may land before those of others. What a text must know of:

- its own accesses, and what it saw of a place before;
- after a load that acquires, or after a fence: what the store that was seen came after, if that
  store released, or a fence stood before it;
- after a fence: what any text knew at an earlier fence.

An atomic operation that succeeds sees the last store to its place and is a fence on both sides,
which lang/intrinsics.py promises. One thing is not tried: a store never overtakes a load that
stands before it in its text.

This is the promise-free part of the "promising semantics" (Kang et al., POPL 2017), with the state
kept explicitly. Where a text stands is told by its frames: their instructions and local variables,
what it has written to places of its own, and the last answers that its steps got, which may stand
in an expression that is half evaluated. Orders that lead to the same memory and to the same places
in the texts are one.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from rvplat.lang import intrinsics, record
from rvplat.lang.define import Intrinsic
from rvplat.lang.record import PointerView, Record, View, address_of, ptr

Place = tuple[int, int]  # host address, bits
Sight = tuple[int, ...]  # for each shared place, the number of the oldest store that can be seen
Text = Callable[..., Any] | Sequence[Callable[..., Any]]
CELLS = {8: ctypes.c_uint8, 16: ctypes.c_uint16, 32: ctypes.c_uint32, 64: ctypes.c_uint64}
MOST_STEPS = 400  # of one text: more is a text that never ends
SPIN = 3  # the same look with the same answer so often: the text waits for a change


@dataclass(frozen=True)
class Step:
    """What a text does next to a shared place. `place` is None for a fence; `change` gives
    (new value or None, answer) of an atomic operation."""

    where: str
    place: Place | None = None
    value: int | None = None  # of a store
    ordered: bool = False  # a load that acquires, a store that releases
    change: Callable[[int], tuple[int | None, Any]] | None = None


class Grow(BaseException):
    """More places are shared than was known."""

    def __init__(self, places: set[Place]) -> None:
        self.places = places


class Paused(BaseException):
    """A text has come to a step that has no answer yet; `frames` say where it stands."""

    def __init__(self, step: Step, frames: Any) -> None:
        self.step = step
        self.frames = frames


class Replay:
    """A text run from its start, with the answers that its steps were given so far."""

    def __init__(
        self, memory: Mapping[Place, int], shared: Mapping[Place, int], answers: tuple[Any, ...]
    ) -> None:
        self.memory = dict(memory)
        self.wrote: set[Place] = set(memory)
        self.shared = shared
        self.answers = answers
        self.used = 0
        self.read: set[Place] = set()

    def _is_step(self, place: Place, atomic: bool) -> bool:
        if atomic and place not in self.shared:
            raise Grow({place})
        return place in self.shared

    def _ask(self, **step: Any) -> Any:
        if self.used == len(self.answers):
            raise Paused(Step(_where(), **step), _frames())
        self.used += 1
        return self.answers[self.used - 1]

    def load(self, address: int, bits: int, ordered: bool = False) -> int:
        place = int(address), bits
        self.read.add(place)
        if self._is_step(place, ordered):
            return int(self._ask(place=place, ordered=ordered))
        if place not in self.memory:
            self.memory[place] = CELLS[bits].from_address(place[0]).value
        return self.memory[place]

    def store(self, address: int, bits: int, value: int, ordered: bool = False) -> None:
        value = int(value) & ((1 << bits) - 1)
        place = int(address), bits
        self.wrote.add(place)
        if self._is_step(place, ordered):
            self._ask(place=place, value=value, ordered=ordered)
        else:
            self.memory[place] = value

    def update(self, bits: int, function: Callable[..., Any], *arguments: Any) -> Any:
        """An atomic operation; `function` loads and stores, and gives the answer."""
        place = int(arguments[0]), bits

        def change(old: int) -> tuple[int | None, Any]:
            stored: list[int] = []
            kept = intrinsics._load, intrinsics._save
            intrinsics._load = lambda address, bits: old
            intrinsics._save = lambda address, bits, value: stored.append(
                int(value) & ((1 << bits) - 1)
            )
            answer = function(*arguments)
            intrinsics._load, intrinsics._save = kept
            return stored[0] if stored else None, answer

        self.wrote.add(place)
        if self._is_step(place, True):
            return self._ask(place=place, change=change)
        new, answer = change(self.load(place[0], bits))
        if new is not None:
            self.memory[place] = new
        return answer

    def fence(self) -> None:
        self._ask(place=None)

    def own(self) -> frozenset[tuple[Place, int]]:
        """What the text has written to places of its own."""
        return frozenset((p, v) for p, v in self.memory.items() if p in self.wrote)


def _where() -> str:
    """The line of a definition that is being run."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        file = frame.f_code.co_filename
        if "/lang/" not in file and not file.endswith("interleaving.py") and "<" not in file:
            break
        frame = frame.f_back
    return f"{frame.f_code.co_name}:{frame.f_lineno}"


def _frames() -> Any:
    """Where a text stands."""
    frame, found = sys._getframe(2), []
    while frame.f_code is not Search._run.__code__ and frame.f_back is not None:
        if frame.f_code.co_filename != __file__:
            names = tuple((name, _plain(value)) for name, value in frame.f_locals.items())
            found.append((id(frame.f_code), frame.f_lasti, names))
        frame = frame.f_back
    return tuple(found)


def _plain(value: Any) -> Any:
    """A local variable as something to compare."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, View):
        return address_of(value)
    if isinstance(value, tuple | list):
        return tuple(map(_plain, value))
    return value if value is None or isinstance(value, str) else id(value)


# --- the language's accesses --------------------------------------------------------------------


def _patches(replay: Replay) -> Iterator[tuple[Any, str, Any]]:
    """What stands for each access of the language while a text runs: (owner, name, function)."""

    def read(kind: Any, address: int) -> Any:
        if isinstance(kind, Record):
            return View(kind, address)
        if isinstance(kind, ptr):
            return PointerView(kind.target, replay.load(address, 64))
        return kind(replay.load(address, kind.bits))

    def write(kind: Any, address: int, value: Any) -> None:
        if isinstance(kind, ptr):
            replay.store(address, 64, address_of(value))
        else:
            replay.store(address, kind.bits, int(kind.adapt(int(value))))

    def fill(address: int, value: int, size: int) -> None:
        for at in range(0, int(size), 8):
            replay.store(int(address) + at, 64, int(value) * 0x0101_0101_0101_0101)

    yield record, "_read", read
    yield record, "_write", write
    yield intrinsics, "_load", replay.load
    yield intrinsics, "_save", replay.store
    for name, leaf in vars(intrinsics).items():
        if isinstance(leaf, Intrinsic):
            assert leaf.signature, "made of its own function, before that is patched"
            yield from _patch(replay, name, leaf)
    yield intrinsics.fill_memory, "function", fill
    yield intrinsics.fence, "function", replay.fence


def _patch(replay: Replay, name: str, leaf: Intrinsic) -> Iterator[tuple[Any, str, Any]]:
    bits = int(name.rpartition("u")[2]) if name[-1].isdigit() else 0
    original = leaf.function
    if name.startswith("atomic_load"):
        yield leaf, "function", lambda a: replay.load(a, bits, True)
    elif name.startswith("atomic_store"):
        yield leaf, "function", lambda a, v: replay.store(a, bits, v, True)
    elif name.startswith(("atomic_", "compare_exchange_")):
        yield leaf, "function", lambda *given: replay.update(bits, original, *given)


@contextmanager
def _in_place(replay: Replay) -> Iterator[None]:
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in _patches(replay)]
    for owner, name, function in _patches(replay):
        setattr(owner, name, function)
    try:
        yield
    finally:
        for owner, name, function in kept:
            setattr(owner, name, function)


# --- memory -------------------------------------------------------------------------------------


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


def _at(sight: tuple[Any, ...], n: int, value: Any) -> tuple[Any, ...]:
    return (*sight[:n], value, *sight[n + 1 :])


def _fence(state: State, text: int) -> State:
    now = _join(state.known[text].fenced, state.fences)
    return state._replace(known=_at(state.known, text, Known(now, now, now)), fences=now)


def _see(state: State, text: int, place: int, n: int, acquires: bool) -> State:
    """A load sees store number `n`."""
    message, known = state.stores[place][n], state.known[text]
    now = _at(known.now, place, n)
    fenced = _join(_at(known.fenced, place, n), message.sight)
    now = _join(now, message.sight) if acquires else now
    return state._replace(known=_at(state.known, text, Known(now, fenced, known.before)))


def _put(state: State, text: int, place: int, n: int, value: int, kind: str) -> State:
    """A store becomes number `n` of its place."""
    if n < len(state.stores[place]):
        state = _moved(state, place, n, 1)
    mine = state.known[text]
    given = mine.now if kind != "plain" else mine.before
    row = state.stores[place]
    row = (*row[:n], Message(value, _at(given, place, n), kind == "atomic"), *row[n:])
    mine = Known(_at(mine.now, place, n), _at(mine.fenced, place, n), mine.before)
    known = _at(state.known, text, mine)
    return state._replace(stores=_at(state.stores, place, row), known=known)


def _moved(state: State, place: int, n: int, by: int) -> State:
    """The stores to a place from number `n` on get other numbers."""

    def moved(sight: Sight) -> Sight:
        at = sight[place]
        new = max(0, at + by)
        return sight if at < n or at == new else _at(sight, place, new)

    def renumbered(message: Message) -> Message:
        value, sight, is_atomic = message
        now = moved(sight)
        return message if now is sight else Message(value, now, is_atomic)

    stores = tuple(tuple(map(renumbered, row)) for row in state.stores)
    known = tuple(Known(*map(moved, one)) for one in state.known)
    return State(state.at, stores, known, moved(state.fences))


def _latest(state: State) -> State:
    """Everybody knows the last store to each place."""
    last = tuple(len(row) - 1 for row in state.stores)
    known = (Known(last, last, last),) * len(state.known)
    return state._replace(known=known, fences=last)


def _pruned(state: State) -> State:
    """Without the stores that nobody can see any more."""
    for place in range(len(state.stores)):
        oldest = min(one.now[place] for one in state.known)
        if oldest > 0:
            stores = _at(state.stores, place, state.stores[place][oldest:])
            state = _moved(state._replace(stores=stores), place, 0, -oldest)
    return state


# --- the search ---------------------------------------------------------------------------------


@dataclass
class Search:
    """All orders of some texts' steps. `weak` False: loads see the last store only. What `ignored`
    says of an address: no access there is a step, each text keeps what it writes there. `stalled`
    names a text that takes so many steps first, and the rest when the others cannot go on."""

    texts: Mapping[str, Text]
    check: Callable[[dict[str, Any]], None]
    weak: bool = True
    ignored: Callable[[int], bool] = lambda address: False
    stalled: tuple[str, int] | None = None
    shared: dict[Place, int] = field(default_factory=dict)
    states: int = 0

    def run(self) -> Search:
        """Try them all. AssertionError with the steps that lead to it, if `check` raises one."""
        while True:
            try:
                self._search()
                return self
            except Grow as grow:
                places = sorted({*self.shared, *grow.places})
                self.shared = {place: n for n, place in enumerate(places)}
                for (a, bits), (b, _) in pairwise(places):
                    assert a + bits // 8 <= b, f"accesses of two sizes at {a:#x}"

    def _search(self) -> None:
        self.names = list(self.texts)
        self.parts = [[t] if callable(t) else list(t) for t in self.texts.values()]
        self.memo: dict[tuple[int, At], tuple[Step | None, At]] = {}
        self.same: dict[Any, At] = {}
        self.touched: list[tuple[set[Place], set[Place]]] = [(set(), set()) for _ in self.names]
        self.ends: set[Any] = set()
        none = (0,) * len(self.shared)
        stores = tuple((Message(CELLS[b].from_address(a).value, none),) for a, b in self.shared)
        known = (Known(none, none, none),) * len(self.names)
        first = State((At(),) * len(self.names), stores, known, none)
        self.came: dict[State, tuple[State | None, str]] = {first: (None, "")}
        waiting = [first]
        while waiting:
            state = waiting.pop()
            for after, label in self._moves(state):
                if after not in self.came:
                    self.came[after] = state, label
                    waiting.append(after)
        self.states = len(self.came)

    def _next(self, text: int, at: At) -> tuple[Step | None, At]:
        """The step that a text takes from here, and where it is then: perhaps in a later function.
        No step at its end."""
        key = text, at
        if key not in self.memo:
            step, now = None, at
            while step is None and now.part < len(self.parts[text]):
                step, now = self._run(text, now)
            self.memo[key] = step, now
        return self.memo[key]

    def _run(self, text: int, at: At) -> tuple[Step | None, At]:
        """Run one function of a text: to its next step, or to its end."""
        replay = Replay(dict(at.own), self.shared, at.answers)
        function = self.parts[text][at.part]
        assert len(at.answers) < MOST_STEPS, f"{self.names[text]} never ends"
        with _in_place(replay):
            try:
                result = function(at.given) if at.part else function()
            except Paused as paused:
                self._touch(text, replay)
                stands = text, at.part, paused.frames, replay.own(), at.given, at.answers[-SPIN:]
                return paused.step, self.same.setdefault(stands, at)
        self._touch(text, replay)
        return None, At(at.part + 1, result, replay.own())

    def _touch(self, text: int, replay: Replay) -> None:
        """Share what one text writes and another reads or writes."""
        self.touched[text][0].update(replay.read | replay.wrote)
        self.touched[text][1].update(p for p in replay.wrote if not self.ignored(p[0]))
        for i, (_, wrote) in enumerate(self.touched):
            for j, (touched, _) in enumerate(self.touched):
                more = wrote & touched if i != j else set()
                if not more <= self.shared.keys():
                    raise Grow(more)

    def _moves(self, state: State) -> Iterator[tuple[State, str]]:
        steps = [self._next(text, at) for text, at in enumerate(state.at)]
        if all(step is None for step, _ in steps):
            self._end(state)
            return
        moved = False
        for group in self._groups(state):
            for text in group:
                step, at = steps[text]
                for after, answer, said in self._take(state, text, step) if step else ():
                    moved = True
                    after = _pruned(after if self.weak else _latest(after))
                    now = self._next(text, at._replace(answers=(*at.answers, answer)))[1]
                    assert step is not None
                    label = f"{self.names[text]:>10}  {step.where:<30} {said}"
                    yield after._replace(at=_at(state.at, text, now)), label
            if moved:
                return
        raise AssertionError("every text waits\n" + self._story(state))

    def _groups(self, state: State) -> list[list[int]]:
        """The texts that may move; those of a group only if none of those before it can."""
        texts = list(range(len(self.names)))
        if self.stalled is None:
            return [texts]
        name, steps = self.stalled
        slow = self.names.index(name)
        rest = [text for text in texts if text != slow]
        early = state.at[slow].part == 0 and len(state.at[slow].answers) < steps
        return [[slow], rest] if early else [rest, [slow]]

    def _take(self, state: State, text: int, step: Step) -> Iterator[tuple[State, Any, str]]:
        """(state, answer, what it was) for each way in which a step can go."""
        if step.place is None:
            yield _fence(state, text), None, "fence"
            return
        place = self.shared[step.place]
        last = len(state.stores[place]) - 1
        oldest = state.known[text].now[place] if self.weak else last
        name = f"[{step.place[0]:#x}]"
        if step.change is not None:
            old = state.stores[place][last].value
            new, answer = step.change(old)
            if new is None and self._spins(state, text, answer):
                return
            yield self._change(state, text, place, new), answer, f"{name} {old:#x} -> {new}"
        elif step.value is None:
            for n in range(oldest, last + 1):
                value = state.stores[place][n].value
                if not self._spins(state, text, value):
                    seen = _see(state, text, place, n, step.ordered)
                    yield seen, value, f"{name} is {value:#x}" + (" (late)" if n < last else "")
        else:
            kind = "ordered" if step.ordered else "plain"
            for n in range(oldest + 1, last + 2):
                if n > last or not state.stores[place][n].atomic:
                    after = _put(state, text, place, n, step.value, kind)
                    yield after, None, f"{name} = {step.value:#x}"

    def _spins(self, state: State, text: int, answer: Any) -> bool:
        """Whether a text has had this answer at this line again and again."""
        at = self._next(text, state.at[text])[1]
        if at.answers[-SPIN:] != (answer,) * SPIN:
            return False
        before = [at._replace(answers=at.answers[: len(at.answers) - i]) for i in range(SPIN + 1)]
        steps = [self._next(text, one)[0] for one in before]
        return len({(step.place, step.where) for step in steps if step}) == 1

    def _change(self, state: State, text: int, place: int, new: int | None) -> State:
        """An atomic operation."""
        last = len(state.stores[place]) - 1
        if new is None:
            return _see(state, text, place, last, True)
        state = _see(_fence(state, text), text, place, last, True)
        return _fence(_put(state, text, place, last + 1, new, "atomic"), text)

    def _end(self, state: State) -> None:
        """All texts have ended: check what memory holds now."""
        memory = {place: state.stores[n][-1].value for place, n in self.shared.items()}
        results = {}
        for text, name in enumerate(self.names):
            at = self._next(text, state.at[text])[1]
            results[name] = at.given
            memory |= dict(at.own)
        key = tuple(sorted(memory.items())), tuple(results.items())
        if key in self.ends:
            return
        self.ends.add(key)
        with _in_place(Alone(memory)):
            try:
                self.check(results)
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self._story(state)}") from error

    def _story(self, state: State | None) -> str:
        lines = []
        while state is not None:
            state, label = self.came[state]
            lines.append(label)
        return "\n".join(reversed(lines))


class Alone(Replay):
    """What runs when all texts have ended."""

    def __init__(self, memory: Mapping[Place, int]) -> None:
        super().__init__(memory, {}, ())

    def _is_step(self, place: Place, atomic: bool) -> bool:
        return False

    def fence(self) -> None:
        pass


def everything(
    texts: Mapping[str, Text], check: Callable[[dict[str, Any]], None], weak: bool = True,
    ignored: Callable[[int], bool] = lambda address: False,
    stalled: tuple[str, int] | None = None,
) -> Search:  # fmt: skip
    """Run texts in every order (see `Search`); `check` gets what each returned, and sees the memory
    that they left."""
    return Search(texts, check, weak, ignored, stalled).run()
