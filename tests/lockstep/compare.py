"""Runs a program here and in Spike, and reports the first difference, with both states and the code
around it."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rvplat.isa.machinery.disassemble import X_NAMES

from . import layout, spike
from .ours import Ours
from .program import Program, isa
from .saved import Saves
from .spike import Course, Event, Step, Trapped
from .tally import Tally
from .tinst import PSEUDO, expected
from .worlds import MODES, OTHERWISE, TINST

MTINST, HTINST, MIP, HVIP = 0x34A, 0x64A, 0x344, 0x645
AROUND = 16  # events shown before the difference
NOT_COMPARED = {0xB00, 0xB02}  # counters: they have advanced when they are read; they are dumped
TRAP_CSRS = (
    ("mstatus", 0x300),
    ("mcause", 0x342),
    ("mepc", 0x341),
    ("mtval", 0x343),
    ("scause", 0x142),
    ("sepc", 0x141),
    ("stval", 0x143),
    ("satp", 0x180),
    ("mip", 0x344),
    ("mie", 0x304),
    ("mideleg", 0x303),
    ("medeleg", 0x302),
)
GUEST_CSRS = (("hstatus", 0x600), ("hgatp", 0x680), ("vsatp", 0x280), ("vsstatus", 0x200),
              ("vscause", 0x242), ("vsepc", 0x241), ("vstval", 0x243), ("hideleg", 0x603),
              ("hedeleg", 0x602), ("hvip", 0x645), ("htval", 0x643), ("mtval2", 0x34B),
              ("menvcfg", 0x30A), ("henvcfg", 0x60A))  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """The first difference in a program's run."""

    program: Program
    text: str

    def __str__(self) -> str:
        return f"program {self.program.name} ({self.program.isa})\n{self.text}"


@dataclass(frozen=True)
class Result:
    """The result of a program's comparison."""

    tally: Tally
    ended: bool
    difference: Difference | None


class Mismatch(Exception):
    """A difference; the text describes it."""


class Lockstep:
    """Compares one program at a time."""

    def __init__(self, folder: Path, quick: bool = False, saves: bool = False) -> None:
        self.folder = folder
        self.quick = quick
        self.saves = saves
        self.saved = 0  # how often a state was saved and loaded
        self.harts: dict[str, Ours] = {}

    def compare(self, program: Program) -> Result:
        """Run a program in Spike and here. Compare each step with Spike's log, and memory at the
        end with Spike's. Then run it at full speed, and compare memory with that after the
        steps."""
        course = spike.run(program, self.folder)
        ours = self.harts.get(program.isa) or Ours(program.isa, self.quick)
        self.harts[program.isa] = ours
        walk = Walk(program, course, ours)
        if self.saves:
            walk.saves = Saves(ours, program.name)
        difference = None
        try:
            walk.run()
            if course.memory is not None:
                self._full_speed(walk, course.memory)
        except Mismatch as mismatch:
            difference = Difference(program, str(mismatch))
        self.saved += walk.saves.count if walk.saves is not None else 0
        return Result(walk.tally, course.memory is not None, difference)

    def _full_speed(self, walk: Walk, expected: bytes) -> None:
        ours = walk.ours
        ours.begin(walk.program)
        ours.prepare_regions(walk.program, walk.events)
        if not ours.finish():
            raise Mismatch(f"at full speed the program does not end: pc {ours.pc.value:#x}")
        found = ours.compared()
        if found != expected:
            raise Mismatch("at full speed only:\n" + walk.memory_differences(expected, found))


