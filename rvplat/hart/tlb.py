"""Translation caches: a context is what one translation regime was found to map.

A context's key is everything that a translation depends on besides the page tables: the effective
privilege, V, SUM, MXR and the root of the tables, ASID and VMID included. So a change of mode, SUM
or address space selects another context and flushes nothing; fences flush what they name.
"""

from rvplat.hart.state import (
    CONTEXTS,
    DATA_ENTRIES,
    FETCH_ENTRIES,
    FetchEntry,
    Hart,
    TlbEntry,
)
from rvplat.isa import vocabulary
from rvplat.isa.privileged import MACHINE, SUPERVISOR, Status
from rvplat.lang import Record, address_of, define, fill_memory, implement, intrinsic, u8, u16, u64

FETCH_CONTEXTS = 16
LOG = 140  # fills that are remembered, so that clearing a context is cheap after a few

OFFSET_MASK = 0xFFF  # of an address in its page
PAGE_MASK = 0xFFFF_FFFF_FFFF_F000
NO_TAG = 0xFFFF_FFFF_FFFF_FFFF  # matches no access: an access's tag has zeros in bits 11 to 3

# Low bits of TlbEntry.page, and of the pages that a walk returns.
BLOCK_SHIFT = 0x3F  # log2 of the size of the mapping that the page is a piece of
WRITABLE = 0x40  # stores are allowed; the write tag may be withheld all the same
HELD = 0x80  # the write tag stays withheld: something in the page is watched
HIDDEN = 0x800  # in a read tag: it matches no access, for the same reason

# A regime: the part of the key that isn't an address. Bits 0 and 1 are the effective privilege.
REGIME_PRIV = 0x03
REGIME_SUM = 0x04
REGIME_VIRT = 0x08
REGIME_MXR = 0x10
REGIME_VALID = 0x20  # so that no key is zero
REGIME_DEBUG = 0x40  # a debugger looks: no permissions, no PMP, no side effects

Context = Record("Context")
Context.add("regime", u64)
Context.add("root", u64)  # satp, or vsatp; 0 where there is no translation
Context.add("guest", u64)  # hgatp, or 0
Context.add("large", u64)  # a bit for each GiB (modulo 64) with pieces of superpages
Context.add("fills", u64)  # since the context was cleared
Context.add("log", u16, LOG)  # the entries that were filled
Context.add("entries", TlbEntry, DATA_ENTRIES)

FetchContext = Record("FetchContext")
FetchContext.add("regime", u64)
FetchContext.add("root", u64)
FetchContext.add("guest", u64)
FetchContext.add("large", u64)
FetchContext.add("unused", u64, 4)
FetchContext.add("entries", FetchEntry, FETCH_ENTRIES)

Hart.add("data_regime", u64)  # of loads and stores: MPRV is honoured
Hart.add("fetch_regime", u64)
Hart.add("data_context", u64)  # index of the context in force
Hart.add("fetch_context", u64)
Hart.add("data_victim", u64)  # the context that is given up next
Hart.add("fetch_victim", u64)
Hart.add("data_hint", u8, 32)  # where the context of a key was found last, by a hash of the key
Hart.add("fetch_hint", u8, 32)
Hart.add("pages_watched", u8)  # 1: some page is watched (watch.py)


def _pad_to_line() -> None:
    """Let what is added next start a cache line: no entry straddles two."""
    end = max(f.offset + f.stride * max(f.count, 1) for f in Hart.fields.values())
    Hart.add("line_padding", u8, -end % 64 or 64)


_pad_to_line()
Hart.add("ctx", Context, CONTEXTS)
Hart.add("fetch_ctx", FetchContext, FETCH_CONTEXTS)


@intrinsic("{result} = ptrtoint ptr {0} to i64")
def data_address(entry: TlbEntry) -> u64:
    """The host address of an entry."""
    return u64(address_of(entry))


@intrinsic("{result} = ptrtoint ptr {0} to i64")
def fetch_address(entry: FetchEntry) -> u64:
    """The host address of an entry."""
    return u64(address_of(entry))


# --- keys ---------------------------------------------------------------------------------------


@define
def data_privilege(hart) -> u64:
    """The effective privilege of loads and stores ("Memory Privilege in mstatus Register")."""
    if hart.mstatus & Status.MPRV != 0:
        return (hart.mstatus & Status.MPP) >> Status.MPP_SHIFT
    return u64(hart.priv)


@define
def translation_root(hart, priv: u64) -> u64:
    """satp where it is active and not Bare, else 0 ("Supervisor Address Translation ...")."""
    if priv == MACHINE or hart.satp >> 60 == 0:
        return u64(0)
    return hart.satp


@define
def regime_of(hart, priv: u64, root: u64) -> u64:
    """The flags that a privilege and mstatus give: SUM counts in S mode, MXR below M mode.

    Neither has an effect without page tables.
    """
    regime = REGIME_VALID | priv
    if root != 0:
        regime |= (hart.mstatus & Status.MXR) >> 15
        if priv == SUPERVISOR:
            regime |= (hart.mstatus & Status.SUM) >> 16
    return regime


@define
def key_hash(regime: u64, root: u64) -> u64:
    """An index of the hints: root's low bits, its ASID and the privilege take part."""
    return (root + (root >> 44) * 4 + regime) & 31


# --- choosing a context -------------------------------------------------------------------------


