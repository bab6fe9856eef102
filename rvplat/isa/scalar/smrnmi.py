"""Smrnmi, resumable non-maskable interrupts (Privileged, "Smrnmi ...").

`hart/rnmi.py` takes them. NMIE is hart.rnmi_masked, inverted, so that a hart without Smrnmi has it
set.
"""

from rvplat.isa.landing_pads import restore_expectation
from rvplat.isa.machinery.vocabulary import (
    context_changed,
    enter_privilege,
    interrupts_changed,
    jump,
    require_privilege,
)
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.priv_m import legal_epc, legal_mode
from rvplat.isa.privileged import MACHINE, NmiStatus, Status
from rvplat.isa.rv_scalar import Smrnmi
from rvplat.isa.rv_system import after_return
from rvplat.lang import define, u8, u32, u64

# --- CSRs ("RNMI CSRs") ---------------------------------------------------------------------------


@define
def mnepc_read(hart, number: u32) -> u64:
    return hart.rnmi_epc


@define
def mnepc_write(hart, value: u64, number: u32):
    hart.rnmi_epc = legal_epc(hart, value)


@define
def mncause_read(hart, number: u32) -> u64:
    return hart.rnmi_cause


@define
def mncause_write(hart, value: u64, number: u32):
    hart.rnmi_cause = value


@define
def mnstatus_read(hart, number: u32) -> u64:
    return hart.rnmi_status if hart.rnmi_masked != 0 else hart.rnmi_status | NmiStatus.NMIE


@define
def mnstatus_write(hart, value: u64, number: u32):
    """NMIE can be set, not cleared. MNPP is WARL, as MPP."""
    mask = u64(NmiStatus.MNPV) if hart.has_h != 0 else u64(0)
    mask |= u64(NmiStatus.MNPELP) if hart.has_zicfilp != 0 else u64(0)
    mode = legal_mode(hart, (value & NmiStatus.MNPP) >> NmiStatus.MNPP_SHIFT)
    hart.rnmi_status = value & mask | mode << NmiStatus.MNPP_SHIFT
    if value & NmiStatus.NMIE != 0 and hart.rnmi_masked != 0:
        hart.rnmi_masked = u8(0)
        context_changed(hart)  # MPRV counts again
        interrupts_changed(hart)


Smrnmi.csr(0x740, "mnscratch")
Smrnmi.csr(0x741, "mnepc", read=mnepc_read, write=mnepc_write, storage=False)
Smrnmi.csr(
    0x742, "mncause", read=mncause_read, write=mncause_write, storage=False,
    fields="Interrupt[XLEN-1] Code[XLEN-2:0]",
)  # fmt: skip
Smrnmi.csr(
    0x744, "mnstatus", read=mnstatus_read, write=mnstatus_write, storage=False,
    fields="MNPP[12:11] MNPELP[9] MNPV[7] NMIE[3]",
)  # fmt: skip

# --- mnret ("MNRET Instruction") ------------------------------------------------------------------


@Smrnmi.instruction("0111000 00010 00000 000 00000 1110011", "mnret")
def mnret(hart):
    """Return from the handler of an RNMI, to the mode in MNPP and MNPV. NMIE becomes 1.

    A return below M mode clears MPRV and MDT. MNPELP becomes 0, as xPELP in other returns; the
    manual doesn't say.
    """
    require_privilege(hart, u64(MACHINE))
    old = hart.rnmi_status
    mode = (old & NmiStatus.MNPP) >> NmiStatus.MNPP_SHIFT
    guest = old & NmiStatus.MNPV != 0 and mode != MACHINE
    if mode != MACHINE:
        hart.mstatus = after_return(hart, hart.mstatus & ~u64(Status.MDT), mode, guest)
    hart.rnmi_status = old & ~u64(NmiStatus.MNPELP)
    hart.rnmi_masked = u8(0)
    enter_privilege(hart, mode, u64(guest))
    if old & NmiStatus.MNPELP != 0:
        restore_expectation(hart)
    jump(hart, ux(hart.rnmi_epc))
