"""Going back in the history of a run: the same states, steps, new futures."""

from __future__ import annotations

import random

import pytest

from rvplat import Machine
from rvplat.errors import HistoryError
from tests.machine.history.boards import (
    COUNT,
    ROM,
    TALKING,
    TEXT,
    VIRTUAL,
    board,
    close_together,
    state,
)
from tests.machine.small_guests import ECHO_ASLEEP, POWER_OFF, RESET, guest


def test_a_place_is_as_it_was() -> None:
    """A run up to a place on another machine gives the same state as going back to it."""
    with board(TALKING) as (machine, history):
        machine.run(max_instructions=300_000)
        for work in (299_999, 5, 123_456, 300_000, 123_457, 0):
            history.go(work)
            assert history.work == work
            with board(TALKING) as (other, _):
                if work:
                    other.run(max_instructions=work)
                assert state(other) == state(machine)


@pytest.mark.parametrize("regions", ["off", "hot"])
def test_harts_go_back_together(regions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places are the same from whichever checkpoint they are reached, forwards and backwards."""
    close_together(monkeypatch)
    with board(TALKING, 2, **{"harts.regions": regions}) as (machine, history):
        machine.run(max_instructions=700_000)
        end, now = history.end, state(machine)
        assert len(history.places) > 3
        chosen = random.Random(1)
        places = sorted(chosen.randrange(end) for _ in range(8))
        seen = {}
        for work in places:
            history.go(work)
            seen[work] = state(machine)
        for work in reversed(places):
            history.go(work)
            assert state(machine) == seen[work]
        history.go(0)
        assert history.is_past
        machine.run(max_instructions=650_000)
        assert history.is_past
        history.go(end)
        assert not history.is_past
        assert state(machine) == now


def test_a_run_goes_on_from_the_past_into_the_present() -> None:
    with board(TALKING, 2) as (machine, history), board(TALKING, 2) as (straight, _):
        machine.run(max_instructions=200_000)
        history.go(ROM + 1_000)
        machine.run(max_instructions=600_000)
        assert not history.is_past
        straight.run(max_instructions=200_000)
        straight.run(max_instructions=1)
        history.go(straight.turns.place().work)
        assert state(machine) == state(straight)


def test_steps_back_are_the_steps_forward_reversed() -> None:
    """Through interrupts too: their handlers' first instructions, and what they interrupted."""
    with board(TALKING) as (machine, history):
        machine.run(max_instructions=20_000)
        begin, seen = history.work, []
        handler = machine.symbols["handler"]
        for _ in range(300):
            seen.append(state(machine))
            machine.step()
        end = history.work
        assert sum(harts[0][0] == handler for harts, *_ in seen) > 0
        back = []
        while history.work > begin:
            assert machine.reverse_step().reason == "step"
            back.append(state(machine))
        assert end > begin
        assert [one for one in back if one in seen] == seen[::-1]
        befores = [n for n, one in enumerate(back) if one not in seen]
        assert all(back[n - 1][0][0][0] == handler for n in befores)  # where it was interrupted


def test_a_hart_steps_back_to_its_own_last_instruction() -> None:
    with board(TALKING, 2) as (machine, history):
        machine.run(max_instructions=250_000)
        for hart in (0, 1, 0):
            before = machine.harts[hart].instret
            machine.reverse_step(3, hart=hart)
            assert before - 3 <= machine.harts[hart].instret < before
        history.go(2)
        assert machine.reverse_step(5).reason == "history"


def test_debuggers_steps_are_repeated() -> None:
    """A step of another hart changes the order of turns; the past has it too."""
    with board(TALKING, 2) as (machine, history):
        machine.run(max_instructions=150_000)
        for hart in (1, 0, 1, 1):
            machine.step(700, hart=hart)
        machine.run(max_instructions=150_000)
        end, now = history.end, state(machine)
        history.go(149_000)
        machine.run(max_instructions=100_000)
        assert history.is_past
        history.go(end)
        history.go(end - 1)
        machine.step(hart=machine.turns.place().hart or 0)
        assert (history.is_past, state(machine)[0]) == (False, now[0])


def test_steps_over_wfi_are_repeated() -> None:
    """A step over WFI ends the hart's turn, and the next step begins another."""
    with board("1: wfi\n  addi s6, s6, 1\n  j 1b\n") as (machine, history):
        machine.step(ROM)
        seen = []
        for count in (1, 2, 1, 4, 3):
            machine.step(count)
            seen.append((history.work, state(machine)[0]))
        for work, wanted in reversed(seen):
            history.go(work)
            assert state(machine)[0] == wanted


def test_input_arrives_again_and_output_does_not() -> None:
    with board(ECHO_ASLEEP) as (machine, history):
        shown: list[bytes] = []
        machine.console.sinks.append(shown.append)
        machine.start()
        machine.console.wait_for(b">", timeout_s=60)
        for key in b"abc":
            machine.console.feed(bytes([key]))
            machine.console.wait_for(bytes([key]), timeout_s=60)
        machine.pause()
        now = state(machine)
        history.go(history.begin)
        assert machine.console.output == b""
        machine.run(timeout_s=60)
        assert (history.is_past, machine.console.output) == (False, b">abc")
        assert b"".join(shown) == b">abc"
        assert state(machine)[0] == now[0]


def test_input_in_the_past_begins_a_new_future() -> None:
    with board(ECHO_ASLEEP) as (machine, history):
        machine.start()
        machine.console.wait_for(b">", timeout_s=60)
        machine.console.feed(b"ab")
        machine.console.wait_for(b"b", timeout_s=60)
        machine.pause()
        history.go(2)
        assert machine.console.output == b""
        machine.console.feed(b"xq")
        assert machine.run(timeout_s=60).reason == "off"
        assert machine.console.output == b">x"
        assert not history.is_past


def test_a_change_in_the_past_begins_a_new_future(caplog: pytest.LogCaptureFixture) -> None:
    with board(COUNT) as (machine, history):
        machine.run(max_instructions=5_000)
        history.go(ROM + 2_000)
        machine.harts[0].x["s6"] = 0
        assert "a new future begins after 2,006 instructions" in caplog.text
        assert (history.is_past, history.end) == (False, ROM + 2_000)
        machine.run(max_instructions=1_000)
        assert machine.harts[0].x["s6"] == 500
        history.go(ROM + 1_999)
        assert machine.harts[0].x["s6"] == 1_000
        machine.run(max_instructions=1_001)
        assert machine.harts[0].x["s6"] == 500


@pytest.mark.parametrize("how", ["register", "memory", "device"])
def test_a_change_at_the_present_stays_in_the_history(how: str) -> None:
    with board(COUNT) as (machine, history):
        machine.run(max_instructions=2_000)
        if how == "register":
            machine.harts[0].x["s6"] = 7
        elif how == "device":
            machine.bus.write(0x1000_0007, 1, 0x5A)  # SCR of the UART
        else:
            machine.memory.write(TEXT, bytes.fromhex("090b"))  # c.addi s6, 2
        machine.run(max_instructions=2_000)
        now, scratch = state(machine), machine.bus.read(0x1000_0007, 1)
        history.go(ROM + 1_000)
        assert machine.harts[0].x["s6"] == 500
        machine.run(max_instructions=3_000 - ROM)
        assert (history.is_past, state(machine)) == (False, now)
        assert machine.bus.read(0x1000_0007, 1) == scratch
        machine.reverse_step(2_001)
        assert machine.harts[0].x["s6"] in (996, 997)


def test_a_guests_reset_is_repeated() -> None:
    with board(RESET) as (machine, history):
        assert machine.run(timeout_s=60).reason == "off"
        end, now = history.end, state(machine)
        history.go(1)
        history.go(end - 1)
        history.go(end)
        assert state(machine) == now
        history.go(2)
        machine.run(max_instructions=10_000)
        assert state(machine) == now


def test_memory_is_bounded() -> None:
    """Old checkpoints go first, and the history begins later. Each lap writes 4 MiB."""
    text = """
  li s0, 0x80200000
  li s1, 0x400000
2: mv t0, s0
  add t1, s0, s1
1: sd t0, 0(t0)
  addi t0, t0, 256
  bltu t0, t1, 1b
  addi s2, s2, 1
  j 2b
"""
    with Machine.open("virt", program=guest(text), settings=VIRTUAL) as machine:
        history = machine.keep_history(most_bytes=16 << 20)
        for _ in range(20):
            machine.run(max_instructions=100_000)
            history.checkpoint()
        assert history.bytes_used <= 24 << 20
        assert history.begin > 0
        with pytest.raises(LookupError, match="the history has the instructions"):
            history.go(history.begin - 1)
        history.go(history.begin)


def test_an_instret_is_found() -> None:
    with board(TALKING, 2) as (machine, history):
        machine.run(max_instructions=300_000)
        for hart, instret in ((1, 60_001), (0, 3_000), (1, 0)):
            history.go_instret(hart, instret)
            assert machine.harts[hart].instret == instret
        with pytest.raises(LookupError, match="of hart 0"):
            history.go_instret(0, 10_000_000)


def test_what_has_no_history_says_so() -> None:
    with Machine.open("virt", program=guest(POWER_OFF)) as machine:
        with pytest.raises(RuntimeError, match="clock"):
            machine.keep_history()
        with pytest.raises(HistoryError, match="keep_history"):
            machine.reverse_step()


def test_another_state_begins_another_history() -> None:
    with board(COUNT) as (machine, history):
        machine.run(max_instructions=ROM + 1_000)
        saved = machine.save()
        machine.run(max_instructions=1_000)
        history.go(500)
        machine.load(saved)
        assert (history.is_past, machine.harts[0].x["s6"]) == (False, 500)
        machine.run(max_instructions=100)
        assert machine.reverse_step(1_000).reason == "history"
        assert machine.harts[0].x["s6"] == 500
        machine.reset()
        machine.run(max_instructions=10)
        assert machine.reverse_continue().reason == "history"
        assert machine.harts[0].pc == 0x1000
