"""Pointer masking (Privileged, "Pointer Masking Extensions"): which upper bits of an address
explicit accesses ignore.

The setting is a part of the regime of loads and stores (tlb.py), so another setting is another
context. A tag of the TLB is the page of the address as the instruction gave it, masked bits
included: only the walk, faults and watchpoints see the transformed address. So the fast paths,
those of regions too, are the same with and without pointer masking, and each value of a page's
masked bits needs an entry.
"""

from rvplat.hart.acceleration.tlb import REGIME_PMM, REGIME_PMM_SHIFT
from rvplat.isa.privileged import MACHINE, SUPERVISOR, USER, EnvCfg, HStatus, Status
from rvplat.lang import define, s64, u64

PMLEN_7 = 2  # values of the PMM fields; 0 is off
PMLEN_16 = 3


@define
def field_of(envcfg: u64) -> u64:
    """PMM of menvcfg, senvcfg, henvcfg or mseccfg, as a part of a regime."""
    return (envcfg & EnvCfg.PMM) >> EnvCfg.PMM_SHIFT << REGIME_PMM_SHIFT


@define(cold=True)
def setting_of(hart, priv: u64, virt: bool) -> u64:
    """The setting for accesses of an effective privilege. Below M mode there is none while MXR is
    in effect, with page tables or without ("Memory Accesses Subject to Pointer Masking")."""
    if priv == MACHINE:
        return field_of(hart.mseccfg)
    makes_readable = hart.mstatus | hart.vsstatus if virt else hart.mstatus
    if makes_readable & Status.MXR != 0:
        return u64(0)
    if priv == SUPERVISOR:
        return field_of(hart.henvcfg) if virt else field_of(hart.menvcfg)
    if not virt and hart.has_s == 0:
        return field_of(hart.menvcfg)
    return field_of(hart.senvcfg)


@define
def masking_of(hart, priv: u64, virt: bool) -> u64:
    """The part of a regime for loads and stores with an effective privilege and V."""
    return setting_of(hart, priv, virt) if hart.pointer_masks != 0 else u64(0)


@define
def guest_masking(hart, priv: u64) -> u64:
    """The same for HLV and HSV, as though in VS or VU mode: in U mode hstatus.HUPMM takes the place
    of senvcfg.PMM ("Hypervisor Status (hstatus) Register")."""
    found = masking_of(hart, priv, True)
    if hart.priv == USER and priv == USER and (hart.mstatus | hart.vsstatus) & Status.MXR == 0:
        return (hart.hstatus & HStatus.HUPMM) >> HStatus.HUPMM_SHIFT << REGIME_PMM_SHIFT
    return found


@define
def transformed(va: u64, regime: u64, root: u64) -> u64:
    """The address that an access uses. A virtual one is sign-extended from the highest bit that is
    left; a physical one, guest physical ones included, is zero-extended ("The "Ignore"
    Transformation")."""
    setting = (regime & REGIME_PMM) >> REGIME_PMM_SHIFT
    if setting == 0:
        return va
    masked = u64(16) if setting == PMLEN_16 else u64(7)
    if root == 0:
        return va << masked >> masked
    return u64(s64(va << masked) >> masked)


@define
def effective_address(hart, va: u64) -> u64:
    """The address that a load or store in the context in force uses."""
    regime = hart.data.regime
    if regime & REGIME_PMM == 0:
        return va
    return transformed(va, regime, hart.ctx[hart.data.context].root)
