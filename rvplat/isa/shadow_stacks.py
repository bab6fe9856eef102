"""Shadow stacks: who may use them (Privileged, "Shadow Stack (Zicfiss)").

The instructions are in scalar/zicfiss.py, the pages' rules in `hart/page_tables.py`, and the
accesses in `hart/shadow_stack.py`.
"""

from rvplat.isa.machinery.vocabulary import illegal, virtual_instruction
from rvplat.isa.privileged import MACHINE, USER, EnvCfg
from rvplat.lang import define, u64


@define
def hidden_fields(hart) -> u64:
    """The fields of senvcfg that are read-only zero now: SSE, where menvcfg or, with V=1, henvcfg
    has it clear ("Machine Environment Configuration Register")."""
    if hart.menvcfg & EnvCfg.SSE == 0 or (hart.virt != 0 and hart.henvcfg & EnvCfg.SSE == 0):
        return u64(EnvCfg.SSE)
    return u64(0)


@define
def has_stack(hart) -> bool:
    """xSSE of the mode, which M mode has not ("Shadow-Stack-Enabled (SSE) State"). Without S mode
    no mode has it."""
    if hart.priv == MACHINE or hart.menvcfg & EnvCfg.SSE == 0 or hart.has_s == 0:
        return False
    if hart.virt != 0 and hart.henvcfg & EnvCfg.SSE == 0:
        return False
    return hart.priv != USER or hart.senvcfg & EnvCfg.SSE != 0


@define
def require_stack(hart):
    """Raise unless the mode is M or has xSSE: what only menvcfg forbids is an illegal instruction
    in a guest too ("Shadow Stack Pointer (ssp) CSR access control")."""
    if hart.priv != MACHINE and not has_stack(hart):
        if hart.virt != 0 and hart.menvcfg & EnvCfg.SSE != 0:
            virtual_instruction(hart)
        illegal(hart)
