"""H, the hypervisor extension: its registers for HS and M mode (Privileged, "Hypervisor").

The VS CSRs are in rv_h_guest.py, interrupts in rv_h_interrupts.py, loads, stores and fences in
rv_h_memory.py. The second stage of translation is in `hart/mmu.py`.
"""

from rvplat.isa.landing_pads import pads_changed
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import (
    context_changed,
    illegal,
    interrupts_changed,
    update_deadline,
)
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.priv_m import (
    cache_fields,
    control_flow_fields,
    forget_guest_sdt,
    legal_cbie,
    legal_pmm,
    masks_changed,
)
from rvplat.isa.privileged import (
    MACHINE,
    SUPERVISOR,
    VMID,
    VMID_SHIFT,
    Cause,
    EnvCfg,
    HStatus,
    StateEnable,
    Status,
)
from rvplat.isa.stateen import henvcfg_access, machine_enables
from rvplat.isa.sv import is_supported, narrowed_root, widened_root
from rvplat.isa.zicntr import COUNTER_BITS, counters_of
from rvplat.lang import define, u32, u64

H = Extension(
    "H", version="1.0", standing="ratified", title="Hypervisor", requires=("S", "Sv39", "Sv32")
)  # fmt: skip


def _promise(name: str, title: str, *requires: str) -> Extension:
    return Extension(name, "1.0", "ratified", title, ("H", *requires))


# The manual names choices that an implementation of H may make. These are the ones made here.
Shcounterenw = _promise("Shcounterenw", "hcounteren is writable for every counter")
Shvstvala = _promise("Shvstvala", "vstval is written as stval is")
Shtvala = _promise("Shtvala", "htval holds the faulting guest physical address")
Shvstvecd = _promise("Shvstvecd", "vstvec holds every direct address")
Shvsatpa = _promise("Shvsatpa", "vsatp has every mode of satp")
Shgatpa = _promise("Shgatpa", "hgatp has a mode for every mode of satp, and Bare")
Sha = _promise(
    "Sha", "Augmented hypervisor", "Ssstateen", "Shcounterenw", "Shvstvala", "Shtvala",
    "Shvstvecd", "Shvsatpa", "Shgatpa",
)  # fmt: skip

# --- hstatus ("Hypervisor Status Register") -----------------------------------------------------

HSTATUS_WRITABLE = (
    HStatus.GVA | HStatus.SPV | HStatus.SPVP | HStatus.HU | HStatus.VTVM | HStatus.VTW
    | HStatus.VTSR
)  # fmt: skip


@define
def legal_vgein(hart, value: u64) -> u64:
    """A VGEIN up to GEILEN is legal. A write of a greater one leaves the field unchanged."""
    if (value & HStatus.VGEIN) >> HStatus.VGEIN_SHIFT > u64(hart.geilen):
        return hart.hstatus & HStatus.VGEIN
    return value & HStatus.VGEIN


@define
def legal_hupmm(hart, value: u64) -> u64:
    """HUPMM exists with Ssnpm; 1 is reserved and becomes 0."""
    if hart.has_ssnpm == 0 or value & HStatus.HUPMM == 1 << HStatus.HUPMM_SHIFT:
        return u64(0)
    return value & HStatus.HUPMM


@define
def hstatus_write(hart, value: u64, number: u32):
    """VSBE is read-only zero; VSXL is read-only 64 bits, and RV32 has none."""
    fields = legal_vgein(hart, value) | legal_hupmm(hart, value)
    fields |= u64(HStatus.VSXL_64) if ux.bits == 64 else u64(0)
    changed = hart.hstatus ^ ((value & HSTATUS_WRITABLE) | fields)
    hart.hstatus ^= changed
    if changed & HStatus.HUPMM != 0:
        masks_changed(hart)
    interrupts_changed(hart)


H.csr(
    0x600, "hstatus", write=hstatus_write, reset=HStatus.VSXL_64,
    fields="HUPMM[49:48] VSXL[33:32] VTSR[22] VTW[21] VTVM[20] VGEIN[17:12] HU[9] SPVP[8] SPV[7] "
    "GVA[6] VSBE[5]",
)  # fmt: skip

# --- delegation ("Hypervisor Trap Delegation Registers") ----------------------------------------

HEDELEG_WRITABLE = (
    1 << Cause.FETCH_ACCESS | 1 << Cause.ILLEGAL | 1 << Cause.BREAKPOINT
    | 1 << Cause.LOAD_MISALIGNED | 1 << Cause.LOAD_ACCESS
    | 1 << Cause.STORE_MISALIGNED | 1 << Cause.STORE_ACCESS | 1 << Cause.ECALL_U
    | 1 << Cause.FETCH_PAGE | 1 << Cause.LOAD_PAGE | 1 << Cause.STORE_PAGE
    | 1 << Cause.SOFTWARE_CHECK | 1 << Cause.HARDWARE_ERROR
)  # fmt: skip


@define
def hedeleg_write(hart, value: u64, number: u32):
    """Table "Bits of hedeleg that must be writable". Bit 0 must be where IALIGN is 32."""
    mask = u64(HEDELEG_WRITABLE)
    hart.hedeleg = value & (mask if hart.has_c != 0 else mask | 1 << Cause.FETCH_MISALIGNED)


