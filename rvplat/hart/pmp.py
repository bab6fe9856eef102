"""Physical memory protection: what the entries grant (Privileged, "Physical Memory Protection").

The entries divide the address space into intervals; in each, one entry or none decides. The
interval of the last check is cached, one for S and U mode and one for M mode.
"""

from rvplat.hart.acceleration.guest_tables import forget_tables
from rvplat.hart.acceleration.tlb import REGIME_DEBUG, REGIME_PRIV, flush_everything
from rvplat.hart.state import HartState
from rvplat.isa.machinery import vocabulary
from rvplat.isa.pmp import (
    PMP_ENTRIES,
    PMP_LOCKED,
    PMP_MODE,
    PMP_NA4,
    PMP_OFF,
    PMP_PERMISSIONS,
    PMP_TOR,
)
from rvplat.isa.privileged import MACHINE
from rvplat.lang import ctz, define, implement, u64

ALL = 0xFFFF_FFFF_FFFF_FFFF
READ = 1  # the bits of a grant, and R, W and X of pmpcfg
WRITE = 2
EXECUTE = 4
EVERYTHING = READ | WRITE | EXECUTE

HartState.derived("pmp_low", u64, PMP_ENTRIES)  # first address of an entry's range
HartState.derived(
    "pmp_high", u64, PMP_ENTRIES
)  # the first after it; equal if the entry matches nothing
# The intervals kept: [0] for S and U mode, [1] for M mode.
HartState.derived("pmp_from", u64, 2)
HartState.derived("pmp_length", u64, 2)
HartState.derived("pmp_grants", u64, 2)


@define
def pmp_range(hart, i: u64):
    """Compute the addresses that an entry matches ("Address Matching")."""
    mode = hart.pmp_cfg[i] & PMP_MODE
    address = hart.pmp_address[i]
    low = address << 2
    high = low
    if mode == PMP_TOR:
        low = hart.pmp_address[i - 1] << 2 if i != 0 else u64(0)
        high = address << 2 if low < high else low
    elif mode == PMP_NA4:
        high = low + 4
    elif mode != PMP_OFF:
        size = u64(8) << ctz(~address)
        low = (address << 2) & ~(size - 1)
        high = low + size
    hart.pmp_low[i] = low
    hart.pmp_high[i] = high


@implement(vocabulary.protection_changed, cold=True)
def protection_changed(hart):
    """pmpcfg or pmpaddr was written: forget all cached checks.

    The manual asks software for an sfence.vma after it ("... Protection and Paging"); this
    takes effect at once.
    """
    for i in range(PMP_ENTRIES):
        pmp_range(hart, i)
    hart.pmp_length[0] = 0
    hart.pmp_length[1] = 0
    forget_tables(hart)
    flush_everything(hart)


@define
def pmp_decide(hart, i: u64, machine: bool) -> u64:
    """What the entry grants. Only locked ones restrict M mode ("Locking and Privilege Mode")."""
    cfg = u64(hart.pmp_cfg[i])
    if machine and cfg & PMP_LOCKED == 0:
        return u64(EVERYTHING)
    return cfg & PMP_PERMISSIONS


@define
def pmp_default(hart, machine: bool) -> u64:
    """What is granted where no entry matches: all to M mode, and to every mode without PMP."""
    if machine or hart.has_smpmp == 0:
        return u64(EVERYTHING)
    return u64(0)


@define
def pmp_lookup(hart, pa: u64, machine: bool):
    """Find the interval around an address: the first entry that matches decides, and entries
    before it bound the interval ("Priority and Matching Logic")."""
    low = u64(0)
    high = u64(ALL)
    grants = pmp_default(hart, machine)
    for i in range(PMP_ENTRIES):
        first = hart.pmp_low[i]
        end = hart.pmp_high[i]
        if first < end:
            if pa < first:
                high = first if first < high else high
            elif pa >= end:
                low = end if end > low else low
            else:
                low = first if first > low else low
                high = end if end < high else high
                grants = pmp_decide(hart, i, machine)
                break
    who = u64(machine)
    hart.pmp_from[who] = low
    hart.pmp_length[who] = high - low
    hart.pmp_grants[who] = grants


@define
def pmp_grant(hart, pa: u64, size: u64, regime: u64) -> u64:
    """What may be done with all of `size` bytes: READ, WRITE, EXECUTE.

    Nothing if the bytes belong to several intervals: then the first entry that matches any byte
    doesn't match them all, and the access fails, in M mode too.
    """
    if regime & REGIME_DEBUG != 0:
        return u64(EVERYTHING)
    machine = regime & REGIME_PRIV == MACHINE
    who = u64(machine)
    if pa - hart.pmp_from[who] >= hart.pmp_length[who]:
        pmp_lookup(hart, pa, machine)
    if size > hart.pmp_length[who] - (pa - hart.pmp_from[who]):
        return u64(0)
    return hart.pmp_grants[who]
