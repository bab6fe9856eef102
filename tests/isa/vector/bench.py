"""One hart with V that runs a vector instruction by the reference and natively (`Twin`)."""

from __future__ import annotations

import ctypes
import functools
import random
import re

from rvplat.isa.machinery.extension import Instruction
from rvplat.isa.machinery.xlen import TYPES
from rvplat.isa.vector.configuration import is_supported, set_vtype
from rvplat.isa.vector.state import FILE_BYTES
from rvplat.lang import standing_for, u64
from rvplat.machine.boards.catalogue import base_extensions, shipped_extensions
from tests.engine.native_bench import CODE, DATA, WFI, Twin

VLEN = 128
STATUS = 3 << 13 | 3 << 9  # FS and VS are Dirty
VECTOR = [one for one in shipped_extensions().values() if one.name[:2] == "Zv" and one.rows_in]
ROWS: list[Instruction] = [row for one in VECTOR for row in one.instructions]
NARROW: list[Instruction] = [row for one in VECTOR for row in one.of(32).instructions]


def names_x(row: Instruction) -> bool:
    """Whether it has an x register among its operands: to the others XLEN makes no difference."""
    return re.search(r"\b(rd|rs1|rs2)\b", row.syntax) is not None


VTYPES = [sew << 3 | lmul for sew in range(4) for lmul in (0, 1, 2, 3, 5, 6, 7)]
OP_VE = 0x77  # the opcode of instructions on element groups, with SEW 32 or 64
GROUP_VTYPES = [vtype for vtype in VTYPES if vtype >> 4 == 1]


def vtypes_for(row: Instruction) -> list[int]:
    """The values of vtype to draw from."""
    return GROUP_VTYPES if row.pattern.match & 0x7F == OP_VE else VTYPES


EXTENSIONS = [*base_extensions(), *VECTOR]


class VectorTwin(Twin):
    """A hart with V. `vectors` are the bytes of the vector registers, in place."""

    def __init__(self, xlen: int = 64) -> None:
        super().__init__([one.of(xlen) for one in EXTENSIONS if xlen in one.widths], True)
        self.types = TYPES[xlen]
        self.hart.vlen_bytes = VLEN // 8
        self._pristine = self.save()
        address = self.native.address + self.layout.fields["vectors"].offset
        self.vectors = (ctypes.c_uint8 * FILE_BYTES).from_address(address)


@functools.cache
def twin(xlen: int = 64) -> VectorTwin:
    """The bench."""
    return VectorTwin(xlen)


def begin(bench: VectorTwin, chance: random.Random, bits: int, vtype: int, vl: int) -> None:
    """Random registers and data; the instruction is next, in M mode."""
    bench.begin()
    hart = bench.hart
    bench.poke(CODE, bits.to_bytes(4, "little") + WFI.to_bytes(4, "little") * 4)
    bench.poke(DATA, chance.randbytes(0x2000))
    for i in range(1, 32):
        value = DATA + chance.randrange(0x200) * 8 if chance.randrange(2) else edge(chance)
        hart.x[i] = value & bench.mask
        hart.f[i] = chance.getrandbits(64)
    vectors = bench.vectors
    kind = chance.randrange(3)
    for i in range(32 * VLEN // 8):
        vectors[i] = chance.choice((0, 1, 0x7F, 0x80, 0xFF)) if kind == 0 else chance.getrandbits(8)
    hart.mstatus = int(hart.mstatus) | STATUS
    hart.vxrm, hart.frm = chance.randrange(4), chance.choice((0, 0, 1, 2, 3, 4))
    with standing_for(bench.types):
        set_vtype(hart, u64(vtype), bool(is_supported(hart, u64(vtype))))
    hart.vl = min(vl, int(hart.vlmax))
    hart.pc = CODE


def edge(chance: random.Random) -> int:
    """A value for a register."""
    small = chance.choice((0, 1, -1, 2, 7, 64, -128, 127, 1 << 31, -1 << 63, (1 << 63) - 1))
    return (small if chance.randrange(2) else chance.getrandbits(64)) & (1 << 64) - 1


def draw(chance: random.Random, row: Instruction) -> tuple[int, dict[str, int]]:
    """Bits of the row and its operands, with registers that are multiples of 1 to 8."""
    step = chance.choice((1, 2, 4, 8))
    values = {}
    for name, operand in row.pattern.operands.items():
        value = chance.getrandbits(operand.width)
        if name in ("vd", "vs1", "vs2", "vs3"):
            value = value // step * step
        if name == "nf" and chance.randrange(3):
            value = 0
        values[name] = operand.extract(operand.insert(value))
    bits = row.pattern.encode(**values)
    if not row.pattern.matches(bits):
        return draw(chance, row)
    return bits, values


__all__ = [
    "CODE", "DATA", "EXTENSIONS", "NARROW", "ROWS", "STATUS", "VLEN", "VTYPES", "VectorTwin",
    "begin", "draw", "names_x", "twin", "vtypes_for",
]  # fmt: skip
