"""Sdtrig, the Trigger Module (RISC-V Debug Specification 1.0, chapter "Sdtrig (ISA Extension)").

There are TRIGGERS triggers, each of which can be any of the types icount, itrigger, etrigger and
mcontrol6. Their action is a breakpoint exception: there is no Debug Mode, so dmode is zero.
mcontrol6 compares addresses, not data. Reentrancy is solved by the first of the two ways of "Native
Triggers", so there is no tcontrol: in a mode that would handle the breakpoint itself, triggers do
not fire while interrupts are disabled.

`hart/triggers.py` looks whether triggers fire. hart.trigger_kinds says what it must look at.
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import context_changed, illegal, protection_changed
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.priv_m import Sm
from rvplat.isa.privileged import MACHINE, SUPERVISOR, Cause, StateEnable, Status
from rvplat.isa.stateen import machine_enables, require_state
from rvplat.lang import define, u8, u32, u64

Sdtrig = Extension("Sdtrig", "1.0", "ratified", "Triggers: breakpoints of the hart", ("Sm",))

TRIGGERS = 4
Sm.state("trigger_data1", u64, TRIGGERS)  # 0 after a reset, for a disabled trigger
Sm.state("trigger_data2", u64, TRIGGERS)
Sm.state("trigger_data3", u64, TRIGGERS)
Sm.state("trigger_kinds", u8)  # of Armed
Sm.state("hcontext_value", u64)
Sm.state("scontext_value", u64)


class Kind:
    """tdata1.type."""

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
    HIT0 = 1 << 22
    VU = 1 << 23
    VS = 1 << 24
    HITS = 1 << 22 | 1 << 25
    MODES = M | S | U | VS | VU
    KEPT = LOAD | STORE | EXECUTE | CHAIN | HITS


class Count:
    """Fields of icount."""

    PENDING = 1 << 8
    COUNT = 0x3FFF << 10
    ONE = 1 << 10
    HIT = 1 << 24
    KEPT = PENDING | COUNT | HIT


MATCH_EQUAL, MATCH_NAPOT, MATCH_GE, MATCH_LT, MATCH_NOT = 0, 1, 2, 3, 8
MATCHES = 0x30F  # a bit for each value of match that is supported
SIZES = 0x2F  # the same of size: any, and 8, 16, 32 and 64 bits
WATCHED = 2  # of hart.pages_watched: a trigger watches some page
INFO = 1 << 24 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 15  # tinfo: version 1, and the types

# --- modes ---------------------------------------------------------------------------------------


@define
def field_of(hart, m: u64, s: u64, u: u64, vs: u64, vu: u64) -> u64:
    """The field of the hart's mode."""
    if hart.priv == MACHINE:
        return m
    if hart.virt != 0:
        return vs if hart.priv == SUPERVISOR else vu
    return s if hart.priv == SUPERVISOR else u


@define
def mode_field(hart, kind: u64) -> u64:
    """The bit of tdata1 that enables a trigger of a type in the hart's mode."""
    if kind == Kind.MCONTROL6:
        return field_of(hart, 1 << 6, 1 << 4, 1 << 3, 1 << 24, 1 << 23)
    if kind == Kind.ICOUNT:
        return field_of(hart, 1 << 9, 1 << 7, 1 << 6, 1 << 26, 1 << 25)
    return field_of(hart, 1 << 9, 1 << 7, 1 << 6, 1 << 12, 1 << 11)


@define
def mode_fields(hart, kind: u64) -> u64:
    """The bits that enable it in the modes that the hart has."""
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


@define
def may_fire(hart) -> bool:
    """The first solution of "Native Triggers". A handler of RNMIs could not handle a breakpoint
    either."""
    if hart.priv == MACHINE:
        return hart.mstatus & Status.MIE != 0 and hart.rnmi_masked == 0
    if hart.priv != SUPERVISOR or hart.medeleg >> Cause.BREAKPOINT & 1 == 0:
        return True
    if hart.virt == 0:
        return hart.mstatus & Status.SIE != 0
    return hart.hedeleg >> Cause.BREAKPOINT & 1 == 0 or hart.vsstatus & Status.SIE != 0


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
    """mcontrol6 without its modes: another match is equal; a size of fetches is any."""
    fields = value & Control.KEPT
    match = value >> Control.MATCH_SHIFT & 15
    if u64(MATCHES) >> match & 1 != 0:
        fields |= match << Control.MATCH_SHIFT
    size = value >> Control.SIZE_SHIFT & 7
    if value & Control.EXECUTE == 0 and u64(SIZES) >> size & 1 != 0:
        fields |= size << Control.SIZE_SHIFT
    return fields


@define
def legal_data1(hart, value: u64) -> u64:
    """A type that no trigger has becomes 15. dmode and action are zero."""
    kind = kind_of(value)
    fields = u64(0)
    if kind == Kind.MCONTROL6:
        fields = legal_control(value)
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


# --- what is armed -------------------------------------------------------------------------------


@define
def kinds_of(data1: u64, data2: u64, modes: u64) -> u64:
    """What a trigger is for, of Armed."""
    kind = kind_of(data1)
    if data1 & modes == 0:
        return u64(0)
    if kind == Kind.ICOUNT:
        return u64(Armed.COUNT) if data1 & (Count.COUNT | Count.PENDING) != 0 else u64(0)
    if kind == Kind.MCONTROL6:
        found = u64(Armed.EXECUTE) if data1 & Control.EXECUTE != 0 else u64(0)
        return found | Armed.ACCESS if data1 & (Control.LOAD | Control.STORE) != 0 else found
    return u64(Armed.TRAP) if data2 != 0 else u64(0)


