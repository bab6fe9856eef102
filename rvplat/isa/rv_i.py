"""RV32I and RV64I, the base integer instruction sets (Unprivileged, "RV32I" and "RV64I").

`ecall` and `ebreak` are in rv_system.py, because what they do is privileged architecture. HINTs
have no rows: each runs as the instruction whose encoding it uses, with x0 as the destination.
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import (
    branch,
    check_target,
    jump,
    load_u8,
    load_u16,
    load_u32,
    load_u64,
    store_u8,
    store_u16,
    store_u32,
    store_u64,
)
from rvplat.isa.machinery.xlen import sx, ux
from rvplat.lang import define, s8, s16, s32, u8, u16, u32
from rvplat.lang import fence as order_memory

BASE = Extension("I", version="2.1", standing="ratified", title="Base integer instruction set")


# RV32I, "Integer Register-Immediate Instructions"


@BASE.instruction("imm[11:0] rs1 000 rd 0010011", "addi rd, rs1, imm")
def addi(hart, rd, rs1, imm):
    """Add the sign-extended immediate; overflow is ignored."""
    hart.x[rd] = hart.x[rs1] + imm


@BASE.instruction("imm[11:0] rs1 010 rd 0010011", "slti rd, rs1, imm")
def slti(hart, rd, rs1, imm):
    """1 if rs1 is less than the immediate, both signed."""
    hart.x[rd] = ux(sx(hart.x[rs1]) < sx(imm))


@BASE.instruction("imm[11:0] rs1 011 rd 0010011", "sltiu rd, rs1, imm")
def sltiu(hart, rd, rs1, imm):
    """1 if rs1 is less than the sign-extended immediate, both then unsigned."""
    hart.x[rd] = ux(hart.x[rs1] < imm)


@BASE.instruction("imm[11:0] rs1 111 rd 0010011", "andi rd, rs1, imm")
def andi(hart, rd, rs1, imm):
    hart.x[rd] = hart.x[rs1] & imm


@BASE.instruction("imm[11:0] rs1 110 rd 0010011", "ori rd, rs1, imm")
def ori(hart, rd, rs1, imm):
    hart.x[rd] = hart.x[rs1] | imm


@BASE.instruction("imm[11:0] rs1 100 rd 0010011", "xori rd, rs1, imm")
def xori(hart, rd, rs1, imm):
    hart.x[rd] = hart.x[rs1] ^ imm


@BASE.instruction("000000 shamt[5:0] rs1 001 rd 0010011", "slli rd, rs1, shamt",
                  rv32="0000000 shamt[4:0] rs1 001 rd 0010011")  # fmt: skip
def slli(hart, rd, rs1, shamt):
    hart.x[rd] = hart.x[rs1] << shamt


@BASE.instruction("000000 shamt[5:0] rs1 101 rd 0010011", "srli rd, rs1, shamt",
                  rv32="0000000 shamt[4:0] rs1 101 rd 0010011")  # fmt: skip
def srli(hart, rd, rs1, shamt):
    hart.x[rd] = hart.x[rs1] >> shamt


@BASE.instruction("010000 shamt[5:0] rs1 101 rd 0010011", "srai rd, rs1, shamt",
                  rv32="0100000 shamt[4:0] rs1 101 rd 0010011")  # fmt: skip
def srai(hart, rd, rs1, shamt):
    hart.x[rd] = ux(sx(hart.x[rs1]) >> shamt)


@BASE.instruction("imm[31:12] rd 0110111", "lui rd, imm[31:12]")
def lui(hart, rd, imm):
    """The upper 20 of 32 bits, sign-extended (RV64I, "Integer Register-Immediate ...")."""
    hart.x[rd] = imm


@BASE.instruction("imm[31:12] rd 0010111", "auipc rd, imm[31:12]")
def auipc(hart, rd, imm):
    """Add the upper immediate to the address of this instruction."""
    hart.x[rd] = ux(hart.pc) + imm


# RV32I, "Integer Register-Register Instructions"


@BASE.instruction("0000000 rs2 rs1 000 rd 0110011", "add rd, rs1, rs2")
def add(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs1] + hart.x[rs2]


@BASE.instruction("0100000 rs2 rs1 000 rd 0110011", "sub rd, rs1, rs2")
def sub(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs1] - hart.x[rs2]


@BASE.instruction("0000000 rs2 rs1 010 rd 0110011", "slt rd, rs1, rs2")
def slt(hart, rd, rs1, rs2):
    hart.x[rd] = ux(sx(hart.x[rs1]) < sx(hart.x[rs2]))


@BASE.instruction("0000000 rs2 rs1 011 rd 0110011", "sltu rd, rs1, rs2")
def sltu(hart, rd, rs1, rs2):
    hart.x[rd] = ux(hart.x[rs1] < hart.x[rs2])


@BASE.instruction("0000000 rs2 rs1 111 rd 0110011", "and rd, rs1, rs2")
def and_(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs1] & hart.x[rs2]


@BASE.instruction("0000000 rs2 rs1 110 rd 0110011", "or rd, rs1, rs2")
def or_(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs1] | hart.x[rs2]


@BASE.instruction("0000000 rs2 rs1 100 rd 0110011", "xor rd, rs1, rs2")
def xor(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs1] ^ hart.x[rs2]


@BASE.instruction("0000000 rs2 rs1 001 rd 0110011", "sll rd, rs1, rs2")
def sll(hart, rd, rs1, rs2):
    """Only the low log2(XLEN) bits of rs2 count, as in every shift of the definition language."""
    hart.x[rd] = hart.x[rs1] << hart.x[rs2]


@BASE.instruction("0000000 rs2 rs1 101 rd 0110011", "srl rd, rs1, rs2")
def srl(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs1] >> hart.x[rs2]


@BASE.instruction("0100000 rs2 rs1 101 rd 0110011", "sra rd, rs1, rs2")
def sra(hart, rd, rs1, rs2):
    hart.x[rd] = ux(sx(hart.x[rs1]) >> hart.x[rs2])


# RV32I, "Unconditional Jumps"


@BASE.instruction("imm[20|10:1|11|19:12] rd 1101111", "jal rd, pc+imm")
def jal(hart, rd, imm):
    """The link is written only if the target is aligned."""
    check_target(hart, ux(hart.pc) + imm)
    hart.x[rd] = ux(hart.next_pc)
    branch(hart, imm)


@BASE.instruction("imm[11:0] rs1 000 rd 1100111", "jalr rd, imm(rs1)")
def jalr(hart, rd, rs1, imm):
    """The target's lowest bit is cleared; rs1 is read before rd is written."""
    target = (hart.x[rs1] + imm) & ~1
    check_target(hart, target)
    hart.x[rd] = ux(hart.next_pc)
    jump(hart, target)