@define
def select_data(hart):
    """Put the context of the key in force for loads and stores."""
    priv = data_privilege(hart)
    root = translation_root(hart, priv)
    regime = regime_of(hart, priv, root)
    hint = key_hash(regime, root)
    n = u64(hart.data_hint[hint])
    if hart.ctx[n].regime != regime or hart.ctx[n].root != root or hart.ctx[n].guest != 0:
        n = find_data(hart, regime, root, u64(0))
        hart.data_hint[hint] = u8(n)
    hart.data_regime = regime
    hart.data_context = n
    hart.tlb = hart.ctx[n].entries[0]


@define
def find_data(hart, regime: u64, root: u64, guest: u64) -> u64:
    """The number of the context with the key; a new one takes the place of the oldest."""
    for i in range(CONTEXTS):
        ctx = hart.ctx[i]
        if ctx.regime == regime and ctx.root == root and ctx.guest == guest:
            return i
    n = hart.data_victim
    hart.data_victim = (n + 1) & (CONTEXTS - 1)
    clear_data(hart, n)
    new = hart.ctx[n]
    new.regime = regime
    new.root = root
    new.guest = guest
    return n


@define
def select_fetch(hart):
    """Put the context of the key in force for fetches: neither MPRV nor SUM nor MXR counts."""
    priv = u64(hart.priv)
    root = translation_root(hart, priv)
    regime = REGIME_VALID | priv
    hint = key_hash(regime, root)
    n = u64(hart.fetch_hint[hint])
    ctx = hart.fetch_ctx[n]
    if ctx.regime != regime or ctx.root != root or ctx.guest != 0:
        n = find_fetch(hart, regime, root, u64(0))
        hart.fetch_hint[hint] = u8(n)
    hart.fetch_regime = regime
    hart.fetch_context = n
    hart.fetch = hart.fetch_ctx[n].entries[0]


@define
def find_fetch(hart, regime: u64, root: u64, guest: u64) -> u64:
    """As `find_data`, for fetches."""
    for i in range(FETCH_CONTEXTS):
        ctx = hart.fetch_ctx[i]
        if ctx.regime == regime and ctx.root == root and ctx.guest == guest:
            return i
    n = hart.fetch_victim
    hart.fetch_victim = (n + 1) & (FETCH_CONTEXTS - 1)
    clear_fetch(hart, n)
    new = hart.fetch_ctx[n]
    new.regime = regime
    new.root = root
    new.guest = guest
    return n


@implement(vocabulary.context_changed)
def context_changed(hart):
    """Select the contexts that the hart's state asks for."""
    select_data(hart)
    select_fetch(hart)
    hart.resync = 1


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
def note_fill(hart, va: u64, shift: u64):
    """Remember that the entry for an address is about to be filled in the context in force."""
    ctx = hart.ctx[hart.data_context]
    ctx.large |= large_bits(va, shift)
    if ctx.fills < LOG:
        ctx.log[ctx.fills] = u16(va >> 12 & (DATA_ENTRIES - 1))
    ctx.fills += 1


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


# --- clearing -----------------------------------------------------------------------------------


@define
def clear_data(hart, n: u64):
    """Forget every translation of a context."""
    ctx = hart.ctx[n]
    if ctx.regime == 0 or ctx.fills > LOG:
        size = u64(DATA_ENTRIES * 32)
        fill_memory(data_address(ctx.entries[0]), u8(0xFF), size)
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
    fill_memory(fetch_address(ctx.entries[0]), u8(0xFF), u64(FETCH_ENTRIES * 32))
    ctx.large = 0


@define
def drop_data(hart, n: u64, va: u64):
    """Forget an address, and every piece of a superpage around it."""
    ctx = hart.ctx[n]
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
def is_named(regime: u64, root: u64, virt: u64, asid: u64, has_asid: bool) -> bool:
    """Whether a fence concerns a context: one that translates, of this V, of this ASID."""
    if root == 0 or regime & REGIME_VIRT != virt:
        return False
    return not has_asid or (root >> 44 ^ asid) & 0xFFFF == 0


@implement(vocabulary.flush_translations, cold=True)
def flush_translations(hart, va: u64, asid: u64, has_va: bool, has_asid: bool):
    """What sfence.vma forgets ("Supervisor Memory-Management Fence Instruction").

    Global mappings of a named address space are forgotten too: to over-fence is legal.
    """
    virt = u64(REGIME_VIRT) if hart.virt != 0 else u64(0)
    for i in range(CONTEXTS):
        if is_named(hart.ctx[i].regime, hart.ctx[i].root, virt, asid, has_asid):
            if has_va:
                drop_data(hart, i, va)
            else:
                clear_data(hart, i)
    for i in range(FETCH_CONTEXTS):
        if is_named(hart.fetch_ctx[i].regime, hart.fetch_ctx[i].root, virt, asid, has_asid):
            if has_va:
                drop_fetch(hart, i, va)
            else:
                clear_fetch(hart, i)
    hart.resync = 1


@define(cold=True)
def flush_everything(hart):
    """Forget every context of the hart, those without translation included."""
    for i in range(CONTEXTS):
        if hart.ctx[i].regime != 0:
            clear_data(hart, i)
    for i in range(FETCH_CONTEXTS):
        if hart.fetch_ctx[i].regime != 0:
            clear_fetch(hart, i)
    hart.resync = 1
