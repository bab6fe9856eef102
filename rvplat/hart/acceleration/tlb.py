"""Translation caches: a context is what one translation regime was found to map.

A context's key is everything that a translation depends on besides the page tables: the effective
privilege, V, SUM, MXR and the root of the tables, ASID and VMID included. So a change of mode, SUM
or address space selects another context (contexts.py) and flushes nothing; fences flush what they
name.
"""

from rvplat.hart.state import (
    CONTEXTS,
    DATA_ENTRIES,
    FETCH_ENTRIES,
    FetchEntry,
    HartState,
    TlbEntry,
)
from rvplat.isa.privileged import PAGE_MASK
from rvplat.lang import FixedBool, Record, define, fill_memory, host_address, u8, u16, u64

FETCH_CONTEXTS = 16
LOG = 140  # fills that are remembered, so that clearing a context is cheap after a few

NO_TAG = 0xFFFF_FFFF_FFFF_FFFF  # matches no access: an access's tag has zeros in bits 11 to 3

# Low bits of TlbEntry.page, and of the pages that a walk returns.
BLOCK_SHIFT = 0x3F  # log2 of the size of the mapping that the page is a piece of
WRITABLE = 0x40  # stores are allowed; the write tag may be withheld all the same
HELD = 0x80  # the write tag stays withheld: something in the page is watched
HIDDEN = 0x800  # in a read tag: it matches no access, for the same reason
SHADOW_TAG = 0x200  # in a write tag: it matches only accesses to shadow stacks
DEVICE = 0x400  # in a read tag: it matches no access, because no RAM is behind the page

# A regime: the part of the key that isn't an address. Bits 0 and 1 are the effective privilege.
REGIME_PRIV = 0x03
REGIME_SUM = 0x04
REGIME_VIRT = 0x08
REGIME_MXR = 0x10
REGIME_VALID = 0x20  # so that no key is zero
REGIME_DEBUG = 0x40  # a debugger looks: no permissions, no PMP, no side effects
REGIME_GUEST_MXR = 0x80  # MXR for the second stage: HS mode's alone
REGIME_EXECUTE = 0x100  # HLVX: execute permission takes the place of read permission
REGIME_PMM = 0x600  # the field PMM that is in force (pointer_masking.py)
REGIME_PMM_SHIFT = 9
REGIME_SHADOW = 0x1000  # page tables can have shadow-stack pages

AnyContext = Record("AnyContext")  # what contexts for data and for fetches begin with
AnyContext.add("regime", u64)
AnyContext.add("root", u64)  # satp, or vsatp; 0 where there is no translation
AnyContext.add("guest", u64)  # hgatp, where V=1
AnyContext.add("large", u64)  # a bit for each GiB (modulo 64) with pieces of superpages
AnyContext.add("fills", u64)  # since the context was cleared
AnyContext.add("log", u16, LOG)  # the entries that were filled

Context = Record("Context", base=AnyContext)
Context.add("entries", TlbEntry, DATA_ENTRIES)
Context.add("guest_pages", u64, DATA_ENTRIES)  # of each entry, where V=1: see hart.guest_page

FetchContext = Record("FetchContext", base=AnyContext)
FetchContext.add("entries", FetchEntry, FETCH_ENTRIES)
FetchContext.add("guest_pages", u64, FETCH_ENTRIES)

Choice = Record("Choice")  # among the contexts for data, or for fetches
Choice.add("regime", u64)  # of the context in force
Choice.add("context", u64)  # its index
Choice.add("victim", u64)  # the context that is given up next
Choice.add("hint", u8, 32)  # where a key's context was found last, by a hash of the key

HartState.derived("data", Choice)  # of loads and stores: MPRV is honoured
HartState.derived("fetches", Choice)
HartState.derived("guest_page", u64)  # the last walk's guest page | log2 of its mapping's size
HartState.outside("pages_watched", u8)  # 1: some page is watched (debugging/watchpoints.py)


def _pad_to_line() -> None:
    """Let what is added next start a cache line: no entry straddles two."""
    end = max(f.offset + f.stride * max(f.count, 1) for f in HartState.fields.values())
    HartState.outside("line_padding", u8, -end % 64 or 64)


_pad_to_line()
HartState.derived("ctx", Context, CONTEXTS)
HartState.derived("fetch_ctx", FetchContext, FETCH_CONTEXTS)


@define
def choice(hart, fetch: FixedBool) -> Choice:
    """The choice among the contexts for fetches, or for data."""
    if fetch:
        return hart.fetches
    return hart.data


@define
def context(hart, n: u64, fetch: FixedBool) -> AnyContext:
    """What a context for fetches, or for data, begins with."""
    if fetch:
        return hart.fetch_ctx[n]
    return hart.ctx[n]


@define
def context_count(fetch: FixedBool) -> u64:
    """How many there are."""
    return u64(FETCH_CONTEXTS) if fetch else u64(CONTEXTS)


# --- filling ------------------------------------------------------------------------------------


@define
def region_bit(va: u64) -> u64:
    """The bit of `large` for an address."""
    return u64(1) << (va >> 30 & 63)


