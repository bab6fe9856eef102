"""The run without a fault, and runs with one, each from the same snapshot in memory."""

from __future__ import annotations

from typing import Any, Literal

from rvplat.errors import BusError, RunFailed, RvplatError
from rvplat.faults.plan import Fault
from rvplat.frozen import frozen
from rvplat.isa.machinery.disassemble import Disassembler, instruction_length
from rvplat.machine.machine import Machine
from rvplat.machine.running.stop import Stop

Outcome = Literal["crashed", "hung", "wrong", "unnoticed", "unreached"]
OUTCOMES: tuple[Outcome, ...] = ("crashed", "hung", "wrong", "unnoticed", "unreached")
TIMES = 2  # a run with a fault may take so many times the instructions of the one without
MORE = 1_000_000
SLOWEST_S = 120.0  # of the host's time


@frozen
class Golden:
    """How the run without a fault ends: the stop, what the main console showed, and the
    instructions of the first hart."""

    reason: str
    code: int
    output: bytes
    instructions: int


@frozen
class Result:
    """A fault, where it came, and what followed."""

    fault: Fault
    outcome: Outcome
    pc: int
    place: str
    instruction: str
    stop: str
    instructions: int

    def row(self) -> dict[str, Any]:
        """The values for a line of JSON."""
        return {
            "fault": self.fault.number, "do": str(self.fault), "after": self.fault.after,
            "pc": f"{self.pc:#x}", "place": self.place, "instruction": self.instruction,
            "outcome": self.outcome, "stop": self.stop, "instructions": self.instructions,
        }  # fmt: skip


class Campaign:
    """The runs of a machine with a virtual clock, from the state that it has now."""

    def __init__(self, machine: Machine) -> None:
        if machine.turns.virtual is None:
            raise RvplatError('a fault campaign needs a virtual clock: --set clock="virtual"')
        self.machine = machine
        self._begun = machine.save()
        self._hart = machine.harts[0]
        self._retired = self._hart.retired
        self._disassembler = Disassembler(machine.extensions)

    @property
    def _done(self) -> int:
        return self._hart.retired - self._retired

    def _run(self, most: int | None) -> Stop:
        """Run on. A failure of a plugin is what a fault may lead to."""
        try:
            return self.machine.run(SLOWEST_S, most, restart=False)
        except RunFailed as error:
            return error.stop if isinstance(error.stop, Stop) else Stop("failure")

    def golden(self, most: int | None = None) -> Golden:
        """Run without a fault.

        Raises:
            RvplatError: the run does not end by itself.
        """
        self.machine.load(self._begun)
        stop = self._run(most)
        if stop.reason in ("limit", "timeout"):
            raise RvplatError(
                f"the run without a fault does not end: {stop}; faults need a program that ends"
            )
        return Golden(stop.reason, stop.code, self.machine.console.output, self._done)

    def inject(self, fault: Fault, golden: Golden) -> Result:
        """Run with a fault."""
        machine = self.machine
        machine.load(self._begun)
        most = TIMES * golden.instructions + MORE
        met: list[tuple[int, str, str]] = []
        if fault.after is None:
            assert fault.address is not None

            def once(event: Any) -> None:
                event.hook.enabled = False
                met.append(self._apply(fault))

            hook = machine.on(fault.address, once)
            try:
                stop = self._run(most)
            finally:
                hook.remove()
        else:
            if fault.after:
                self._run(fault.after)
            met.append(self._apply(fault))
            stop = self._run(most)
        pc, place, instruction = met[0] if met else (fault.address or 0, "", "")
        outcome = self._outcome(stop, golden) if met else "unreached"
        return Result(fault, outcome, pc, place, instruction, str(stop), self._done)

    def _apply(self, fault: Fault) -> tuple[int, str, str]:
        """Let the fault happen; where the hart is: pc, place, instruction."""
        hart = self._hart
        where = self._here()
        if fault.kind == "flip":
            hart.x[fault.register] = hart.x[fault.register] ^ 1 << fault.bit
        elif fault.kind == "flip-memory":
            host = self.machine.host
            try:
                byte = host.read(fault.memory, 1)[0] ^ 1 << fault.bit % 8
                host.write(fault.memory, bytes([byte]))
            except BusError as error:
                raise RvplatError(f"--flip-memory: {error}") from None
        else:
            hart.pc = where[0] + self._length(where[0])
        return where

    def _length(self, pc: int) -> int:
        """The bytes of the instruction here; 2 if it can't be read."""
        try:
            return instruction_length(int.from_bytes(self._hart.read(pc, 2), "little"))
        except BusError:
            return 2

    def _here(self) -> tuple[int, str, str]:
        """pc, function and line, and the instruction there."""
        pc = self._hart.pc
        frame = self.machine.backtrace()[0]
        past = f"+{frame.offset:#x}" if frame.offset else ""
        line = f" ({frame.file}:{frame.line})" if frame.line else ""
        try:
            bits = int.from_bytes(self._hart.read(pc, self._length(pc)), "little")
        except BusError:
            return pc, f"{frame.function}{past}{line}", ""
        return pc, f"{frame.function}{past}{line}", self._disassembler.text(bits, pc)

    def _outcome(self, stop: Stop, golden: Golden) -> Outcome:
        """What followed from a fault."""
        if (stop.reason, stop.code) == (golden.reason, golden.code):
            same = self.machine.console.output == golden.output
            return "unnoticed" if same else "wrong"
        return "hung" if stop.reason in ("limit", "timeout", "idle") else "crashed"
