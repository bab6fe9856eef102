"""Runs random programs of vector instructions here and in Spike, and compares the vector state
after each instruction: python -m tests.lockstep.vectors --programs 500 --seed S
"""

from __future__ import annotations

import argparse
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from . import layout, spike, vector_programs
from .assembly import Isa
from .operands import BOX
from .ours import Ours
from .program import Program
from .saved import Saves
from .spike import Event, Step, Trapped
from .tally import by_extension
from .vector_frames import ILLEGAL, MPV, VS
from .vector_programs import H_ISAS, ISAS, NARROW_ISAS

LOADS, STORES, VECTORS, GROUPS = 0x07, 0x27, 0x57, 0x77
CSRS = {"vstart": 0x008, "vxsat": 0x009, "vxrm": 0x00A, "vl": 0xC20, "vtype": 0xC21}
AROUND, MTVAL, MIP, HVIP = 12, 0x343, 0x344, 0x645


class Mismatch(Exception):
    """A difference; the text describes it."""


class Lockstep:
    """Compares one program at a time."""

    def __init__(self, folder: Path, quick: bool = False) -> None:
        self.folder, self.quick = folder, quick
        self.saves = False  # save and load the state at random places
        self.saved = 0
        self.harts: dict[str, Ours] = {}
        self.counts: Counter[str] = Counter()
        self.extensions: Counter[str] = Counter()  # instructions that retired
        self.traps: Counter[str] = Counter()  # by mode, and name with what is particular

    def compare(self, program: Program) -> str | None:
        """The first difference as text; None if there is none."""
        course = spike.run(program, self.folder)
        walk = self.walk(program, course.events)
        ours = walk.ours
        saves = walk.saves = Saves(ours, program.name) if self.saves else None
        try:
            walk.run()
            self.saved += saves.count if saves is not None else 0
            if course.memory is None:
                raise Mismatch("the program does not end in Spike")
            if ours.compared() != course.memory:
                raise Mismatch("memory at the end")
            walk.begin()
            ours.prepare_regions(program, course.events)
            if not ours.finish() or ours.compared() != course.memory:
                raise Mismatch("at full speed only")
        except Mismatch as mismatch:
            return f"program {program.name} ({program.isa})\n{mismatch}"
        return None

    def walk(self, program: Program, events: list[Event]) -> Walk:
        """What compares the steps."""
        known = vector_programs.rows(program.isa)[0]
        return Walk(program, events, self.hart(program), self, known)

    def hart(self, program: Program) -> Ours:
        """The hart for a program's ISA string."""
        if program.isa not in self.harts:
            self.harts[program.isa] = Ours(program.isa, self.quick)
        return self.harts[program.isa]


