"""Machine mode, and the CSRs that it has only with U mode (Privileged 1.13, "Machine-Level ISA").

mret, ecall and the like are in rv_system.py, the counters in zicntr.py, PMP in pmp.py.
"""

from rvplat.isa.landing_pads import pads_changed
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import (
    context_changed,
    interrupt_lines,
    interrupts_changed,
    update_deadline,
)
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import MACHINE, SUPERVISOR, USER, Cause, EnvCfg, HStatus, Irq, Status
from rvplat.lang import define, u8, u32, u64

Sm = Extension(
    "Sm", version="1.13", standing="ratified", title="Machine mode", requires=("I", "Zicsr")
)
U = Extension("U", version="1.13", standing="ratified", title="User mode", requires=("Sm",))

# --- mstatus ("Machine Status Registers") -------------------------------------------------------

Sm.state("mstatus_writable", u64)  # the bits that this hart has, set by `reset_status`
Sm.state("pointer_masks", u64)  # not 0 if a mode's loads and stores ignore bits of addresses
Sm.state("landing_pads", u64)  # not 0 if a mode demands landing pads
Sm.state("check_pc", u64)  # of the last software-check exception, for people who ask
Sm.state("check_expected", u64)  # what x7, or the link register, held
Sm.state("check_found", u64)  # what the shadow stack held
Sm.state("check_ssp", u64)  # where; CHECK_OF_PAD for a landing pad
Sm.state("rnmi_masked", u8)  # 1: a hart with Smrnmi has mnstatus.NMIE = 0
Sm.state("rnmi_status", u64)  # the rest of mnstatus
Sm.state("rnmi_epc", u64)
Sm.state("rnmi_cause", u64)

LOADS_DEPEND = Status.MPRV | Status.SUM | Status.MXR
PREVIOUS = Status.MPP | Status.MPV  # loads depend on them too, while MPRV is set
ENABLES = Status.MIE | Status.SIE
OF_SUPERVISOR = (
    Status.SIE | Status.SPIE | Status.SPP | Status.FS | Status.TSR | Status.SUM | Status.MXR
    | Status.TVM
)  # fmt: skip
OF_USER = Status.MPRV | Status.TW
OF_HYPERVISOR = Status.MPV | Status.GVA


@define
def with_dirty(status: u64) -> u64:
    """The status with SD, which summarizes FS, VS and XS. SD is not stored but derived by reads. It
    is bit XLEN-1."""
    fs = status & Status.FS == Status.FS
    vs = status & Status.VS == Status.VS
    if fs or vs or status & Status.XS == Status.XS:
        return status | u64(1) << ux.bits - 1
    return status


@define
def set_mstatus(hart, status: u64):
    """Store a legal value, and apply it to floating point, translation and interrupts."""
    changed = hart.mstatus ^ status
    hart.mstatus = status
    if changed & Status.FS != 0:
        hart.fp_ready = 0
    if changed & Status.VS != 0:
        hart.v_ready = 0
    if changed & LOADS_DEPEND != 0 or (changed & PREVIOUS != 0 and status & Status.MPRV != 0):
        context_changed(hart)
    if changed & status & ENABLES != 0:
        interrupts_changed(hart)


@define
def legal_mode(hart, mode: u64) -> u64:
    """A mode for MPP that the hart has: the reserved 2, and S on a hart without it, become U."""
    if hart.has_u == 0:
        return u64(MACHINE)
    if mode == 2 or (mode == SUPERVISOR and hart.has_s == 0):
        return u64(USER)
    return mode


@define
def mstatus_read(hart, number: u32) -> u64:
    return with_dirty(hart.mstatus)


@define
def with_traps_disabled(status: u64) -> u64:
    """A status to write: SDT and MDT clear SIE and MIE ("Double Trap Control in mstatus
    Register")."""
    if status & Status.SDT != 0:
        status &= ~u64(Status.SIE)
    return status & ~u64(Status.MIE) if status & Status.MDT != 0 else status


@define
def writable_sdt(dte: u64) -> u64:
    """SDT, if it is writable by the field DTE of a register; else it is read-only zero."""
    return u64(Status.SDT) if dte & EnvCfg.DTE != 0 else u64(0)


