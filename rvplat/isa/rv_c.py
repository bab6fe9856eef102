# ruff: noqa: E501
"""C, compressed instructions (Unprivileged, "C" and "Zca"): short forms of base instructions.

Reserved encodings have no row, so they are illegal. A HINT runs as the instruction whose encoding it
uses. The loads and stores of floating-point registers are in rv_c_fp.py.
"""

from rvplat.isa import rv_i, rv_system
from rvplat.isa.machinery.extension import Extension

ZERO, RA, SP = 0, 1, 2

Zca = Extension("Zca", version="1.0", standing="ratified", title="Integer compressed instructions",
                requires=("I",))  # fmt: skip
C = Extension("C", version="2.0", standing="ratified", title="Compressed instructions",
              requires=("Zca",))  # fmt: skip

c = Zca.compressed

# fmt: off

# "Stack-Pointer-Based Loads and Stores"
c("010 uimm[5] rd uimm[4:2|7:6] 10", "c.lwsp rd, uimm(sp)",  rv_i.lw, rs1=SP, imm="uimm", where="rd != 0")
c("011 uimm[5] rd uimm[4:3|8:6] 10", "c.ldsp rd, uimm(sp)",  rv_i.ld, rs1=SP, imm="uimm", where="rd != 0", xlen=64)
c("110 uimm[5:2|7:6] rs2 10",        "c.swsp rs2, uimm(sp)", rv_i.sw, rs1=SP, imm="uimm")
c("111 uimm[5:3|8:6] rs2 10",        "c.sdsp rs2, uimm(sp)", rv_i.sd, rs1=SP, imm="uimm", xlen=64)

# "Register-Based Loads and Stores"
c("010 uimm[5:3] rs1' uimm[2|6] rd' 00",  "c.lw rd, uimm(rs1)",  rv_i.lw, imm="uimm")
c("011 uimm[5:3] rs1' uimm[7:6] rd' 00",  "c.ld rd, uimm(rs1)",  rv_i.ld, imm="uimm", xlen=64)
c("110 uimm[5:3] rs1' uimm[2|6] rs2' 00", "c.sw rs2, uimm(rs1)", rv_i.sw, imm="uimm")
c("111 uimm[5:3] rs1' uimm[7:6] rs2' 00", "c.sd rs2, uimm(rs1)", rv_i.sd, imm="uimm", xlen=64)

# "Control Transfer Instructions"
c("101 imm[11|4|9:8|10|6|7|3:1|5] 01",     "c.j pc+imm",         rv_i.jal, rd=ZERO)
c("001 imm[11|4|9:8|10|6|7|3:1|5] 01",     "c.jal pc+imm",       rv_i.jal, rd=RA, xlen=32)
c("1000 rs1 00000 10",                     "c.jr rs1",           rv_i.jalr, rd=ZERO, imm=0, where="rs1 != 0")
c("1001 rs1 00000 10",                     "c.jalr rs1",         rv_i.jalr, rd=RA, imm=0, where="rs1 != 0")
c("110 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", "c.beqz rs1, pc+imm", rv_i.beq, rs2=ZERO)
c("111 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", "c.bnez rs1, pc+imm", rv_i.bne, rs2=ZERO)

# "Integer Constant-Generation Instructions"
c("010 imm[5] rd imm[4:0] 01",    "c.li rd, imm",         rv_i.addi, rs1=ZERO)
c("011 imm[17] rd imm[16:12] 01", "c.lui rd, imm[31:12]", rv_i.lui, where="rd != 2, imm != 0")

# "Integer Register-Immediate Operations"
c("000 imm[5] rd imm[4:0] 01",          "c.addi rd, imm",         rv_i.addi, rs1="rd", where="rd != 0")
c("001 imm[5] rd imm[4:0] 01",          "c.addiw rd, imm",        rv_i.addiw, rs1="rd", where="rd != 0", xlen=64)
c("011 imm[9] 00010 imm[4|6|8:7|5] 01", "c.addi16sp sp, imm",     rv_i.addi, rd=SP, rs1=SP, where="imm != 0")
c("000 uimm[5:4|9:6|2|3] rd' 00",       "c.addi4spn rd, sp, uimm", rv_i.addi, rs1=SP, imm="uimm", where="uimm != 0")
c("000 shamt[5] rd shamt[4:0] 10",      "c.slli rd, shamt",       rv_i.slli, rs1="rd", rv32="000 0 rd shamt[4:0] 10")
c("100 shamt[5] 00 rd' shamt[4:0] 01",  "c.srli rd, shamt",       rv_i.srli, rs1="rd", rv32="100 0 00 rd' shamt[4:0] 01")
c("100 shamt[5] 01 rd' shamt[4:0] 01",  "c.srai rd, shamt",       rv_i.srai, rs1="rd", rv32="100 0 01 rd' shamt[4:0] 01")
c("100 imm[5] 10 rd' imm[4:0] 01",      "c.andi rd, imm",         rv_i.andi, rs1="rd")

# "Integer Register-Register Operations"
c("1000 rd rs2 10",        "c.mv rd, rs2",   rv_i.add, rs1=ZERO, where="rs2 != 0")
c("1001 rd rs2 10",        "c.add rd, rs2",  rv_i.add, rs1="rd", where="rs2 != 0")
c("100011 rd' 11 rs2' 01", "c.and rd, rs2",  rv_i.and_, rs1="rd")
c("100011 rd' 10 rs2' 01", "c.or rd, rs2",   rv_i.or_, rs1="rd")
c("100011 rd' 01 rs2' 01", "c.xor rd, rs2",  rv_i.xor, rs1="rd")
c("100011 rd' 00 rs2' 01", "c.sub rd, rs2",  rv_i.sub, rs1="rd")
c("100111 rd' 01 rs2' 01", "c.addw rd, rs2", rv_i.addw, rs1="rd", xlen=64)
c("100111 rd' 00 rs2' 01", "c.subw rd, rs2", rv_i.subw, rs1="rd", xlen=64)

# "NOP Instruction": with an immediate it is a HINT
c("000 0 00000 00000 01",         "c.nop",     rv_i.addi, rd=ZERO, rs1=ZERO, imm=0)
c("000 imm[5] 00000 imm[4:0] 01", "c.nop imm", rv_i.addi, rd=ZERO, rs1=ZERO, where="imm != 0")


# "Breakpoint Instruction"
c("1001 00000 00000 10", "c.ebreak", rv_system.ebreak)

# fmt: on
