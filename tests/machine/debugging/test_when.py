"""`machine.when`: the first instruction after which a condition holds, in every kind of run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rvplat import Machine
from rvplat.guests import hypervisor_guest_elfs
from rvplat.machine.debugging.when import When
from rvplat.machine.loading.elf import read_elf
from rvplat.machine.running.schedule import Place
from rvplat.machine.running.stop import Stop
from tests.machine.small_guests import POWER_OFF, TIMER_ON, guest

NO_REGISTER = " && $zero == 0"  # reads a register: evaluated after each instruction

#: Hart 0 counts to 450,000 by threes and powers off. Hart 1 adds up meanwhile.
TWO = (
    """
  csrr s0, mhartid
  la s1, count
  la s2, sum
  li s3, 5
  bnez s0, 2f
  li t2, 450000
1: ld t0, 0(s1)
  addi t0, t0, 3
  sd t0, 0(s1)
  blt t0, t2, 1b
"""
    + POWER_OFF
    + """
2: amoadd.d t1, s3, (s2)
  addi t3, t3, 1
  j 2b
.data
.globl count, sum
.balign 64
count: .dword 0
.balign 64
sum: .dword 0
"""
)

#: Counts, interrupted by timers, and makes an environment call now and then.
TRAPS = (
    TIMER_ON
    + """
  li s3, 4000
1: addi s4, s4, 1
  andi t3, s4, 255
  bnez t3, 2f
  ecall
2: blt s4, s3, 1b
"""
    + POWER_OFF
    + """
.balign 4
.globl handler
handler:
  csrr t4, mcause
  bltz t4, 3f
  csrr t4, mepc
  addi t4, t4, 4
  csrw mepc, t4
  mret
3: ld t1, 0(s2)
  addi t1, t1, 300
  sd t1, 0(s1)
  addi s5, s5, 1
  mret
"""
)


@contextmanager
def machine_of(text: str, regions: str = "hot", harts: int = 1) -> Iterator[Machine]:
    settings = {"clock": "virtual", "harts.regions": regions}
    program = guest(text) if "\n" in text else text
    with Machine.open("virt", program, harts=harts, settings=settings) as machine:
        yield machine


def registers(machine: Machine) -> list[Any]:
    """The harts' registers."""
    return [(one.pc, one.instret, list(one.x), one.csr("mcause")) for one in machine.harts]


class StopAt:
    """Stops a plain run after so many instructions of all harts."""

    def __init__(self, machine: Machine, work: int) -> None:
        self._machine = machine
        self._work = work
        machine.turns.inbox.replayer = self

    def next_work(self) -> int | None:
        return self._work

    def next_tick(self, work: int) -> int | None:
        return None

    def due(self, place: Place) -> list[tuple[str, bytes]]:
        if place.work >= self._work:
            self._machine.request_stop(Stop("pause"))
        return []


def after(text: str, work: int, harts: int = 1) -> Any:
    """The state of a plain run after so many instructions, and the two words of TWO."""
    with machine_of(text, "hot", harts) as machine:
        StopAt(machine, work)
        assert machine.run(timeout_s=60).reason == "pause"
        assert machine.turns.place().work == work
        words = [machine.memory.read_int(machine.symbols[name], 8)
                 for name in ("count", "sum") if name in machine.symbols]  # fmt: skip
        return registers(machine), words


@pytest.mark.parametrize(
    ("condition", "hart", "instruction", "word"),
    [
        ("$t0 == 300000", None, "c.addi t0, 3", None),
        ("{u64} count == 300003", None, "sd t0, 0(s1)", (0, 300003)),
        ("{u64} sum >= 5003 && {u16} sum != 5005", None, "amoadd.d t1, s3, (s2)", (1, 5010)),
        ("{u64} count >= 300003", 1, None, (0, 300003)),
    ],
)
def test_the_place_is_that_of_a_plain_run(
    condition: str, hart: int | None, instruction: str | None, word: tuple[int, int] | None
) -> None:
    found: list[tuple[When, Any]] = []
    for regions in ("off", "hot"):
        for more in ("", NO_REGISTER):
            with machine_of(TWO, regions, harts=2) as machine:
                when = machine.when(condition + more, hart=hart, timeout_s=60)
                found.append((when, registers(machine)))
    assert all(one == found[0] for one in found)
    when, state = found[0]
    assert when
    assert when.instruction == instruction or when.hart == hart
    plain, words = after(TWO, when.work, 2)
    assert plain == state
    before, words_before = after(TWO, when.work - 1, 2)
    assert before != state
    if word is not None and hart is None:
        assert words[word[0]] == word[1] != words_before[word[0]]


