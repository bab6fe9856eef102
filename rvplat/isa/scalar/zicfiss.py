"""Zicfiss, shadow stacks for return addresses (Unprivileged, "Zicfiss").

In a mode without xSSE the instructions but ssamoswap are may-be-operations.
"""

from rvplat.isa.machinery.vocabulary import (
    illegal,
    pop_shadow_stack,
    push_shadow_stack,
    raise_trap,
    shadow_stack_address,
)
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import Cause
from rvplat.isa.rv_scalar import Zicfiss
from rvplat.isa.shadow_stacks import has_stack, require_stack
from rvplat.lang import NoReturn, atomic_swap_u32, atomic_swap_u64, define, s32, u32, u64

SHADOW_STACK_FAULT = 3  # xtval of a software-check exception ("Machine Trap Value Register")

# --- ssp ("Shadow Stack Pointer") -----------------------------------------------------------------


@define
def ssp_access(hart, write: bool, number: u32):
    require_stack(hart)


@define
def ssp_write(hart, value: u64, number: u32):
    """Bits 1 and 0 are read-only zero; bit 2 too, where no mode has an XLEN of 32."""
    hart.ssp = value & ~u64(ux.bits // 8 - 1)


Zicfiss.csr(0x011, "ssp", write=ssp_write, access=ssp_access)


# --- instructions ---------------------------------------------------------------------------------


@define
def push(hart, link: ux):
    """ssp changes only if the store succeeds."""
    if has_stack(hart):
        top = ux(hart.ssp) - ux.bits // 8
        push_shadow_stack(hart, top, link)
        hart.ssp = u64(top)


@define(cold=True)
def shadow_stack_fault(hart, top: ux, found: ux, link: ux) -> NoReturn:
    """The software-check exception of a return address that is not the pushed one."""
    hart.check_pc = hart.pc
    hart.check_ssp = u64(top)
    hart.check_found = u64(found)
    hart.check_expected = u64(link)
    raise_trap(hart, u64(Cause.SOFTWARE_CHECK), u64(SHADOW_STACK_FAULT))


@define
def pop_and_check(hart, link: ux):
    """The value that was pushed must be in the link register."""
    if has_stack(hart):
        top = ux(hart.ssp)
        found = ux(pop_shadow_stack(hart, top))
        if found != link:
            shadow_stack_fault(hart, top, found, link)
        hart.ssp = u64(top + ux.bits // 8)


@Zicfiss.instruction("1100111 00001 00000 100 00000 1110011", "sspush ra", name="sspush.ra")
def sspush_ra(hart):
    """Push x1 to the shadow stack."""
    push(hart, hart.x[1])


@Zicfiss.instruction("1100111 00101 00000 100 00000 1110011", "sspush t0", name="sspush.t0")
def sspush_t0(hart):
    """Push x5 to the shadow stack."""
    push(hart, hart.x[5])


@Zicfiss.instruction("110011011100 00001 100 00000 1110011", "sspopchk ra", name="sspopchk.ra")
def sspopchk_ra(hart):
    """Pop the shadow stack; what was there must be in x1."""
    pop_and_check(hart, hart.x[1])


@Zicfiss.instruction("110011011100 00101 100 00000 1110011", "sspopchk t0", name="sspopchk.t0")
def sspopchk_t0(hart):
    """Pop the shadow stack; what was there must be in x5."""
    pop_and_check(hart, hart.x[5])


@Zicfiss.instruction("110011011100 00000 100 rd 1110011", "ssrdp rd", where="rd != 0")
def ssrdp(hart, rd):
    """ssp, or 0 in a mode that has no shadow stack."""
    hart.x[rd] = ux(hart.ssp) if has_stack(hart) else ux(0)


@define
def require_swap(hart):
    """ssamoswap is illegal in M mode too on a hart without S mode."""
    if hart.has_s == 0:
        illegal(hart)
    require_stack(hart)


@Zicfiss.instruction("01001 aq rl rs2 rs1 010 rd 0101111", "ssamoswap.w{aqrl} rd, rs2, (rs1)")
def ssamoswap_w(hart, rd, rs1, rs2):
    """Swap a word of a shadow stack."""
    require_swap(hart)
    address = shadow_stack_address(hart, hart.x[rs1], 4)
    hart.x[rd] = ux(s32(atomic_swap_u32(address, u32(hart.x[rs2]))))


@Zicfiss.instruction(
    "01001 aq rl rs2 rs1 011 rd 0101111", "ssamoswap.d{aqrl} rd, rs2, (rs1)", xlen=64
)
def ssamoswap_d(hart, rd, rs1, rs2):
    """Swap a doubleword of a shadow stack."""
    require_swap(hart)
    address = shadow_stack_address(hart, hart.x[rs1], 8)
    hart.x[rd] = atomic_swap_u64(address, hart.x[rs2])


# --- compressed ("Zicfiss Instructions Summary") --------------------------------------------------

Zicfiss.compressed("01100 0001 00000 01", "c.sspush ra", sspush_ra, requires=("Zcmop",))
Zicfiss.compressed("01100 0101 00000 01", "c.sspopchk t0", sspopchk_t0, requires=("Zcmop",))
