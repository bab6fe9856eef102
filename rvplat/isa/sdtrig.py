"""Sdtrig, the Trigger Module (RISC-V Debug Specification 1.0, chapter "Sdtrig (ISA Extension)").

There are TRIGGERS triggers, each of which can be any of the types mcontrol, icount, itrigger,
etrigger and mcontrol6. Their action is a breakpoint exception: there is no Debug Mode, so dmode is
zero. Older debuggers know only mcontrol. It is kept in the layout of mcontrol6 and read in its own.

Of the two ways of "Native Triggers", a hart with S mode has the first: in a mode that would handle
the breakpoint itself, triggers do not fire while interrupts are disabled. One without S mode has
the second, tcontrol.

A trigger with select=1 compares the instruction or what a load or store of at most XLEN bits moves.
What lr, sc, AMOs and block operations move is not compared, so such a trigger does not match them.
A load's data is compared after the load; everything else is compared before the instruction.

`trigger_values.py` has the fields. `hart/triggers.py` looks whether triggers fire.
hart.trigger_kinds says what it must look at.
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import context_changed, illegal, protection_changed
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.priv_m import Sm
from rvplat.isa.privileged import MACHINE, SUPERVISOR, Cause, StateEnable, Status
from rvplat.isa.stateen import machine_enables, require_state
from rvplat.isa.trigger_values import (
    INFO,
    MATCH_NAPOT,
    WATCHED,
    Armed,
    Control,
    Count,
    Enable,
    Kind,
    as_older,
    is_control,
    kind_of,
    legal_data1,
    legal_data3,
    mode_fields,
)
from rvplat.lang import define, u8, u32, u64

Sdtrig = Extension("Sdtrig", "1.0", "ratified", "Triggers: breakpoints of the hart", ("Sm",))

TRIGGERS = 4
Sm.state("trigger_data1", u64, TRIGGERS)  # 0 after a reset, for a disabled trigger
Sm.state("trigger_data2", u64, TRIGGERS)
Sm.state("trigger_data3", u64, TRIGGERS)
Sm.state("trigger_kinds", u8)  # of Armed
Sm.state("trigger_control", u64)  # tcontrol: 0 on harts with S mode
Sm.state("trigger_due", u8)  # 1: a load has fired a trigger, whose trap comes after it
Sm.state("trigger_address", u64)  # of that load
Sm.state("hcontext_value", u64)
Sm.state("scontext_value", u64)


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
    if is_control(kind):
        return field_of(hart, 1 << 6, 1 << 4, 1 << 3, 1 << 24, 1 << 23)
    if kind == Kind.ICOUNT:
        return field_of(hart, 1 << 9, 1 << 7, 1 << 6, 1 << 26, 1 << 25)
    return field_of(hart, 1 << 9, 1 << 7, 1 << 6, 1 << 12, 1 << 11)


@define
def may_fire(hart) -> bool:
    """The first solution of "Native Triggers", and the second on a hart without S mode. A handler
    of RNMIs could not handle a breakpoint either."""
    if hart.priv == MACHINE:
        if hart.has_s == 0:
            return hart.trigger_control & Enable.MTE != 0 and hart.rnmi_masked == 0
        return hart.mstatus & Status.MIE != 0 and hart.rnmi_masked == 0
    if hart.priv != SUPERVISOR or hart.medeleg >> Cause.BREAKPOINT & 1 == 0:
        return True
    if hart.virt == 0:
        return hart.mstatus & Status.SIE != 0
    return hart.hedeleg >> Cause.BREAKPOINT & 1 == 0 or hart.vsstatus & Status.SIE != 0


# --- what is armed -------------------------------------------------------------------------------


@define
def kinds_of_control(data1: u64) -> u64:
    """What an mcontrol6 trigger is for."""
    found = u64(0)
    if data1 & Control.EXECUTE != 0:
        found |= Armed.EXECUTE
        if data1 & (Control.SELECT | Control.SIZE) != 0:
            found |= Armed.OPCODE
    if data1 & (Control.LOAD | Control.STORE) != 0:
        found |= Armed.ACCESS
        if data1 & Control.SELECT != 0 and data1 & Control.LOAD != 0:
            found |= Armed.DATA
    return found


@define
def kinds_of(data1: u64, data2: u64, modes: u64) -> u64:
    """What a trigger is for, of Armed."""
    kind = kind_of(data1)
    if data1 & modes == 0:
        return u64(0)
    if kind == Kind.ICOUNT:
        return u64(Armed.COUNT) if data1 & (Count.COUNT | Count.PENDING) != 0 else u64(0)
    if is_control(kind):
        return kinds_of_control(data1)
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
    if value == 0:
        return u64(Kind.DISABLED) << (ux.bits - 4)
    return as_older(value) if kind_of(value) == Kind.MCONTROL else value


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
    napot = is_control(kind_of(control)) and control >> Control.MATCH_SHIFT & 7 == MATCH_NAPOT
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
def tcontrol_access(hart, write: bool, number: u32):
    """It is there without S mode ("Native Triggers")."""
    if hart.has_s != 0:
        illegal(hart)


@define
def tcontrol_read(hart, number: u32) -> u64:
    return hart.trigger_control


@define
def tcontrol_write(hart, value: u64, number: u32):
    hart.trigger_control = value & (Enable.MTE | Enable.MPTE)


@define
def push_enable(hart):
    """A trap into M mode: mpte becomes mte, and mte 0 ("Trigger Control")."""
    both = hart.trigger_control
    hart.trigger_control = u64(Enable.MPTE) if both & Enable.MTE != 0 else u64(0)


@define
def pop_enable(hart):
    """mret: mte becomes mpte."""
    both = hart.trigger_control
    restored = u64(Enable.MTE | Enable.MPTE)
    hart.trigger_control = restored if both & Enable.MPTE != 0 else u64(0)


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
    0x7A5, "tcontrol", read=tcontrol_read, write=tcontrol_write, storage=False,
    access=tcontrol_access, fields="mpte[7] mte[3]",
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
