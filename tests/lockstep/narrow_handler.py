"""The handler of programs for RV32, in M mode.

A section that runs with V=1 has bit 0 of its address set in the table of sections.
"""

from __future__ import annotations

from . import layout
from .assembly import Code, Isa, Label, go_past

REQUEST, T, U, V = 28, 29, 30, 31  # the handler's registers
MSTATUS, MSTATUSH, MEPC, MCAUSE, MTVAL = 0x300, 0x310, 0x341, 0x342, 0x343
FETCH_CAUSES = 1 << 0 | 1 << 1 | 1 << 12 | 1 << 20
MPP, MPV_SHIFT = 3 << 11, 7  # of mstatus and mstatush


def handler(known: Isa) -> Code:
    """The handler in M mode."""
    code, named = Code(known, layout.address(layout.MACHINE_HANDLER)), known.named
    following, skip = Label(), Label()
    code.place(T, layout.address(layout.MACHINE_DESK))
    code("sc.w", rd=U, rs1=T, rs2=0)  # it drops the reservation, as Spike does
    code("lw", rd=V, rs1=T, imm=layout.LOG_AT)
    code("addi", rd=U, rs1=V, imm=16)
    code("andi", rd=U, rs1=U, imm=layout.LOG_MASK)
    code("sw", rs1=T, rs2=U, imm=layout.LOG_AT)
    code("add", rd=V, rs1=V, rs2=T)
    for n, number in enumerate((MEPC, MTVAL, MSTATUS, MCAUSE)):
        code("csrrs", rd=U, csr=number, rs1=0)
        code("sw", rs1=V, rs2=U, imm=layout.LOG + 4 * n)
    code.constant(V, FETCH_CAUSES)
    code("srl", rd=V, rs1=V, rs2=U)
    code("andi", rd=V, rs1=V, imm=1)
    code.branch(named["bne"], following, rs1=V, rs2=0)
    code.branch(named["beq"], skip, rs1=REQUEST, rs2=0)
    code.bind(following)
    code("lw", rd=U, rs1=T, imm=layout.NEXT)
    code("addi", rd=V, rs1=U, imm=8)
    code("sw", rs1=T, rs2=V, imm=layout.NEXT)
    code("lw", rd=V, rs1=U, imm=0)
    code("csrrw", rd=0, csr=MEPC, rs1=V)
    code("andi", rd=V, rs1=V, imm=1)
    code("slli", rd=V, rs1=V, shamt=MPV_SHIFT)
    code("csrrw", rd=0, csr=MSTATUSH, rs1=V)
    code("lw", rd=V, rs1=U, imm=4)
    code.constant(U, MPP)
    code("csrrc", rd=0, csr=MSTATUS, rs1=U)
    code("csrrs", rd=0, csr=MSTATUS, rs1=V)
    code("addi", rd=REQUEST, rs1=0, imm=0)
    code("mret")
    code.bind(skip)
    go_past(code, MEPC, U, V)
    code("mret")
    return code
