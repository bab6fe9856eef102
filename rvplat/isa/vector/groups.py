"""Which groups of vector registers an instruction may name (Unprivileged, "Vector Operands").

An `emul` is the logarithm of an operand's EMUL, -3 to 3. What the manual calls reserved raises
illegal-instruction.
"""

from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.vector.configuration import elen
from rvplat.isa.vector.state import begin_change, require_start_at_zero, require_vtype
from rvplat.lang import ctz, define, s64, u64

LARGEST = 3  # the logarithm of 8
NO_REGISTER = 32  # in place of a register that an instruction doesn't have: every check allows it


@define
def registers(emul: s64) -> u64:
    """The registers of a group."""
    return u64(1) << u64(emul) if emul > 0 else u64(1)


@define
def emul_of(hart, eew: u64) -> s64:
    """The EMUL of a group that has as many elements of EEW bits as a group of LMUL has of SEW."""
    return hart.vlmul + s64(ctz(eew)) - s64(ctz(hart.vsew))


@define
def check_group(hart, register: u64, emul: s64):
    """EMUL may be 1/8 to 8, and a group begins at a multiple of its size ("Vector Register Grouping
    (vlmul)", "Vector Operands")."""
    if emul > LARGEST or emul < -LARGEST or register & (registers(emul) - 1) != 0:
        illegal(hart)


@define
def check_element(hart, eew: u64):
    """An operand's elements may have at most ELEN bits."""
    if eew > elen(hart):
        illegal(hart)


@define
def check_mask(hart, vd: u64, vm: u64):
    """The destination of a masked instruction can't overlap v0 ("Vector Masking")."""
    if vm == 0 and vd == 0:
        illegal(hart)


@define
def check_mask_apart(hart, vs2: u64, vs1: u64, vm: u64):
    """A masked instruction reads v0 with EEW=1, so it can't read it as a source of another EEW."""
    if vm == 0 and (vs2 == 0 or vs1 == 0):
        illegal(hart)


@define
def are_apart(a: u64, a_emul: s64, b: u64, b_emul: s64) -> bool:
    """Whether two groups have no register in common."""
    return a + registers(a_emul) <= b or b + registers(b_emul) <= a


@define
def check_wider_destination(hart, vd: u64, vd_emul: s64, source: u64, source_emul: s64):
    """A destination with a greater EEW than the source may overlap it only at the source's end, and
    only if the source's EMUL is at least 1."""
    if not are_apart(vd, vd_emul, source, source_emul):
        ends = vd + registers(vd_emul) == source + registers(source_emul)
        if source_emul < 0 or not ends:
            illegal(hart)


@define
def check_narrower_destination(hart, vd: u64, vd_emul: s64, source: u64, source_emul: s64):
    """A destination with a smaller EEW than the source may overlap it only at its begin."""
    if vd != source and not are_apart(vd, vd_emul, source, source_emul):
        illegal(hart)


@define
def check_source_apart(hart, a: u64, a_emul: s64, b: u64, b_emul: s64):
    """No register may be read with two EEWs ("Vector Operands")."""
    if not are_apart(a, a_emul, b, b_emul):
        illegal(hart)


# --- what arithmetic requires -------------------------------------------------------------------


@define
def check_same(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """Destination and sources have EEW=SEW and EMUL=LMUL."""
    require_start_at_zero(hart)
    if (vd | vs2 | vs1) & (registers(hart.vlmul) - 1) != 0:
        illegal(hart)
    check_mask(hart, vd, vm)
    check_mask_apart(hart, vs2, vs1, vm)


@define(cold=True)
def first_same(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """As prepare_same, while VS isn't known to be Dirty."""
    check_same(hart, vd, vs2, vs1, vm)
    begin_change(hart)


@define
def prepare_same(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """Check the operands, and let VS be Dirty. The usual way calls nothing, so that it saves no
    host register."""
    if hart.v_ready == 0:
        first_same(hart, vd, vs2, vs1, vm)
    else:
        check_same(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_high_half(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """vmulh, vmulhu, vmulhsu and vsmul with EEW=64 are instructions of V alone ("Zve64x")."""
    require_vtype(hart)
    if hart.vsew == 64 and hart.has_v == 0:
        illegal(hart)
    prepare_same(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_widening(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """The destination has EEW=2*SEW and EMUL=2*LMUL ("Widening Vector Arithmetic Instructions")."""
    require_start_at_zero(hart)
    lmul = hart.vlmul
    check_element(hart, hart.vsew * 2)
    check_group(hart, vd, lmul + 1)
    check_group(hart, vs2, lmul)
    check_group(hart, vs1, lmul)
    check_mask(hart, vd, vm)
    check_mask_apart(hart, vs2, vs1, vm)
    check_wider_destination(hart, vd, lmul + 1, vs2, lmul)
    check_wider_destination(hart, vd, lmul + 1, vs1, lmul)
    begin_change(hart)


@define(cold=True)
def prepare_wide(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """Destination and vs2 have EEW=2*SEW and EMUL=2*LMUL."""
    require_start_at_zero(hart)
    lmul = hart.vlmul
    check_element(hart, hart.vsew * 2)
    check_group(hart, vd, lmul + 1)
    check_group(hart, vs2, lmul + 1)
    check_group(hart, vs1, lmul)
    check_mask(hart, vd, vm)
    check_mask_apart(hart, vs2, vs1, vm)
    check_source_apart(hart, vs2, lmul + 1, vs1, lmul)
    check_wider_destination(hart, vd, lmul + 1, vs1, lmul)
    begin_change(hart)


@define(cold=True)
def prepare_narrowing(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """vs2 has EEW=2*SEW and EMUL=2*LMUL ("Narrowing Vector Arithmetic Instructions")."""
    require_start_at_zero(hart)
    lmul = hart.vlmul
    check_element(hart, hart.vsew * 2)
    check_group(hart, vd, lmul)
    check_group(hart, vs2, lmul + 1)
    check_group(hart, vs1, lmul)
    check_mask(hart, vd, vm)
    check_mask_apart(hart, vs2, vs1, vm)
    check_source_apart(hart, vs2, lmul + 1, vs1, lmul)
    check_narrower_destination(hart, vd, lmul, vs2, lmul + 1)
    begin_change(hart)


@define(cold=True)
def prepare_mask(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """The destination is a mask register, with EEW=1. It may be v0."""
    require_start_at_zero(hart)
    lmul = hart.vlmul
    check_group(hart, vs2, lmul)
    check_group(hart, vs1, lmul)
    check_mask_apart(hart, vs2, vs1, vm)
    check_narrower_destination(hart, vd, 0, vs2, lmul)
    check_narrower_destination(hart, vd, 0, vs1, lmul)
    begin_change(hart)
