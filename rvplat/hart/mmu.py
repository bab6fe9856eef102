"""Bare, Sv39, Sv48 and Sv57 (Privileged, "Virtual Address Translation Process").

`walk` never raises: it gives a page, what may be done with it, and a fault. Its callers raise,
probe or debug with it. The second stage of the H extension goes into `table_entry`, through which
every page-table access passes, and into `walk` around `walk_tables`.
"""

from rvplat.hart.invalidate import note_store
from rvplat.hart.pmp import EVERYTHING, EXECUTE, READ, WRITE, pmp_grant
from rvplat.hart.ram import NO_REGION, region_of
from rvplat.hart.state import ROM
from rvplat.hart.tlb import (
    OFFSET_MASK,
    PAGE_MASK,
    REGIME_DEBUG,
    REGIME_MXR,
    REGIME_PRIV,
    REGIME_SUM,
    REGIME_VALID,
    translation_root,
)
from rvplat.isa.privileged import SUPERVISOR, USER, Cause, EnvCfg
from rvplat.isa.vocabulary import raise_trap
from rvplat.lang import NoReturn, atomic_load_u64, compare_exchange_u64, define, u64

# What an access wants; it is given if any of these bits is granted.
LOAD = READ
STORE = WRITE  # AMOs and store-conditionals too
FETCH = EXECUTE
MANAGE = READ | WRITE  # cache-block management: what may be loaded or stored
PROBE = 0  # a debugger: whatever is mapped

NO_FAULT = 0
PAGE_FAULT = 1
ACCESS_FAULT = 2

# Page-table entries ("Sv39: Addressing and Memory Protection").
PTE_V = 1 << 0
PTE_R = 1 << 1
PTE_W = 1 << 2
PTE_X = 1 << 3
PTE_U = 1 << 4
PTE_A = 1 << 6
PTE_D = 1 << 7
PTE_PPN = ((1 << 44) - 1) << 10
PTE_RESERVED = 0x7F << 54
PTE_PBMT = 3 << 61
PTE_N = 1 << 63
PTE_NOT_IN_POINTER = PTE_U | PTE_A | PTE_D | PTE_PBMT | PTE_N
SATP_PPN = (1 << 44) - 1
NAPOT_SHIFT = 16  # Svnapot has one size: 64 KiB


@define(cold=True)
def raise_fault(hart, va: u64, access: u64, fault: u64) -> NoReturn:
    """Raise the page fault or access fault of the original access type."""
    cause = u64(Cause.STORE_PAGE)
    if access == FETCH:
        cause = u64(Cause.FETCH_PAGE)
    elif access == LOAD:
        cause = u64(Cause.LOAD_PAGE)
    if fault == ACCESS_FAULT:
        cause -= Cause.LOAD_PAGE - Cause.LOAD_ACCESS
        if access == FETCH:
            cause = u64(Cause.FETCH_ACCESS)
    raise_trap(hart, cause, va)


@define(cold=True)
def raise_misaligned(hart, va: u64, access: u64) -> NoReturn:
    """Raise load or store/AMO address misaligned."""
    if access == LOAD:
        raise_trap(hart, u64(Cause.LOAD_MISALIGNED), va)
    raise_trap(hart, u64(Cause.STORE_MISALIGNED), va)


# --- page-table entries -------------------------------------------------------------------------


@define
def pbmt_enabled(hart) -> bool:
    """Svpbmt is there if menvcfg.PBMTE says so."""
    return hart.menvcfg & EnvCfg.PBMTE != 0


@define
def updates_enabled(hart) -> bool:
    """A and D are set by hardware if menvcfg.ADUE says so; else the access faults (Svade)."""
    return hart.menvcfg & EnvCfg.ADUE != 0


@define
def is_malformed(hart, pte: u64) -> bool:
    """Step 3: not valid, W without R, or something reserved set (in leaves and pointers)."""
    if pte & PTE_V == 0 or pte & (PTE_R | PTE_W) == PTE_W or pte & PTE_RESERVED != 0:
        return True
    if pte & PTE_N != 0 and hart.has_svnapot == 0:
        return True
    pbmt = pte & PTE_PBMT
    return pbmt != 0 and (pbmt == PTE_PBMT or not pbmt_enabled(hart))


@define
def is_leaf(pte: u64) -> bool:
    """R or X is set; otherwise it points to the next level."""
    return pte & (PTE_R | PTE_X) != 0


@define
def block_shift(pte: u64, level: u64) -> u64:
    """log2 of what a leaf maps."""
    if pte & PTE_N != 0:
        return u64(NAPOT_SHIFT)
    return 12 + 9 * level


@define
def is_misplaced(pte: u64, level: u64) -> bool:
    """Step 5, a superpage that isn't aligned; and Svnapot's reserved encodings ("Svnapot": N is
    for the lowest level, with PPN bits 3 to 0 = 1000)."""
    ppn = (pte & PTE_PPN) >> 10
    if pte & PTE_N != 0:
        return level != 0 or ppn & 0xF != 8
    return ppn & ((u64(1) << 9 * level) - 1) != 0


@define
def permissions(pte: u64, regime: u64) -> u64:
    """Steps 6 to 8: what R, W, X, U, SUM and MXR let this regime do.

    With SUM, S mode loads and stores user pages; it never executes them.
    """
    grant = pte >> 1 & EVERYTHING
    if regime & REGIME_MXR != 0 and grant & EXECUTE != 0:
        grant |= READ
    if regime & REGIME_DEBUG != 0:
        return grant
    if pte & PTE_U == 0:
        return grant if regime & REGIME_PRIV == SUPERVISOR else u64(0)
    if regime & REGIME_PRIV == USER:
        return grant
    return grant & ~EXECUTE if regime & REGIME_SUM != 0 else u64(0)