@define
def mstatus_write(hart, value: u64, number: u32):
    """MPP is WARL, UXL and SXL are read-only; XS and the endianness bits are read-only zero."""
    mask = hart.mstatus_writable | writable_sdt(hart.menvcfg)
    mpp = legal_mode(hart, (value & Status.MPP) >> Status.MPP_SHIFT) << Status.MPP_SHIFT
    new = (hart.mstatus & ~mask) | (value & mask & ~Status.MPP) | mpp
    set_mstatus(hart, with_traps_disabled(new))


@define
def has_paging(hart) -> bool:
    """Whether the hart has a translation scheme other than Bare."""
    return hart.has_sv39 != 0 or hart.has_sv32 != 0


@define
def reset_status(hart):
    """Reset mstatus, and set which bits this hart's extensions give it ("Reset": MIE, MPRV are 0).

    SUM, MXR and TVM exist with translation, FS with F or S mode (so that M mode can emulate F), VS
    with vectors. RV32 has neither UXL nor SXL.
    """
    writable = u64(Status.MIE | Status.MPIE | Status.MPP)
    status = u64(Status.MPP) if hart.has_u == 0 else u64(0)
    if hart.has_u != 0:
        writable |= OF_USER
        status |= u64(Status.UXL_64) if ux.bits == 64 else u64(0)
    if hart.has_s != 0:
        writable |= OF_SUPERVISOR
        status |= u64(Status.SXL_64) if ux.bits == 64 else u64(0)
        if not has_paging(hart):
            writable &= ~(Status.SUM | Status.MXR | Status.TVM)
    if hart.has_f != 0:
        writable |= Status.FS
    if hart.has_zve32x != 0:
        writable |= Status.VS
    if hart.has_h != 0:
        writable |= OF_HYPERVISOR
    if hart.has_zicfilp != 0:
        writable |= (Status.MPELP | Status.SPELP) if hart.has_s != 0 else Status.MPELP
    if hart.has_smdbltrp != 0:
        writable |= Status.MDT
        status |= Status.MDT
    hart.mstatus_writable = writable
    hart.mstatus = status
    hart.rnmi_masked = hart.has_smrnmi


Sm.csr(
    0x300, "mstatus", read=mstatus_read, write=mstatus_write, high=0x310,
    fields="SD[XLEN-1] MDT[42] MPELP[41] MPV[39] GVA[38] MBE[37] SBE[36] SXL[35:34] UXL[33:32] "
    "SDT[24] SPELP[23] TSR[22] TW[21] TVM[20] MXR[19] SUM[18] MPRV[17] XS[16:15] FS[14:13] "
    "MPP[12:11] VS[10:9] SPP[8] MPIE[7] UBE[6] SPIE[5] MIE[3] SIE[1]",
)  # fmt: skip

# --- misa and identity --------------------------------------------------------------------------


@define
def misa_letters(hart) -> u64:
    """MXL = 2 (1 on RV32) and a bit for each letter. All of it is read-only, as WARL allows.

    B is Zba, Zbb and Zbs together ("Machine ISA Register").
    """
    misa = u64(2 << 62) if ux.bits == 64 else u64(1 << 30)
    misa |= u64(hart.has_a) << 0 | u64(hart.has_c) << 2 | u64(hart.has_d) << 3
    misa |= u64(hart.has_f) << 5 | u64(hart.has_i) << 8 | u64(hart.has_m) << 12
    misa |= u64(hart.has_h) << 7 | u64(hart.has_s) << 18 | u64(hart.has_u) << 20
    misa |= u64(hart.has_v) << 21
    misa |= u64(hart.has_zba & hart.has_zbb & hart.has_zbs) << 1
    return misa


@define
def misa_read(hart, number: u32) -> u64:
    return misa_letters(hart)


@define
def zero_read(hart, number: u32) -> u64:
    """Zero: the register is not implemented, or identifies a non-commercial implementation."""
    return u64(0)


@define
def nothing_write(hart, value: u64, number: u32):
    """Every bit is read-only."""


@define
def mhartid_read(hart, number: u32) -> u64:
    return hart.hart_id


Sm.csr(
    0x301, "misa", read=misa_read, write=nothing_write, storage=False,
    fields="MXL[XLEN-1:XLEN-2] Extensions[25:0]",
)  # fmt: skip
Sm.csr(0xF11, "mvendorid", read=zero_read, storage=False, fields="Bank[31:7] Offset[6:0]")
Sm.csr(0xF12, "marchid", read=zero_read, storage=False)
Sm.csr(0xF13, "mimpid", read=zero_read, storage=False)
Sm.csr(0xF14, "mhartid", read=mhartid_read, storage=False)
Sm.csr(0xF15, "mconfigptr", read=zero_read, storage=False)

