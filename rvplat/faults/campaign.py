"""The run without a fault, and runs with one, each from the same snapshot in memory."""

from __future__ import annotations

from typing import Any, Literal

from rvplat.errors import BusError, RunFailed, RvplatError
from rvplat.faults.plan import Fault, Wanted, faults_of
from rvplat.frozen import frozen
from rvplat.isa.machinery.disassemble import Disassembler, instruction_length
from rvplat.machine.machine import Machine
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.run import Runner
from rvplat.machine.running.stop import Stop
from rvplat.machine.worlds.world import World

Outcome = Literal["crashed", "hung", "wrong", "unnoticed", "unreached"]
OUTCOMES: tuple[Outcome, ...] = ("crashed", "hung", "wrong", "unnoticed", "unreached")
TIMES = 2  # after a fault a hart may execute so many times the instructions of the run without
MORE = 1_000_000
SLOWEST_S = 120.0  # of the host's time, before the fault and after it


@frozen
class Golden:
    """How the run without a fault ends: the stop, what the main console showed, and the
    instructions that the first hart executed, with those that trapped. `longest`: the most that any
    hart executed."""

    reason: str
    code: int
    output: bytes
    instructions: int
    longest: int


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
        self._executed = [0] * len(machine.harts)  # since the beginning, as a limit counts
        self._disassembler = Disassembler(machine.extensions)

    def begin(self) -> None:
        """Put the machine back into the state that all runs begin with."""
        self.machine.load(self._begun)
        self._executed = [0] * len(self.machine.harts)

    def faults(self, wanted: Wanted, golden: Golden) -> list[Fault]:
        """The faults that are wanted, by the code as it is when the runs begin. Errors are those of
        `faults_of`."""
        self.begin()
        return faults_of(wanted, self.machine, golden.instructions)

    def golden(self, most: int | None = None) -> Golden:
        """Run without a fault.

        Raises:
            RvplatError: the run does not end by itself.
            RunFailed: a plugin failed.
        """
        self.begin()
        stop = self._run(most)
        if stop.reason == "timeout":
            raise RvplatError(
                f"the run without a fault took more than {SLOWEST_S:g} s of the host's time; let "
                "the program end sooner, or all runs begin nearer to its end: --after, --load"
            )
        if stop.reason == "limit":
            raise RvplatError(
                f"the run without a fault does not end: {stop}; faults need a program that ends"
            )
        executed = self._executed
        output = self.machine.console.output
        return Golden(stop.reason, stop.code, output, executed[0], max(executed))

    def inject(self, fault: Fault, golden: Golden) -> Result:
        """Run with a fault.

        Raises:
            RvplatError: there is no memory where the fault is to flip a bit.
        """
        self.begin()
        most = TIMES * golden.longest + MORE
        found = self._reach(fault, most)
        if isinstance(found, Stop):
            at, done = fault.address or 0, self._executed[0]
            return Result(fault, "unreached", at, "", "", str(found), done)
        where = self._here(found)
        self._apply(fault, found)
        stop = self._go_on(most)
        return Result(fault, self._outcome(stop, golden), *where, str(stop), self._executed[0])

    def _reach(self, fault: Fault, most: int) -> Hart | Stop:
        """Run to the place of a fault: the hart that is there, or why the run ended before."""
        machine = self.machine
        if fault.address is not None:
            point = machine.breakpoints.add(fault.address)
            try:
                stop = self._go_on(most)
            finally:
                machine.breakpoints.remove(point)
            return machine.harts[stop.hart] if stop.breakpoint is point else stop
        if fault.after:
            stop = self._go_on(fault.after)
            if stop.reason != "limit":
                return stop
        return machine.harts[0]

    def _go_on(self, most: int) -> Stop:
        """Run on. A failure of a plugin is what a fault may lead to."""
        try:
            return self._run(most)
        except RunFailed as error:
            return error.stop if isinstance(error.stop, Stop) else Stop("failure")

    def _run(self, most: int | None) -> Stop:
        """Run on; no hart executes more than `most` instructions. RunFailed as `Machine.run`."""
        runner = Runner(self.machine, SLOWEST_S, most, ends_idle=True, restarts=False)
        stop = runner.run()
        self._executed = [a + b for a, b in zip(self._executed, runner.executed, strict=True)]
        self.machine.raise_failures(stop)
        return stop

    def _apply(self, fault: Fault, hart: Hart) -> None:
        """Let the fault happen on a hart."""
        if fault.kind == "flip":
            hart.x[fault.register] = hart.x[fault.register] ^ 1 << fault.bit
        elif fault.kind == "flip-memory":
            host = World(self.machine, hart, "host")
            try:
                byte = host.read(fault.memory, 1)[0] ^ 1 << fault.bit
                host.write(fault.memory, bytes([byte]))
            except (BusError, ValueError) as error:
                raise RvplatError(f"--flip-memory {fault.memory:#x}: {error}") from None
        else:
            hart.pc += self._length(hart)

    def _length(self, hart: Hart) -> int:
        """The bytes of a hart's next instruction; 2 if it can't be read."""
        try:
            return instruction_length(int.from_bytes(hart.read(hart.pc, 2), "little"))
        except BusError:
            return 2

    def _here(self, hart: Hart) -> tuple[int, str, str]:
        """pc, function and line, and the instruction there."""
        pc = hart.pc
        frame = self.machine.backtrace(hart.number)[0]
        past = f"+{frame.offset:#x}" if frame.offset else ""
        line = f" ({frame.file}:{frame.line})" if frame.line else ""
        try:
            bits = int.from_bytes(hart.read(pc, self._length(hart)), "little")
        except BusError:
            return pc, f"{frame.function}{past}{line}", ""
        return pc, f"{frame.function}{past}{line}", self._disassembler.text(bits, pc)

    def _outcome(self, stop: Stop, golden: Golden) -> Outcome:
        """What followed from a fault."""
        if (stop.reason, stop.code) == (golden.reason, golden.code):
            same = self.machine.console.output == golden.output
            return "unnoticed" if same else "wrong"
        return "hung" if stop.reason in ("limit", "timeout", "idle") else "crashed"
