"""Runs random programs of landing pads, shadow stacks, double traps and mnret here and in Spike,
and compares all registers after each instruction: python -m tests.lockstep.guarded --programs 500
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from . import guarded_programs, vectors
from .program import Program
from .spike import Event, Step, Trapped
from .worlds import MODES

SHOWN = {"mstatus": 0x300, "mepc": 0x341, "mcause": 0x342, "mtval": 0x343, "scause": 0x142,
         "stval": 0x143, "vsstatus": 0x200, "menvcfg": 0x30A, "henvcfg": 0x60A, "senvcfg": 0x10A,
         "satp": 0x180, "vsatp": 0x280}  # fmt: skip
OF_GUARDS = ("Zicfilp", "Zicfiss", "Smrnmi")
TVALS = {3: 0x343, 1: 0x143}


class Lockstep(vectors.Lockstep):
    """Compares one program at a time."""

    def walk(self, program: Program, events: list[Event]) -> vectors.Walk:
        known = guarded_programs.rows(program.isa)
        return Walk(program, events, self.hart(program), self, known)


class Walk(vectors.Walk):
    """One program, step by step."""

    def begin(self) -> None:
        self.ours.begin(self.program)
        self.ours.hart.tinst_zero = 1

    def run(self) -> None:
        """An interrupt is taken here at the end of the step before it. So what that step has
        written to CSRs can't be seen any more."""
        kept = self.events
        self.events = [
            replace(event, csrs=())
            if isinstance(event, Step) and isinstance(after, Trapped) and after.is_interrupt
            else event
            for event, after in zip(kept, [*kept[1:], None], strict=True)
            if not (isinstance(event, Trapped) and event.is_interrupt)
        ]
        super().run()

    def compare_vectors(self, event: Event) -> None:
        if isinstance(event, Step):
            row = self.known.find(event.bits)
            if row is not None and row.extension.name in OF_GUARDS:
                self.owner.counts[f"{self.mode} {row.name}"] += 1
        self.mode = MODES[self.ours.priv.value, self.ours.virt.value] if (
            self.ours.priv.value != 3) else "M"  # fmt: skip

    def trapped(self, event: Trapped) -> None:
        """The value is in the CSR of the mode that handles the trap."""
        self.owner.traps[f"{self.mode}: {event.name}"] += 1
        self.compare_vectors(event)
        ours = self.ours
        if ours.priv.value == 0:
            raise self.mismatch(f"{event.name} in Spike, no trap here")
        number = TVALS[ours.priv.value] + (0x100 if ours.virt.value else 0)
        if event.tval is not None and (tval := ours.csr(number)) != event.tval:
            raise self.mismatch(f"xtval: {event.tval:#x} in Spike, {tval:#x} here")

    def state(self) -> str:
        names = " ".join(f"{name} {self.ours.csr(n):x}" for name, n in SHOWN.items())
        hart = self.ours.hart
        return f"{names} priv {hart.priv} virt {hart.virt} elp {hart.elp}"


def main() -> int:
    """Run the programs. The exit status is 1 if there is a difference."""
    parser = vectors.options("python -m tests.lockstep.guarded", __doc__)
    parser.add_argument("--keep", type=Path, help="a folder for the last program's files")
    parser.add_argument("--quick", action="store_true", help="as of tests.lockstep")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lockstep = Lockstep(given.keep or Path(folder), given.quick)
        found, summary = vectors.compare_all(lockstep, guarded_programs.make, given)
    for title, counts in (("steps", lockstep.counts), ("traps", lockstep.traps)):
        print(f"{counts.total()} {title}:",
              ", ".join(f"{name} {n}" for name, n in sorted(counts.items())))  # fmt: skip
    print(summary)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