@define
def large_bits(va: u64, shift: u64) -> u64:
    """The bits of `large` for a mapping of 2**shift bytes around an address."""
    if shift == 12:
        return u64(0)
    return region_bit(va) if shift <= 30 else u64(NO_TAG)


@define
def log_fill(ctx: AnyContext, index: u64):
    """Remember that an entry of a context is filled."""
    if ctx.fills < LOG:
        ctx.log[ctx.fills] = u16(index)
    ctx.fills += 1


@define
def filled_count(ctx: AnyContext, entries: u64) -> u64:
    """How many entries of a context may be filled: all of them if there were too many to log."""
    return entries if ctx.fills > LOG else ctx.fills


@define
def filled_at(ctx: AnyContext, i: u64) -> u64:
    """The index of one of these entries."""
    return i if ctx.fills > LOG else u64(ctx.log[i])


@define
def note_fill(hart, va: u64, shift: u64):
    """Remember that the entry for an address is about to be filled in the context in force."""
    ctx = hart.ctx[hart.data.context]
    ctx.large |= large_bits(va, shift)
    index = va >> 12 & (DATA_ENTRIES - 1)
    log_fill(ctx, index)
    if hart.data.regime & REGIME_VIRT != 0:
        ctx.guest_pages[index] = hart.guest_page


@define
def fetch_fill(hart, pc: u64, host: u64, slots: u64):
    """Let fetches from pc's page use the page's bytes and slots (host addresses), after
    `translate_fetch` allowed it."""
    entry = hart.fetch[pc >> 12 & (FETCH_ENTRIES - 1)]
    page = pc & PAGE_MASK
    entry.slots = slots
    entry.bias = page - (slots >> 3)
    entry.host = host
    entry.tag = page
    index = pc >> 12 & (FETCH_ENTRIES - 1)
    ctx = hart.fetch_ctx[hart.fetches.context]
    log_fill(ctx, index)
    if hart.virt != 0:
        ctx.guest_pages[index] = hart.guest_page


# --- clearing -----------------------------------------------------------------------------------


@define
def clear_data(hart, n: u64):
    """Forget every translation of a context."""
    ctx = hart.ctx[n]
    if ctx.regime == 0 or ctx.fills > LOG:
        size = u64(DATA_ENTRIES * 32)
        fill_memory(host_address(ctx.entries[0]), u8(0xFF), size)
    else:
        for i in range(ctx.fills):
            entry = ctx.entries[ctx.log[i]]
            entry.read_tag = NO_TAG
            entry.write_tag = NO_TAG
    ctx.fills = 0
    ctx.large = 0


@define
def clear_fetch(hart, n: u64):
    """Forget every translation of a context for fetches."""
    ctx = hart.fetch_ctx[n]
    if ctx.regime == 0 or ctx.fills > LOG:
        fill_memory(host_address(ctx.entries[0]), u8(0xFF), u64(FETCH_ENTRIES * 32))
    else:
        for i in range(ctx.fills):
            ctx.entries[ctx.log[i]].tag = NO_TAG
    ctx.fills = 0
    ctx.large = 0


@define
def drop_data(hart, n: u64, va: u64):
    """Forget an address, and every piece of a superpage around it. With pointer masking the tags
    have masked bits, so the whole context is forgotten."""
    ctx = hart.ctx[n]
    if ctx.regime & REGIME_PMM != 0:
        clear_data(hart, n)
        return
    if ctx.large & region_bit(va) != 0:
        for i in range(DATA_ENTRIES):
            piece = ctx.entries[i]
            if (piece.read_tag ^ va) >> (piece.page & BLOCK_SHIFT) == 0:
                piece.read_tag = NO_TAG
                piece.write_tag = NO_TAG
    entry = ctx.entries[va >> 12 & (DATA_ENTRIES - 1)]
    if entry.read_tag & PAGE_MASK == va & PAGE_MASK:
        entry.read_tag = NO_TAG
        entry.write_tag = NO_TAG


@define
def drop_fetch(hart, n: u64, va: u64):
    """Forget an address; everything, where superpages are around it."""
    ctx = hart.fetch_ctx[n]
    if ctx.large & region_bit(va) != 0:
        clear_fetch(hart, n)
    else:
        entry = ctx.entries[va >> 12 & (FETCH_ENTRIES - 1)]
        if entry.tag == va & PAGE_MASK:
            entry.tag = NO_TAG


@define
def clear(hart, n: u64, fetch: FixedBool):
    """Forget every translation of a context."""
    if fetch:
        clear_fetch(hart, n)
    else:
        clear_data(hart, n)


@define
def drop(hart, n: u64, va: u64, fetch: FixedBool):
    """Forget an address in a context, and what a superpage around it needs."""
    if fetch:
        drop_fetch(hart, n, va)
    else:
        drop_data(hart, n, va)


@define
def flush(hart, fetch: FixedBool):
    """Forget every context for fetches, or for data."""
    for i in range(context_count(fetch)):
        if context(hart, i, fetch).regime != 0:
            clear(hart, i, fetch)


@define(cold=True)
def flush_everything(hart):
    """Forget every context of the hart, those without translation included."""
    flush(hart, False)
    flush(hart, True)
    hart.resync = 1