# RV32I, "Conditional Branches"


@define
def take(hart, offset: ux):
    """Take a branch. Only a branch that is taken checks its target."""
    check_target(hart, ux(hart.pc) + offset)
    branch(hart, offset)


@BASE.instruction("imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011", "beq rs1, rs2, pc+imm")
def beq(hart, rs1, rs2, imm):
    if hart.x[rs1] == hart.x[rs2]:
        take(hart, imm)


@BASE.instruction("imm[12|10:5] rs2 rs1 001 imm[4:1|11] 1100011", "bne rs1, rs2, pc+imm")
def bne(hart, rs1, rs2, imm):
    if hart.x[rs1] != hart.x[rs2]:
        take(hart, imm)


@BASE.instruction("imm[12|10:5] rs2 rs1 100 imm[4:1|11] 1100011", "blt rs1, rs2, pc+imm")
def blt(hart, rs1, rs2, imm):
    if sx(hart.x[rs1]) < sx(hart.x[rs2]):
        take(hart, imm)


@BASE.instruction("imm[12|10:5] rs2 rs1 110 imm[4:1|11] 1100011", "bltu rs1, rs2, pc+imm")
def bltu(hart, rs1, rs2, imm):
    if hart.x[rs1] < hart.x[rs2]:
        take(hart, imm)


@BASE.instruction("imm[12|10:5] rs2 rs1 101 imm[4:1|11] 1100011", "bge rs1, rs2, pc+imm")
def bge(hart, rs1, rs2, imm):
    if sx(hart.x[rs1]) >= sx(hart.x[rs2]):
        take(hart, imm)


@BASE.instruction("imm[12|10:5] rs2 rs1 111 imm[4:1|11] 1100011", "bgeu rs1, rs2, pc+imm")
def bgeu(hart, rs1, rs2, imm):
    if hart.x[rs1] >= hart.x[rs2]:
        take(hart, imm)


# RV32I and RV64I, "Load and Store Instructions"


@BASE.instruction("imm[11:0] rs1 011 rd 0000011", "ld rd, imm(rs1)", xlen=64)
def ld(hart, rd, rs1, imm):
    hart.x[rd] = load_u64(hart, hart.x[rs1] + imm)


@BASE.instruction("imm[11:0] rs1 010 rd 0000011", "lw rd, imm(rs1)")
def lw(hart, rd, rs1, imm):
    hart.x[rd] = ux(s32(load_u32(hart, hart.x[rs1] + imm)))


@BASE.instruction("imm[11:0] rs1 110 rd 0000011", "lwu rd, imm(rs1)", xlen=64)
def lwu(hart, rd, rs1, imm):
    hart.x[rd] = ux(load_u32(hart, hart.x[rs1] + imm))


@BASE.instruction("imm[11:0] rs1 001 rd 0000011", "lh rd, imm(rs1)")
def lh(hart, rd, rs1, imm):
    hart.x[rd] = ux(s16(load_u16(hart, hart.x[rs1] + imm)))


