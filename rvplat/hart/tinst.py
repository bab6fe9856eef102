"""The values of htinst and mtinst at a trap (Privileged, "Transformed Instruction or
Pseudoinstruction for mtinst or htinst").

The transformation follows from the instruction's format: opcode, funct3 and rd or rs2 stay, rs1
becomes the offset of the fault, immediates become zero. Compressed loads and stores are expanded.
"""

from rvplat.hart.fetch import peek_halfword
from rvplat.hart.state import HartState
from rvplat.isa.privileged import INTERRUPT, Cause
from rvplat.lang import define, u64

HartState.derived("access_offset", u64)  # of the faulting part of an access that crosses a page

EXPLICIT = (
    1 << Cause.LOAD_MISALIGNED | 1 << Cause.LOAD_ACCESS | 1 << Cause.STORE_MISALIGNED
    | 1 << Cause.STORE_ACCESS | 1 << Cause.LOAD_PAGE | 1 << Cause.STORE_PAGE
    | 1 << Cause.LOAD_GUEST_PAGE | 1 << Cause.STORE_GUEST_PAGE
)  # fmt: skip

LOAD, LOAD_FP, MISC_MEM, STORE, STORE_FP, AMO, SYSTEM = 0x03, 0x07, 0x0F, 0x23, 0x27, 0x2F, 0x73
OPCODE, FUNCT3, RD, RS2, RS1 = 0x7F, 0x7000, 0xF80, 0x01F0_0000, 0x000F_8000
SCALAR_FP = 0x1E  # the widths 1 to 4 of LOAD-FP and STORE-FP; the others are vectors
ACCESS = 0x4000  # funct3 of HLV, HLVX and HSV
MOP = 1 << 31  # set in may-be-operations, which have the funct3 of HLV: sspush and sspopchk
CBO = 0x2000  # funct3 of cache-block operations (CMOs, "Hypervisor Extension")
FP = 0x04  # from LOAD to LOAD-FP, from STORE to STORE-FP
NOT_EXPANDED = 2  # bit 1, clear in what was compressed


@define
def is_scalar(bits: u64) -> bool:
    """Whether a load or store of LOAD-FP or STORE-FP is one of F, D, Q or Zfh."""
    return u64(SCALAR_FP) >> (bits >> 12 & 7) & 1 != 0


@define
def transformed(bits: u64) -> u64:
    """A 32-bit instruction without rs1 and immediates; 0 if it has no transformation."""
    opcode = bits & OPCODE
    if opcode == LOAD or (opcode == LOAD_FP and is_scalar(bits)):
        return bits & (FUNCT3 | RD | OPCODE)
    if opcode == STORE or (opcode == STORE_FP and is_scalar(bits)):
        return bits & (RS2 | FUNCT3 | OPCODE)
    if (
        opcode == AMO
        or (opcode == SYSTEM and bits & (MOP | FUNCT3) == ACCESS)
        or (opcode == MISC_MEM and bits & FUNCT3 == CBO)
    ):
        return bits & ~u64(RS1)
    return u64(0)


@define
def basic(store: bool, opcode: u64, width: u64, register: u64) -> u64:
    """A load or store of a register, transformed."""
    if store:
        return register << 20 | width << 12 | opcode | STORE
    return width << 12 | register << 7 | opcode | LOAD


@define
def byte_form(bits: u64) -> u64:
    """Zcb: c.lbu, c.lhu or c.lh, c.sb, c.sh, expanded and transformed."""
    register = 8 + (bits >> 2 & 7)
    kind = bits >> 10 & 7
    if kind > 3:
        return u64(0)
    width = kind & 1
    if kind == 0 or (kind == 1 and bits & 0x40 == 0):
        width |= 4
    return basic(kind >= 2, u64(0), width, register)


@define
def expanded(bits: u64) -> u64:
    """A compressed load or store, expanded and transformed: in quadrants 0 and 2, bit 15 says
    store, bits 14 and 13 say fld (1), lw (2), ld (3)."""
    kind = bits >> 13 & 3
    store = bits & 0x8000 != 0
    if kind == 0:
        return byte_form(bits) if store and bits & 3 == 0 else u64(0)
    register = 8 + (bits >> 2 & 7)
    if bits & 3 == 2:
        register = bits >> 2 & 31 if store else bits >> 7 & 31
    width = u64(2) if kind == 2 else u64(3)
    return basic(store, u64(FP) if kind == 1 else u64(0), width, register)


@define
def transformation(bits: u64) -> u64:
    """Of an instruction of either length; bit 1 says which."""
    if bits & 3 == 3:
        return transformed(bits)
    if bits & 3 == 1:
        return u64(0)
    value = expanded(bits)
    return value & ~u64(NOT_EXPANDED)


@define(cold=True)
def current_transformation(hart) -> u64:
    """Of the instruction at hart.pc, with the fault's offset for rs1; 0 if it can't be read."""
    bits, read = peek_halfword(hart, hart.pc)
    if bits & 3 == 3:
        high, second = peek_halfword(hart, hart.pc + 2)
        bits |= high << 16
        read = read and second
    if not read:
        return u64(0)
    value = transformation(bits)
    return value | hart.access_offset << 15 if value != 0 else value


@define
def is_explicit(cause: u64) -> bool:
    """Whether a trap may be caused by an explicit memory access."""
    return cause & INTERRUPT == 0 and u64(EXPLICIT) >> cause & 1 != 0


@define
def trap_instruction(hart, cause: u64) -> u64:
    """The value for htinst or mtinst: a pseudoinstruction of an implicit access, the transformation
    of an instruction whose explicit access failed, or 0."""
    tinst = hart.trap_tinst
    told = hart.has_h != 0 and hart.tinst_zero == 0
    if tinst == 0 and told and is_explicit(cause):
        return current_transformation(hart)
    return tinst
