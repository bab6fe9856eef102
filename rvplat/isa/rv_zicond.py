"""Zicond, integer conditional operations (Unprivileged, "Zicond")."""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.xlen import ux

Zicond = Extension(
    "Zicond",
    version="1.0",
    standing="ratified",
    title="Integer conditional operations",
    requires=("I",),
)


@Zicond.instruction("0000111 rs2 rs1 101 rd 0110011", "czero.eqz rd, rs1, rs2")
def czero_eqz(hart, rd, rs1, rs2):
    """0 if the condition rs2 is zero, otherwise rs1."""
    hart.x[rd] = ux(0) if hart.x[rs2] == 0 else hart.x[rs1]


@Zicond.instruction("0000111 rs2 rs1 111 rd 0110011", "czero.nez rd, rs1, rs2")
def czero_nez(hart, rd, rs1, rs2):
    """0 if the condition rs2 is nonzero, otherwise rs1."""
    hart.x[rd] = ux(0) if hart.x[rs2] != 0 else hart.x[rs1]
