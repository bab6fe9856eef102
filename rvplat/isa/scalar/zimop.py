"""Zimop and Zcmop, may-be-operations (Unprivileged, "Zimop" and "Zcmop").

They do nothing but write 0 to rd, and the compressed ones do not write. An extension that gives one
of them a meaning has a row for it, which is more specific than the row here.
"""

from rvplat.isa import rv_i
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_scalar import Zcmop, Zimop

OF_ZICFISS = (1, 5)  # c.mop.1 and c.mop.5 are c.sspush and c.sspopchk


@Zimop.instruction(
    "1 n[4] 00 n[3:2] 0111 n[1:0] rs1 100 rd 1110011", "mop.r.{n} rd, rs1", name="mop.r.n"
)
def mop_r(hart, rd):
    """For each n from 0 to 31."""
    hart.x[rd] = ux(0)


@Zimop.instruction(
    "1 n[2] 00 n[1:0] 1 rs2 rs1 100 rd 1110011", "mop.rr.{n} rd, rs1, rs2", name="mop.rr.n"
)
def mop_rr(hart, rd):
    """For each n from 0 to 7."""
    hart.x[rd] = ux(0)


for n in range(1, 16, 2):
    Zcmop.compressed(
        f"01100 {n:04b} 00000 01", f"c.mop.{n}", rv_i.addi, rd=0, rs1=0, imm=0,
        excludes=("Zicfiss",) if n in OF_ZICFISS else (),
    )  # fmt: skip
