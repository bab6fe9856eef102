"""Zba, address generation (Unprivileged, "Zba")."""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import u32

Zba = Extension(
    "Zba", version="1.0", standing="ratified", title="Address generation", requires=("I",)
)


@Zba.instruction("0000100 rs2 rs1 000 rd 0111011", "add.uw rd, rs1, rs2", xlen=64)
def add_uw(hart, rd, rs1, rs2):
    """The index rs1 is an unsigned word here and in every .uw."""
    hart.x[rd] = hart.x[rs2] + ux(u32(hart.x[rs1]))


@Zba.instruction("0010000 rs2 rs1 010 rd 0110011", "sh1add rd, rs1, rs2")
def sh1add(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs2] + (hart.x[rs1] << 1)


@Zba.instruction("0010000 rs2 rs1 010 rd 0111011", "sh1add.uw rd, rs1, rs2", xlen=64)
def sh1add_uw(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs2] + (ux(u32(hart.x[rs1])) << 1)


@Zba.instruction("0010000 rs2 rs1 100 rd 0110011", "sh2add rd, rs1, rs2")
def sh2add(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs2] + (hart.x[rs1] << 2)


@Zba.instruction("0010000 rs2 rs1 100 rd 0111011", "sh2add.uw rd, rs1, rs2", xlen=64)
def sh2add_uw(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs2] + (ux(u32(hart.x[rs1])) << 2)


@Zba.instruction("0010000 rs2 rs1 110 rd 0110011", "sh3add rd, rs1, rs2")
def sh3add(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs2] + (hart.x[rs1] << 3)


@Zba.instruction("0010000 rs2 rs1 110 rd 0111011", "sh3add.uw rd, rs1, rs2", xlen=64)
def sh3add_uw(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs2] + (ux(u32(hart.x[rs1])) << 3)


@Zba.instruction("000010 shamt[5:0] rs1 001 rd 0011011", "slli.uw rd, rs1, shamt", xlen=64)
def slli_uw(hart, rd, rs1, shamt):
    hart.x[rd] = ux(u32(hart.x[rs1])) << shamt
