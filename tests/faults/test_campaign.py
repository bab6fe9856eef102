"""Fault campaigns on a guest that prints "hello" and powers off."""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from rvplat import Machine
from rvplat.errors import RunFailed, RvplatError
from rvplat.faults import campaign as campaigns
from rvplat.faults import workers
from rvplat.faults.campaign import Campaign, Result
from rvplat.faults.plan import Fault, Flip, Wanted, faults_of, instructions_of
from tests.cli.test_run_command import one_line, rvplat
from tests.machine.small_guests import HELLO, POWER_OFF, guest

#: Four of its instructions trap. It overwrites its first instruction, of 4 bytes.
TRAPPING = (
    """
first:
  lui t0, 0x12345
  la t0, handler
  csrw mtvec, t0
  ecall
  ecall
  ecall
  ecall
  la t0, first
  sh zero, 0(t0)
  sh zero, 2(t0)
second:"""
    + POWER_OFF
    + """
.balign 4
handler:
  csrr t2, mepc
  addi t2, t2, 4
  csrw mepc, t2
  mret
.globl nowhere
nowhere = 0x10
.globl beyond
beyond = 0x20
"""
)

#: Hart 0 waits for what hart 1 writes.
TWO_HARTS = (
    """
  csrr t0, mhartid
  la s1, flag
  li a0, 0
  beqz t0, 2f
work:
  li a0, 1
  sw a0, 0(s1)
1: j 1b
2: lw t1, 0(s1)
  beqz t1, 2b"""
    + POWER_OFF
    + """
flag: .word 0
"""
)


@pytest.fixture
def campaign() -> Iterator[Campaign]:
    with Machine.open("virt", program=guest(HELLO), settings={"clock": "virtual"}) as machine:
        yield Campaign(machine)


def by_instruction(results: list[Result]) -> dict[str, str]:
    """Outcomes by the instruction that was left out; the last place of each counts."""
    return {one.instruction.split(" ")[0]: one.outcome for one in results}


def test_each_instruction_left_out_in_turn(campaign: Campaign) -> None:
    golden = campaign.golden()
    assert (golden.reason, golden.output) == ("off", b"hello\r\n")
    wanted = Wanted("skip", 1 << 20, (), None, 1)
    faults = faults_of(wanted, campaign.machine, golden.instructions)
    assert [one.after for one in faults] == list(range(golden.instructions))
    results = [campaign.inject(one, golden) for one in faults]
    seen = Counter(one.outcome for one in results)
    assert seen["wrong"] > 5 and seen["hung"] > 0 and sum(seen.values()) == len(faults)
    assert {one.outcome for one in results if one.instruction.startswith("sb")} == {"wrong"}
    last = results[-1]  # sw t1, 0(t0): nothing powers the machine off
    assert last.instruction.startswith("sw") and last.outcome == "hung"
    again = [campaign.inject(one, golden) for one in faults[:8]]
    assert again == results[:8] and campaign.golden() == golden


