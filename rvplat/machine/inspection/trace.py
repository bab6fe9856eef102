"""A trace of every instruction in the format of Spike's commit log (`spike --log-commits`).

    core   0: 3 0x0000000080000000 (0x00a28293) x5  0x000000000000000a
    core   0: 3 0x0000000080000004 (0x00533023) mem 0x0000000080001000 0x000000000000000a

A line has the hart, privilege, pc and instruction; registers and CSRs that it wrote; addresses that
it loaded from; addresses and values that it stored. A vector instruction has SEW, LMUL, vl and the
vector registers that it changed, but not the addresses. An instruction that traps is not committed
and has no line. A traced run is slow: one thread executes one instruction at a time, harts in
turns.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from rvplat.engine.reference import decode
from rvplat.errors import BusError
from rvplat.frozen import frozen
from rvplat.hart.state import STOP_LIMIT
from rvplat.isa.machinery.csr_rows import Csr
from rvplat.isa.machinery.disassemble import Disassembler, instruction_length
from rvplat.machine.inspection.instruction_effects import (
    AMO,
    CONDITIONAL,
    LOAD,
    ZERO,
    Access,
    InstructionEffects,
    KnownEffects,
)
from rvplat.machine.inspection.output_file import open_output
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.round_robin import RoundRobin
from rvplat.machine.running.system import System

TURN = 500  # instructions between two looks at the deadline; with the host's clock, of a turn
SINK = 32
X, F, V, VTYPE, CSR = range(5)  # in this order within a number, as Spike sorts them


@frozen
class Plan:
    """The parts of an instruction's line; `rd` and `frd` are -1 if it writes no such register."""

    bits: str
    operands: Mapping[str, int]
    rd: int
    frd: int
    accesses: tuple[Access, ...]
    #: CSRs that it writes if `writes` returns true (None: always); others appear if they change.
    csrs: tuple[Csr, ...]
    writes: Callable[[list[int], list[int], Mapping[str, int]], int] | None
    is_vector: bool = False


