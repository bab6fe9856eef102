"""Runs one text under CPython up to its next step. `interleaving.py` says what a step is."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rvplat.lang import intrinsics, record
from rvplat.lang.define import Intrinsic
from rvplat.lang.record import PointerView, Record, View, address_of, ptr

Place = tuple[int, int]  # host address, bits
CELLS = {8: ctypes.c_uint8, 16: ctypes.c_uint16, 32: ctypes.c_uint32, 64: ctypes.c_uint64}
MOST_STEPS = 400  # of one text: more is a text that never ends


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
        if "/lang/" not in file and file != __file__ and "<" not in file:
            break
        frame = frame.f_back
    return f"{frame.f_code.co_name}:{frame.f_lineno}"


def _frames() -> Any:
    """Where a text stands."""
    frame, found = sys._getframe(2), []
    while frame.f_code is not run_text.__code__ and frame.f_back is not None:
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
def in_place(replay: Replay) -> Iterator[None]:
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in _patches(replay)]
    for owner, name, function in _patches(replay):
        setattr(owner, name, function)
    try:
        yield
    finally:
        for owner, name, function in kept:
            setattr(owner, name, function)


def run_text(function: Callable[..., Any], replay: Replay, *arguments: Any) -> Any:
    """Call a function with the replay's accesses in place of the language's. Raises Paused."""
    with in_place(replay):
        return function(*arguments)


class Alone(Replay):
    """What runs when all texts have ended."""

    def __init__(self, memory: Mapping[Place, int]) -> None:
        super().__init__(memory, {}, ())

    def _is_step(self, place: Place, atomic: bool) -> bool:
        return False

    def fence(self) -> None:
        pass
