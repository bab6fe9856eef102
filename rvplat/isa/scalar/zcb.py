# ruff: noqa: E501
"""Zcb, additional compressed instructions (Unprivileged, "Zcb").

Some need a further extension, which has the instruction that they expand to.
"""

from rvplat.isa import rv_i, rv_m, rv_zba, rv_zbb
from rvplat.isa.rv_scalar import Zcb

c = Zcb.compressed

# fmt: off

c("100 000 rs1' uimm[0|1] rd' 00",   "c.lbu rd, uimm(rs1)", rv_i.lbu, imm="uimm")
c("100 001 rs1' 0 uimm[1] rd' 00",   "c.lhu rd, uimm(rs1)", rv_i.lhu, imm="uimm")
c("100 001 rs1' 1 uimm[1] rd' 00",   "c.lh rd, uimm(rs1)",  rv_i.lh, imm="uimm")
c("100 010 rs1' uimm[0|1] rs2' 00",  "c.sb rs2, uimm(rs1)", rv_i.sb, imm="uimm")
c("100 011 rs1' 0 uimm[1] rs2' 00",  "c.sh rs2, uimm(rs1)", rv_i.sh, imm="uimm")

c("100 111 rd' 11 000 01", "c.zext.b rd", rv_i.andi, rs1="rd", imm=0xFF)
c("100 111 rd' 11 001 01", "c.sext.b rd", rv_zbb.sext_b, rs1="rd", requires=("Zbb",))
c("100 111 rd' 11 010 01", "c.zext.h rd", rv_zbb.zext_h, rs1="rd", requires=("Zbb",))
c("100 111 rd' 11 011 01", "c.sext.h rd", rv_zbb.sext_h, rs1="rd", requires=("Zbb",))
c("100 111 rd' 11 100 01", "c.zext.w rd", rv_zba.add_uw, rs1="rd", rs2=0, requires=("Zba",), xlen=64)
c("100 111 rd' 11 101 01", "c.not rd",    rv_i.xori, rs1="rd", imm=-1)
c("100 111 rd' 10 rs2' 01", "c.mul rd, rs2", rv_m.mul, rs1="rd", requires=("Zmmul",))

# fmt: on
