"""H: the VS CSRs, which replace those of S mode while V=1 (Privileged, "Hypervisor and Virtual
Supervisor CSRs"). vsip and vsie are in rv_h_interrupts.py, vstimecmp is in sstc.py.
"""

from rvplat.isa.machinery.vocabulary import context_changed, interrupts_changed
from rvplat.isa.priv_m import legal_epc, legal_vector, with_dirty, with_traps_disabled, writable_sdt
from rvplat.isa.priv_s import SSTATUS_READABLE, SSTATUS_WRITABLE
from rvplat.isa.privileged import Status
from rvplat.isa.rv_h import H
from rvplat.isa.sv import is_supported, narrowed_root, widened_root
from rvplat.lang import define, u32, u64


@define
def vsstatus_read(hart, number: u32) -> u64:
    """SD summarizes the fields of vsstatus itself ("Virtual Supervisor Status Register")."""
    return with_dirty(hart.vsstatus) & SSTATUS_READABLE


@define
def vsstatus_write(hart, value: u64, number: u32):
    """UBE is read-only zero; UXL is read-only 64 bits."""
    mask = hart.mstatus_writable & SSTATUS_WRITABLE
    mask |= writable_sdt(hart.menvcfg & hart.henvcfg)
    new = with_traps_disabled((hart.vsstatus & ~mask) | (value & mask))
    changed = hart.vsstatus ^ new
    hart.vsstatus = new
    if changed & Status.FS != 0:
        hart.fp_ready = 0
    if changed & Status.VS != 0:
        hart.v_ready = 0
    if changed & (Status.SUM | Status.MXR) != 0:
        context_changed(hart)
    if changed & new & Status.SIE != 0:
        interrupts_changed(hart)


@define
def vstvec_write(hart, value: u64, number: u32):
    """In direct mode every aligned address is legal (Shvstvecd)."""
    hart.vstvec = legal_vector(value)


@define
def vsepc_write(hart, value: u64, number: u32):
    hart.vsepc = legal_epc(hart, value)


@define
def vsatp_write(hart, value: u64, number: u32):
    """The modes are those of satp (Shvsatpa). A write of another is ignored, with V=0 too."""
    if is_supported(hart, value >> 60):
        hart.vsatp = value & ~hart.asid_fixed
        context_changed(hart)


H.csr(
    0x200, "vsstatus", read=vsstatus_read, write=vsstatus_write, reset=Status.UXL_64,
    fields="SD[XLEN-1] UXL[33:32] SDT[24] SPELP[23] MXR[19] SUM[18] XS[16:15] FS[14:13] VS[10:9] "
    "SPP[8] UBE[6] SPIE[5] SIE[1]",
)  # fmt: skip
H.csr(0x205, "vstvec", write=vstvec_write, fields="BASE[XLEN-1:2] MODE[1:0]")
H.csr(0x240, "vsscratch")
H.csr(0x241, "vsepc", write=vsepc_write)
H.csr(0x242, "vscause", fields="Interrupt[XLEN-1] Code[XLEN-2:0]")
H.csr(0x243, "vstval")
H.csr(
    0x280, "vsatp", write=vsatp_write, fields="MODE[63:60] ASID[59:44] PPN[43:0]", xlen=64
)  # fmt: skip


@define
def vsatp_read_rv32(hart, number: u32) -> u64:
    return narrowed_root(hart.vsatp)


@define
def vsatp_write_rv32(hart, value: u64, number: u32):
    vsatp_write(hart, widened_root(value), number)


H.csr(
    0x280, "vsatp", read=vsatp_read_rv32, write=vsatp_write_rv32,
    fields="MODE[31] ASID[30:22] PPN[21:0]", xlen=32,
)  # fmt: skip