def test_a_run_goes_on_from_there() -> None:
    ends = []
    for searches in (0, 5):
        with machine_of(TWO, harts=2) as machine:
            places = [machine.when(f"{{u64}} count == {3000 * (n + 1)}") for n in range(searches)]
            assert all(places)
            assert machine.run(timeout_s=60).reason == "off"
            ends.append((registers(machine), machine.turns.place()))
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    "condition", ["$pc == handler", "$mcause >> 63 && $pc == handler", "$s5 == 3"]
)
def test_interrupts_and_traps(condition: str) -> None:
    """The reference: single steps, and the condition in Python."""
    with machine_of(TRAPS) as machine:
        hart = machine.harts[0]
        holds: Callable[[], Any] = {
            "$pc == handler": lambda: hart.pc == machine.symbols["handler"],
            "$mcause >> 63 && $pc == handler": lambda: (
                hart.pc == machine.symbols["handler"] and hart.csr("mcause") >> 63
            ),
            "$s5 == 3": lambda: hart.x["s5"] == 3,
        }[condition]
        steps = 1
        machine.step()
        while not holds():
            machine.step()
            steps += 1
        state = registers(machine)
    with machine_of(TRAPS) as machine:
        found = machine.when(condition, timeout_s=60)
        assert (found.work, registers(machine)) == (steps, state)
        assert found.interrupt == (7 if "63" in condition else None)


def test_memory_of_a_guest() -> None:
    """A guest's variable behind two stages of page tables. It is found at its store."""
    elf = hypervisor_guest_elfs()["sort"]
    symbols = read_elf(elf, elf.read_bytes()).symbols
    condition = f"{{u32}} {symbols['numbers']} != 0"
    found = []
    for more in ("", NO_REGISTER):
        with machine_of("hypervisor") as machine:
            found.append(machine.when(condition + more, vmid=2, timeout_s=60))
            assert machine.harts[0].virt == 1
    assert found[0] == found[1]
    assert (found[0].world, found[0].mode) == (2, "VS")


def test_the_guest_that_a_breakpoint_stops_in() -> None:
    elf = hypervisor_guest_elfs()["sort"]
    address = read_elf(elf, elf.read_bytes()).symbols["guest_sort"]
    with machine_of("hypervisor") as machine:
        machine.breakpoints.add(address, vmid=2)
        assert machine.run(timeout_s=60).reason == "break"
        state, place = registers(machine), machine.turns.place().work
    with machine_of("hypervisor") as machine:
        found = machine.when(f"$pc == {address}", vmid=2, timeout_s=60)
        assert (registers(machine), found.work, found.world) == (state, place, 2)


def test_what_python_writes_is_seen_after_the_next_instruction() -> None:
    with machine_of(TWO) as machine:
        machine.run(max_instructions=5000)
        machine.memory.write_int(machine.symbols["sum"], 8, 77)
        found = machine.when("{u64} sum == 77", timeout_s=60)
        assert (found.work, found.instret) == (5001, machine.harts[0].instret)


def test_what_is_not_found() -> None:
    with machine_of("hypervisor") as machine:
        found = machine.when("{u64} 0x80000000 == 1", vmid=9)
        assert not found
        assert str(found) == (
            f"not found in {found.work:,} instructions: the guest powered the machine off; no "
            "instruction ended in the guest with VMID 9"
        )
    with machine_of(TWO) as machine:
        found = machine.when("{u64} 16 == 16", max_instructions=1000)
        assert found.stop.reason == "limit"
        assert found.detail == (
            "it could never be evaluated: no RAM is at an address, or there is no such register"
        )
        with pytest.raises(ValueError, match=r"^'nothing' is no symbol of the program"):
            machine.when("nothing == 1")
        with pytest.raises(IndexError, match=r"^hart=1: the machine has hart 0 alone$"):
            machine.when("1", hart=1)
    with (
        Machine.open("virt", guest(TWO)) as machine,
        pytest.raises(ValueError, match=r"^a search in time needs a board with a virtual clock"),
    ):
        machine.when("1")
