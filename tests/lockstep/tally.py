"""Statistics of programs: steps in each world, changes of world, causes of traps, fences."""

from __future__ import annotations

from collections import Counter

from .assembly import Isa
from .worlds import WORLDS

SYSTEM = 0x73
FENCES = {
    0x09: "sfence.vma", 0x11: "hfence.vvma", 0x31: "hfence.gvma", 0x0B: "sinval.vma",
    0x13: "hinval.vvma", 0x33: "hinval.gvma",
}  # fmt: skip
"""By funct7; funct3 and rd are zero."""
SHARES = {"VS": 0.15, "VU": 0.15}  # of all steps
EXPECTED = (
    "virtual_instruction", "instruction_guest_page_fault", "load_guest_page_fault",
    "store_guest_page_fault", "virtual_supervisor_ecall", "interrupt #2", "interrupt #6",
    "interrupt #10",
)  # fmt: skip


def extensions_of(known: Isa, bits: Counter[int]) -> Counter[str]:
    """How many instructions of each extension there are, from how often each instruction is."""
    counts: Counter[str] = Counter()
    for one, count in bits.items():
        row = known.find(one)
        counts[row.extension.name if row is not None else "other"] += count
    return counts


def by_extension(counts: Counter[str]) -> str:
    """The counts as text."""
    shown = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    return f"{counts.total()} instructions: {shown}"


class Tally:
    """Counts of one program, or of many."""

    def __init__(self) -> None:
        self.worlds: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.fences: Counter[str] = Counter()
        self.bits: Counter[int] = Counter()  # how often each instruction
        self.switches = 0
        self._last = ""

    @property
    def steps(self) -> int:
        return self.worlds.total()

    @property
    def traps(self) -> int:
        return self.causes.total()

    def trap(self, name: str) -> None:
        """Count an exception or an interrupt, by its name in Spike's log."""
        self.causes[name.removeprefix("trap_")] += 1

    def step(self, world: str, bits: int) -> None:
        """Count an instruction that retires."""
        self.worlds[world] += 1
        self.bits[bits] += 1
        self.switches += world != self._last
        self._last = world
        if bits & 0xFFF == SYSTEM and bits >> 12 & 7 == 0 and bits >> 25 in FENCES:
            self.fences[FENCES[bits >> 25]] += 1

    def add(self, other: Tally) -> None:
        """Add the counts of another program."""
        self.worlds += other.worlds
        self.causes += other.causes
        self.fences += other.fences
        self.bits += other.bits
        self.switches += other.switches

    def missing(self) -> list[str]:
        """Events that many programs should have had, but these had not."""
        poor = [
            f"only {self.worlds[name]} of {self.steps} steps in {name}"
            for name, share in SHARES.items()
            if self.worlds[name] < share * self.steps
        ]
        fences = [f"no {name}" for name in FENCES.values() if not self.fences[name]]
        return poor + fences + [f"no {name}" for name in EXPECTED if not self.causes[name]]

    def lines(self) -> list[str]:
        """The statistics as text."""
        shares = (
            f"{name} {self.worlds[name]} ({100 * self.worlds[name] / max(self.steps, 1):.0f} %)"
            for name in WORLDS
        )
        return [
            f"{self.steps} steps, {self.traps} traps, {self.switches} changes of mode",
            "steps: " + ", ".join(shares),
            "causes: " + ", ".join(f"{name} {n}" for name, n in self.causes.most_common()),
            *self.missing(),
            "fences: " + ", ".join(f"{name} {n}" for name, n in self.fences.most_common()),
        ]