@define
def lacks_bits(pte: u64, access: u64) -> bool:
    """Step 9: A is clear, or D for a store. Cache-block management doesn't look at D."""
    if access == PROBE:
        return False
    return pte & PTE_A == 0 or (access == STORE and pte & PTE_D == 0)


@define
def leaf_page(pte: u64, va: u64, level: u64) -> u64:
    """Step 10: the physical page, with log2 of the mapping's size in the low bits."""
    shift = block_shift(pte, level)
    inside = (u64(1) << shift) - 1
    base = (pte & PTE_PPN) << 2
    return (base & ~inside) | (va & inside & PAGE_MASK) | shift


# --- the walk -----------------------------------------------------------------------------------


@define
def table_entry(hart, pa: u64, regime: u64, wanted: u64) -> u64:
    """The host address of a page-table entry; 0 if PMP or the lack of RAM forbids the access.

    The effective privilege of page-table accesses is S ("Physical Memory Protection and Paging").
    """
    as_supervisor = (regime & REGIME_DEBUG) | SUPERVISOR
    if pmp_grant(hart, pa, u64(8), as_supervisor) & wanted == 0:
        return u64(0)
    region = region_of(hart, pa)
    if region == NO_REGION or (wanted == WRITE and hart.machine.ram[region].writable == ROM):
        return u64(0)
    ram = hart.machine.ram[region]
    return ram.host + (pa - ram.base)


@define
def update_leaf(hart, pa: u64, host: u64, pte: u64, access: u64, regime: u64) -> u64:
    """Step 9: set A, and D for a store, if the entry is still what was read.

    NO_FAULT: done, or the entry changed and step 2 is due again.
    """
    if not updates_enabled(hart):
        return u64(PAGE_FAULT)
    if table_entry(hart, pa, regime, u64(WRITE)) == 0:
        return u64(ACCESS_FAULT)
    new = pte | PTE_A | PTE_D if access == STORE else pte | PTE_A
    if compare_exchange_u64(host, pte, new):
        note_store(hart, pa, u64(8))
    return u64(NO_FAULT)


@define
def check_leaf(pte: u64, level: u64, access: u64, regime: u64) -> bool:
    """Steps 5 to 8: whether the leaf allows the access."""
    if is_misplaced(pte, level):
        return False
    return access == PROBE or permissions(pte, regime) & access != 0


@define
def walk_tables(
    hart, va: u64, access: u64, regime: u64, root: u64, levels: u64, wide: u64
) -> tuple[u64, u64, u64]:
    """Steps 2 to 10 from a root table's address; `wide` more index bits at the root (G stage)."""
    table = root
    level = levels - 1
    mask = (u64(0x200) << wide) - 1
    while level < levels:  # below 0 it wraps
        pa = table + (va >> (12 + 9 * level) & mask) * 8
        host = table_entry(hart, pa, regime, u64(READ))
        if host == 0:
            return u64(0), u64(0), u64(ACCESS_FAULT)
        pte = atomic_load_u64(host)
        if is_malformed(hart, pte):
            break
        if is_leaf(pte):
            if not check_leaf(pte, level, access, regime):
                break
            if not lacks_bits(pte, access):
                grant = permissions(pte, regime)
                if pte & PTE_D == 0:
                    grant &= ~WRITE
                return leaf_page(pte, va, level), grant, u64(NO_FAULT)
            fault = update_leaf(hart, pa, host, pte, access, regime)
            if fault != NO_FAULT:
                return u64(0), u64(0), fault
        else:
            if pte & PTE_NOT_IN_POINTER != 0:
                break
            table = (pte & PTE_PPN) << 2
            mask = u64(0x1FF)
            level -= 1
    return u64(0), u64(0), u64(PAGE_FAULT)


@define
def is_canonical(va: u64, levels: u64) -> bool:
    """The bits above the virtual address's highest are copies of it ("Sv39")."""
    top = 12 + 9 * levels - 1
    high = va >> top
    return high == 0 or high == u64(0xFFFF_FFFF_FFFF_FFFF) >> top


@define(cold=True)
def walk(hart, va: u64, access: u64, regime: u64) -> tuple[u64, u64, u64]:
    """Translate: (physical page | log2 of the mapping's size, grant, fault).

    The grant lacks WRITE while D is clear, so that it can be cached.
    """
    root = translation_root(hart, regime & REGIME_PRIV)
    if root == 0:
        return va & PAGE_MASK | 12, u64(EVERYTHING), u64(NO_FAULT)
    levels = (root >> 60) - 5  # MODE 8 is Sv39 with three levels
    if not is_canonical(va, levels):
        return u64(0), u64(0), u64(PAGE_FAULT)
    page, grant, fault = walk_tables(
        hart, va, access, regime, (root & SATP_PPN) << 12, levels, u64(0)
    )
    return page, grant, fault


@define
def debug_translate(hart, va: u64) -> tuple[u64, bool]:
    """Where a debugger finds a virtual address in the current mode: (physical address, mapped).

    No permissions, no PMP, no A or D, no trap.
    """
    regime = REGIME_VALID | REGIME_DEBUG | u64(hart.priv)
    page, _grant, fault = walk(hart, va, u64(PROBE), regime)
    return (page & PAGE_MASK) | (va & OFFSET_MASK), fault == NO_FAULT


@define
def debug_page(hart, va: u64) -> u64:
    """The physical address of a virtual one as `debug_translate` finds it, or all ones."""
    pa, mapped = debug_translate(hart, va)
    return pa if mapped else u64(0xFFFF_FFFF_FFFF_FFFF)