class Tracer(RoundRobin):
    """Run harts in turns, instruction by instruction, and write a line for each instruction."""

    def __init__(self, machine: System, file: TextIO) -> None:
        super().__init__(machine, machine.turns if isinstance(machine.turns, RoundRobin) else None)
        self._others = machine.turns
        self._others.close()  # until `close`
        self.at_once = TURN
        self._left = 0
        self.execute = self._traced
        self._take_interrupts = machine.export("take_interrupts")
        self._file = file
        self._find = Disassembler(machine.extensions).find
        self._rows = {row.name: row for one in machine.extensions for row in one.csrs}
        self._numbers = {row.number: row for row in self._rows.values()}
        self._plans: dict[int, Plan] = {}
        self._effects = InstructionEffects(machine.core.architecture)
        self._digits = machine.board.harts.xlen // 4
        self._known_effects: dict[str, KnownEffects] = {}
        self._watched = [self._rows[name] for name in ("fflags", "mstatus") if name in self._rows]
        self._cells = {hart.number: TracedFields(hart, self._watched) for hart in machine.harts}

    def close(self) -> None:
        """Let the time pass as before the trace."""
        super().close()
        self._others.open()

    def left(self, hart: Hart) -> int:
        return self._left

    def shorten(self, hart: Hart, left: int) -> None:
        self._left = left

    # --- running ---

    def _traced(self, hart: Hart) -> int:
        """The turn of a hart."""
        began = time.perf_counter_ns()
        lines: list[str] = []
        self._left = hart.left
        reason = STOP_LIMIT
        while self._left > 0 and reason == STOP_LIMIT and not hart.yields.value:
            reason = self._one(hart, lines)
            self._left -= 1
        if hart.plain.critical:
            lines.append(f"core {hart.number:3}: {self.machine.break_stop(hart)}\n")
        self._file.write("".join(lines))
        hart.allow(self._left)
        hart.ran_ns += time.perf_counter_ns() - began
        return reason

    def _one(self, hart: Hart, lines: list[str]) -> int:
        """Execute one instruction or its trap; returns hart.stop. No interrupt comes between the
        reading of pc and the end of the instruction: devices and other harts wait for the bus
        lock, and timers cannot fire because the time is stopped."""
        cells, on_host = self._cells[hart.number], self.virtual is None
        paused = cells.clock_virtual.value
        with self.machine.assembly.lock:
            if on_host:
                cells.time_now.value = self.machine.assembly.clock.now()
                cells.clock_virtual.value = 1
            self._take_interrupts(hart.address)
            pc, priv = cells.pc.value, cells.priv.value
            x, f = cells.x[:], cells.f[:]
            before = [cell.value for cell in cells.watched]
            v = bytes(cells.v)
            retired = hart.retired
            cells.held.value = 1
            hart.allow(1)
            hart.go(self.machine.core.run)
            cells.held.value = 0
            if on_host:
                cells.clock_virtual.value = paused
            if hart.retired != retired:
                text = f"core {hart.number:3}: {priv} {self._word(pc)} "
                lines.append(text + self._written(hart, cells, x, f, v, before))
        return int(hart.stop_code.value)

    # --- lines ---

    def _word(self, value: int) -> str:
        """A number of XLEN bits in hexadecimal, as Spike writes it."""
        return f"0x{value:0{self._digits}x}"

    def _written(
        self, hart: Hart, cells: TracedFields, x: list[int], f: list[int], v: bytes,
        before: list[int],
    ) -> str:  # fmt: skip
        bits = cells.bits.value - 1
        plan = self._plans.get(bits) or self._plan(bits)
        found = []
        if plan.rd >= 0:
            found.append((plan.rd << 4, f" x{plan.rd:<2} {self._word(cells.x[plan.rd])}"))
        if plan.frd >= 0:
            found.append((plan.frd << 4 | F, f" f{plan.frd:<2} 0x{cells.f[plan.frd]:016x}"))
        rows: list[Csr] = []
        if plan.csrs and (plan.writes is None or plan.writes(x, f, plan.operands)):
            rows += plan.csrs
        for row, cell, old in zip(self._watched, cells.watched, before, strict=True):
            if cell.value != old and row not in rows:
                rows.append(row)
        for row in rows:
            value = self.machine.export("read_csr")(hart.address, row.number)
            found.append((row.number << 4 | CSR, f" c{row.number}_{row.name} {self._word(value)}"))
        if plan.is_vector:
            found += cells.vectors(v)
        if len(found) > 1:
            found.sort()
        memory = [self._access(hart, one, plan, x, f) for one in plan.accesses]
        return plan.bits + "".join(text for _, text in found) + "".join(memory) + "\n"

    def _access(self, hart: Hart, access: Access, plan: Plan, x: list[int], f: list[int]) -> str:
        address = access.address(x, f, plan.operands) & (1 << 64) - 1
        load = f" mem {self._word(address)}"
        if access.kind == LOAD:
            return load
        if access.kind == ZERO:
            block = address & -access.size
            return "".join(f" mem {self._word(block + n)} 0x00" for n in range(access.size))
        if access.kind == CONDITIONAL and self._failed(hart, plan):
            return ""
        value = self._stored(hart, access, address, plan, x, f)
        store = f"{load} 0x{value:0{2 * access.size}x}" if value is not None else load
        return load + store if access.kind == AMO else store

    def _failed(self, hart: Hart, plan: Plan) -> bool:
        """Whether a store-conditional failed, by its destination. Unknown if that is x0."""
        return plan.rd >= 0 and self._cells[hart.number].x[plan.rd] != 0

    def _stored(
        self, hart: Hart, access: Access, address: int, plan: Plan, x: list[int], f: list[int]
    ) -> int | None:
        if access.value is not None:
            return access.value(x, f, plan.operands) & (1 << 8 * access.size) - 1
        found = self.machine.export("debug_translate")(hart.address, address)
        if not found.mapped:
            return None
        try:
            return self.machine.memory.read_int(int(found.pa), access.size)
        except BusError:
            return None

    # --- plans ---

    def _plan(self, bits: int) -> Plan:
        text = f"(0x{bits:0{2 * instruction_length(bits)}x})"
        row = self._find(bits)
        if row is None:  # the hart lacks its extension: it would have trapped
            return Plan(text, {}, -1, -1, (), (), None)
        instruction, operands = decode(row, bits)
        if instruction.name not in self._known_effects:
            self._known_effects[instruction.name] = self._effects.of(instruction)
        known = self._known_effects[instruction.name]
        rd = operands.get("rd", SINK)
        is_x = instruction.redirects_rd
        plan = self._plans[bits] = Plan(
            text, operands, rd if is_x and 0 < rd < SINK else -1,
            rd if not is_x and "rd" in operands else -1, known.accesses,
            self._csrs(operands.get("csr"), known.csrs), known.writes_csr,
            instruction.extension.name.startswith("Zve"),
        )  # fmt: skip
        return plan

    def _csrs(self, number: int | None, fields: frozenset[str]) -> tuple[Csr, ...]:
        """The CSRs in the line: the one that the instruction names, or those that hold its
        value."""
        row = self._numbers.get(number) if number is not None else None
        if row is not None:
            fields = frozenset({row.name} if row.storage else self._effects.fields_written(row))
        rows = [self._rows[name] for name in fields if name in self._rows]
        if row is not None and fields and not rows:
            return (row,)  # stored in an array: PMP
        if len(rows) > 1:  # mstatus only if it changes: FS becomes Dirty
            rows = [one for one in rows if one.name != "mstatus"]
        return tuple(sorted(rows, key=lambda one: one.number))