class Walk:
    """One program, step by step."""

    mode = ""

    def __init__(
        self, program: Program, events: list[Event], ours: Ours, owner: Lockstep, known: Isa
    ) -> None:
        self.program, self.events, self.ours, self.owner = program, events, ours, owner
        self.known = known
        self.bytes = (ISAS | NARROW_ISAS | H_ISAS).get(program.isa, 0) // 8
        self.x, self.f = bytearray(256), bytearray(256)
        self.v = bytearray(32 * self.bytes)
        self.at = 0
        self.saves: Saves | None = None
        self.letters = program.isa.partition("_")[0][4:].replace("g", "imafd")

    def registers(self) -> bytes:
        return bytes(self.ours.v_array[: 32 * self.bytes])

    def begin(self) -> None:
        """Reset the hart, and load the program."""
        self.ours.begin(self.program)
        self.ours.hart.vlen_bytes = self.bytes

    def run(self) -> None:
        """Run the program. Mismatch for the first difference."""
        ours = self.ours
        self.begin()
        for i, value in ((5, layout.BASE), (11, 0x1020)):  # set by Spike's own ROM
            ours.x_array[i] = value
            self.x[8 * i : 8 * i + 8] = struct.pack("<Q", value)
        for at in self.order():
            self.at, event = at, self.events[at]
            if ours.pc.value != event.pc:
                raise self.mismatch(f"pc: {event.pc:#x} in Spike, {ours.pc.value:#x} here")
            ours.step()
            if isinstance(event, Trapped):
                self.trapped(event)
            else:
                self.stepped(event)

    def order(self) -> Iterable[int]:
        """The steps in the order in which they are done."""
        if self.saves is None:
            return range(len(self.events))
        return self.saves.order(len(self.events), self.kept, self.keep)

    def kept(self) -> Any:
        """What is known about the hart."""
        return bytes(self.x), bytes(self.f), bytes(self.v), self.mode

    def keep(self, known: Any) -> None:
        """The hart is as it was when this was known."""
        self.x[:], self.f[:], self.v[:], self.mode = known

    def trapped(self, event: Trapped) -> None:
        self.owner.traps[self.trap_name(event)] += 1
        self.compare_vectors(event)
        if event.tval is not None and (tval := self.ours.csr(MTVAL)) != event.tval:
            raise self.mismatch(f"mtval: {event.tval:#x} in Spike, {tval:#x} here")

    def trap_name(self, event: Trapped) -> str:
        """The name under which a trap is counted: the mode, the cause, and whether VS is Off or the
        instruction is done in part."""
        [(_, mode)] = self.program.sections
        return f"{mode}: {event.name.removeprefix('trap_')}{self.particular()}"

    def particular(self) -> str:
        hart = self.ours.hart
        fields = {"mstatus": int(hart.mstatus) & VS}
        if int(hart.mstatus) & MPV:
            fields["vsstatus"] = int(hart.vsstatus) & VS
        for name, vs in fields.items():
            if hart.mcause == ILLEGAL and vs == 0:
                return f", {name}.VS off"
        return ", in the middle" if hart.vstart != 0 else ""

    def compare_vectors(self, event: Event) -> None:
        for number, value in event.v:
            at = number * self.bytes
            self.v[at : at + self.bytes] = value.to_bytes(self.bytes, "little")
        if (found := self.registers()) != self.v:
            raise self.mismatch(differences("v", self.bytes, self.v, found))

    def stepped(self, event: Step) -> None:
        ours = self.ours
        row = self.known.find(event.bits)
        self.owner.extensions[row.extension.name if row is not None else "other"] += 1
        if row is not None and event.bits & 0x7F in (LOADS, STORES, VECTORS, GROUPS):
            self.owner.counts[row.name] += 1
        for number, value in event.x:
            self.x[8 * number : 8 * number + 8] = struct.pack("<Q", value)
        for number, value in event.f:
            value |= 0 if "d" in self.letters else BOX  # registers of 32 bits there
            self.f[8 * number : 8 * number + 8] = struct.pack("<Q", value)
        if ours.x() != self.x:
            raise self.mismatch(differences("x", 8, self.x, ours.x()))
        if ours.f() != self.f:
            raise self.mismatch(differences("f", 8, self.f, ours.f()))
        self.compare_vectors(event)
        numbers = [number for number, _ in event.csrs]
        for number, value in event.csrs:
            if number == MIP and HVIP in numbers:
                continue  # Spike logs it before it includes hvip's other bits
            if number & ~0x80 in (0xB00, 0xB02) or number not in self.known.disassembler.csr_names:
                continue
            if (csr := ours.csr(number)) != value:
                raise self.mismatch(f"csr {number:#x}: {value:#x} in Spike, {csr:#x} here")

    def mismatch(self, text: str) -> Mismatch:
        first = max(0, self.at - AROUND)
        lines = [self.line(event) for event in self.events[first : self.at + 1]]
        return Mismatch("\n".join([text, *lines, f"here: {self.state()}"]))

    def state(self) -> str:
        """The CSRs that matter, in the hart here."""
        state = " ".join(f"{name} {self.ours.csr(n):x}" for name, n in CSRS.items())
        return f"{state} mcause {self.ours.csr(0x342):x} mtval {self.ours.csr(MTVAL):x}"

    def line(self, event: Event) -> str:
        shown = self.known.disassembler.text(event.bits, event.pc)
        if isinstance(event, Trapped):
            return f"  {event.pc:#x}: {shown}: {event.name} {event.tval}"
        written = [f"x{n}={value:#x}" for n, value in event.x]
        written += [f"v{n}={value:#x}" for n, value in event.v]
        return f"  {event.pc:#x}: {shown} {' '.join(written)}"


def differences(name: str, size: int, expected: bytes | bytearray, found: bytes) -> str:
    """The registers that differ."""
    lines = []
    for n in range(32):
        a, b = expected[n * size : n * size + size], found[n * size : n * size + size]
        if a != b:
            lines.append(f"{name}{n}: {a[::-1].hex()} in Spike,\n    {b[::-1].hex()} here")
    return "\n".join(lines)


def options(program: str, about: str | None) -> argparse.ArgumentParser:
    """The options of a command that compares random programs."""
    parser = argparse.ArgumentParser(prog=program, description=about)
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--instructions", type=int, default=500)
    parser.add_argument("--stop-after", type=int, default=1, metavar="N")
    parser.add_argument("--saves", action="store_true", help="as of tests.lockstep")
    return parser


def compare_all(
    lockstep: Lockstep, make: Callable[[str, int, int], Program], given: argparse.Namespace
) -> tuple[int, str]:
    """Compare the programs that the options ask for, and print each difference. Returns the number
    of differences, and a line that sums up."""
    started, found = time.monotonic(), 0
    lockstep.saves = given.saves
    for number in range(given.first, given.first + given.programs):
        difference = lockstep.compare(make(given.seed, number, given.instructions))
        if difference is not None:
            print(difference, flush=True)
            found += 1
            if found == given.stop_after:
                break
    count, seconds = number + 1 - given.first, time.monotonic() - started
    print(by_extension(lockstep.extensions))
    if given.saves:
        print(f"{lockstep.saved} states saved and loaded")
    return found, f"{count} programs, {found} with differences, {seconds:.0f} s"


def main() -> int:
    """Run the programs. The exit status is 1 if there is a difference."""
    parser = options("python -m tests.lockstep.vectors", __doc__)
    parser.add_argument("--xlen", type=int, choices=(32, 64), default=64)
    given = parser.parse_args()
    make = partial(vector_programs.make, xlen=given.xlen)
    with tempfile.TemporaryDirectory() as folder:
        lockstep = Lockstep(Path(folder))
        found, summary = compare_all(lockstep, make, given)
    rows = {
        row.name
        for isa in (ISAS if given.xlen == 64 else NARROW_ISAS)
        for row in vector_programs.rows(isa)[1]
    }
    seldom = sorted(rows, key=lambda name: lockstep.counts[name])[:12]
    print(f"{lockstep.counts.total()} vector instructions of {len(rows)} rows; seldom:",
          ", ".join(f"{name} {lockstep.counts[name]}" for name in seldom))  # fmt: skip
    for name, count in sorted(lockstep.traps.items()):
        print(f"{count:7} {name}")
    print(summary)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