class Walk:
    """One program, step by step."""

    def __init__(self, program: Program, course: Course, ours: Ours) -> None:
        self.program = program
        self.events = course.events
        self.memory = course.memory
        self.ours = ours
        self.x = bytearray(256)
        self.f = bytearray(256)
        self.at = 0
        self.tally = Tally()
        self.saves: Saves | None = None
        self.otherwise = OTHERWISE | TINST if program.transforms else OTHERWISE

    def run(self) -> None:
        """Run the program. Mismatch for the first difference."""
        ours = self.ours
        ours.begin(self.program)
        for i, value in ((5, layout.BASE), (11, 0x1020)):  # set by Spike's own ROM
            ours.x_array[i] = value
            self.x[8 * i : 8 * i + 8] = struct.pack("<Q", value)
        self.interrupted = False
        for i in self._order():
            self.at, event = i, self.events[i]
            if isinstance(event, Step):
                self._step(event, self.interrupted)
                self.interrupted = False
            else:
                self.tally.trap(event.name)
                if event.is_interrupt:
                    self.interrupted = True
                else:
                    self._trap(event)
        if self.memory is not None and ours.compared() != self.memory:
            raise Mismatch("memory:\n" + self.memory_differences(self.memory, ours.compared()))

    def _order(self) -> Iterable[int]:
        if self.saves is None:
            return range(len(self.events))
        return self.saves.order(len(self.events), self._known, self._restore)

    def _known(self) -> tuple[bytes, bytes, bool]:
        return bytes(self.x), bytes(self.f), self.interrupted

    def _restore(self, known: tuple[bytes, bytes, bool]) -> None:
        self.x[:], self.f[:], self.interrupted = known

    def _trap(self, event: Trapped) -> None:
        """Compare an exception. If htinst and mtinst hold transformed instructions, which Spike
        doesn't have, their values are derived from the instruction."""
        ours = self.ours
        if ours.pc.value != event.pc:
            raise self._mismatch("pc", event.pc, ours.pc.value)
        wanted = expected(event, self.x) if self.program.transforms else None
        ours.step()
        if wanted is None or ours.virt.value:
            return
        found = ours.csr(MTINST if ours.priv.value == 3 else HTINST)
        if found != wanted and not ("guest" in event.name and found in PSEUDO):
            raise self._mismatch("transformed instruction", wanted, found)

    def _step(self, event: Step, interrupted: bool) -> None:
        ours = self.ours
        if ours.pc.value != event.pc and not interrupted:
            raise self._mismatch("pc", event.pc, ours.pc.value)
        if ours.priv.value != event.priv and not interrupted:
            raise self._mismatch("privilege", event.priv, ours.priv.value)
        self.tally.step(MODES[ours.priv.value, ours.virt.value], event.bits)
        ours.step()
        for number, value in event.x:
            self.x[8 * number : 8 * number + 8] = struct.pack("<Q", value)
            if event.bits & 0x7F == 0x73 and event.bits >> 20 in self.otherwise:
                ours.x_array[number] = value
        for number, value in event.f:
            self.f[8 * number : 8 * number + 8] = struct.pack("<Q", value)
        if ours.x() != self.x:
            raise self._registers("x", self.x, ours.x())
        if ours.f() != self.f:
            raise self._registers("f", self.f, ours.f())
        if self._interrupt_follows():
            return  # it is taken here already
        numbers = [number for number, _ in event.csrs]
        for number, value in event.csrs:
            if number == MIP and HVIP in numbers:
                continue  # Spike logs it before it includes hvip's other bits
            name = isa().disassembler.csr_names.get(number)
            if name is None or number in NOT_COMPARED:
                continue  # some of these values may differ
            if (found := ours.csr(number)) != value:
                raise self._mismatch(name, value, found)

    def _interrupt_follows(self) -> bool:
        after = self.events[self.at + 1 : self.at + 2]
        return bool(after) and isinstance(after[0], Trapped) and after[0].is_interrupt

    # --- the text of a difference ---

    def _registers(
        self, name: str, expected: bytes | bytearray, found: bytes | bytearray
    ) -> Mismatch:
        pairs = zip(struct.unpack("<32Q", expected), struct.unpack("<32Q", found), strict=True)
        lines = [
            f"{name}{i}: {a:#018x} in Spike, {b:#018x} here"
            for i, (a, b) in enumerate(pairs)
            if a != b
        ]
        return Mismatch("\n".join([*lines, *self.context()]))

    def _mismatch(self, what: str, expected: int, found: int) -> Mismatch:
        return Mismatch("\n".join([f"{what}: {expected:#x} in Spike, {found:#x} here",
                                   *self.context()]))  # fmt: skip

    def context(self) -> list[str]:
        """The events before the difference, and the hart's state after it."""
        first = max(0, self.at - AROUND)
        lines = [self._line(event) for event in self.events[first : self.at + 2]]
        lines.insert(-1, "  ^ here")
        ours, values = self.ours, struct.unpack("<32Q", self.ours.x())
        mode = MODES[ours.priv.value, ours.virt.value]
        lines.append(f"state here: pc {ours.pc.value:#x} mode {mode}")
        lines += [
            "  " + "  ".join(f"{X_NAMES[i]:>4} {values[i]:016x}" for i in range(row, row + 4))
            for row in range(0, 32, 4)
        ]
        for csrs in (TRAP_CSRS, GUEST_CSRS):
            lines.append("  " + " ".join(f"{name} {ours.csr(n):x}" for name, n in csrs))
        return lines

    def _line(self, event: Event) -> str:
        if isinstance(event, Trapped):
            value = "" if event.tval is None else f" tval {event.tval:#x}"
            return f"    {event.pc:#x}: {event.name}{value}"
        text = isa().disassembler.text(event.bits, event.pc)
        written = [f"x{n}={value:#x}" for n, value in event.x]
        written += [f"f{n}={value:#x}" for n, value in event.f]
        written += [f"csr {n:#x}={value:#x}" for n, value in event.csrs]
        written += [f"[{va:#x}]={value:#x}" for va, value, _ in event.stores]
        return f"  {event.priv} {event.pc:#x}: {text:40} {' '.join(written)}"

    def memory_differences(self, expected: bytes, found: bytes) -> str:
        """The words that differ, each with the last stores to it in any window."""
        base = layout.address(layout.COMPARED[0])
        lines: list[str] = []
        for at in range(0, len(expected), 8):
            a, b = expected[at : at + 8], found[at : at + 8]
            if a != b and len(lines) < 8:
                va = base + at
                lines.append(f"{va:#x}: {a[::-1].hex()} in Spike, {b[::-1].hex()} here")
                lines += self._stores(va)
        return "\n".join(lines)

    def _stores(self, address: int) -> list[str]:
        """The last stores to the word, wherever it is mapped in the program's windows."""
        low = (1 << layout.LOW_BITS) - 8
        found = [
            self._line(event)
            for event in self.events
            if isinstance(event, Step)
            and any((va ^ address) & low == 0 for va, _, _ in event.stores)
        ]
        return found[-2:]