def test_flips(campaign: Campaign) -> None:
    machine, golden = campaign.machine, campaign.golden()
    text = Flip.parse("text:0")
    (fault, *_) = faults_of(Wanted("flip-memory", 1, (), text, 1), machine, 1)
    assert campaign.inject(fault, golden).outcome == "wrong"
    assert machine.console.output == b"iello\r\n"  # the first letter's lowest bit
    start = machine.symbols["_start"]
    unused = Fault(0, "flip", None, start, 31, 0, 5)
    assert campaign.inject(unused, golden).outcome == "unnoticed"
    nowhere = Fault(0, "skip", None, start + 0x800)
    assert campaign.inject(nowhere, golden).outcome == "unreached"
    with pytest.raises(RvplatError, match="--flip-memory 0x10: "):
        campaign.inject(Fault(0, "flip-memory", None, start, 0, 0x10, 5), golden)
    with pytest.raises(RvplatError, match="--at text: it is not known where this ends"):
        instructions_of(machine, "text")
    chosen = [faults_of(Wanted("flip", 9, (), None, seed), machine, 40) for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize(
    ("text", "target", "bit"),
    [
        ("counter:9", "counter", "9"),
        ("main.c:state", "main.c:state", "any"),
        ("work::calls", "work::calls", "any"),
        ("main.c:work::calls:any", "main.c:work::calls", "any"),
    ],
)
def test_places_in_memory(text: str, target: str, bit: str) -> None:
    assert Flip.parse(text, "flip-memory") == Flip(target, bit)


@pytest.mark.parametrize("place", ["0", "16", "0x0"])
def test_the_bits_of_later_bytes(campaign: Campaign, place: str) -> None:
    flip = Flip.parse(f"{place}:17", "flip-memory")
    (fault, *_) = faults_of(Wanted("flip-memory", 1, (), flip, 1), campaign.machine, 1)
    assert str(fault) == f"flip-memory {int(place, 0) + 2:#x}:1"


def test_traps_and_code_that_changes() -> None:
    program = guest(TRAPPING)
    with Machine.open("virt", program=program, settings={"clock": "virtual"}) as machine:
        campaign = Campaign(machine)
        golden = campaign.golden()
        assert golden.instructions == golden.longest == machine.harts[0].instret + 4
        *_, last = campaign.faults(Wanted("skip", 1 << 20, (), None, 1), golden)
        done = campaign.inject(last, golden)
        assert done.instruction.startswith("sw") and done.outcome == "hung"
        first = machine.symbols["first"]
        faults = campaign.faults(Wanted("skip", None, ("first",), None, 1), golden)
        assert [one.address for one in faults][:2] == [first, first + 4]
        with pytest.raises(RvplatError, match="--at nowhere: no code when the runs begin"):
            campaign.faults(Wanted("skip", None, ("nowhere",), None, 1), golden)


def test_the_hart_that_comes_first() -> None:
    program, settings = guest(TWO_HARTS), {"clock": "virtual"}
    with Machine.open("virt", program=program, settings=settings, harts=2) as machine:
        campaign = Campaign(machine)
        golden = campaign.golden()
        fault, *_ = campaign.faults(Wanted("skip", None, ("work",), None, 1), golden)
        result = campaign.inject(fault, golden)
        assert result.pc == machine.symbols["work"] and result.place.startswith("work ")
        assert result.outcome == "hung"  # the flag stays 0
        with pytest.raises(RvplatError, match="--count without --at needs a board with one hart"):
            campaign.faults(Wanted("skip", 1, (), None, 1), golden)


def test_runs_without_a_fault_that_are_no_measure(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = campaign.machine.on("_start", lambda event: event.nothing)
    with pytest.raises(RunFailed, match="AttributeError"):
        campaign.golden()
    hook.remove()
    monkeypatch.setattr(campaigns, "SLOWEST_S", 1e-9)
    with pytest.raises(RvplatError, match="the run without a fault took more than 1e-09 s"):
        campaign.golden()


def test_a_process_that_dies(campaign: Campaign) -> None:
    golden = campaign.golden()
    faults = [Fault(0, "skip", 1), Fault(1, "skip", 2)]
    with pytest.raises(RvplatError, match="fault: one of the processes has died"):
        list(workers.results(campaign, partial(os._exit, 3), faults, golden, 2))


def lines(done: Any) -> list[dict[str, Any]]:
    """The lines on stdout."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def test_the_command_in_two_processes_and_one_fault_again() -> None:
    words = ["fault", "virt", guest(HELLO), "--count", "9", "--seed", "4"]
    *rows, summary = lines(rvplat(*words, "--workers", "2"))
    assert summary.pop("faults") == 9 == sum(summary.values())
    assert Counter(row["outcome"] for row in rows) == Counter(summary)
    assert [row["fault"] for row in rows] == list(range(9))
    repeat = rows[5].pop("repeat")
    (again, _) = lines(rvplat(*shlex.split(repeat)[1:]))
    del again["repeat"]
    assert again == rows[5]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "fault: expected --at FUNCTION or --count N"),
        (("--at", "_strt"), '--at _strt: the program has no such symbol; did you mean "_start"?'),
        (
            ("--count", "2", "--flip", "a0:x"),
            "--flip 'a0:x': expected TARGET:BIT, such as a0:3, any:any or counter:7",
        ),
        (
            ("--count", "2", "--flip", ""),
            "--flip '': expected TARGET:BIT, such as a0:3, any:any or counter:7",
        ),
        (
            ("--count", "2", "--after", "1_000"),
            "--after 1000: the run ends before: the guest powered the machine off",
        ),
        (("--count", "2", "--only", "2"), "--only 2: the campaign has the faults 0 to 1"),
    ],
)  # fmt: skip
def test_wrong_words(words: tuple[str, ...], message: str) -> None:
    done = rvplat("fault", "virt", guest(HELLO), *words)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == f"rvplat: {message}"
    if not words:
        assert one_line(done) == f"rvplat: {message}"


def test_machines_that_can_not_be_compared() -> None:
    endless = guest("1: j 1b")
    with (
        Machine.open("virt", program=endless, settings={"clock": "host"}) as machine,
        pytest.raises(RvplatError, match="a fault campaign needs a virtual clock"),
    ):
        Campaign(machine)
    with (
        Machine.open("virt", program=endless, settings={"clock": "virtual"}) as machine,
        pytest.raises(RvplatError, match="the run without a fault does not end"),
    ):
        Campaign(machine).golden(1000)
