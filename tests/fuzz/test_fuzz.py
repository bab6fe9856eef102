"""Sixty random guests, the same in each run; and tests of the watchdog for trials."""

from __future__ import annotations

import pytest

from tests.fuzz.trial import Result
from tests.fuzz.watch import Watch

BATCHES = 2
TRIALS = 14  # in each batch


@pytest.mark.timeout(600)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_random_guest_crashes_or_hangs_rvplat(batch: int) -> None:
    total = Result()
    with Watch("tests") as watch:
        for number in range(batch * TRIALS, (batch + 1) * TRIALS):
            result = watch.trial(number)
            assert isinstance(result, Result), result
            total.add(result)
    assert total.trials == TRIALS
    assert {"M", "HS", "U", "VS", "VU"} <= total.worlds.keys()
    assert total.compared > 10_000
    assert total.regions > 100


def test_a_crash_is_reported_with_the_command_that_repeats_it() -> None:
    crash = "import os, signal; input(); os.kill(os.getpid(), signal.SIGSEGV)"
    with Watch("s", command=("-c", crash)) as watch:
        for number in (3, 4):
            assert watch.trial(number) == (
                f"trial {number} of seed s: the process ended with SIGSEGV\n"
                f"again: python -m tests.fuzz --seed s --first {number} --trials 1\n"
            )


def test_a_hang_is_reported_with_the_stacks_of_the_threads() -> None:
    hang = (
        "import faulthandler, signal, time; faulthandler.register(signal.SIGUSR1); input()\n"
        "def endless(): time.sleep(600)\n"
        "endless()"
    )
    with Watch("s", hangs_s=2.0, command=("-c", hang)) as watch:
        told = watch.trial(7)
    assert isinstance(told, str)
    assert told.startswith("trial 7 of seed s: hangs: no end after 2 s\n")
    assert "in endless" in told


def test_an_exception_of_the_trial_is_a_finding() -> None:
    wrong = "import json; input(); print(json.dumps({'finding': 'IndexError: 5'}), flush=True)"
    with Watch("s", command=("-c", wrong)) as watch:
        assert str(watch.trial(1)).startswith("trial 1 of seed s: IndexError: 5\nagain: ")
