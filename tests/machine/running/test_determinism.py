"""With a virtual clock, a run depends on the board, the files and the input only."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

from rvplat import Machine
from rvplat.hart.acceleration.young_pages import AWAY
from rvplat.machine.running.round_robin import ALONE, TURN
from tests.machine.small_guests import POWER_OFF, guest

VIRTUAL = {"clock": "virtual"}
End = list[Any]


def end_of(machine: Machine) -> End:
    """What a run has left behind."""
    found: End = [machine.console.output, machine.harts[0].csr("time")]
    for hart in machine.harts:
        csrs = [hart.csr(name) for name in ("mcycle", "minstret", "mepc", "mcause")]
        found.append((hart.pc, hart.instret, list(hart.x), csrs))
    return found


def at_once(machine: Machine) -> None:
    """Run without an interruption."""
    assert machine.run(timeout_s=60).reason == "off"


def in_pieces(machine: Machine) -> None:
    """Stop again and again, at places that have nothing to do with the guest."""
    rng = random.Random(5)
    while machine.run(max_instructions=rng.randrange(1, 60_000)).reason == "limit":
        machine.harts[0].csr("time")


def with_timeouts(machine: Machine) -> None:
    """The host's clock stops the machine, anywhere."""
    while machine.run(timeout_s=0.03).reason == "timeout":
        machine.harts[0].csr("time")


def traced_first(machine: Machine) -> None:
    """The first instructions are traced."""
    machine.run(max_instructions=3000, trace="/dev/null")
    at_once(machine)


@pytest.mark.parametrize(("program", "harts"), [("demo", 1), ("hypervisor", 1), ("hypervisor", 2)])
def test_interruptions_change_nothing(program: str, harts: int) -> None:
    ends: list[End] = []
    ways: list[tuple[Callable[[Machine], None], str]] = [
        (at_once, "off"), (at_once, "hot"), (in_pieces, "hot"), (with_timeouts, "off"),
        (traced_first, "hot"),
    ]  # fmt: skip
    for way, regions in ways:
        settings = {**VIRTUAL, "harts.regions": regions}
        with Machine.open("virt", program=program, harts=harts, settings=settings) as machine:
            way(machine)
            ends.append(end_of(machine))
            assert ends[-1] == ends[0], way.__name__


#: The order in which two harts come to a counter is in s3.
IN_ORDER = (
    """
  csrr a0, mhartid
  la s0, counter
  li s4, 1500
1: li t3, 1
  amoadd.d t3, t3, (s0)
  slli t4, s3, 1
  xor s3, t4, t3
  li t5, 200
2: addi t5, t5, -1
  bnez t5, 2b
  addi s4, s4, -1
  bnez s4, 1b
  beqz a0, 4f
3: wfi
  j 3b
4:"""
    + POWER_OFF
    + ".section .data\ncounter: .dword 0\n"
)


@contextmanager
def code_lock_taken(machine: Machine) -> Iterator[None]:
    """Another thread has the lock of decoded code when hart 0 begins to decode, as a thread that
    puts regions in place may have it at any time."""

    def release() -> None:
        hart = machine.harts[0]
        while int(hart.plain.young_passed) == AWAY or hart.attention.value:
            time.sleep(0)  # until it is in native code, and has looked around
        lock.taken = 0

    lock = machine.native.view.code_lock
    lock.taken = 1
    thread = threading.Thread(target=release)
    thread.start()
    yield
    thread.join()


def test_locks_of_the_host_change_nothing() -> None:
    """A hart that waits for a thread of the host goes on with its turn."""
    ends: list[End] = []
    for beside in (nullcontext, code_lock_taken):
        with Machine.open("virt", guest(IN_ORDER), harts=2, settings=VIRTUAL) as machine:
            with beside(machine):
                at_once(machine)
            ends.append(end_of(machine))
    assert ends[0] == ends[1]


def test_single_steps_take_the_same_interrupts() -> None:
    """A step belongs to the turn of its hart."""
    ends: list[End] = []
    for steps in (0, 2000):
        with Machine.open("virt", program="hypervisor", settings=VIRTUAL) as machine:
            machine.run(max_instructions=400_000)
            for _ in range(steps):
                machine.step()
            at_once(machine)
            ends.append(end_of(machine))
    assert ends[0] == ends[1]


SPIN = (
    """
  li s1, 20000
1: .word 0x0100000f      # pause
  rdtime t0
  bltu t0, s1, 1b
  csrr t0, mhartid
2: bnez t0, 2b
"""
    + POWER_OFF
)


def test_harts_that_all_wait_for_the_time_have_few_turns() -> None:
    """Each `pause` would end a turn of three instructions: some 60,000 of them."""
    with Machine.open("virt", program=guest(SPIN), settings=VIRTUAL, harts=2) as machine:
        turns: Any = machine.turns
        take, taken = turns.take, []

        def counted(hart: Any, count: int) -> Any:
            taken.append(hart.number)
            return take(hart, count)

        turns.take = counted
        at_once(machine)
        assert len(taken) < 2_000
        assert all(machine.harts[n].instret > 30_000 for n in (0, 1))


#: Hart 1 sleeps until its timer is due, 20 times; s5 is the most ticks that it came late. Hart 0
#: works meanwhile.
ALARM_CLOCK = (
    """
  csrr t0, mhartid
  la s0, done
  beqz t0, 4f
  li s1, MTIMECMP + 8
  li t0, 0x80
  csrw mie, t0
  li s3, 20
1: rdtime s4
  li t0, 60000
  add s4, s4, t0
  sd s4, 0(s1)
2: wfi
  rdtime t0
  bltu t0, s4, 2b
  sub t0, t0, s4
  bltu t0, s5, 3f
  mv s5, t0
3: addi s3, s3, -1
  bnez s3, 1b
  li t0, 1
  sd t0, 0(s0)
  li t0, -1
  sd t0, 0(s1)
5: wfi
  j 5b
4: ld t0, 0(s0)
  beqz t0, 4b
  rdinstret s6
  li t0, 2000000
6: addi t0, t0, -1
  bnez t0, 6b
"""
    + POWER_OFF
    + ".section .data\ndone: .dword 0\n"
)


def test_a_hart_has_long_turns_while_the_others_wait() -> None:
    """They end where the timer of another is due, so that it wakes in time."""
    with Machine.open("virt", guest(ALARM_CLOCK), harts=2, settings=VIRTUAL) as machine:
        turns: Any = machine.turns
        take, counts = turns.take, set[int]()

        def noted(hart: Any, count: int) -> Any:
            counts.add(count)
            return take(hart, count)

        turns.take = noted
        at_once(machine)
        assert machine.harts[1].x["s5"] <= TURN // machine.board.general.instructions_per_tick
        assert ALONE in counts
