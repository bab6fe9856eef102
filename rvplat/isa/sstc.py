"""Sstc, the supervisor's own timer (Privileged, "Sstc" and "Supervisor Timer Register")."""

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
    """Below M mode menvcfg.STCE and mcounteren.TM must both be set, with V=1 henvcfg.STCE and
    hcounteren.TM too: then it is vstimecmp ("Hypervisor Counter-Enable Register")."""
    if hart.priv != MACHINE and (
        hart.menvcfg & EnvCfg.STCE == 0 or hart.mcounteren & Counter.TM == 0
    ):
        illegal(hart)
    if hart.virt != 0 and (hart.henvcfg & EnvCfg.STCE == 0 or hart.hcounteren & Counter.TM == 0):
        virtual_instruction(hart)


@define
def stimecmp_write(hart, value: u64, number: u32):
    """STIP follows the comparison of time with it at once."""
    hart.stimecmp = value
    update_deadline(hart)
    interrupts_changed(hart)


Sstc.csr(0x14D, "stimecmp", write=stimecmp_write, access=stimecmp_access, reset=(1 << 64) - 1)


@define
def vstimecmp_access(hart, write: bool, number: u32):
    """By its own number: with H, and as stimecmp otherwise. What V=1 adds is said for every VS CSR
    alike."""
    if hart.has_h == 0:
        illegal(hart)
    stimecmp_access(hart, write, number)


@define
def vstimecmp_write(hart, value: u64, number: u32):
    """hip.VSTIP follows the comparison of time + htimedelta with it at once."""
    hart.vstimecmp = value
    update_deadline(hart)
    interrupts_changed(hart)


Sstc.csr(0x24D, "vstimecmp", write=vstimecmp_write, access=vstimecmp_access, reset=(1 << 64) - 1)
