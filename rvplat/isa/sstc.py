"""Sstc, the supervisor's own timer (Privileged, "Sstc" and "Supervisor Timer Register")."""

from rvplat.isa.extension import Extension
from rvplat.isa.privileged import MACHINE, Counter, EnvCfg
from rvplat.isa.vocabulary import illegal, interrupts_changed, update_deadline
from rvplat.lang import define, u32, u64

Sstc = Extension(
    "Sstc", version="1.0", standing="ratified", title="Supervisor timer interrupts",
    requires=("S", "Zicntr"),
)  # fmt: skip


@define
def stimecmp_access(hart, write: bool, number: u32):
    """Below M mode menvcfg.STCE and mcounteren.TM must both be set."""
    if hart.priv != MACHINE and (
        hart.menvcfg & EnvCfg.STCE == 0 or hart.mcounteren & Counter.TM == 0
    ):
        illegal(hart)


@define
def stimecmp_write(hart, value: u64, number: u32):
    """STIP follows the comparison of time with it at once."""
    hart.stimecmp = value
    update_deadline(hart)
    interrupts_changed(hart)


Sstc.csr(0x14D, "stimecmp", write=stimecmp_write, access=stimecmp_access, reset=(1 << 64) - 1)
