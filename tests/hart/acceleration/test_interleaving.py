"""The tool that tries every order, on texts whose outcomes are known ("litmus tests")."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pytest

from rvplat.lang import (
    atomic_add_u64,
    atomic_load_u64,
    atomic_store_u64,
    compare_exchange_u64,
    fence,
    read_u64,
    u64,
    write_u64,
)
from tests.hart.acceleration.interleaving import Text, everything

OverTwo = Callable[[int, int], Any]


def outcomes(first: OverTwo, second: OverTwo, weak: bool = True) -> set[Any]:
    """What two texts over two zeroed places (x, y) can return."""
    cells = (ctypes.c_uint64 * 2)()
    x = ctypes.addressof(cells)
    seen = set()
    texts: dict[str, Text] = {"a": lambda: first(x, x + 8), "b": lambda: second(x, x + 8)}
    everything(texts, lambda found: seen.add((found["a"], found["b"])), weak)
    return seen


def store_load(ours: str, fenced: bool) -> OverTwo:
    def text(x: int, y: int) -> int:
        mine, other = (x, y) if ours == "x" else (y, x)
        write_u64(mine, 1)
        if fenced:
            fence()
        return int(read_u64(other))

    return text


def send(how: str) -> OverTwo:
    def text(x: int, y: int) -> None:
        write_u64(x, 1)
        if how == "fence":
            fence()
        if how == "release":
            atomic_store_u64(y, u64(1))
        elif how == "atomic":
            atomic_add_u64(y, u64(1))
        else:
            write_u64(y, 1)

    return text


def receive(how: str) -> OverTwo:
    def text(x: int, y: int) -> tuple[int, int]:
        came = atomic_load_u64(y) if how == "acquire" else read_u64(y)
        if how == "fence":
            fence()
        return int(came), int(read_u64(x))

    return text


@pytest.mark.parametrize("fences", [(False, False), (True, False), (False, True), (True, True)])
def test_a_store_before_a_load_needs_a_fence_on_both_sides(fences: tuple[bool, bool]) -> None:
    seen = outcomes(store_load("x", fences[0]), store_load("y", fences[1]))
    assert ((0, 0) in seen) == (fences != (True, True))
    assert seen >= {(0, 1), (1, 0), (1, 1)}


def test_in_order_nothing_is_late() -> None:
    assert outcomes(store_load("x", False), store_load("y", False), weak=False) == {
        (0, 1), (1, 0), (1, 1)
    }  # fmt: skip


@pytest.mark.parametrize("sender", ["plain", "fence", "release", "atomic"])
@pytest.mark.parametrize("receiver", ["plain", "fence", "acquire"])
def test_a_message_needs_both_sides(sender: str, receiver: str) -> None:
    seen = {found for _, found in outcomes(send(sender), receive(receiver))}
    late = sender == "plain" or receiver == "plain"
    assert seen == {(0, 0), (0, 1), (1, 1)} | ({(1, 0)} if late else set())


@pytest.mark.parametrize("fenced", [False, True])
def test_stores_to_two_places_may_land_crosswise(fenced: bool) -> None:
    """2+2W: each text's first store is the last to its place."""

    def write(first: int, second: int) -> None:
        write_u64(first, 1)
        if fenced:
            fence()
        write_u64(second, 2)

    cells = (ctypes.c_uint64 * 2)()
    x = ctypes.addressof(cells)
    seen = set()
    texts: dict[str, Text] = {"a": lambda: write(x, x + 8), "b": lambda: write(x + 8, x)}
    everything(texts, lambda _: seen.add((int(read_u64(x)), int(read_u64(x + 8)))))
    assert ((1, 1) in seen) == (not fenced)


def test_atomic_operations_lose_nothing() -> None:
    def add(x: int, y: int) -> None:
        atomic_add_u64(x, u64(1))
        atomic_add_u64(x, u64(1))

    cells = (ctypes.c_uint64 * 2)()
    x = ctypes.addressof(cells)
    totals = set()
    texts: dict[str, Text] = {"a": lambda: add(x, x), "b": lambda: add(x, x)}
    everything(texts, lambda _: totals.add(int(read_u64(x))))
    assert totals == {4}


def locked(exchange: bool) -> OverTwo:
    """Add 1 to y under the lock x."""

    def text(x: int, y: int) -> None:
        if exchange:
            while not compare_exchange_u64(x, u64(0), u64(1)):
                pass
        write_u64(y, read_u64(y) + 1)
        if exchange:
            atomic_store_u64(x, u64(0))

    return text


@pytest.mark.parametrize("exchange", [True, False])
def test_a_lock(exchange: bool) -> None:
    cells = (ctypes.c_uint64 * 2)()
    x = ctypes.addressof(cells)
    text = locked(exchange)
    totals = set()
    everything(
        {"a": lambda: text(x, x + 8), "b": lambda: text(x, x + 8)},
        lambda _: totals.add(int(read_u64(x + 8))),
    )
    assert totals == ({2} if exchange else {1, 2})


def test_who_waits_for_what_never_comes_is_found() -> None:
    def wait(x: int, y: int) -> None:
        while atomic_load_u64(x) == 0:
            pass

    def never(x: int, y: int) -> None:
        write_u64(x, 0)

    with pytest.raises(AssertionError, match="every text waits"):
        outcomes(wait, never)
