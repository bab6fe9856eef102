"""Virtual memory: satp, sfence.vma and the extensions of page tables (Privileged,
"Supervisor-Level ISA"; "Svinval", "Svnapot", "Svpbmt", "Svade", "Svadu", "Svvptc").

`hart/mmu.py` translates addresses.
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import (
    context_changed,
    flush_translations,
    illegal,
    require_privilege,
    virtual_instruction,
)
from rvplat.isa.machinery.xlen import WIDTHS, ux
from rvplat.isa.privileged import SUPERVISOR, HStatus, Status
from rvplat.lang import define, fence, u32, u64


def _extension(
    name: str, title: str, *requires: str, version: str = "1.0", widths: tuple[int, ...] = WIDTHS
) -> Extension:
    return Extension(name, version, "ratified", title, requires, widths=widths)


RV64 = (64,)


Svbare = _extension("Svbare", "satp mode Bare", "S", version="1.13")
Sv32 = _extension("Sv32", "32-bit virtual memory", "Svbare", version="1.13", widths=(32,))
Sv39 = _extension("Sv39", "39-bit virtual memory", "Svbare", version="1.13", widths=RV64)
Sv48 = _extension("Sv48", "48-bit virtual memory", "Sv39", version="1.13", widths=RV64)
Sv57 = _extension("Sv57", "57-bit virtual memory", "Sv48", version="1.13", widths=RV64)
Svinval = _extension("Svinval", "Fine-grained invalidation of translations", "Svbare")
Svnapot = _extension("Svnapot", "Contiguous pages of 64 KiB", "Sv39", widths=RV64)
Svpbmt = _extension("Svpbmt", "Page-based memory types", "Sv39", widths=RV64)
Svade = _extension("Svade", "Page faults where A and D must be set", "Sv39")
Svadu = _extension("Svadu", "Hardware updating of A and D", "Sv39")
Svvptc = _extension("Svvptc", "Valid PTEs are seen in bounded time", "Sv39")

BARE = 0
SV32 = 1
SV39 = 8
SV48 = 9
SV57 = 10


@define
def require_memory_management(hart):
    """Illegal in U mode, and in S mode while TVM is set ("Virtualization Support in mstatus"). In
    VS mode hstatus.VTVM takes the place of TVM ("Hypervisor Status Register")."""
    require_privilege(hart, u64(SUPERVISOR))
    if hart.priv == SUPERVISOR:
        if hart.virt != 0 and hart.hstatus & HStatus.VTVM != 0:
            virtual_instruction(hart)
        if hart.virt == 0 and hart.mstatus & Status.TVM != 0:
            illegal(hart)


@define
def is_supported(hart, mode: u64) -> bool:
    """Whether satp.MODE may take the value."""
    if ux.bits == 32:
        return mode == BARE or (mode == SV32 and hart.has_sv32 != 0)
    if mode == SV39:
        return hart.has_sv39 != 0
    if mode == SV48:
        return hart.has_sv48 != 0
    if mode == SV57:
        return hart.has_sv57 != 0
    return mode == BARE


@define
def satp_access(hart, write: bool, number: u32):
    require_memory_management(hart)


@define
def satp_write(hart, value: u64, number: u32):
    """A write with a MODE that isn't supported has no effect at all ("Supervisor Address
    Translation and Protection Register"). ASIDLEN is 16 unless the board says less."""
    if is_supported(hart, value >> 60):
        hart.satp = value & ~hart.asid_fixed
        context_changed(hart)


# On RV32 satp and the like are stored as on RV64: MODE, then ASID or VMID from bit 44, then PPN.


@define
def widened_root(value: u64) -> u64:
    """satp, vsatp or hgatp of RV32 in the layout of RV64. ASIDLEN is 9, VMIDLEN 7."""
    return value >> 31 << 60 | (value >> 22 & 0x1FF) << 44 | value & 0x3F_FFFF


@define
def narrowed_root(root: u64) -> u64:
    """The inverse."""
    return root >> 60 << 31 | (root >> 44 & 0x1FF) << 22 | root & 0x3F_FFFF


@define
def satp_read_rv32(hart, number: u32) -> u64:
    return narrowed_root(hart.satp)


@define
def satp_write_rv32(hart, value: u64, number: u32):
    satp_write(hart, widened_root(value), number)


Svbare.csr(
    0x180, "satp", write=satp_write, access=satp_access,
    fields="MODE[63:60] ASID[59:44] PPN[43:0]", xlen=64,
)  # fmt: skip
Svbare.csr(
    0x180, "satp", read=satp_read_rv32, write=satp_write_rv32, access=satp_access,
    fields="MODE[31] ASID[30:22] PPN[21:0]", xlen=32,
)  # fmt: skip


@Svbare.instruction("0001001 rs2 rs1 000 00000 1110011", "sfence.vma rs1, rs2")
def sfence_vma(hart, rs1, rs2):
    """Order stores to page tables before later translations of an address (rs1) and ASID (rs2)."""
    require_memory_management(hart)
    fence()
    flush_translations(hart, hart.x[rs1], hart.x[rs2], rs1 != 0, rs2 != 0)


@Svinval.instruction("0001011 rs2 rs1 000 00000 1110011", "sinval.vma rs1, rs2")
def sinval_vma(hart, rs1, rs2):
    """Drop the translations that sfence.vma drops, without ordering stores."""
    require_memory_management(hart)
    flush_translations(hart, hart.x[rs1], hart.x[rs2], rs1 != 0, rs2 != 0)


@Svinval.instruction("0001100 00000 00000 000 00000 1110011", "sfence.w.inval")
def sfence_w_inval(hart):
    """Order earlier stores before sinval.vma. TVM doesn't apply."""
    require_privilege(hart, u64(SUPERVISOR))
    fence()


@Svinval.instruction("0001100 00001 00000 000 00000 1110011", "sfence.inval.ir")
def sfence_inval_ir(hart):
    """Order sinval.vma before later translations, which it always is here."""
    require_privilege(hart, u64(SUPERVISOR))
