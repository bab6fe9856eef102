"""The exceptions of memory accesses, with htval, htinst and GVA for those of guests."""

from rvplat.hart.acceleration.tlb import REGIME_VIRT
from rvplat.hart.mmu import ACCESS_FAULT, GUEST_FAULT
from rvplat.hart.page_tables import FETCH, LOAD, address_in
from rvplat.hart.pointer_masking import effective_address
from rvplat.isa.machinery.vocabulary import raise_access_trap
from rvplat.isa.privileged import Cause
from rvplat.lang import NoReturn, define, u64


@define(cold=True)
def raise_fault(hart, va: u64, access: u64, fault: u64) -> NoReturn:
    """Raise the page fault, guest-page fault or access fault of the original access type.

    htval is the guest physical address of va, or of an entry of the guest's page tables: then
    htinst is a pseudoinstruction ("Guest-Page Faults"; Shtvala). xtval is the transformed address
    ("Memory Accesses Subject to Pointer Masking"); fetches are not masked.
    """
    tval = va if access == FETCH else effective_address(hart, va)
    gpa = u64(0)
    tinst = u64(0)
    if fault == GUEST_FAULT:
        tinst = hart.fault_tinst
        gpa = hart.fault_gpa
        if tinst == 0:
            gpa = address_in(gpa, va)
    cause = fault_cause(access, fault)
    raise_access_trap(hart, cause, tval, gpa >> 2, tinst, is_guest(hart, access))


@define
def is_guest(hart, access: u64) -> bool:
    """Whether an access is a guest's, so that its address is a guest virtual one."""
    regime = hart.fetches.regime if access == FETCH else hart.data.regime
    return regime & REGIME_VIRT != 0


@define
def fault_cause(access: u64, fault: u64) -> u64:
    """The exception code. What is neither a load nor a fetch counts as a store."""
    if fault == GUEST_FAULT:
        if access == LOAD:
            return u64(Cause.LOAD_GUEST_PAGE)
        return u64(Cause.FETCH_GUEST_PAGE) if access == FETCH else u64(Cause.STORE_GUEST_PAGE)
    if fault == ACCESS_FAULT:
        if access == LOAD:
            return u64(Cause.LOAD_ACCESS)
        return u64(Cause.FETCH_ACCESS) if access == FETCH else u64(Cause.STORE_ACCESS)
    if access == LOAD:
        return u64(Cause.LOAD_PAGE)
    return u64(Cause.FETCH_PAGE) if access == FETCH else u64(Cause.STORE_PAGE)


@define
def in_granule(hart, va: u64, size: u64) -> bool:
    """Whether a misaligned access to main memory is atomic (Zama16b)."""
    return hart.has_zama16b != 0 and (va & 15) + size <= 16


@define
def check_alignment(hart, va: u64, size: u64, access: u64):
    """Raise the exception of a misaligned load or store, unless Zicclsm or Zama16b allows it."""
    if hart.has_zicclsm == 0 and not in_granule(hart, va, size):
        raise_misaligned(hart, va, access)


@define(cold=True)
def raise_misaligned(hart, va: u64, access: u64) -> NoReturn:
    """Raise load or store/AMO address misaligned."""
    cause = u64(Cause.LOAD_MISALIGNED) if access == LOAD else u64(Cause.STORE_MISALIGNED)
    tval = effective_address(hart, va)
    raise_access_trap(hart, cause, tval, u64(0), u64(0), is_guest(hart, access))
