"""What the registers of triggers hold (RISC-V Debug Specification 1.0, "Trigger Module Registers").
`sdtrig.py` has the registers themselves.
"""

from rvplat.isa.machinery.xlen import ux
from rvplat.lang import define, u64


class Kind:
    """tdata1.type."""

    MCONTROL = 2
    ICOUNT = 3
    ITRIGGER = 4
    ETRIGGER = 5
    MCONTROL6 = 6
    DISABLED = 15


class Armed:
    """What some trigger of the hart is for."""

    EXECUTE = 1
    ACCESS = 2
    COUNT = 4
    TRAP = 8
    OPCODE = 16  # an instruction's bits or length
    DATA = 32  # what a load reads


class Control:
    """Fields of mcontrol6."""

    LOAD = 1 << 0
    STORE = 1 << 1
    EXECUTE = 1 << 2
    U = 1 << 3
    S = 1 << 4
    M = 1 << 6
    MATCH_SHIFT = 7
    CHAIN = 1 << 11
    SIZE_SHIFT = 16
    SIZE = 7 << 16
    SELECT = 1 << 21
    HIT0 = 1 << 22
    VU = 1 << 23
    VS = 1 << 24
    HITS = 1 << 22 | 1 << 25
    MODES = M | S | U | VS | VU
    KEPT = LOAD | STORE | EXECUTE | CHAIN | SELECT | HITS


class Older:
    """Fields of mcontrol that mcontrol6 has at other bits, or does not have."""

    SIZELO_SHIFT = 16
    TIMING = 1 << 18
    SELECT = 1 << 19
    HIT = 1 << 20
    SIZEHI_SHIFT = 21


class Enable:
    """Fields of tcontrol."""

    MTE = 1 << 3
    MPTE = 1 << 7


class Count:
    """Fields of icount."""

    PENDING = 1 << 8
    COUNT = 0x3FFF << 10
    ONE = 1 << 10
    HIT = 1 << 24
    KEPT = PENDING | COUNT | HIT


MATCH_EQUAL, MATCH_NAPOT, MATCH_GE, MATCH_LT = 0, 1, 2, 3
MATCH_MASK_LOW, MATCH_MASK_HIGH, MATCH_NOT = 4, 5, 8
MATCHES = 0x333F  # a bit for each value of match that is supported
SIZES = 0x2F  # the same of size: any, and 8, 16, 32 and 64 bits
FETCH_SIZES = 0x0D  # any, and 16 and 32 bits
WATCHED = 2  # of hart.pages_watched: a trigger watches some page
TYPES = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 15  # a bit for each of Kind
INFO = 1 << 24 | TYPES  # of tinfo: version 1, and the types


@define
def is_control(kind: u64) -> bool:
    """Whether a type is mcontrol6, or mcontrol, which is kept in the same layout."""
    return kind == Kind.MCONTROL6 or kind == Kind.MCONTROL


@define
def mode_fields(hart, kind: u64) -> u64:
    """The bits that enable it in the modes that the hart has. mcontrol has none for guests."""
    if kind == Kind.MCONTROL:
        return given(hart, 1 << 6, 1 << 4, 1 << 3, u64(0))
    if kind == Kind.MCONTROL6:
        return given(hart, 1 << 6, 1 << 4, 1 << 3, 1 << 24 | 1 << 23)
    if kind == Kind.ICOUNT:
        return given(hart, 1 << 9, 1 << 7, 1 << 6, 1 << 26 | 1 << 25)
    return given(hart, 1 << 9, 1 << 7, 1 << 6, 1 << 12 | 1 << 11)


@define
def given(hart, m: u64, s: u64, u: u64, guest: u64) -> u64:
    """The fields of the modes that the hart has."""
    fields = m
    fields |= s if hart.has_s != 0 else u64(0)
    fields |= u if hart.has_u != 0 else u64(0)
    return fields | guest if hart.has_h != 0 else fields


