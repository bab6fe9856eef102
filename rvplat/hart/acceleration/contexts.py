"""Which context is in force: by the key of what the hart is doing, loads and stores, or fetches.

Keys are compared where a mode, an address space or SUM changes. Nearly always the context is where
the same key's was the last time, which a hint remembers.
"""

from rvplat.hart.acceleration.tlb import (
    REGIME_EXECUTE,
    REGIME_SHADOW,
    REGIME_VALID,
    REGIME_VIRT,
    FixedBool,
    choice,
    clear,
    context,
    context_count,
)
from rvplat.hart.pointer_masking import guest_masking, masking_of
from rvplat.isa.machinery import vocabulary
from rvplat.isa.privileged import MACHINE, SUPERVISOR, EnvCfg, HStatus, Status
from rvplat.lang import Struct, define, implement, u8, u64

# --- keys ---------------------------------------------------------------------------------------


@define
def has_mprv(hart) -> bool:
    """Whether MPRV counts: not while mnstatus.NMIE is clear ("RNMI CSRs")."""
    return hart.mstatus & Status.MPRV != 0 and hart.rnmi_masked == 0


@define
def data_privilege(hart) -> u64:
    """The effective privilege of loads and stores ("Memory Privilege in mstatus Register")."""
    if has_mprv(hart):
        return (hart.mstatus & Status.MPP) >> Status.MPP_SHIFT
    return u64(hart.priv)


@define
def is_guest_data(hart) -> bool:
    """Whether loads and stores are a guest's: V, or MPV where MPRV makes it count ("Machine Status
    (mstatus and mstatush) Registers" of H)."""
    if has_mprv(hart):
        return hart.mstatus & Status.MPV != 0 and hart.mstatus & Status.MPP != Status.MPP
    return hart.virt != 0


@define
def guest_root(hart) -> u64:
    """vsatp, or 0 where it is Bare."""
    return hart.vsatp if hart.vsatp >> 60 != 0 else u64(0)


@define
def shadow_pages(sse: u64) -> u64:
    """The flag of a regime for SSE, in place."""
    return (sse & EnvCfg.SSE) * (REGIME_SHADOW // EnvCfg.SSE)


@define
def guest_regime(hart, priv: u64, root: u64) -> u64:
    """As `regime_of` for V=1: vsstatus' SUM and MXR are the first stage's, HS mode's MXR is both
    stages' ("Two-Stage Address Translation")."""
    regime = REGIME_VALID | REGIME_VIRT | priv | (hart.mstatus & Status.MXR) >> 12
    if root != 0:
        regime |= ((hart.mstatus | hart.vsstatus) & Status.MXR) >> 15
        regime |= shadow_pages(hart.menvcfg & hart.henvcfg)
        if priv == SUPERVISOR:
            regime |= (hart.vsstatus & Status.SUM) >> 16
    return regime


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
        regime |= shadow_pages(hart.menvcfg)
        if priv == SUPERVISOR:
            regime |= (hart.mstatus & Status.SUM) >> 16
    return regime


class Key(Struct):
    """What a context is found by."""

    regime: u64
    root: u64
    guest: u64


@define
def unmasked_key(hart) -> Key:
    """Of loads and stores without pointer masking."""
    priv = data_privilege(hart)
    if is_guest_data(hart):
        virtual = guest_root(hart)
        return Key(guest_regime(hart, priv, virtual), virtual, hart.hgatp)
    root = translation_root(hart, priv)
    return Key(regime_of(hart, priv, root), root, 0)


@define
def data_key(hart) -> Key:
    """Of loads and stores."""
    key = unmasked_key(hart)
    masking = masking_of(hart, data_privilege(hart), is_guest_data(hart))
    return Key(key.regime | masking, key.root, key.guest)


@define
def fetch_key(hart) -> Key:
    """Of fetches: neither MPRV nor SUM nor MXR counts."""
    regime = REGIME_VALID | u64(hart.priv)
    if hart.virt != 0:
        regime |= REGIME_VIRT | shadow_pages(hart.menvcfg & hart.henvcfg)
        return Key(regime, guest_root(hart), hart.hgatp)
    if hart.priv != MACHINE:
        regime |= shadow_pages(hart.menvcfg)
    return Key(regime, translation_root(hart, u64(hart.priv)), 0)


@define
def key_hash(key: Key) -> u64:
    """An index of the hints: root's low bits, ASID, VMID and the privilege take part."""
    return (key.root + (key.root >> 44) * 4 + (key.guest >> 44) * 8 + key.regime) & 31


# --- choosing a context -------------------------------------------------------------------------


@define
def hinted(hart, key: Key, fetch: FixedBool) -> u64:
    """The context that had the key the last time."""
    return u64(choice(hart, fetch).hint[key_hash(key)])


@define
def has_key(hart, n: u64, key: Key, fetch: FixedBool) -> bool:
    """Whether a context is a key's."""
    ctx = context(hart, n, fetch)
    return ctx.regime == key.regime and ctx.root == key.root and ctx.guest == key.guest


@define
def put(hart, n: u64, regime: u64, fetch: FixedBool):
    """Put a context in force."""
    chosen = choice(hart, fetch)
    chosen.regime = regime
    chosen.context = n
    if fetch:
        hart.fetch = hart.fetch_ctx[n].entries[0]
    else:
        hart.tlb = hart.ctx[n].entries[0]


@define
def find(hart, key: Key, fetch: FixedBool):
    """Put the context of a key in force; a new one takes the place of the oldest."""
    n = hinted(hart, key, fetch)
    if not has_key(hart, n, key, fetch):
        chosen = choice(hart, fetch)
        count = context_count(fetch)
        n = u64(0)
        while n < count and not has_key(hart, n, key, fetch):
            n += 1
        if n == count:
            n = chosen.victim
            chosen.victim = (n + 1) & (count - 1)
            clear(hart, n, fetch)
            new = context(hart, n, fetch)
            new.regime = key.regime
            new.root = key.root
            new.guest = key.guest
        chosen.hint[key_hash(key)] = u8(n)
    put(hart, n, key.regime, fetch)


@define
def select_data(hart):
    """Put the context in force that the hart's state asks for, for loads and stores."""
    find(hart, data_key(hart), False)


@define
def select_guest_data(hart, execute: bool):
    """For HLV, HLVX and HSV: as though V=1 and in the mode of hstatus.SPVP. The caller selects anew
    afterwards. HLVX is not subject to pointer masking."""
    priv = (hart.hstatus & HStatus.SPVP) >> HStatus.SPVP_SHIFT
    root = guest_root(hart)
    regime = guest_regime(hart, priv, root)
    regime |= u64(REGIME_EXECUTE) if execute else guest_masking(hart, priv)
    find(hart, Key(regime, root, hart.hgatp), False)


@define(cold=True)
def select_both(hart):
    """Put the contexts in force that the hart's state asks for."""
    select_data(hart)
    find(hart, fetch_key(hart), True)


@implement(vocabulary.context_changed)
def context_changed(hart):
    """Select the contexts that the hart's state asks for. Nearly always both are where they were
    the last time: so much is done without a frame, if no mode masks pointers."""
    hart.resync = 1
    if hart.pointer_masks != 0:
        select_both(hart)
        return
    data = unmasked_key(hart)
    code = fetch_key(hart)
    n = hinted(hart, data, False)
    k = hinted(hart, code, True)
    if has_key(hart, n, data, False) and has_key(hart, k, code, True):
        put(hart, n, data.regime, False)
        put(hart, k, code.regime, True)
    else:
        select_both(hart)
