"""Runs random programs for RV32 here and in Spike, and compares all registers after each
instruction: python -m tests.lockstep.narrow --programs 500 --seed S
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from . import narrow_programs, spike, vectors
from .program import Program
from .spike import Event, Trapped
from .vectors import Mismatch

SHOWN = {"mstatus": 0x300, "mepc": 0x341, "mcause": 0x342, "mtval": 0x343}


class Lockstep(vectors.Lockstep):
    """Compares one program at a time."""

    def __init__(self, folder: Path, quick: bool = False) -> None:
        super().__init__(folder, quick)
        self.worlds: Counter[int] = Counter()

    def walk(self, program: Program, events: list[Event]) -> vectors.Walk:
        return Walk(program, events, self.hart(program), self, narrow_programs.isa(program.isa))


class Walk(vectors.Walk):
    """One program, step by step."""

    def begin(self) -> None:
        self.ours.begin(self.program)
        self.ours.hart.geilen = 1 if "h" in self.letters else 0

    def compare_vectors(self, event: Event) -> None:
        pass

    def trap_name(self, event: Trapped) -> str:
        return event.name

    def state(self) -> str:
        return " ".join(f"{name} {self.ours.csr(n):x}" for name, n in SHOWN.items())


def main() -> int:
    """Run the programs. The exit status is 1 if there is a difference."""
    parser = vectors.options("python -m tests.lockstep.narrow", __doc__)
    parser.add_argument("--keep", type=Path, help="a folder for the last program's files")
    parser.add_argument("--quick", action="store_true", help="as of tests.lockstep")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lockstep = Lockstep(given.keep or Path(folder), given.quick)
        found, summary = vectors.compare_all(lockstep, narrow_programs.make, given)
    print("traps:", dict(lockstep.traps))
    print(summary)
    return 1 if found else 0


__all__ = ["Lockstep", "Mismatch", "Walk", "main", "spike"]

if __name__ == "__main__":
    sys.exit(main())
