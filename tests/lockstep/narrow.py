"""Runs random programs for RV32 here and in Spike, and compares all registers after each
instruction: python -m tests.lockstep.narrow --programs 500 --seed S
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from . import narrow_programs, spike, vectors
from .ours import Ours
from .program import Program
from .spike import Event, Step, Trapped
from .vectors import Mismatch

SHOWN = {"mstatus": 0x300, "mepc": 0x341, "mcause": 0x342, "mtval": 0x343}


class Lockstep(vectors.Lockstep):
    """Compares one program at a time."""

    def __init__(self, folder: Path, quick: bool = False) -> None:
        super().__init__(folder)
        self.quick = quick
        self.worlds: Counter[int] = Counter()

    def hart(self, program: Program) -> Ours:
        """The hart for a program's ISA string."""
        if program.isa not in self.harts:
            self.harts[program.isa] = Ours(program.isa, self.quick)
        return self.harts[program.isa]

    def walk(self, program: Program, events: list[Event]) -> vectors.Walk:
        return Walk(program, events, self.hart(program), self, narrow_programs.isa())


class Walk(vectors.Walk):
    """One program, step by step."""

    def begin(self) -> None:
        self.ours.begin(self.program)
        self.ours.hart.geilen = 0

    def compare_vectors(self, event: Event) -> None:
        if isinstance(event, Step):
            row = self.known.find(event.bits)
            self.owner.counts[row.extension.name if row is not None else ""] += 1

    def trap_name(self, event: Trapped) -> str:
        return event.name

    def state(self) -> str:
        return " ".join(f"{name} {self.ours.csr(n):x}" for name, n in SHOWN.items())


def main() -> int:
    """Run the programs. The exit status is 1 if there is a difference."""
    parser = argparse.ArgumentParser(prog="python -m tests.lockstep.narrow", description=__doc__)
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--instructions", type=int, default=500)
    parser.add_argument("--stop-after", type=int, default=1, metavar="N")
    parser.add_argument("--keep", type=Path, help="a folder for the last program's files")
    parser.add_argument("--quick", action="store_true", help="as of tests.lockstep")
    given = parser.parse_args()
    started, found = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        lockstep = Lockstep(given.keep or Path(folder), given.quick)
        for number in range(given.first, given.first + given.programs):
            program = narrow_programs.make(given.seed, number, given.instructions)
            difference = lockstep.compare(program)
            if difference is not None:
                print(difference, flush=True)
                found += 1
                if found == given.stop_after:
                    break
    print(f"{lockstep.counts.total()} steps:",
          ", ".join(f"{name} {n}" for name, n in lockstep.counts.most_common()))  # fmt: skip
    print("traps:", dict(lockstep.traps))
    print(f"{number + 1 - given.first} programs, {found} with differences, "
          f"{time.monotonic() - started:.0f} s")  # fmt: skip
    return 1 if found else 0


__all__ = ["Lockstep", "Mismatch", "Walk", "main", "spike"]

if __name__ == "__main__":
    sys.exit(main())
