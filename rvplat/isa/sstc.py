"""Sstc, a timer of S mode (Privileged, "Sstc" and "Supervisor Timer Register")."""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import (
    illegal,
    interrupts_changed,
    update_deadline,
    virtual_instruction,
)
from rvplat.isa.privileged import MACHINE, Counter, EnvCfg
from rvplat.lang import define, u32, u64

Sstc = Extension(
    "Sstc", version="1.0", standing="ratified", title="Supervisor timer interrupts",
    requires=("S", "Zicntr"),
)  # fmt: skip


@define
def stimecmp_access(hart, write: bool, number: u32):
    """Below M mode menvcfg.STCE and mcounteren.TM must both be set. With V=1 the access reaches
    vstimecmp, and henvcfg.STCE and hcounteren.TM must be set too ("Hypervisor Counter-Enable
    Register")."""
    if hart.priv != MACHINE and (
        hart.menvcfg & EnvCfg.STCE == 0 or hart.mcounteren & Counter.TM == 0
    ):
        illegal(hart)
    if hart.virt != 0 and (hart.henvcfg & EnvCfg.STCE == 0 or hart.hcounteren & Counter.TM == 0):
        virtual_instruction(hart)


@define
def stimecmp_write(hart, value: u64, number: u32):
    """STIP is at once the result of comparing time with the new value."""
    hart.stimecmp = value
    update_deadline(hart)
    interrupts_changed(hart)


Sstc.csr(
    0x14D, "stimecmp", write=stimecmp_write, access=stimecmp_access, reset=(1 << 64) - 1, high=0x15D
)


@define
def vstimecmp_access(hart, write: bool, number: u32):
    """An access by its own number needs H and what stimecmp needs. `csr_check` refuses it with V=1,
    as it does for every VS CSR."""
    if hart.has_h == 0:
        illegal(hart)
    stimecmp_access(hart, write, number)


@define
def vstimecmp_write(hart, value: u64, number: u32):
    """hip.VSTIP is at once the result of comparing time + htimedelta with the new value."""
    hart.vstimecmp = value
    update_deadline(hart)
    interrupts_changed(hart)


Sstc.csr(
    0x24D,
    "vstimecmp",
    write=vstimecmp_write,
    access=vstimecmp_access,
    reset=(1 << 64) - 1,
    high=0x25D,
)
