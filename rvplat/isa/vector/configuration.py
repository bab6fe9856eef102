"""vsetvli, vsetivli and vsetvl (Unprivileged, "Configuration-Setting Instructions")."""

from rvplat.isa.machinery.extension import rd_is_zero
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_v import Zve32x
from rvplat.isa.vector.state import begin_change, require_vector, vill
from rvplat.lang import define, s64, u64

MAX_LMUL = 3  # the logarithm of 8


@define
def lmul_of(vtype: u64) -> s64:
    """The logarithm of LMUL, from the signed field vlmul."""
    return s64(vtype << 61) >> 61


@define
def sew_of(vtype: u64) -> u64:
    """SEW in bits; more than 64 for reserved encodings."""
    return u64(8) << (vtype >> 3 & 7)


@define
def elen(hart) -> u64:
    """ELEN: the bits of the widest element."""
    return u64(64) if hart.has_zve64x != 0 else u64(32)


@define
def vlmax_of(hart, vtype: u64) -> u64:
    """LMUL * VLEN / SEW."""
    vlen = hart.vlen_bytes * 8
    lmul = lmul_of(vtype)
    bits = vlen << u64(lmul) if lmul >= 0 else vlen >> u64(-lmul)
    return bits >> 3 + (vtype >> 3 & 7)


@define
def is_supported(hart, vtype: u64) -> bool:
    """Whether a vtype is legal: all its bits count ("Unsupported vtype Values"). SEW may be up to
    ELEN, with a fractional LMUL up to LMUL * ELEN ("Vector Register Grouping (vlmul)")."""
    lmul = lmul_of(vtype)
    if vtype >> 8 != 0 or lmul < -MAX_LMUL:
        return False
    widest = elen(hart) if lmul >= 0 else elen(hart) >> u64(-lmul)
    return sew_of(vtype) <= widest


@define
def set_vtype(hart, vtype: u64, supported: bool):
    """Write vtype, and what follows from it. vill leaves all other bits and vl zero."""
    if supported:
        hart.vtype = vtype
        hart.vsew = sew_of(vtype)
        hart.vlmul = lmul_of(vtype)
        hart.vlmax = vlmax_of(hart, vtype)
    else:
        hart.vtype = vill()
        hart.vlmax = 0


@define(apart=True)
def configured(hart, avl: u64, vtype: u64, keep: bool) -> u64:
    """Set vtype and vl, which is returned: the lesser of AVL and VLMAX ("Constraints on Setting
    vl"). Or vl is kept: that is reserved if VLMAX changes, or if vill was set, and vill is set then
    ("AVL encoding")."""
    require_vector(hart)
    begin_change(hart)
    supported = is_supported(hart, vtype)
    if keep:
        supported = supported and vlmax_of(hart, vtype) == hart.vlmax
    set_vtype(hart, vtype, supported)
    wanted = hart.vl if keep else avl
    hart.vl = wanted if wanted < hart.vlmax else hart.vlmax
    hart.vstart = 0
    return hart.vl


@define
def configure_by_register(hart, rd: u64, rs1: u64, vtype: u64):
    """Table "AVL used in vsetvli and vsetvl instructions"."""
    avl = u64(hart.x[rs1]) if rs1 != 0 else ~u64(0)
    hart.x[rd] = ux(configured(hart, avl, vtype, rs1 == 0 and rd_is_zero(rd)))


@Zve32x.instruction("0 vtypei[10:0] rs1 111 rd 1010111", "vsetvli rd, rs1, vtypei")
def vsetvli(hart, rd, rs1, vtypei):
    configure_by_register(hart, rd, rs1, vtypei)


@Zve32x.instruction("11 vtypei[9:0] uimm[4:0] 111 rd 1010111", "vsetivli rd, uimm, vtypei")
def vsetivli(hart, rd, uimm, vtypei):
    """AVL is the immediate."""
    hart.x[rd] = ux(configured(hart, uimm, vtypei, False))


@Zve32x.instruction("1000000 rs2 rs1 111 rd 1010111", "vsetvl rd, rs1, rs2")
def vsetvl(hart, rd, rs1, rs2):
    """The whole register rs2 is the new vtype."""
    configure_by_register(hart, rd, rs1, u64(hart.x[rs2]))
