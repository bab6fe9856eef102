"""Floating-point state: fcsr, mstatus.FS, NaN boxing, and the use of the host's FP unit.

While `hart.fp_entered` is set, arithmetic runs on the host's unit: it rounds as frm says, and its
sticky flags are a part of fflags. `hart.fflags` holds the other part, the flags that were raised in
software or saved from the unit. An instruction tests `hart.fp_ready` before it starts:

    0       unknown: each change of mstatus.FS or V stores this
    ON      FS is not Off, so that f registers can be read
    1 << m  FS is Dirty, and an instruction whose rm is m can run on the host's unit as it is

The cold functions here and in fp_soft.py do the rest: they make FS Dirty, and they handle a static
rounding mode that differs from the host's, RMM (the host has none), reserved modes and NaN results.
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.privileged import Status
from rvplat.lang import call_host, define, u8, u32, u64
from rvplat.lang.floating_point.formats import RMM, RNE, RUP, UF
from rvplat.lang.floating_point.host_unit import (
    host_fp_control,
    host_fp_flags,
    host_fp_restore,
    host_fp_start,
    host_underflows_late,
)

F = Extension(
    "F",
    version="2.2",
    standing="ratified",
    title="Single-precision floating-point",
    requires=("Zicsr",),
)

F.state("fp_entered", u8, saved=False)  # whether this hart has the host's unit
F.state("fp_host", u64, saved=False)  # the host's own control word, saved meanwhile

DYN = 7  # rm: take frm ("Floating-Point Control and Status Register")
ON = 1 << 8
DIRTY = 0xFF  # any of these bits of fp_ready: FS is Dirty
FLAGS = 0x1F


# --- may an instruction run ("Extension Context Status in mstatus Register") --------------------


@define
def reads_f(hart) -> bool:
    """Whether f registers can be read; if not, `require_fp`."""
    return hart.fp_ready != 0


@define
def writes_f(hart) -> bool:
    """Whether f registers and flags can be written; if not, `require_fp` and `make_dirty`."""
    return hart.fp_ready & DIRTY != 0


@define
def host_rounds(hart, rm: u64) -> bool:
    """Whether the host's unit rounds as an instruction's rm field says, and may write."""
    return (hart.fp_ready >> rm) & 1 != 0


@define
def host_mode(hart) -> u64:
    """The host unit's rounding mode for frm: RNE for the modes that the unit lacks."""
    return hart.frm if hart.frm <= RUP else u64(RNE)


@define
def fs_in_force(hart) -> u64:
    """The FS field that instructions obey, at its bits in mstatus. With V=1 the fields of sstatus
    and vsstatus are both in effect ("Virtual Supervisor Status Register"): it is the lesser."""
    fs = hart.mstatus & Status.FS
    if hart.virt != 0 and hart.vsstatus & Status.FS < fs:
        return hart.vsstatus & Status.FS
    return fs


@define
def work_out_ready(hart):
    """Set fp_ready from FS and frm."""
    ready = u32(0)
    if fs_in_force(hart) != 0:
        ready = u32(ON)
    if fs_in_force(hart) == Status.FS:
        ready |= u32(1) << host_mode(hart)
        if hart.frm <= RUP:
            ready |= u32(1) << DYN
    hart.fp_ready = ready


@define(cold=True)
def require_fp(hart):
    """With FS Off, every instruction and CSR of F is illegal."""
    work_out_ready(hart)
    if hart.fp_ready == 0:
        illegal(hart)


@define(cold=True)
def make_dirty(hart):
    """Set FS to Dirty, because f registers or fcsr change. Reads of mstatus derive SD from FS."""
    hart.mstatus |= Status.FS
    if hart.virt != 0:
        hart.vsstatus |= Status.FS
    work_out_ready(hart)


@define
def rounding_mode(hart, rm: u64) -> u64:
    """The mode that an rm field selects. Reserved modes are illegal, in frm only if rm is DYN."""
    mode = hart.frm if rm == DYN else rm
    if mode > RMM:
        illegal(hart)
    return mode


