"""A guest that runs a floating-point instruction on many operands, natively or on the reference.

    guest.run(rv_fd.fadd.d, [(a, b), ...], rm=7, frm=1)  ->  [(result, fflags), ...]

Operands and results are contents of f registers, or of x registers if the instruction has those.
"""

from __future__ import annotations

import ctypes
import functools
import re
import struct
from collections.abc import Sequence
from typing import Any

from rvplat.bus.ram import Ram
from rvplat.engine.native import Core
from rvplat.engine.reference import Reference
from rvplat.hart.reset import reset
from rvplat.isa import rv_fd, rv_i, zicsr
from rvplat.isa.machinery.extension import Extension, Instruction
from rvplat.machine.boards.extensions import architecture_for
from rvplat.machine.running.native_records import NativeHart, NativeMachine
from tests.engine.native_bench import scalar_extensions, take_traps
from tests.isa.fp_oracle import WIDTHS

RAM = 0x8000_0000
DATA = RAM + 0x10000
ENTRY = 48  # bytes: four operands, result, flags
FS_INITIAL, FS_CLEAN, FS_DIRTY = 1 << 13, 2 << 13, 3 << 13
DONE = RAM + 0x1000  # mtvec
POINTER, END, INTEGER, RESULT = 10, 11, 5, 6  # x registers of the loop


@functools.cache
def core() -> Core:
    """Native code for the scalar extensions."""
    return Core(architecture_for((), True, scalar_extensions()))


def extensions() -> list[Extension]:
    """The scalar extensions except H and those that require it."""
    return [e for e in scalar_extensions() if e.name not in ("H", "Sha")]


def text_of(instruction: Instruction, rm: int) -> tuple[int, bool, bool]:
    """Encode the instruction with operands f1, f2, f3 or x5 and result f4 or x6. Also return
    whether it takes an f register, and whether its result is one."""
    takes_f = "frs1" in instruction.syntax or "fli" in instruction.syntax
    gives_f = re.search(r"\bfrd\b", instruction.syntax) is not None
    values = {"rs1": 1 if takes_f else INTEGER, "rs2": 2, "rs3": 3, "rm": rm}
    values["rd"] = 4 if gives_f else RESULT
    names = instruction.pattern.operands
    bits = instruction.pattern.encode(**{n: v for n, v in values.items() if n in names})
    return bits, takes_f, gives_f


def width_of(row: Instruction) -> int:
    """The width of the instruction's floating-point operands; 0 if its operand is an integer."""
    if not text_of(row, 0)[1]:
        return 0
    return WIDTHS.get(row.name.split(".")[-1], 32)


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)


class FpGuest:
    """A hart with RAM. `kind` is "native" or "reference"."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.native = NativeMachine()
        core().attach(self.native.view)
        self.native.view.timebase_hz = 10_000_000
        self.ram = Ram(RAM, 1 << 22)
        self.native.add_ram(self.ram, True)
        self.native_hart = NativeHart(
            0, self.native, core().decoder(extensions()), core().architecture.layout
        )
        self.hart: Any = self.native_hart.view
        self.hart.ialign_mask = 1
        self._no_device = _CALLBACK(self._refuse)
        refuse = ctypes.cast(self._no_device, ctypes.c_void_p).value
        self.hart.mmio_read = self.hart.mmio_write = refuse
        for extension in extensions():
            setattr(self.hart, "has_" + extension.name.lower(), 1)
        self.host_rounds = (0.0, 0.0)
        self.reference = Reference(extensions())

    def _refuse(self, hart: int, pa: int, size: int, value: int) -> int:
        """Answer that there is no device. Meanwhile Python's own floats must work as usual."""
        self.hart.mmio_error = 1
        self.host_rounds = (1.0 + 2.0**-53, 1.0 + 2.0**-52)
        return 0

    def start(self, code: Sequence[int], fs: int, frm: int) -> None:
        """Reset the hart, with this code at the start of RAM."""
        reset(self.hart, extensions(), RAM)
        core().export("drop_slots")(self.hart)
        self.ram.view[: 4 * len(code)] = struct.pack(f"<{len(code)}I", *code)
        take_traps(self.hart)
        self.hart.mstatus = self.hart.mstatus | fs
        self.hart.frm = frm
        self.hart.mtvec = DONE

    def go(self, instructions: int) -> None:
        """Run this number of instructions."""
        if self.kind == "native":
            self.hart.limit = instructions
            core().run(self.native_hart.address)
        else:
            self.reference.run(self.hart, instructions)

    def run(
        self, instruction: Instruction, rows: Sequence[tuple[int, ...]], rm: int = 7, frm: int = 0
    ) -> list[tuple[int, int]]:
        """Run the instruction on each row of operands; return the results and flags."""
        code = self._loop(instruction, rm)
        self.start(code, FS_DIRTY, frm)
        data = b"".join(struct.pack("<6Q", *row, *[0] * (6 - len(row))) for row in rows)
        at = DATA - RAM
        self.ram.view[at : at + len(data)] = data
        self.hart.x[POINTER], self.hart.x[END] = DATA, DATA + len(data)
        self.go(len(code) * len(rows))
        assert int(self.hart.pc) == RAM + 4 * len(code), hex(self.hart.pc)
        made = bytes(self.ram.view[at : at + len(data)])
        return [struct.unpack_from("<2Q", made, ENTRY * i + 32) for i in range(len(rows))]

    def _loop(self, instruction: Instruction, rm: int) -> list[int]:
        bits, _, gives_f = text_of(instruction, rm)
        encode = {
            name: getattr(module, name).pattern.encode
            for module, names in (
                (rv_fd, "fld fsd"),
                (rv_i, "ld sd addi bne"),
                (zicsr, "csrrw csrrs"),
            )
            for name in names.split()
        }
        code = [encode["fld"](rd=n, rs1=POINTER, imm=8 * (n - 1)) for n in (1, 2, 3)]
        code.append(encode["ld"](rd=INTEGER, rs1=POINTER, imm=0))
        code.append(encode["csrrw"](rd=0, rs1=0, csr=1))
        code.append(bits)
        code.append(encode["csrrs"](rd=7, rs1=0, csr=1))
        store = encode["fsd"] if gives_f else encode["sd"]
        code.append(store(rs2=4 if gives_f else RESULT, rs1=POINTER, imm=32))
        code.append(encode["sd"](rs2=7, rs1=POINTER, imm=40))
        code.append(encode["addi"](rd=POINTER, rs1=POINTER, imm=ENTRY))
        code.append(encode["bne"](rs1=POINTER, rs2=END, imm=-4 * len(code)))
        return code


@functools.cache
def guest_of(kind: str) -> FpGuest:
    """The guest of a kind; all tests share it."""
    return FpGuest(kind)