@define(cold=True)
def rearm(hart):
    """After a change of a trigger: cached translations may hide what it watches."""
    found = u64(0)
    for i in range(TRIGGERS):
        data1 = hart.trigger_data1[i]
        if data1 != 0:
            modes = mode_fields(hart, kind_of(data1))
            found |= kinds_of(data1, hart.trigger_data2[i], modes)
    before = u64(hart.trigger_kinds)
    hart.trigger_kinds = u8(found)
    hart.pages_watched &= ~u8(WATCHED)
    if found & Armed.ACCESS != 0:
        hart.pages_watched |= WATCHED
    if (found | before) & (Armed.EXECUTE | Armed.ACCESS) != 0:
        protection_changed(hart)
    if found | before != 0:
        context_changed(hart)


# --- CSRs ----------------------------------------------------------------------------------------


@define
def tselect_write(hart, value: u64, number: u32):
    """A number of no trigger leaves it unchanged."""
    if value < TRIGGERS:
        hart.tselect = value


@define
def tdata1_read(hart, number: u32) -> u64:
    value = hart.trigger_data1[hart.tselect]
    return value if value != 0 else u64(Kind.DISABLED) << (ux.bits - 4)


@define
def tdata1_write(hart, value: u64, number: u32):
    hart.trigger_data1[hart.tselect] = legal_data1(hart, value)
    rearm(hart)


@define
def tdata2_read(hart, number: u32) -> u64:
    return hart.trigger_data2[hart.tselect]


@define
def tdata2_write(hart, value: u64, number: u32):
    """The largest NAPOT range is half of all addresses: maskmax6 is XLEN - 1 ("Match Control Type
    6")."""
    control = hart.trigger_data1[hart.tselect]
    ones = (u64(1) << (ux.bits - 1)) - 1
    napot = kind_of(control) == Kind.MCONTROL6 and control >> Control.MATCH_SHIFT & 7 == MATCH_NAPOT
    if napot and value & ones == ones:
        value &= ~(u64(1) << (ux.bits - 2))
    hart.trigger_data2[hart.tselect] = value
    rearm(hart)


@define
def tdata3_read(hart, number: u32) -> u64:
    return hart.trigger_data3[hart.tselect]


@define
def tdata3_write(hart, value: u64, number: u32):
    hart.trigger_data3[hart.tselect] = legal_data3(hart, value)


@define
def tinfo_read(hart, number: u32) -> u64:
    return u64(INFO)


@define
def tinfo_write(hart, value: u64, number: u32):
    """Every field is read-only."""


@define
def context_access(hart, write: bool, number: u32):
    """Bit CONTEXT of mstateen0 controls scontext and hcontext, that of hstateen0 only scontext."""
    require_state(hart, u64(0), u64(StateEnable.CONTEXT))


@define
def scontext_access(hart, write: bool, number: u32):
    """It is there with S mode."""
    if hart.has_s == 0:
        illegal(hart)
    context_access(hart, write, number)


@define
def hcontext_access(hart, write: bool, number: u32):
    """It is there with H. A guest has no access in any case."""
    allowed = hart.priv == MACHINE or machine_enables(hart, u64(0)) & StateEnable.CONTEXT != 0
    if hart.has_h == 0 or not allowed:
        illegal(hart)


@define
def scontext_read(hart, number: u32) -> u64:
    return hart.scontext_value


@define
def scontext_write(hart, value: u64, number: u32):
    """32 bits; RV32 has 16 ("Supervisor Context")."""
    hart.scontext_value = value & (u64(0xFFFF_FFFF) if ux.bits == 64 else u64(0xFFFF))


@define
def hcontext_read(hart, number: u32) -> u64:
    return hart.hcontext_value


@define
def hcontext_write(hart, value: u64, number: u32):
    """14 bits with H and 13 without; RV32 has 7 and 6 ("Machine Context")."""
    width = u64(13) if ux.bits == 64 else u64(6)
    width += u64(hart.has_h)
    hart.hcontext_value = value & ((u64(1) << width) - 1)


Sdtrig.csr(0x7A0, "tselect", write=tselect_write)
Sdtrig.csr(
    0x7A1, "tdata1", read=tdata1_read, write=tdata1_write, storage=False, fields="type[63:60]",
    xlen=64,
)  # fmt: skip
Sdtrig.csr(
    0x7A1, "tdata1", read=tdata1_read, write=tdata1_write, storage=False, fields="type[31:28]",
    xlen=32,
)  # fmt: skip
Sdtrig.csr(0x7A2, "tdata2", read=tdata2_read, write=tdata2_write, storage=False)
Sdtrig.csr(0x7A3, "tdata3", read=tdata3_read, write=tdata3_write, storage=False)
Sdtrig.csr(
    0x7A4, "tinfo", read=tinfo_read, write=tinfo_write, storage=False,
    fields="version[31:24] info[15:0]",
)  # fmt: skip
Sdtrig.csr(
    0x7A8, "mcontext", read=hcontext_read, write=hcontext_write, storage=False,
    fields="hcontext[13:0]",
)  # fmt: skip
Sdtrig.csr(
    0x6A8, "hcontext", read=hcontext_read, write=hcontext_write, storage=False,
    access=hcontext_access, fields="hcontext[13:0]",
)  # fmt: skip
Sdtrig.csr(
    0x5A8, "scontext", read=scontext_read, write=scontext_write, storage=False,
    access=scontext_access, fields="data[31:0]",
)  # fmt: skip