@contextlib.contextmanager
def tracing(machine: System, path: Path | None) -> Iterator[Tracer | None]:
    """A tracer that runs harts in turns and writes to a file; None if no file is named.

    Raises:
        HostError: the file can't be written.
    """
    if path is None:
        yield None
        return
    with open_output(path) as file:
        tracer = Tracer(machine, file)
        try:
            yield tracer
        finally:
            tracer.close()


class TracedFields:
    """The fields of a hart that every line needs."""

    def __init__(self, hart: Hart, watched: list[Csr]) -> None:
        self.pc = hart.field("pc")
        self.priv = hart.field("priv")
        self.held = hart.field("interrupts_held")
        self.bits = hart.field("scratch_bits")
        self.x = hart.field("x")
        self.f = hart.field("f")
        self.watched = [hart.field(row.name) for row in watched]
        self.vlenb = int(hart.view.vlen_bytes)
        self.v: Any = hart.vector_bytes() if self.vlenb else b""
        self._vtype = [hart.field(name) for name in ("vsew", "vlmul", "vl")] if self.vlenb else []
        self.time_now = hart.machine.field("time_now")
        self.clock_virtual = hart.machine.field("clock_virtual")

    def vectors(self, before: bytes) -> list[tuple[int, str]]:
        """The texts of SEW, LMUL, vl and of the vector registers that have changed, each with what
        it is sorted by."""
        sew, lmul, vl = (cell.value for cell in self._vtype)
        group = f"m{1 << lmul}" if lmul >= 0 else f"mf{1 << -lmul}"
        found = [(VTYPE, f" e{sew} {group} l{vl}")]
        after = bytes(self.v)
        for n in range(32) if after != before else ():
            value = after[n * self.vlenb : (n + 1) * self.vlenb]
            if value != before[n * self.vlenb : (n + 1) * self.vlenb]:
                found.append((n << 4 | V, f" v{n:<2} 0x{value[::-1].hex()}"))
        return found
