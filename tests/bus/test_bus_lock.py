"""The bus lock, and calls that are deferred until it is released."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from rvplat.bus import BusLock, Console, HostClock


def test_deferred_calls_run_when_the_outermost_release_happens() -> None:
    lock, done = BusLock(), []

    def note() -> None:
        done.append(lock.is_held)

    with lock:
        with lock:
            lock.after(note)
            lock.after(note)
        assert done == []
    assert done == [False], "once, without the lock"
    lock.after(note)
    assert done == [False, False], "at once, because it is not held"


def test_deferred_calls_run_before_a_wait() -> None:
    lock, done = BusLock(), threading.Event()
    condition = threading.Condition(lock)
    with condition:
        lock.after(done.set)
        condition.wait(0.001)
        assert done.is_set()


def test_each_thread_runs_its_own_deferred_calls() -> None:
    lock, done = BusLock(), []
    held = threading.Event()

    def other() -> None:
        with lock:
            lock.after(lambda: done.append(threading.current_thread().name))
            held.set()

    thread = threading.Thread(target=other, name="other")
    with lock:
        lock.after(lambda: done.append("own"))
        thread.start()
    thread.join()
    assert sorted(done) == ["other", "own"]


class Stuck:
    """A sink that accepts nothing until `go_on` is set."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.got: list[bytes] = []

    def __call__(self, data: bytes) -> None:
        assert self.go_on.wait(60)
        self.got.append(data)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    sink = Stuck()
    yield sink
    sink.go_on.set()


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def test_an_alarm_that_prints_delays_no_other_alarm(stuck: Stuck) -> None:
    lock, rang = BusLock(), threading.Event()
    clock, console = HostClock(1_000_000, lock), Console(lock)
    console.sinks.append(stuck)
    for n in range(100):
        clock.call_at(clock.now() + n, lambda: console.write(b"x"))
    clock.call_at(clock.now() + 200, rang.set)
    assert rang.wait(30)
    assert threading.active_count() < 20
    stuck.go_on.set()
    console.flush()
    assert b"".join(stuck.got) == b"x" * 100
    clock.close()


def test_an_alarm_that_feeds_a_console_does_not_wait(stuck: Stuck) -> None:
    lock, rang = BusLock(), threading.Event()
    clock, console, other = HostClock(1_000_000, lock), Console(lock), Console(lock)
    console.sinks.append(stuck)

    def echo() -> None:
        other.feed(b"a")
        console.write(b"b")

    clock.call_at(clock.now() + 1, echo)
    clock.call_at(clock.now() + 200, rang.set)
    assert rang.wait(30)
    stuck.go_on.set()
    clock.close()


def test_input_is_accepted_while_output_is_blocked(stuck: Stuck) -> None:
    console = Console()
    console.sinks.append(stuck)
    console.on_input = lambda: console.write(console.read(10))

    def feed() -> None:
        console.feed(b"a")
        console.feed(b"b")

    fed = in_thread(feed)
    fed.join(30)
    assert not fed.is_alive()
    stuck.go_on.set()
    console.flush()
    assert stuck.got == [b"a", b"b"]


def test_output_stays_in_order_and_blocks_the_printing_thread(stuck: Stuck) -> None:
    console = Console()
    console.sinks.append(stuck)
    threads = [in_thread(partial(console.write, bytes([n]))) for n in range(4)]
    assert all(thread.is_alive() for thread in threads)
    stuck.go_on.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert sorted(stuck.got) == [bytes([n]) for n in range(4)]
    assert console.backlog == 0
