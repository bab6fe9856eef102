# ruff: noqa: E501
"""Zilsd and Zclsd, loads and stores of register pairs on RV32 (Unprivileged, "Zilsd" and "Zclsd").

An access is a doubleword's, so an address that is a multiple of 4 alone is misaligned. Odd register
numbers are reserved.
"""

from rvplat.isa.machinery.register_pairs import put_pair, source_pair
from rvplat.isa.machinery.vocabulary import load_u64, store_u64
from rvplat.isa.rv_c import SP
from rvplat.isa.rv_scalar import Zclsd, Zilsd

# "Load/Store pair instructions"


@Zilsd.instruction("imm[11:0] rs1 011 rd[4:1] 0 0000011", "ld rd, imm(rs1)", xlen=32)
def ld(hart, rd, rs1, imm):
    """To x0 the load is made as any other, and x1 isn't written ("Use of x0 as operand")."""
    put_pair(hart, rd, load_u64(hart, hart.x[rs1] + imm))


@Zilsd.instruction("imm[11:5] rs2[4:1] 0 rs1 011 imm[4:0] 0100011", "sd rs2, imm(rs1)", xlen=32)
def sd(hart, rs1, rs2, imm):
    """x0 stands for a doubleword that is zero."""
    store_u64(hart, hart.x[rs1] + imm, source_pair(hart, rs2))


# "Compressed Load/Store pair instructions"

c = Zclsd.compressed

# fmt: off
c("011 uimm[5] rd[4:1] 0 uimm[4:3|8:6] 10",       "c.ldsp rd, uimm(sp)",  ld, rs1=SP, imm="uimm", where="rd != 0", xlen=32)
c("111 uimm[5:3|8:6] rs2[4:1] 0 10",              "c.sdsp rs2, uimm(sp)", sd, rs1=SP, imm="uimm", xlen=32)
c("011 uimm[5:3] rs1' uimm[7:6] rd'[2:1] 0 00",   "c.ld rd, uimm(rs1)",   ld, imm="uimm", xlen=32)
c("111 uimm[5:3] rs1' uimm[7:6] rs2'[2:1] 0 00",  "c.sd rs2, uimm(rs1)",  sd, imm="uimm", xlen=32)
# fmt: on
