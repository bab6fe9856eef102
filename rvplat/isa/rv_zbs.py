"""Zbs, single-bit manipulation (Unprivileged, "Zbs"). B is Zba, Zbb and Zbs together.

The low log2(XLEN) bits of rs2 are the bit's index, as in shifts.
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.xlen import ux

Zbs = Extension(
    "Zbs", version="1.0", standing="ratified", title="Single-bit manipulation", requires=("I",)
)
B = Extension(
    "B",
    version="1.0",
    standing="ratified",
    title="Bit manipulation",
    requires=("Zba", "Zbb", "Zbs"),
    implied_by=("Zba", "Zbb", "Zbs"),
)


@Zbs.instruction("0100100 rs2 rs1 001 rd 0110011", "bclr rd, rs1, rs2")
def bclr(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs1] & ~(ux(1) << hart.x[rs2])


@Zbs.instruction("010010 shamt[5:0] rs1 001 rd 0010011", "bclri rd, rs1, shamt",
                 rv32="0100100 shamt[4:0] rs1 001 rd 0010011")  # fmt: skip
def bclri(hart, rd, rs1, shamt):
    hart.x[rd] = hart.x[rs1] & ~(ux(1) << shamt)


@Zbs.instruction("0100100 rs2 rs1 101 rd 0110011", "bext rd, rs1, rs2")
def bext(hart, rd, rs1, rs2):
    hart.x[rd] = (hart.x[rs1] >> hart.x[rs2]) & 1


@Zbs.instruction("010010 shamt[5:0] rs1 101 rd 0010011", "bexti rd, rs1, shamt",
                 rv32="0100100 shamt[4:0] rs1 101 rd 0010011")  # fmt: skip
def bexti(hart, rd, rs1, shamt):
    hart.x[rd] = (hart.x[rs1] >> shamt) & 1


@Zbs.instruction("0110100 rs2 rs1 001 rd 0110011", "binv rd, rs1, rs2")
def binv(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs1] ^ (ux(1) << hart.x[rs2])


@Zbs.instruction("011010 shamt[5:0] rs1 001 rd 0010011", "binvi rd, rs1, shamt",
                 rv32="0110100 shamt[4:0] rs1 001 rd 0010011")  # fmt: skip
def binvi(hart, rd, rs1, shamt):
    hart.x[rd] = hart.x[rs1] ^ (ux(1) << shamt)


@Zbs.instruction("0010100 rs2 rs1 001 rd 0110011", "bset rd, rs1, rs2")
def bset(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs1] | (ux(1) << hart.x[rs2])


@Zbs.instruction("001010 shamt[5:0] rs1 001 rd 0010011", "bseti rd, rs1, shamt",
                 rv32="0010100 shamt[4:0] rs1 001 rd 0010011")  # fmt: skip
def bseti(hart, rd, rs1, shamt):
    hart.x[rd] = hart.x[rs1] | (ux(1) << shamt)
