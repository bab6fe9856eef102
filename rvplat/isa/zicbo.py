"""Zicbom, Zicboz and Zicbop, cache-block operations (Unprivileged, "CMO"). Blocks have 64 bytes."""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import (
    cache_block_check,
    illegal,
    virtual_instruction,
    zero_block,
)
from rvplat.isa.privileged import MACHINE, USER, EnvCfg
from rvplat.lang import define, u64

Zicbom = Extension("Zicbom", "1.0", "ratified", "Cache-block management", ("I",))
Zicboz = Extension("Zicboz", "1.0", "ratified", "Cache-block zero", ("I",))
Zicbop = Extension("Zicbop", "1.0", "ratified", "Cache-block prefetch", ("I",))
Zic64b = Extension("Zic64b", "1.0", "ratified", "Cache blocks of 64 bytes")


@define
def require_enabled(hart, field: u64):
    """The field must be set below M mode in menvcfg, in U mode also in senvcfg, with V=1 also in
    henvcfg ("CSR controls for CMO instructions")."""
    if hart.priv != MACHINE and hart.menvcfg & field == 0:
        illegal(hart)
    if hart.virt != 0 and hart.henvcfg & field == 0:
        virtual_instruction(hart)
    if hart.priv == USER and hart.has_s != 0 and hart.senvcfg & field == 0:
        if hart.virt != 0:
            virtual_instruction(hart)
        illegal(hart)


@Zicbom.instruction("0000000 00000 rs1 010 00000 0001111", "cbo.inval (rs1)")
def cbo_inval(hart, rs1):
    """Invalidate a block. CBIE may demand a flush instead, which is the same here: no cache holds
    data that memory lacks."""
    require_enabled(hart, u64(EnvCfg.CBIE))
    cache_block_check(hart, hart.x[rs1])


@Zicbom.instruction("0000000 00001 rs1 010 00000 0001111", "cbo.clean (rs1)")
def cbo_clean(hart, rs1):
    """Write a block back."""
    require_enabled(hart, u64(EnvCfg.CBCFE))
    cache_block_check(hart, hart.x[rs1])


@Zicbom.instruction("0000000 00010 rs1 010 00000 0001111", "cbo.flush (rs1)")
def cbo_flush(hart, rs1):
    """Write a block back and invalidate it."""
    require_enabled(hart, u64(EnvCfg.CBCFE))
    cache_block_check(hart, hart.x[rs1])


@Zicboz.instruction("0000000 00100 rs1 010 00000 0001111", "cbo.zero (rs1)")
def cbo_zero(hart, rs1):
    """Store zeros to a block."""
    require_enabled(hart, u64(EnvCfg.CBZE))
    zero_block(hart, hart.x[rs1])


# Prefetches are HINTs: neither exceptions nor effects. They are `ori` with x0 as its destination.


@Zicbop.instruction("imm[11:5] 00000 rs1 110 00000 0010011", "prefetch.i imm(rs1)")
def prefetch_i(hart):
    """An instruction fetch is likely soon."""


@Zicbop.instruction("imm[11:5] 00001 rs1 110 00000 0010011", "prefetch.r imm(rs1)")
def prefetch_r(hart):
    """A load is likely soon."""


@Zicbop.instruction("imm[11:5] 00011 rs1 110 00000 0010011", "prefetch.w imm(rs1)")
def prefetch_w(hart):
    """A store is likely soon."""