# --- interrupts ("Machine Interrupt Registers") -------------------------------------------------

Sm.state("timer_lines", u64)  # MTIP and STIP as the timers drove them at the last check


@define
def guest_interrupts(hart) -> u64:
    """The interrupts of H, which M mode always delegates. SGEI exists if GEILEN isn't zero."""
    if hart.has_h == 0:
        return u64(0)
    return u64(Irq.HYPERVISOR) if hart.geilen != 0 else u64(Irq.GUEST)


@define
def overflow_interrupt(hart) -> u64:
    """The interrupt of Sscofpmf."""
    return u64(Irq.LCOFI) if hart.has_sscofpmf != 0 else u64(0)


@define
def interrupts_of(hart) -> u64:
    """The interrupts that exist on this hart: the writable bits of mie."""
    found = u64(Irq.MACHINE | Irq.SUPERVISOR) if hart.has_s != 0 else u64(Irq.MACHINE)
    return found | overflow_interrupt(hart) | guest_interrupts(hart)


@define
def mip_read(hart, number: u32) -> u64:
    """The software-written bits, and those that devices and timers drive."""
    return hart.mip | interrupt_lines(hart)


@define
def mip_write(hart, value: u64, number: u32):
    """LCOFIP, SEIP, SSIP, STIP are writable, except STIP while stimecmp drives it (menvcfg.STCE).
    VSSIP is an alias of hvip's ("Machine Interrupt (mip and mie) Registers" of H)."""
    mask = u64(0)
    if hart.has_s != 0:
        mask = u64(Irq.SUPERVISOR)
        if hart.menvcfg & EnvCfg.STCE != 0:
            mask = u64(Irq.SSI | Irq.SEI)
    if hart.has_h != 0:
        mask |= Irq.VSSI
    mask |= overflow_interrupt(hart)
    hart.mip = (hart.mip & ~mask) | (value & mask)
    interrupts_changed(hart)


@define
def mie_write(hart, value: u64, number: u32):
    """Bits of interrupts that can't occur are read-only zero."""
    hart.mie = value & interrupts_of(hart)
    update_deadline(hart)
    interrupts_changed(hart)


IRQ_BITS = "LCOFI[13] SGEI[12] MEI[11] VSEI[10] SEI[9] MTI[7] VSTI[6] STI[5] MSI[3] VSSI[2] SSI[1]"

Sm.csr(0x304, "mie", write=mie_write, fields=IRQ_BITS)
Sm.csr(0x344, "mip", read=mip_read, write=mip_write, fields=IRQ_BITS)

# --- trap setup and handling --------------------------------------------------------------------


@define
def legal_vector(value: u64) -> u64:
    """BASE is aligned to 4 bytes in either mode; of MODE only bit 0 exists."""
    return value & ~2


@define
def legal_epc(hart, value: u64) -> u64:
    """Bit 0 is zero, and bit 1 too where IALIGN is 32."""
    return value & ~1 if hart.has_c != 0 else value & ~3


@define
def mtvec_write(hart, value: u64, number: u32):
    hart.mtvec = legal_vector(value)


@define
def mepc_write(hart, value: u64, number: u32):
    hart.mepc = legal_epc(hart, value)


Sm.csr(0x305, "mtvec", write=mtvec_write, fields="BASE[XLEN-1:2] MODE[1:0]")
Sm.csr(0x340, "mscratch")
Sm.csr(0x341, "mepc", write=mepc_write)
Sm.csr(0x342, "mcause", fields="Interrupt[XLEN-1] Code[XLEN-2:0]")
Sm.csr(0x343, "mtval")

# --- delegation ("Machine Trap Delegation Registers"): exists with S mode, see priv_s.py --------

DELEGABLE = (
    1 << Cause.FETCH_ACCESS | 1 << Cause.ILLEGAL | 1 << Cause.BREAKPOINT
    | 1 << Cause.LOAD_MISALIGNED | 1 << Cause.LOAD_ACCESS
    | 1 << Cause.STORE_MISALIGNED | 1 << Cause.STORE_ACCESS
    | 1 << Cause.ECALL_U | 1 << Cause.ECALL_S
)  # fmt: skip
PAGE_FAULTS = 1 << Cause.FETCH_PAGE | 1 << Cause.LOAD_PAGE | 1 << Cause.STORE_PAGE

