"""Zicfilp, landing pads for indirect calls and jumps (Unprivileged, "Zicfilp for Landing Pad").

The run loop lets nothing but lpad run while ELP is LP_EXPECTED (`check_landing`).
"""

from rvplat.isa import rv_i
from rvplat.isa.landing_pads import enables_pads, expect_pad, landing_pad_fault
from rvplat.isa.machinery.vocabulary import check_target
from rvplat.isa.mseccfg import mseccfg
from rvplat.isa.rv_scalar import Zicfilp
from rvplat.lang import u8, u32, u64

LABEL = 0xFFFF_F000  # bits 31 to 12 of x7 hold the label that is expected
NO_LINK = "rs1 != 1, rs1 != 5, rs1 != 7"  # "Landing pad expected determination"

Zicfilp.share_csr(mseccfg)
plain_jalr = rv_i.jalr.definition


@Zicfilp.instruction("imm[31:12] 00000 0010111", "lpad imm[31:12]")
def lpad(hart, imm):
    """A target of indirect calls and jumps. A label that is not zero must be the expected one."""
    if hart.elp != 0:
        label = u32(imm)
        if hart.pc & 3 != 0 or (label != 0 and label != u32(hart.x[7]) & LABEL):
            landing_pad_fault(hart)
        hart.elp = u8(0)


@Zicfilp.instruction(
    "imm[11:0] rs1 000 rd 1100111", "jalr rd, imm(rs1)", name="jalr.lp", where=NO_LINK
)
def jalr_lp(hart, rd, rs1, imm):
    """jalr to an address that is in no link register and not in x7: it must be a landing pad."""
    if hart.landing_pads != 0 and enables_pads(hart, u64(hart.priv), u64(hart.virt)):
        check_target(hart, (hart.x[rs1] + imm) & ~1)
        expect_pad(hart)
    plain_jalr(hart, rd, rs1, imm)


Zicfilp.compressed(
    "1000 rs1 00000 10", "c.jr rs1", jalr_lp, rd=0, imm=0, where=f"rs1 != 0, {NO_LINK}",
    requires=("Zca",),
)  # fmt: skip
Zicfilp.compressed(
    "1001 rs1 00000 10", "c.jalr rs1", jalr_lp, rd=1, imm=0, where=f"rs1 != 0, {NO_LINK}",
    requires=("Zca",),
)  # fmt: skip
