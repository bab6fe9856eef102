"""Runs random programs here and in Spike: python -m tests.lockstep --programs 2000 --seed S"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from . import program
from .compare import Lockstep
from .tally import Tally, by_extension, extensions_of


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.lockstep", description=__doc__)
    parser.add_argument("--programs", type=int, default=200, help="number of programs")
    parser.add_argument("--seed", default="1", help="any text, which determines the programs")
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument("--instructions", type=int, default=500, help="instructions per program")
    parser.add_argument(
        "--stop-after", type=int, default=1, metavar="N", help="stop after N differences"
    )
    parser.add_argument("--keep", type=Path, help="a folder for the last program's files")
    parser.add_argument(
        "--saves", action="store_true",
        help="save and load the state at random places; the steps between count twice",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true",
        help="with RVPLAT_REGIONS=all: compile regions in this process, and most of them with less "
        "effort (quick.py)",
    )  # fmt: skip
    return parser.parse_args()


def main() -> int:
    """Run the programs. The exit status is 1 if there is a difference."""
    given = arguments()
    started = time.monotonic()
    ended = differences = count = 0
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        lockstep = Lockstep(given.keep or Path(folder), given.quick, given.saves)
        for number in range(given.first, given.first + given.programs):
            result = lockstep.compare(program.make(given.seed, number, given.instructions))
            count += 1
            tally.add(result.tally)
            ended += result.ended
            if result.difference is not None:
                print(result.difference, flush=True)
                differences += 1
                if differences == given.stop_after:
                    break
            if sys.stderr.isatty():
                print(f"\r{count} programs", end="", file=sys.stderr)
        if given.saves:
            print(f"{lockstep.saved} states saved and loaded")
    seconds = time.monotonic() - started
    print(*tally.lines(), sep="\n")
    print(by_extension(extensions_of(program.isa(), tally.bits)))
    print(
        f"{count} programs of {given.instructions} instructions, seed {given.seed}: {ended} ended, "
        f"{differences} with differences, {seconds:.0f} s"
    )
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
