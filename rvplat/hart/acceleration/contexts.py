"""Which context is in force: by the key of what the hart is doing, loads and stores, or fetches.

Keys are compared where a mode, an address space or SUM changes. Nearly always the context is where
the same key's was the last time, which a hint remembers.
"""

from rvplat.hart.acceleration.tlb import (
    FETCH_CONTEXTS,
    REGIME_EXECUTE,
    REGIME_VALID,
    REGIME_VIRT,
    clear_data,
    clear_fetch,
)
from rvplat.hart.state import CONTEXTS
from rvplat.isa.machinery import vocabulary
from rvplat.isa.privileged import MACHINE, SUPERVISOR, HStatus, Status
from rvplat.lang import define, implement, u8, u64

# --- keys ---------------------------------------------------------------------------------------


@define
def data_privilege(hart) -> u64:
    """The effective privilege of loads and stores ("Memory Privilege in mstatus Register")."""
    if hart.mstatus & Status.MPRV != 0:
        return (hart.mstatus & Status.MPP) >> Status.MPP_SHIFT
    return u64(hart.priv)


@define
def is_guest_data(hart) -> bool:
    """Whether loads and stores are a guest's: V, or MPV where MPRV makes it count ("Machine Status
    (mstatus and mstatush) Registers" of H)."""
    if hart.mstatus & Status.MPRV != 0:
        return hart.mstatus & Status.MPV != 0 and hart.mstatus & Status.MPP != Status.MPP
    return hart.virt != 0


@define
def guest_root(hart) -> u64:
    """vsatp, or 0 where it is Bare."""
    return hart.vsatp if hart.vsatp >> 60 != 0 else u64(0)


@define
def guest_regime(hart, priv: u64, root: u64) -> u64:
    """As `regime_of` for V=1: vsstatus' SUM and MXR are the first stage's, HS mode's MXR is both
    stages' ("Two-Stage Address Translation")."""
    regime = REGIME_VALID | REGIME_VIRT | priv | (hart.mstatus & Status.MXR) >> 12
    if root != 0:
        regime |= ((hart.mstatus | hart.vsstatus) & Status.MXR) >> 15
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
        if priv == SUPERVISOR:
            regime |= (hart.mstatus & Status.SUM) >> 16
    return regime


@define
def key_hash(regime: u64, root: u64, guest: u64) -> u64:
    """An index of the hints: root's low bits, ASID, VMID and the privilege take part."""
    return (root + (root >> 44) * 4 + (guest >> 44) * 8 + regime) & 31


# --- choosing a context -------------------------------------------------------------------------


@define
def data_key(hart) -> tuple[u64, u64, u64]:
    """(regime, root, guest) of loads and stores."""
    priv = data_privilege(hart)
    if is_guest_data(hart):
        virtual = guest_root(hart)
        return guest_regime(hart, priv, virtual), virtual, hart.hgatp
    root = translation_root(hart, priv)
    return regime_of(hart, priv, root), root, u64(0)


@define
def fetch_key(hart) -> tuple[u64, u64, u64]:
    """(regime, root, guest) of fetches: neither MPRV nor SUM nor MXR counts."""
    priv = u64(hart.priv)
    if hart.virt != 0:
        return REGIME_VALID | REGIME_VIRT | priv, guest_root(hart), hart.hgatp
    return REGIME_VALID | priv, translation_root(hart, priv), u64(0)


@define
def has_data(hart, n: u64, regime: u64, root: u64, guest: u64) -> bool:
    """Whether a context is a key's."""
    ctx = hart.ctx[n]
    return ctx.regime == regime and ctx.root == root and ctx.guest == guest


@define
def has_fetch(hart, n: u64, regime: u64, root: u64, guest: u64) -> bool:
    """As `has_data`, for fetches."""
    ctx = hart.fetch_ctx[n]
    return ctx.regime == regime and ctx.root == root and ctx.guest == guest


@define
def put_data(hart, n: u64, regime: u64):
    """Put a context in force for loads and stores."""
    hart.data_regime = regime
    hart.data_context = n
    hart.tlb = hart.ctx[n].entries[0]


@define
def put_fetch(hart, n: u64, regime: u64):
    """As `put_data`, for fetches."""
    hart.fetch_regime = regime
    hart.fetch_context = n
    hart.fetch = hart.fetch_ctx[n].entries[0]


@define
def find_data(hart, regime: u64, root: u64, guest: u64):
    """Put the context of a key in force; a new one takes the place of the oldest."""
    hint = key_hash(regime, root, guest)
    n = u64(hart.data_hint[hint])
    if not has_data(hart, n, regime, root, guest):
        n = u64(0)
        while n < CONTEXTS and not has_data(hart, n, regime, root, guest):
            n += 1
        if n == CONTEXTS:
            n = hart.data_victim
            hart.data_victim = (n + 1) & (CONTEXTS - 1)
            clear_data(hart, n)
            new = hart.ctx[n]
            new.regime = regime
            new.root = root
            new.guest = guest
        hart.data_hint[hint] = u8(n)
    put_data(hart, n, regime)


@define
def find_fetch(hart, regime: u64, root: u64, guest: u64):
    """As `find_data`, for fetches."""
    hint = key_hash(regime, root, guest)
    n = u64(hart.fetch_hint[hint])
    if not has_fetch(hart, n, regime, root, guest):
        n = u64(0)
        while n < FETCH_CONTEXTS and not has_fetch(hart, n, regime, root, guest):
            n += 1
        if n == FETCH_CONTEXTS:
            n = hart.fetch_victim
            hart.fetch_victim = (n + 1) & (FETCH_CONTEXTS - 1)
            clear_fetch(hart, n)
            new = hart.fetch_ctx[n]
            new.regime = regime
            new.root = root
            new.guest = guest
        hart.fetch_hint[hint] = u8(n)
    put_fetch(hart, n, regime)


@define
def select_data(hart):
    """Put the context in force that the hart's state asks for, for loads and stores."""
    regime, root, guest = data_key(hart)
    find_data(hart, regime, root, guest)


@define
def select_guest_data(hart, execute: bool):
    """For HLV, HLVX and HSV: as though V=1 and in the mode of hstatus.SPVP. The caller selects anew
    afterwards."""
    priv = (hart.hstatus & HStatus.SPVP) >> HStatus.SPVP_SHIFT
    root = guest_root(hart)
    regime = guest_regime(hart, priv, root)
    if execute:
        regime |= REGIME_EXECUTE
    find_data(hart, regime, root, hart.hgatp)


@define(cold=True)
def select_both(hart):
    """Put the contexts in force that the hart's state asks for."""
    select_data(hart)
    regime, root, guest = fetch_key(hart)
    find_fetch(hart, regime, root, guest)


@implement(vocabulary.context_changed)
def context_changed(hart):
    """Select the contexts that the hart's state asks for. Nearly always both are where they were
    the last time: so much is done without a frame."""
    hart.resync = 1
    regime, root, guest = data_key(hart)
    code, code_root, code_guest = fetch_key(hart)
    n = u64(hart.data_hint[key_hash(regime, root, guest)])
    k = u64(hart.fetch_hint[key_hash(code, code_root, code_guest)])
    if has_data(hart, n, regime, root, guest) and has_fetch(hart, k, code, code_root, code_guest):
        put_data(hart, n, regime)
        put_fetch(hart, k, code)
    else:
        select_both(hart)
