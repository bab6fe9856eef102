"""Page-table entries: what they say and what they allow (Privileged, "Sv39: Page-Based 39-bit
Virtual-Memory System", Sv32, and the extensions Svnapot, Svpbmt, Svade and Svadu). hart/mmu.py
walks them.

Steps are those of "Virtual Address Translation Process".
"""

from rvplat.hart.acceleration.tlb import (
    REGIME_DEBUG,
    REGIME_EXECUTE,
    REGIME_MXR,
    REGIME_PRIV,
    REGIME_SHADOW,
    REGIME_SUM,
    REGIME_VIRT,
)
from rvplat.hart.pmp import EVERYTHING, EXECUTE, READ, WRITE
from rvplat.hart.walk_events import entry_malformed, leaf_misplaced
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import OFFSET_MASK, PAGE_BYTES, PAGE_MASK, SUPERVISOR, USER, EnvCfg
from rvplat.lang import (
    atomic_load_u32,
    atomic_load_u64,
    compare_exchange_u32,
    compare_exchange_u64,
    define,
    u32,
    u64,
    write_u64,
)

# What an access wants; it is given if any of these bits is granted.
LOAD = READ
STORE = WRITE  # AMOs and store-conditionals too
FETCH = EXECUTE
MANAGE = READ | WRITE  # cache-block management: what may be loaded or stored
PROBE = 0  # a debugger: whatever is mapped
# Shadow stacks (Privileged, "Shadow Stack Memory Protection").
SHADOW = 8  # of a grant: shadow-stack instructions may access it
POP = SHADOW
PUSH = SHADOW | 0x10  # ssamoswap too
POP_BELOW = WRITE | 0x20  # of sspopchk, what the second stage must grant: it sets no D

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
TABLE_ENTRIES = {32: 1024, 64: 512}  # by XLEN: an entry of Sv32 has four bytes

# What an entry is.
INVALID = 0
POINTER = 1  # to a table of the next lower level
LEAF = 2


@define
def level_bits() -> u64:
    """The bits of an address that select an entry of a table of one page."""
    return u64(9) if ux.bits == 64 else u64(10)


