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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.hart.acceleration.replay import (
    CELLS,
    MOST_STEPS,
    Alone,
    Grow,
    Paused,
    Place,
    Replay,
    Step,
    in_place,
    run_text,
)
from tests.hart.acceleration.weak_memory import (
    At,
    Known,
    Message,
    State,
    fenced,
    latest,
    load_seen,
    pruned,
    replaced,
    store_put,
)

Text = Callable[..., Any] | Sequence[Callable[..., Any]]
SPIN = 3  # the same look with the same answer so often: the text waits for a change


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
        try:
            result = run_text(function, replay, *([at.given] if at.part else []))
        except Paused as paused:
            self._touch(text, replay)
            reached = text, at.part, paused.frames, replay.own(), at.given, at.answers[-SPIN:]
            return paused.step, self.same.setdefault(reached, at)
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
                    after = pruned(after if self.weak else latest(after))
                    now = self._next(text, at._replace(answers=(*at.answers, answer)))[1]
                    assert step is not None
                    label = f"{self.names[text]:>10}  {step.where:<30} {said}"
                    yield after._replace(at=replaced(state.at, text, now)), label
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
            yield fenced(state, text), None, "fence"
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
                    seen = load_seen(state, text, place, n, step.ordered)
                    yield seen, value, f"{name} is {value:#x}" + (" (late)" if n < last else "")
        else:
            kind = "ordered" if step.ordered else "plain"
            for n in range(oldest + 1, last + 2):
                if n > last or not state.stores[place][n].atomic:
                    after = store_put(state, text, place, n, step.value, kind)
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
            return load_seen(state, text, place, last, True)
        state = load_seen(fenced(state, text), text, place, last, True)
        return fenced(store_put(state, text, place, last + 1, new, "atomic"), text)

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
        with in_place(Alone(memory)):
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


def everything(
    texts: Mapping[str, Text], check: Callable[[dict[str, Any]], None], weak: bool = True,
    ignored: Callable[[int], bool] = lambda address: False,
    stalled: tuple[str, int] | None = None,
) -> Search:  # fmt: skip
    """Run texts in every order (see `Search`); `check` gets what each returned, and sees the memory
    that they left."""
    return Search(texts, check, weak, ignored, stalled).run()
