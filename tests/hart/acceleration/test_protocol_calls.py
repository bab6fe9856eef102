"""Who calls a hart from another thread, against the hart that runs or sleeps, in every order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rvplat.engine import budgets
from rvplat.hart import interrupts, sleep
from rvplat.hart.state import STOP_NONE, STOP_REQUEST, STOP_WFI
from rvplat.isa.privileged import Status
from rvplat.lang import fence, intrinsics, relaxed_load_u32
from rvplat.machine.running import native_records
from rvplat.machine.running.native_records import NativeHart
from tests.hart.acceleration.interleaving import Text, everything
from tests.hart.acceleration.test_protocols import World

MEI = 11
FAR = 1 << 62


class Field:
    """A field as NativeHart has it from ctypes, by the record's view: its accesses are steps."""

    def __init__(self, view: Any, name: str) -> None:
        self._view, self._name = view, name

    @property
    def value(self) -> int:
        return int(getattr(self._view, self._name))

    @value.setter
    def value(self, value: int) -> None:
        setattr(self._view, self._name, value)


def host(function: Any, address: Any, value: Any, *_: Any) -> int:
    """The host's calls. `wait` ends when the word has another value, as it does once somebody has
    changed it and then wakes who sleeps; the clock stands still."""
    if value == 0 and address != 0:
        while relaxed_load_u32(address) == 0:
            pass
    return 0


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> Iterator[NativeHart]:
    """A hart that takes external interrupts in M mode, and what other threads do to it."""
    world = World(2)
    one = world.natives[0]
    for name in ("attention", "stop_request", "_lines"):
        monkeypatch.setattr(one, name, Field(one.view, name if name != "_lines" else "irq_lines"))
    monkeypatch.setattr(one, "_wake", lambda *_: 0)
    monkeypatch.setattr(native_records, "barrier", fence)
    assert intrinsics.call_host.signature, "made of its own function, before that is patched"
    monkeypatch.setattr(intrinsics.call_host, "function", host)
    hart = one.view
    hart.mie = 1 << MEI
    hart.mstatus |= Status.MIE
    hart.sleeps = 1
    hart.limit = FAR
    hart.mtimecmp = FAR
    yield one
    del world  # the records live as long as it does


def look(hart: Any) -> bool:
    """What the run loop does when a budget has ended; whether an interrupt is taken."""
    hart.limit = FAR
    hart.budget = 0
    refill: Any = budgets.refill
    refill(hart)
    if hart.resync != 0:
        hart.resync = 0
        return bool(interrupts.take_interrupt(hart))
    return False


def test_an_interrupt_is_taken_by_a_hart_that_runs(native: NativeHart) -> None:
    """Not at once, but at the look after the one that was too early."""
    hart = native.view
    hart.attention = 0
    texts: dict[str, Text] = {
        "device": lambda: native.set_line(MEI, True),
        "hart": [lambda: look(hart), lambda taken: taken or look(hart)],
    }

    def check(results: dict[str, Any]) -> None:
        assert results["hart"] or look(hart), "the hart was called and saw nothing"

    everything(texts, check)


@pytest.mark.parametrize("attention", [0, 1])
def test_an_interrupt_wakes_a_hart(native: NativeHart, attention: int) -> None:
    hart = native.view
    hart.attention = attention
    texts: dict[str, Text] = {
        "device": lambda: native.set_line(MEI, True),
        "hart": lambda: sleep.sleep(hart),
    }

    def check(results: dict[str, Any]) -> None:
        assert hart.stop == STOP_NONE and hart.attention == 1

    everything(texts, check)


def test_a_stop_wakes_a_hart(native: NativeHart) -> None:
    hart = native.view
    hart.attention = 0
    texts: dict[str, Text] = {"other": native.request_stop, "hart": lambda: sleep.sleep(hart)}

    def check(results: dict[str, Any]) -> None:
        assert hart.stop == STOP_REQUEST and hart.stop != STOP_WFI

    everything(texts, check)


def test_two_calls_are_not_taken_for_one(native: NativeHart) -> None:
    """A line falls and another rises while the hart looks."""
    hart = native.view
    hart.attention = 0
    hart.mie |= 1 << 9
    texts: dict[str, Text] = {
        "device": [lambda: native.set_line(9, False), lambda _: native.set_line(MEI, True)],
        "hart": [lambda: look(hart), lambda taken: taken or look(hart)],
    }

    def check(results: dict[str, Any]) -> None:
        assert results["hart"] or look(hart)

    everything(texts, check)
