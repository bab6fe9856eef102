"""H: loads and stores in a guest's memory, and fences (Privileged, "Hypervisor Instructions")."""

from rvplat.isa.machinery.vocabulary import (
    flush_guest_physical,
    flush_guest_virtual,
    guest_load,
    guest_store,
    illegal,
    require_hypervisor,
    virtual_instruction,
)
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import SUPERVISOR, USER, HStatus, Status
from rvplat.isa.rv_h import H
from rvplat.isa.sv import Svinval
from rvplat.lang import define, fence, s8, s16, s32, u64

# --- "Hypervisor Virtual-Machine Load and Store Instructions" -----------------------------------


@define
def require_guest_access(hart):
    """Legal in M and HS mode, and in U mode while hstatus.HU is set."""
    if hart.virt != 0:
        virtual_instruction(hart)
    if hart.priv == USER and hart.hstatus & HStatus.HU == 0:
        illegal(hart)


@define(cold=True)
def load(hart, va: ux, size: u64) -> u64:
    """An explicit load as though in VS or VU mode, zero-extended."""
    require_guest_access(hart)
    return guest_load(hart, va, size, False)


@define(cold=True)
def load_code(hart, va: ux, size: u64) -> u64:
    """The same, but it needs execute permission instead of read permission."""
    require_guest_access(hart)
    return guest_load(hart, va, size, True)


@define(cold=True)
def store(hart, va: ux, size: u64, value: u64):
    """An explicit store as though in VS or VU mode."""
    require_guest_access(hart)
    guest_store(hart, va, size, value)


@H.instruction("0110000 00000 rs1 100 rd 1110011", "hlv.b rd, (rs1)")
def hlv_b(hart, rd, rs1):
    hart.x[rd] = ux(s8(load(hart, hart.x[rs1], u64(1))))


@H.instruction("0110000 00001 rs1 100 rd 1110011", "hlv.bu rd, (rs1)")
def hlv_bu(hart, rd, rs1):
    hart.x[rd] = ux(load(hart, hart.x[rs1], u64(1)))


@H.instruction("0110010 00000 rs1 100 rd 1110011", "hlv.h rd, (rs1)")
def hlv_h(hart, rd, rs1):
    hart.x[rd] = ux(s16(load(hart, hart.x[rs1], u64(2))))


@H.instruction("0110010 00001 rs1 100 rd 1110011", "hlv.hu rd, (rs1)")
def hlv_hu(hart, rd, rs1):
    hart.x[rd] = ux(load(hart, hart.x[rs1], u64(2)))


@H.instruction("0110010 00011 rs1 100 rd 1110011", "hlvx.hu rd, (rs1)")
def hlvx_hu(hart, rd, rs1):
    hart.x[rd] = ux(load_code(hart, hart.x[rs1], u64(2)))


@H.instruction("0110100 00000 rs1 100 rd 1110011", "hlv.w rd, (rs1)")
def hlv_w(hart, rd, rs1):
    hart.x[rd] = ux(s32(load(hart, hart.x[rs1], u64(4))))


@H.instruction("0110100 00001 rs1 100 rd 1110011", "hlv.wu rd, (rs1)", xlen=64)
def hlv_wu(hart, rd, rs1):
    hart.x[rd] = ux(load(hart, hart.x[rs1], u64(4)))


@H.instruction("0110100 00011 rs1 100 rd 1110011", "hlvx.wu rd, (rs1)")
def hlvx_wu(hart, rd, rs1):
    hart.x[rd] = ux(load_code(hart, hart.x[rs1], u64(4)))


@H.instruction("0110110 00000 rs1 100 rd 1110011", "hlv.d rd, (rs1)", xlen=64)
def hlv_d(hart, rd, rs1):
    hart.x[rd] = ux(load(hart, hart.x[rs1], u64(8)))


@H.instruction("0110001 rs2 rs1 100 00000 1110011", "hsv.b rs2, (rs1)")
def hsv_b(hart, rs1, rs2):
    store(hart, hart.x[rs1], u64(1), u64(hart.x[rs2]))


@H.instruction("0110011 rs2 rs1 100 00000 1110011", "hsv.h rs2, (rs1)")
def hsv_h(hart, rs1, rs2):
    store(hart, hart.x[rs1], u64(2), u64(hart.x[rs2]))


@H.instruction("0110101 rs2 rs1 100 00000 1110011", "hsv.w rs2, (rs1)")
def hsv_w(hart, rs1, rs2):
    store(hart, hart.x[rs1], u64(4), u64(hart.x[rs2]))


@H.instruction("0110111 rs2 rs1 100 00000 1110011", "hsv.d rs2, (rs1)", xlen=64)
def hsv_d(hart, rs1, rs2):
    store(hart, hart.x[rs1], u64(8), u64(hart.x[rs2]))


# --- "Hypervisor Memory-Management Fence Instructions" and "Svinval" ----------------------------


@define
def require_guest_tables(hart):
    """hfence.gvma and hinval.gvma: illegal in HS mode while mstatus.TVM is set."""
    require_hypervisor(hart)
    if hart.priv == SUPERVISOR and hart.mstatus & Status.TVM != 0:
        illegal(hart)


@H.instruction("0010001 rs2 rs1 000 00000 1110011", "hfence.vvma rs1, rs2")
def hfence_vvma(hart, rs1, rs2):
    """Like sfence.vma in VS mode: for a guest virtual address (rs1) and an ASID (rs2), always for
    the VMID in hgatp."""
    require_hypervisor(hart)
    fence()
    flush_guest_virtual(hart, hart.x[rs1], hart.x[rs2], rs1 != 0, rs2 != 0)


@H.instruction("0110001 rs2 rs1 000 00000 1110011", "hfence.gvma rs1, rs2")
def hfence_gvma(hart, rs1, rs2):
    """Order stores to page tables before later G-stage translations of a guest physical address
    (rs1 holds it shifted right by two) and of a VMID (rs2)."""
    require_guest_tables(hart)
    fence()
    flush_guest_physical(hart, u64(hart.x[rs1]) << 2, hart.x[rs2], rs1 != 0, rs2 != 0)


@Svinval.instruction("0010011 rs2 rs1 000 00000 1110011", "hinval.vvma rs1, rs2", requires=("H",))
def hinval_vvma(hart, rs1, rs2):
    """Drop the translations that hfence.vvma drops, without ordering stores."""
    require_hypervisor(hart)
    flush_guest_virtual(hart, hart.x[rs1], hart.x[rs2], rs1 != 0, rs2 != 0)


@Svinval.instruction("0110011 rs2 rs1 000 00000 1110011", "hinval.gvma rs1, rs2", requires=("H",))
def hinval_gvma(hart, rs1, rs2):
    """Drop the translations that hfence.gvma drops, without ordering stores."""
    require_guest_tables(hart)
    flush_guest_physical(hart, u64(hart.x[rs1]) << 2, hart.x[rs2], rs1 != 0, rs2 != 0)