HEDELEGH = 0x612


@define
def hedeleg_access(hart, write: bool, number: u32):
    """Bit P1P13 of mstateen0 controls access to hedelegh, which RV32 has ("State Enable 0
    Registers")."""
    enabled = machine_enables(hart, u64(0)) & StateEnable.P1P13 != 0
    if number == HEDELEGH and hart.priv != MACHINE and not enabled:
        illegal(hart)


H.csr(0x602, "hedeleg", write=hedeleg_write, access=hedeleg_access, high=HEDELEGH)

# --- what a guest may use -----------------------------------------------------------------------


@define
def hcounteren_write(hart, value: u64, number: u32):
    """Every counter has its bit (Shcounterenw)."""
    hart.hcounteren = value & counters_of(hart)


@define
def htimedelta_write(hart, value: u64, number: u32):
    """The guest's time changes, so it is compared with vstimecmp again."""
    hart.htimedelta = value
    update_deadline(hart)
    interrupts_changed(hart)


FROM_MENVCFG = EnvCfg.STCE | EnvCfg.PBMTE | EnvCfg.ADUE | EnvCfg.SSE | EnvCfg.DTE


@define
def henvcfg_read(hart, number: u32) -> u64:
    return hart.henvcfg & (hart.menvcfg | ~u64(FROM_MENVCFG))


@define
def henvcfg_write(hart, value: u64, number: u32):
    """STCE, PBMTE, ADUE, SSE and DTE are read-only zero while they are zero in menvcfg. They have
    their former values again when menvcfg sets them."""
    mask = (hart.menvcfg & FROM_MENVCFG) | cache_fields(hart) | EnvCfg.FIOM
    mask |= control_flow_fields(hart) & ~u64(EnvCfg.SSE)
    mask |= u64(EnvCfg.PMM) if hart.has_ssnpm != 0 else u64(0)
    new = (hart.henvcfg & ~mask) | (legal_pmm(legal_cbie(value)) & mask)
    changed = hart.henvcfg ^ new
    hart.henvcfg = new
    if changed & EnvCfg.PMM != 0:
        masks_changed(hart)
    if changed & EnvCfg.LPE != 0:
        pads_changed(hart)
    if changed & EnvCfg.SSE != 0:
        context_changed(hart)
    if new & EnvCfg.DTE == 0:
        forget_guest_sdt(hart)
    if changed & EnvCfg.STCE != 0:
        update_deadline(hart)
        interrupts_changed(hart)


H.csr(0x606, "hcounteren", write=hcounteren_write, fields=COUNTER_BITS)
H.csr(0x605, "htimedelta", write=htimedelta_write, high=0x615)
H.csr(
    0x60A, "henvcfg", read=henvcfg_read, write=henvcfg_write, access=henvcfg_access, high=0x61A,
    fields="STCE[63] PBMTE[62] ADUE[61] DTE[59] PMM[33:32] CBZE[7] CBCFE[6] CBIE[5:4] SSE[3] "
    "LPE[2] FIOM[0]",
)  # fmt: skip

# --- what a trap reports ("Hypervisor Trap Value Register" and others) --------------------------

H.csr(0x643, "htval")
H.csr(0x64A, "htinst")
H.csr(0x34B, "mtval2")
H.csr(0x34A, "mtinst")

# --- hgatp ("Hypervisor Guest Address Translation and Protection Register") ---------------------

HGATP_PPN = (1 << 44) - 1 & ~3  # the root table has 16 KiB
HGATP_FIELDS = HGATP_PPN | VMID << VMID_SHIFT


@define
def hgatp_access(hart, write: bool, number: u32):
    """Illegal in HS mode while mstatus.TVM is set. hstatus.VTVM has no effect on it."""
    if hart.priv == SUPERVISOR and hart.virt == 0 and hart.mstatus & Status.TVM != 0:
        illegal(hart)


@define
def hgatp_write(hart, value: u64, number: u32):
    """Unlike in satp, each field is WARL by itself: an unsupported MODE (Shgatpa) leaves MODE
    unchanged, and the other fields are written. VMIDLEN is 14 unless the board says less."""
    mode = value >> 60
    if not is_supported(hart, mode):
        mode = hart.hgatp >> 60
    hart.hgatp = mode << 60 | (value & HGATP_FIELDS & ~hart.vmid_fixed)
    context_changed(hart)


VMID_RV32 = 0x7F << 22  # VMIDLEN is 7


@define
def hgatp_read_rv32(hart, number: u32) -> u64:
    return narrowed_root(hart.hgatp)


@define
def hgatp_write_rv32(hart, value: u64, number: u32):
    fields = u64(1 << 31 | VMID_RV32 | 0x3F_FFFF)
    hgatp_write(hart, widened_root(value & fields), number)


H.csr(
    0x680, "hgatp", write=hgatp_write, access=hgatp_access,
    fields="MODE[63:60] VMID[57:44] PPN[43:0]", xlen=64,
)  # fmt: skip
H.csr(
    0x680, "hgatp", read=hgatp_read_rv32, write=hgatp_write_rv32, access=hgatp_access,
    fields="MODE[31] VMID[28:22] PPN[21:0]", xlen=32,
)  # fmt: skip