# --- menvcfg ("Machine Environment Configuration Register"): exists with U mode -----------------


@define
def legal_cbie(value: u64) -> u64:
    """CBIE = 2 is reserved: it becomes 0."""
    return value & ~EnvCfg.CBIE if value & EnvCfg.CBIE == 2 << EnvCfg.CBIE_SHIFT else value


@define
def cache_fields(hart) -> u64:
    """The fields of menvcfg and senvcfg that Zicbom and Zicboz add."""
    mask = u64(EnvCfg.CBIE | EnvCfg.CBCFE) if hart.has_zicbom != 0 else u64(0)
    return mask | EnvCfg.CBZE if hart.has_zicboz != 0 else mask


@define
def control_flow_fields(hart) -> u64:
    """The fields of menvcfg, senvcfg and henvcfg that Zicfilp and Zicfiss add."""
    mask = u64(EnvCfg.LPE) if hart.has_zicfilp != 0 else u64(0)
    return mask | EnvCfg.SSE if hart.has_zicfiss != 0 else mask


@define
def legal_pmm(value: u64) -> u64:
    """PMM = 1 is reserved: it becomes 0. On RV32 the field is read-only zero."""
    if ux.bits == 32:
        return value & ~EnvCfg.PMM
    return value & ~EnvCfg.PMM if value & EnvCfg.PMM == 1 << EnvCfg.PMM_SHIFT else value


@define
def masks_changed(hart):
    """A field PMM or HUPMM has changed ("Pointer Masking Extensions")."""
    fields = (hart.menvcfg | hart.senvcfg | hart.henvcfg | hart.mseccfg) & EnvCfg.PMM
    hart.pointer_masks = fields | (hart.hstatus & HStatus.HUPMM)
    context_changed(hart)


@define
def forget_guest_sdt(hart):
    """vsstatus.SDT is read-only zero without DTE."""
    if hart.has_h != 0:
        hart.vsstatus &= ~u64(Status.SDT)


@define
def menvcfg_write(hart, value: u64, number: u32):
    """Fields of extensions that the hart lacks are read-only zero."""
    mask = cache_fields(hart) | control_flow_fields(hart)
    mask |= u64(EnvCfg.FIOM) if hart.has_s != 0 else u64(0)
    mask |= u64(EnvCfg.ADUE) if hart.has_svadu != 0 else u64(0)
    mask |= u64(EnvCfg.PBMTE) if hart.has_svpbmt != 0 else u64(0)
    mask |= u64(EnvCfg.STCE) if hart.has_sstc != 0 else u64(0)
    mask |= u64(EnvCfg.DTE) if hart.has_ssdbltrp != 0 else u64(0)
    mask |= u64(EnvCfg.CDE) if hart.has_smcdeleg != 0 else u64(0)
    mask |= u64(EnvCfg.PMM) if hart.has_smnpm != 0 else u64(0)
    new = legal_pmm(legal_cbie(value)) & mask
    changed = hart.menvcfg ^ new
    hart.menvcfg = new
    if changed & (EnvCfg.ADUE | EnvCfg.PBMTE | EnvCfg.SSE) != 0:
        context_changed(hart)
    if changed & EnvCfg.PMM != 0:
        masks_changed(hart)
    if changed & EnvCfg.LPE != 0:
        pads_changed(hart)
    if new & EnvCfg.DTE == 0:
        hart.mstatus &= ~u64(Status.SDT)
        forget_guest_sdt(hart)
    if changed & EnvCfg.STCE != 0:
        hart.mip &= ~Irq.STI  # with STCE, stimecmp alone drives STIP ("Sstc")
        update_deadline(hart)
        interrupts_changed(hart)


U.csr(
    0x30A, "menvcfg", write=menvcfg_write, high=0x31A,
    fields="STCE[63] PBMTE[62] ADUE[61] CDE[60] DTE[59] PMM[33:32] CBZE[7] CBCFE[6] CBIE[5:4] "
    "SSE[3] LPE[2] FIOM[0]",
)  # fmt: skip
