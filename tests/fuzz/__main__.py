"""Runs random guests: python -m tests.fuzz --minutes 10 --seed S"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.fuzz.regions import MODES
from tests.fuzz.trial import Result, Trials
from tests.fuzz.watch import Watch


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, help="stop after this time")
    parser.add_argument("--trials", type=int, help="stop after this number of trials")
    parser.add_argument("--seed", default="1", help="any text, which determines the trials")
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument(
        "--stop-after", type=int, default=1, metavar="N", help="stop after N findings"
    )
    parser.add_argument(
        "--regions", default="", choices=list(MODES), help="of all trials; default: of each its own"
    )
    given = parser.parse_args()
    if given.minutes is None and given.trials is None:
        given.minutes = 10.0
    return given


def listed(counts: Counter[str]) -> str:
    """Counts as text, the largest first."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def main() -> int:
    """Run the trials. The exit status is 1 if there is a finding."""
    given = arguments()
    Trials(given.seed, given.regions).prepare()
    began = time.monotonic()
    total, findings, number = Result(), 0, given.first
    with Watch(given.seed, regions=given.regions) as watch:
        while findings < given.stop_after:
            if given.trials is not None and number >= given.first + given.trials:
                break
            if given.minutes is not None and time.monotonic() - began >= 60 * given.minutes:
                break
            result = watch.trial(number)
            number += 1
            if isinstance(result, str):
                findings += 1
                print(result, flush=True)
            else:
                total.add(result)
            if sys.stderr.isatty():
                print(f"\r{number - given.first} trials", end="", file=sys.stderr)
    print(
        f"seed {given.seed}: {total.trials:,} trials, {total.steps:,} instructions, "
        f"{total.compared:,} of them compared, {total.regions:,} regions, {findings} findings, "
        f"{time.monotonic() - began:.0f} s\nmodes: {listed(total.worlds)}\n"
        f"traps: {listed(total.causes)}"
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
