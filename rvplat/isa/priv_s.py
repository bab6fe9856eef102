"""Supervisor mode (Privileged 1.13, "Supervisor-Level ISA"), and M mode's CSRs that exist with it.

satp and sfence.vma are in sv.py, stimecmp is in sstc.py.
"""

from rvplat.isa.landing_pads import pads_changed
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import interrupt_lines, interrupts_changed, update_deadline
from rvplat.isa.priv_m import (
    DELEGABLE,
    IRQ_BITS,
    PAGE_FAULTS,
    cache_fields,
    control_flow_fields,
    guest_interrupts,
    has_paging,
    legal_cbie,
    legal_epc,
    legal_pmm,
    legal_vector,
    masks_changed,
    overflow_interrupt,
    set_mstatus,
    with_dirty,
    with_traps_disabled,
    writable_sdt,
)
from rvplat.isa.privileged import Cause, EnvCfg, Irq, Status
from rvplat.isa.shadow_stacks import hidden_fields
from rvplat.isa.stateen import envcfg_access
from rvplat.lang import define, u32, u64

S = Extension("S", version="1.13", standing="ratified", title="Supervisor mode", requires=("U",))

# --- sstatus: a view of mstatus ("Supervisor Status Register") ----------------------------------

SSTATUS_WRITABLE = (
    Status.SIE | Status.SPIE | Status.SPP | Status.VS | Status.FS | Status.XS | Status.SUM
    | Status.MXR | Status.SPELP
)  # fmt: skip
SSTATUS_READABLE = SSTATUS_WRITABLE | Status.SDT | Status.UXL | Status.SD | Status.SD_32


@define
def sstatus_read(hart, number: u32) -> u64:
    return with_dirty(hart.mstatus) & SSTATUS_READABLE


@define
def sstatus_write(hart, value: u64, number: u32):
    mask = (hart.mstatus_writable & SSTATUS_WRITABLE) | writable_sdt(hart.menvcfg)
    set_mstatus(hart, with_traps_disabled((hart.mstatus & ~mask) | (value & mask)))


S.csr(
    0x100, "sstatus", read=sstatus_read, write=sstatus_write, storage=False,
    fields="SD[XLEN-1] UXL[33:32] SDT[24] SPELP[23] MXR[19] SUM[18] XS[16:15] FS[14:13] VS[10:9] "
    "SPP[8] UBE[6] SPIE[5] SIE[1]",
)  # fmt: skip

# --- sip and sie: views of mip and mie ("Supervisor Interrupt Registers") -----------------------


@define
def delegated_interrupts(hart) -> u64:
    """The interrupts that sip and sie show: the delegated ones, without those of H."""
    return hart.mideleg & ~Irq.HYPERVISOR


@define
def sip_read(hart, number: u32) -> u64:
    return (hart.mip | interrupt_lines(hart)) & delegated_interrupts(hart)


@define
def sip_write(hart, value: u64, number: u32):
    """Only SSIP and LCOFIP are writable here; M mode writes SEIP and STIP in mip."""
    mask = hart.mideleg & (Irq.SSI | overflow_interrupt(hart))
    hart.mip = (hart.mip & ~mask) | (value & mask)
    interrupts_changed(hart)


@define
def sie_read(hart, number: u32) -> u64:
    return hart.mie & delegated_interrupts(hart)


@define
def sie_write(hart, value: u64, number: u32):
    mask = delegated_interrupts(hart)
    hart.mie = (hart.mie & ~mask) | (value & mask)
    update_deadline(hart)
    interrupts_changed(hart)


S.csr(0x104, "sie", read=sie_read, write=sie_write, storage=False, fields=IRQ_BITS)
S.csr(0x144, "sip", read=sip_read, write=sip_write, storage=False, fields=IRQ_BITS)

# --- trap setup and handling --------------------------------------------------------------------


@define
def stvec_write(hart, value: u64, number: u32):
    hart.stvec = legal_vector(value)


@define
def sepc_write(hart, value: u64, number: u32):
    hart.sepc = legal_epc(hart, value)


S.csr(0x105, "stvec", write=stvec_write, fields="BASE[XLEN-1:2] MODE[1:0]")
S.csr(0x140, "sscratch")
S.csr(0x141, "sepc", write=sepc_write)
S.csr(0x142, "scause", fields="Interrupt[XLEN-1] Code[XLEN-2:0]")
S.csr(0x143, "stval")

# --- senvcfg ("Supervisor Environment Configuration Register") ----------------------------------


@define
def senvcfg_read(hart, number: u32) -> u64:
    return hart.senvcfg & ~hidden_fields(hart)


@define
def senvcfg_write(hart, value: u64, number: u32):
    """SSE keeps its value while it is read-only zero."""
    mask = cache_fields(hart) | control_flow_fields(hart) | EnvCfg.FIOM
    mask |= u64(EnvCfg.PMM) if hart.has_ssnpm != 0 else u64(0)
    changed = hart.senvcfg ^ (legal_pmm(legal_cbie(value)) & mask)
    changed &= ~hidden_fields(hart)
    hart.senvcfg ^= changed
    if changed & EnvCfg.PMM != 0:
        masks_changed(hart)
    if changed & EnvCfg.LPE != 0:
        pads_changed(hart)


S.csr(
    0x10A, "senvcfg", read=senvcfg_read, write=senvcfg_write, access=envcfg_access,
    fields="PMM[33:32] CBZE[7] CBCFE[6] CBIE[5:4] SSE[3] LPE[2] FIOM[0]",
)  # fmt: skip

# --- medeleg and mideleg ("Machine Trap Delegation Registers") ----------------------------------


OF_GUESTS = (
    1 << Cause.ECALL_VS | 1 << Cause.FETCH_GUEST_PAGE | 1 << Cause.LOAD_GUEST_PAGE
    | 1 << Cause.VIRTUAL | 1 << Cause.STORE_GUEST_PAGE
)  # fmt: skip


@define
def medeleg_write(hart, value: u64, number: u32):
    """The bits of exceptions that can't occur below M mode are read-only zero.

    These are 19, 18 without Zicfilp and Zicfiss, bit 0 (a misaligned target) with C, and page
    faults without translation. H adds guest-page faults, virtual instructions and ecall from VS
    mode.
    """
    mask = u64(DELEGABLE)
    mask |= u64(0) if hart.has_c != 0 else u64(1 << Cause.FETCH_MISALIGNED)
    mask |= u64(PAGE_FAULTS) if has_paging(hart) else u64(0)
    mask |= u64(OF_GUESTS) if hart.has_h != 0 else u64(0)
    mask |= u64(1 << Cause.SOFTWARE_CHECK) if hart.has_zicfilp | hart.has_zicfiss != 0 else u64(0)
    hart.medeleg = value & mask


@define
def mideleg_write(hart, value: u64, number: u32):
    """S mode's interrupts can be delegated, M mode's can't be, H's always are ("Machine Interrupt
    Delegation (mideleg) Register")."""
    mask = Irq.SUPERVISOR | overflow_interrupt(hart)
    hart.mideleg = (value & mask) | guest_interrupts(hart)
    interrupts_changed(hart)


S.csr(0x302, "medeleg", write=medeleg_write, high=0x312)
S.csr(0x303, "mideleg", write=mideleg_write, fields=IRQ_BITS)
