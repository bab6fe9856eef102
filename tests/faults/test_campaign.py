"""Fault campaigns on a guest that prints "hello" and powers off."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from rvplat import Machine
from rvplat.errors import RvplatError
from rvplat.faults.campaign import Campaign, Result
from rvplat.faults.plan import Fault, Flip, Wanted, faults_of
from tests.cli.test_run_command import one_line, rvplat
from tests.machine.small_guests import HELLO, guest


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
    chosen = [faults_of(Wanted("flip", 9, (), None, seed), machine, 40) for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


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
