"""A hart in memory with every extension that brings privileged state, stepped by the reference.

`Bench.run` does what the engine does around one instruction: the trap, the retirement, and the
look for interrupts when the instruction asked for one.
"""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from rvplat.engine.architecture import Architecture
from rvplat.hart.counters import update_deadline
from rvplat.hart.csr import enable
from rvplat.hart.interrupts import take_interrupt
from rvplat.hart.state import MachineState
from rvplat.hart.trap import Trap, take_trap
from rvplat.isa import rv_system, sstc, zawrs, zicntr, zicsr
from rvplat.isa.machinery import vocabulary
from rvplat.isa.machinery.extension import SINK, Extension, Instruction
from rvplat.isa.priv_m import Sm, U, reset_status
from rvplat.isa.priv_s import S
from rvplat.isa.privileged import INTERRUPT, MACHINE
from rvplat.lang import address_of, u32, u64
from rvplat.machine.boards.catalogue import base_extensions

FLAGS = [
    "i",
    "m",
    "a",
    "f",
    "d",
    "c",
    "h",
    "zba",
    "zbb",
    "zbs",
    "zicsr",
    "zicbom",
    "zicboz",
    "svadu",
    "svpbmt",
    "sv39",
    "sm",
    "s",
    "u",
    "zicntr",
    "zihpm",
    "sstc",
    "zawrs",
]
ALL = frozenset(FLAGS) - {"h"}
EXTENSIONS: tuple[Extension, ...] = (
    Sm, U, S, zicsr.Zicsr, zicntr.Zicntr, zicntr.Zihpm, sstc.Sstc, zawrs.Zawrs
)  # fmt: skip
PC = 0x8000_1000
HANDLER = 0x8000_4000
SUPERVISOR_HANDLER = 0x8020_0000
BITS = 0x1234_5673  # what the current instruction is said to be
BY_NAME = {row.name: row for e in EXTENSIONS for row in e.csrs}


LAYOUT = Architecture(base_extensions()).layout


def _fill(view: Any, enabled: frozenset[str]) -> None:
    for flag in FLAGS:
        setattr(view, f"has_{flag}", int(flag in enabled))
    for extension in EXTENSIONS:
        if extension.name.lower() in enabled:
            enable(view, extension.csrs)


class Bench:
    """One hart, its machine, and what it asked of its surroundings."""

    def __init__(self, enabled: frozenset[str] = ALL) -> None:
        self._bytes = ctypes.create_string_buffer(LAYOUT.size)
        self._machine_bytes = ctypes.create_string_buffer(MachineState.size)
        self.machine = MachineState.view(ctypes.addressof(self._machine_bytes))
        self.machine.clock_virtual = 1
        self.machine.instructions_per_tick = 1_000_000
        self.hart = LAYOUT.view(ctypes.addressof(self._bytes))
        self.hart.machine = address_of(self.machine)
        _fill(self.hart, enabled)
        reset_status(self.hart)
        self.hart.priv = MACHINE
        self.hart.pc = PC
        self.hart.budget = 1000
        self.hart.instret_base = 1000
        self.hart.mtimecmp = (1 << 64) - 1
        self.hart.mtvec = HANDLER
        self.hart.stvec = SUPERVISOR_HANDLER
        self.contexts = 0
        update_deadline(self.hart)

    # --- instructions ---

    def run(self, row: Instruction, **operands: int) -> None:
        """One instruction, with whatever trap or interrupt follows it."""
        hart = self.hart
        if operands.get("rd") == 0:
            operands["rd"] = SINK
        hart.next_pc = hart.pc + 4
        try:
            row.definition(hart, *(u64(operands[name]) for name in row.operands))
        except Trap:
            take_trap(hart)
        else:
            hart.pc = hart.next_pc
            hart.budget -= 1
        if hart.resync != 0:
            hart.resync = 0
            take_interrupt(hart)

    def read(self, name: str) -> int:
        """`csrr x5, name`."""
        self.hart.x[5] = 0xBAD
        self.run(zicsr.csrrs, rd=5, rs1=0, csr=BY_NAME[name].number)
        return int(self.hart.x[5])

    def write(self, name: str, value: int) -> None:
        """`csrw name, x6`."""
        self.hart.x[6] = value
        self.run(zicsr.csrrw, rd=0, rs1=6, csr=BY_NAME[name].number)

    def set(self, name: str, bits: int) -> int:
        """`csrrs x5, name, x6`: the old value."""
        return self._modify(zicsr.csrrs, name, bits)

    def clear(self, name: str, bits: int) -> int:
        """`csrrc x5, name, x6`: the old value."""
        return self._modify(zicsr.csrrc, name, bits)

    def _modify(self, row: Instruction, name: str, bits: int) -> int:
        self.hart.x[5], self.hart.x[6] = 0xBAD, bits
        self.run(row, rd=5, rs1=6, csr=BY_NAME[name].number)
        return int(self.hart.x[5])

    # --- what to look at ---

    def value(self, name: str) -> int:
        """A CSR from M mode, without any effect on the hart's course."""
        return int(vocabulary.csr_read(self.hart, u32(BY_NAME[name].number)))

    def put(self, name: str, value: int) -> None:
        """Write a CSR without an instruction."""
        vocabulary.csr_write(self.hart, u32(BY_NAME[name].number), u64(value))
        self.hart.resync = 0

    def enter(self, priv: int) -> None:
        """Be in a mode, as if by a return from a trap."""
        self.hart.priv = priv
        self.hart.pc = PC

    def trapped(self, cause: int, tval: int | None = None, *, mode: int = MACHINE) -> bool:
        """Whether the last step took the trap into the mode's handler."""
        prefix, handler = ("m", HANDLER) if mode == MACHINE else ("s", SUPERVISOR_HANDLER)
        seen = self.value(prefix + "cause"), int(self.hart.pc), int(self.hart.priv)
        if tval is not None and self.value(prefix + "tval") != tval:
            return False
        return seen == (cause, handler, mode) and self.value(prefix + "epc") == PC

    def illegal(self) -> bool:
        """Whether the last step was an illegal instruction, handled in M mode."""
        return self.trapped(2, BITS)

    def interrupted(self, number: int, mode: int = MACHINE) -> bool:
        """Whether the hart is in the mode's handler because of the interrupt."""
        prefix = "m" if mode == MACHINE else "s"
        return self.hart.priv == mode and self.value(prefix + "cause") == INTERRUPT | number

    # --- the words that other parts of the hart mean ---

    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Jumps set next_pc, the instruction's bits are BITS, changed contexts are counted."""

        def jump(hart: Any, target: u64) -> None:
            hart.next_pc = target

        def context_changed(hart: Any) -> None:
            self.contexts += 1

        meanings = {
            vocabulary.jump: jump,
            vocabulary.context_changed: context_changed,
            vocabulary.instruction_bits: lambda hart: u64(BITS),
        }
        for word, meaning in meanings.items():
            monkeypatch.setattr(word, "implementation", meaning)


def make(monkeypatch: pytest.MonkeyPatch, without: str = "") -> Bench:
    """A bench whose hart lacks the extensions named."""
    bench = Bench(ALL - frozenset(without.split()))
    bench.stand_in(monkeypatch)
    return bench


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A hart with everything, in M mode."""
    return make(monkeypatch)


ECALL, EBREAK = rv_system.ecall, rv_system.ebreak
MRET, SRET, WFI = rv_system.mret, rv_system.sret, rv_system.wfi