@define
def accrue(hart, flags: u64):
    """Raise flags in software."""
    if flags != 0:
        hart.fflags |= flags
        make_dirty(hart)


# --- the host's unit ----------------------------------------------------------------------------


@define
def host_flags(hart) -> u64:
    """The flags that the host's unit holds for the hart. UF is left out on a host that detects
    tininess before rounding; rv_fd.py raises it there."""
    if hart.fp_entered == 0:
        return u64(0)
    flags = host_fp_flags()
    return flags if host_underflows_late() else flags & ~UF


@define
def enter_unit(hart):
    """Give the host's unit to the hart, before native code or definitions under Python run."""
    hart.fp_host = host_fp_control()
    hart.fp_entered = 1
    host_fp_start(host_mode(hart))


@define
def leave_unit(hart):
    """Give the unit back to the host. The flags stay with the hart."""
    hart.fflags |= host_flags(hart)
    hart.fp_entered = 0
    host_fp_restore(hart.fp_host)


@define
def call_out(hart, function: u64, a: u64, b: u64, c: u64) -> u64:
    """Call a host function with (hart id, a, b, c). The host has its unit back meanwhile, because
    the function may be Python code."""
    if hart.fp_entered == 0:
        return call_host(function, hart.hart_id, a, b, c)
    leave_unit(hart)
    result = call_host(function, hart.hart_id, a, b, c)
    enter_unit(hart)
    return result


@define
def restart_unit(hart):
    """After a write of frm or fflags: set the unit's rounding mode and clear its flags."""
    if hart.fp_entered != 0:
        host_fp_start(host_mode(hart))


# --- fcsr ("Floating-Point Control and Status Register") ----------------------------------------


@define
def fcsr_access(hart, write: bool, number: u32):
    """Illegal while FS is Off."""
    require_fp(hart)


@define
def fflags_read(hart, number: u32) -> u64:
    return hart.fflags | host_flags(hart)


@define
def set_fcsr(hart, frm: u64, fflags: u64):
    """Write both parts. A write to either makes the state Dirty."""
    hart.frm = frm & 7
    hart.fflags = fflags & FLAGS
    restart_unit(hart)
    make_dirty(hart)


@define
def fflags_write(hart, value: u64, number: u32):
    set_fcsr(hart, hart.frm, value)


@define
def frm_write(hart, value: u64, number: u32):
    """Reserved modes can be written; instructions that round with them are illegal."""
    set_fcsr(hart, value, fflags_read(hart, number))


@define
def fcsr_read(hart, number: u32) -> u64:
    return hart.frm << 5 | fflags_read(hart, number)


@define
def fcsr_write(hart, value: u64, number: u32):
    set_fcsr(hart, value >> 5, value)


F.csr(
    0x001, "fflags", read=fflags_read, write=fflags_write, access=fcsr_access,
    fields="NV[4] DZ[3] OF[2] UF[1] NX[0]",
)  # fmt: skip
F.csr(0x002, "frm", write=frm_write, access=fcsr_access, fields="RM[2:0]")
F.csr(
    0x003, "fcsr", read=fcsr_read, write=fcsr_write, access=fcsr_access, storage=False,
    fields="RM[7:5] NV[4] DZ[3] OF[2] UF[1] NX[0]",
)  # fmt: skip

# --- NaN boxing (D, "NaN Boxing of Narrower Values") --------------------------------------------

BOX = 0xFFFF_FFFF_0000_0000
NAN_S = 0x7FC0_0000
BOX_H = 0xFFFF_FFFF_FFFF_0000  # of a half (Zfh)


@define
def is_boxed(a: u64) -> bool:
    """Whether a holds a single; `is_boxed(a & b)` asks for both at once."""
    return a >= BOX


@define
def box(a: u32) -> u64:
    """A single as an f register holds it."""
    return u64(a) | BOX


@define
def unbox(a: u64) -> u64:
    """The single in an f register: the canonical NaN if it isn't one."""
    return a - BOX if a >= BOX else u64(NAN_S)