@BASE.instruction("imm[11:0] rs1 101 rd 0000011", "lhu rd, imm(rs1)")
def lhu(hart, rd, rs1, imm):
    hart.x[rd] = ux(load_u16(hart, hart.x[rs1] + imm))


@BASE.instruction("imm[11:0] rs1 000 rd 0000011", "lb rd, imm(rs1)")
def lb(hart, rd, rs1, imm):
    hart.x[rd] = ux(s8(load_u8(hart, hart.x[rs1] + imm)))


@BASE.instruction("imm[11:0] rs1 100 rd 0000011", "lbu rd, imm(rs1)")
def lbu(hart, rd, rs1, imm):
    hart.x[rd] = ux(load_u8(hart, hart.x[rs1] + imm))


@BASE.instruction("imm[11:5] rs2 rs1 011 imm[4:0] 0100011", "sd rs2, imm(rs1)", xlen=64)
def sd(hart, rs1, rs2, imm):
    store_u64(hart, hart.x[rs1] + imm, hart.x[rs2])


@BASE.instruction("imm[11:5] rs2 rs1 010 imm[4:0] 0100011", "sw rs2, imm(rs1)")
def sw(hart, rs1, rs2, imm):
    store_u32(hart, hart.x[rs1] + imm, u32(hart.x[rs2]))


@BASE.instruction("imm[11:5] rs2 rs1 001 imm[4:0] 0100011", "sh rs2, imm(rs1)")
def sh(hart, rs1, rs2, imm):
    store_u16(hart, hart.x[rs1] + imm, u16(hart.x[rs2]))


@BASE.instruction("imm[11:5] rs2 rs1 000 imm[4:0] 0100011", "sb rs2, imm(rs1)")
def sb(hart, rs1, rs2, imm):
    store_u8(hart, hart.x[rs1] + imm, u8(hart.x[rs2]))


# RV32I, "Memory Ordering Instructions"


@BASE.instruction("fm pred succ ----- 000 ----- 0001111", "fence pred, succ")
def fence(hart):
    """Order all accesses, whatever the two sets are. rs1, rd and fm are ignored."""
    order_memory()


@BASE.instruction("1000 0011 0011 ----- 000 ----- 0001111", "fence.tso")
def fence_tso(hart):
    """Run as fence rw, rw, which the manual allows: its orderings include those of fence.tso."""
    order_memory()


# RV64I, "Integer Register-Immediate Instructions"


@BASE.instruction("imm[11:0] rs1 000 rd 0011011", "addiw rd, rs1, imm", xlen=64)
def addiw(hart, rd, rs1, imm):
    """Add in 32 bits and sign-extend the sum."""
    hart.x[rd] = ux(s32(hart.x[rs1] + imm))


@BASE.instruction("0000000 shamt[4:0] rs1 001 rd 0011011", "slliw rd, rs1, shamt", xlen=64)
def slliw(hart, rd, rs1, shamt):
    hart.x[rd] = ux(s32(u32(hart.x[rs1]) << shamt))


@BASE.instruction("0000000 shamt[4:0] rs1 101 rd 0011011", "srliw rd, rs1, shamt", xlen=64)
def srliw(hart, rd, rs1, shamt):
    hart.x[rd] = ux(s32(u32(hart.x[rs1]) >> shamt))


@BASE.instruction("0100000 shamt[4:0] rs1 101 rd 0011011", "sraiw rd, rs1, shamt", xlen=64)
def sraiw(hart, rd, rs1, shamt):
    hart.x[rd] = ux(s32(hart.x[rs1]) >> shamt)


# RV64I, "Integer Register-Register Operations"


@BASE.instruction("0000000 rs2 rs1 000 rd 0111011", "addw rd, rs1, rs2", xlen=64)
def addw(hart, rd, rs1, rs2):
    hart.x[rd] = ux(s32(hart.x[rs1] + hart.x[rs2]))


@BASE.instruction("0100000 rs2 rs1 000 rd 0111011", "subw rd, rs1, rs2", xlen=64)
def subw(hart, rd, rs1, rs2):
    hart.x[rd] = ux(s32(hart.x[rs1] - hart.x[rs2]))


@BASE.instruction("0000000 rs2 rs1 001 rd 0111011", "sllw rd, rs1, rs2", xlen=64)
def sllw(hart, rd, rs1, rs2):
    """The low five bits of rs2 count."""
    hart.x[rd] = ux(s32(u32(hart.x[rs1]) << hart.x[rs2]))


@BASE.instruction("0000000 rs2 rs1 101 rd 0111011", "srlw rd, rs1, rs2", xlen=64)
def srlw(hart, rd, rs1, rs2):
    hart.x[rd] = ux(s32(u32(hart.x[rs1]) >> hart.x[rs2]))


@BASE.instruction("0100000 rs2 rs1 101 rd 0111011", "sraw rd, rs1, rs2", xlen=64)
def sraw(hart, rd, rs1, rs2):
    hart.x[rd] = ux(s32(hart.x[rs1]) >> hart.x[rs2])