@define
def entry_bytes() -> u64:
    """The size of an entry."""
    return u64(ux.bits // 8)


@define
def load_entry(host: u64) -> u64:
    """An entry of memory, zero-extended: Sv32 has what the low 32 bits of other schemes' have."""
    if ux.bits == 64:
        return atomic_load_u64(host)
    return u64(atomic_load_u32(host))


@define
def exchange_entry(host: u64, old: u64, new: u64) -> bool:
    """Change an entry if it is still the old one."""
    if ux.bits == 64:
        return compare_exchange_u64(host, old, new)
    return compare_exchange_u32(host, u32(old), u32(new))


@define
def enabled(hart, regime: u64, field: u64) -> bool:
    """Svpbmt is there if menvcfg.PBMTE says so, and A and D are set by hardware if ADUE does (else
    the access faults, Svade): for a guest's own tables henvcfg must say so too."""
    if regime & REGIME_VIRT != 0 and hart.henvcfg & field == 0:
        return False
    return hart.menvcfg & field != 0


@define
def is_malformed(hart, pte: u64, regime: u64) -> bool:
    """Step 3: not valid, W without R unless it is a shadow-stack page, or something reserved set
    (in leaves and pointers)."""
    if pte & PTE_V == 0 or pte & PTE_RESERVED != 0:
        return True
    if pte & (PTE_R | PTE_W) == PTE_W and (pte & PTE_X != 0 or regime & REGIME_SHADOW == 0):
        return True
    if pte & PTE_N != 0 and hart.has_svnapot == 0:
        return True
    pbmt = pte & PTE_PBMT
    return pbmt != 0 and (pbmt == PTE_PBMT or not enabled(hart, regime, u64(EnvCfg.PBMTE)))


@define
def is_leaf(pte: u64) -> bool:
    """R, W or X is set; otherwise it points to the next level."""
    return pte & (PTE_R | PTE_W | PTE_X) != 0


@define
def block_shift(pte: u64, level: u64) -> u64:
    """log2 of what a leaf maps."""
    if pte & PTE_N != 0:
        return u64(NAPOT_SHIFT)
    return 12 + level_bits() * level


@define
def is_misplaced(pte: u64, level: u64) -> bool:
    """Step 5, a superpage that isn't aligned; and Svnapot's reserved encodings ("Svnapot": N is
    for the lowest level, with PPN bits 3 to 0 = 1000)."""
    ppn = (pte & PTE_PPN) >> 10
    if pte & PTE_N != 0:
        return level != 0 or ppn & 0xF != 8
    return ppn & ((u64(1) << level_bits() * level) - 1) != 0


@define
def entry_kind(hart, pte: u64, level: u64, regime: u64) -> u64:
    """Steps 3 to 5: what an entry is in a table of this level. INVALID is a page fault."""
    if is_malformed(hart, pte, regime):
        entry_malformed()
        return u64(INVALID)
    if is_leaf(pte):
        if is_misplaced(pte, level):
            leaf_misplaced()
            return u64(INVALID)
        return u64(LEAF)
    return u64(POINTER) if pte & PTE_NOT_IN_POINTER == 0 and level != 0 else u64(INVALID)


@define
def permissions(pte: u64, regime: u64) -> u64:
    """Steps 6 to 8: what R, W, X, U, SUM and MXR let this regime do.

    With SUM, S mode loads and stores user pages; it never executes them. hlvx reads what can be
    executed.
    """
    grant = pte >> 1 & EVERYTHING
    if grant == WRITE:
        grant = u64(READ | SHADOW)
    if regime & REGIME_EXECUTE != 0:
        grant = u64(READ) if grant & EXECUTE != 0 else u64(0)
    if regime & REGIME_MXR != 0 and grant & EXECUTE != 0:
        grant |= READ
    if regime & REGIME_DEBUG != 0:
        return grant
    if not is_own(pte, regime):
        return u64(0)
    return grant & ~EXECUTE if pte & PTE_U != 0 and regime & REGIME_PRIV != USER else grant


@define
def is_own(pte: u64, regime: u64) -> bool:
    """Step 6: whether the regime may use pages with this U bit."""
    if pte & PTE_U == 0:
        return regime & REGIME_PRIV == SUPERVISOR
    return regime & REGIME_PRIV == USER or regime & REGIME_SUM != 0


@define
def is_denied(grant: u64, access: u64) -> bool:
    """Steps 6 to 8: whether a leaf that grants this doesn't allow the access. Shadow-stack pages
    are not for cache-block management."""
    if access == PROBE:
        return False
    return grant & access == 0 or (access == MANAGE and grant & SHADOW != 0)


@define(cold=True)
def is_fatal(pte: u64, access: u64, regime: u64) -> bool:
    """Step 7: whether a leaf that denies an access does it with an access fault: where a
    shadow-stack instruction meets another page than a read-only one, and where anything but a load
    meets a shadow-stack page."""
    kind = pte & (PTE_R | PTE_W | PTE_X)
    if not is_own(pte, regime):
        return False
    if access & SHADOW != 0:
        return kind != PTE_R
    return kind == PTE_W and access != LOAD


@define
def below(access: u64) -> u64:
    """What an access wants of the second stage, which has no shadow-stack pages: it must be allowed
    to be read and written there."""
    if access == PUSH:
        return u64(STORE)
    return u64(POP_BELOW) if access == POP else access


@define
def with_shadow(grant: u64) -> u64:
    """What PMP or the second stage grants to shadow stacks: what may be written is theirs too."""
    return grant | (grant & WRITE) * (SHADOW // WRITE)


@define
def is_store(access: u64) -> bool:
    """Whether an access sets D."""
    own = access & SHADOW != 0 and access != POP
    return own or access == STORE


@define
def lacks_bits(pte: u64, access: u64) -> bool:
    """Step 9: A is clear, or D for a store. Cache-block management doesn't look at D."""
    if access == PROBE:
        return False
    return pte & PTE_A == 0 or (is_store(access) and pte & PTE_D == 0)


@define
def leaf_page(pte: u64, va: u64, level: u64) -> u64:
    """Step 10: the physical page, with log2 of the mapping's size in the low bits."""
    shift = block_shift(pte, level)
    inside = (u64(1) << shift) - 1
    base = (pte & PTE_PPN) << 2
    return (base & ~inside) | (va & inside & PAGE_MASK) | shift


@define
def next_table(pte: u64) -> u64:
    """The address of the table to which an entry points."""
    return (pte & PTE_PPN) << 2


@define(cold=True)
def list_table(hart, table: u64, level: u64, regime: u64, found: u64):
    """For lists of mappings: what each entry of a table is. The table has been copied to the host
    address `table`. At the host address `found` are two u64 for each entry: its kind, and the
    address of the page or table to which it points."""
    for i in range(PAGE_BYTES // (ux.bits // 8)):
        pte = load_entry(table + entry_bytes() * i)
        kind = entry_kind(hart, pte, level, regime)
        page = leaf_page(pte, i << 12 + level_bits() * level, level) & PAGE_MASK
        write_u64(found + 16 * i, kind)
        write_u64(found + 16 * i + 8, page if kind == LEAF else next_table(pte))


@define
def address_in(page: u64, va: u64) -> u64:
    """The address in a page at the offset of `va`. The low bits of `page` are ignored."""
    return (page & PAGE_MASK) | (va & OFFSET_MASK)
