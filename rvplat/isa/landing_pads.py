"""Landing pads: whether a mode demands them, and what is expected now (Privileged, "Landing Pad
(Zicfilp)").

hart.elp is the ELP: 1 between an indirect call or jump and the landing pad that must follow. The
instructions are in scalar/zicfilp.py.
"""

from rvplat.isa.machinery.vocabulary import raise_trap
from rvplat.isa.privileged import MACHINE, USER, Cause, EnvCfg, SecCfg
from rvplat.lang import NoReturn, define, u8, u64

LANDING_PAD_FAULT = 2  # xtval of a software-check exception ("Machine Trap Value Register")
LPAD_MASK, LPAD_MATCH = 0xFFF, 0x017  # lpad is auipc x0
CHECK_OF_PAD = 1  # in hart.check_ssp, which has an address where a shadow stack differed


@define
def enables_pads(hart, priv: u64, virt: u64) -> bool:
    """xLPE of a mode ("Landing-Pad-Enabled (LPE) State")."""
    if priv == MACHINE:
        return hart.mseccfg & SecCfg.MLPE != 0
    if priv == USER and hart.has_s != 0:
        return hart.senvcfg & EnvCfg.LPE != 0
    if virt != 0:
        return hart.henvcfg & EnvCfg.LPE != 0
    return hart.menvcfg & EnvCfg.LPE != 0


@define
def pads_changed(hart):
    """A field LPE or MLPE was written: hart.landing_pads says whether any mode has it set."""
    fields = (hart.menvcfg | hart.senvcfg | hart.henvcfg) & EnvCfg.LPE
    hart.landing_pads = fields | (hart.mseccfg & SecCfg.MLPE)


@define(cold=True)
def landing_pad_fault(hart) -> NoReturn:
    """The software-check exception of a missing or wrong landing pad."""
    hart.check_pc = hart.pc
    hart.check_expected = u64(hart.x[7])
    hart.check_ssp = CHECK_OF_PAD
    raise_trap(hart, u64(Cause.SOFTWARE_CHECK), u64(LANDING_PAD_FAULT))


@define(cold=True)
def check_landing(hart, bits: u64):
    """Only lpad may run while ELP is LP_EXPECTED ("Landing Pad Instruction"). It checks the rest
    itself."""
    if bits & LPAD_MASK != LPAD_MATCH:
        landing_pad_fault(hart)


@define(cold=True)
def expect_pad(hart):
    """An indirect call or jump sets ELP ("Landing Pad Enforcement")."""
    hart.elp = u8(1)


@define(cold=True)
def restore_expectation(hart):
    """A return from a trap whose xPELP is set: ELP is that if the new mode has xLPE ("Preserving
    Expected Landing Pad State on Traps")."""
    hart.elp = u8(enables_pads(hart, u64(hart.priv), u64(hart.virt)))