# --- legal values --------------------------------------------------------------------------------


@define
def kind_of(data1: u64) -> u64:
    """tdata1.type of a stored value."""
    return data1 >> (ux.bits - 4)


@define
def trap_hit() -> u64:
    """The bit `hit` of itrigger and etrigger."""
    return u64(1) << (ux.bits - 6)


@define
def legal_control(value: u64) -> u64:
    """mcontrol6 without its modes: another match is equal, and a size that no access of its kinds
    has is any."""
    fields = value & Control.KEPT
    match = value >> Control.MATCH_SHIFT & 15
    if u64(MATCHES) >> match & 1 != 0:
        fields |= match << Control.MATCH_SHIFT
    size = value >> Control.SIZE_SHIFT & 7
    sizes = u64(FETCH_SIZES) if value & Control.EXECUTE != 0 else u64(SIZES)
    if sizes >> size & 1 != 0:
        fields |= size << Control.SIZE_SHIFT
    return fields


@define
def from_older(value: u64) -> u64:
    """An mcontrol in the layout of mcontrol6. Its type stays. Writes of timing have no effect."""
    moved = u64(Control.SIZE | Control.SELECT | Control.HITS | Control.VS | Control.VU)
    fields = value & ~moved
    if value & Older.SELECT != 0:
        fields |= Control.SELECT
    if value & Older.HIT != 0:
        fields |= Control.HIT0
    size = value >> Older.SIZELO_SHIFT & 3
    if ux.bits == 64:
        size |= (value >> Older.SIZEHI_SHIFT & 3) << 2
    return fields | size << Control.SIZE_SHIFT if size < 8 else fields


@define
def as_older(value: u64) -> u64:
    """What software reads of an mcontrol. maskmax is XLEN - 1. sizehi is there on RV64."""
    moved = u64(Control.SIZE | Control.SELECT | Control.HITS)
    fields = value & ~moved | u64(ux.bits - 1) << (ux.bits - 11)
    if value & Control.SELECT != 0:
        fields |= Older.SELECT
        if value & Control.LOAD != 0:
            fields |= Older.TIMING
    if value & Control.HITS != 0:
        fields |= Older.HIT
    size = value >> Control.SIZE_SHIFT & 7
    return fields | (size & 3) << Older.SIZELO_SHIFT | size >> 2 << Older.SIZEHI_SHIFT


@define
def legal_data1(hart, value: u64) -> u64:
    """A type that no trigger has becomes 15. dmode and action are zero."""
    kind = kind_of(value)
    fields = u64(0)
    if kind == Kind.MCONTROL6:
        fields = legal_control(value)
    elif kind == Kind.MCONTROL:
        fields = legal_control(from_older(value))
    elif kind == Kind.ICOUNT:
        fields = value & Count.KEPT
    elif kind == Kind.ITRIGGER or kind == Kind.ETRIGGER:
        fields = value & trap_hit()
    else:
        return u64(Kind.DISABLED) << (ux.bits - 4)
    return kind << (ux.bits - 4) | fields | value & mode_fields(hart, kind)


@define
def legal_select(hart, select: u64) -> u64:
    """mhselect: 3 and 7 are reserved; without H only 0 and 4 are legal."""
    if select & 3 == 3 or (hart.has_h == 0 and select & 3 != 0):
        return u64(0)
    return select


@define
def legal_data3(hart, value: u64) -> u64:
    """textra64, or textra32. sselect is 0 to 2."""
    sselect = value & 3 if value & 3 != 3 and hart.has_s != 0 else u64(0)
    if ux.bits == 64:
        select = legal_select(hart, value >> 48 & 7)
        own = value & (0x1FFF << 51 | 0xF << 36 | 0xFFFF_FFFF << 2)
        return own | select << 48 | sselect
    select = legal_select(hart, value >> 23 & 7)
    return value & (0x3F << 26 | 3 << 18 | 0xFFFF << 2) | select << 23 | sselect
