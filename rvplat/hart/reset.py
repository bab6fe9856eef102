"""A hart out of reset (Privileged, "Reset").

What the manual leaves UNSPECIFIED is zero here, so that every run begins alike. The board sets
menvcfg.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rvplat.hart.counters import update_deadline
from rvplat.hart.csr import enable
from rvplat.hart.debugging.world_switches import STATISTICS
from rvplat.hart.state import STOP_NONE, HartState
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import context_changed, protection_changed
from rvplat.isa.machinery.xlen import TYPES
from rvplat.isa.priv_m import menvcfg_write, reset_status
from rvplat.isa.priv_s import mideleg_write
from rvplat.isa.privileged import MACHINE
from rvplat.lang import standing_for, u32, u64

MIDELEG, MENVCFG = 0x303, 0x30A
_ZEROED = (
    "trap_cause", "trap_tval", "trap_tval2", "trap_tinst", "trap_gva", "fp_ready", "v_ready",
    "virt", "elp", "critical", "attention",
    "stop_request", "reservation_host", "access_offset", "nested_traps", "rnmi_once",
    "yields", "yield_at",
)  # fmt: skip


def reset(hart: Any, extensions: Iterable[Extension], pc: int) -> None:
    """M mode at `pc`, CSRs at the values of their rows, registers and the extensions' state zero.

    The hart has these extensions' flags already (`engine/architecture.py`), and a machine.
    Instruction counts and the budget start at their initial values. Lines and mtimecmp stay:
    devices drive them.
    """
    owned = tuple(extensions)
    xlen = owned[0].xlen if owned else 64
    with standing_for(TYPES[xlen]):
        _reset(hart, owned, pc)


def _reset(hart: Any, owned: tuple[Extension, ...], pc: int) -> None:
    for array in (hart.x, hart.f):
        array.clear()
    for name in _ZEROED:
        setattr(hart, name, 0)
    for extension in owned:
        for name, _, count in extension.states:
            getattr(hart, name).clear() if count else setattr(hart, name, 0)
        enable(hart, extension.csrs)
    reset_status(hart)
    for name in STATISTICS:
        getattr(hart, name).clear() if HartState.fields[name].count else setattr(hart, name, 0)
    if hart.has_s != 0:
        mideleg_write(hart, u64(0), u32(MIDELEG))  # what H delegates is read-only one
    if hart.has_u != 0:
        menvcfg_write(hart, u64(hart.menvcfg_reset), u32(MENVCFG))
    if hart.seed_repeats != 0:
        hart.seed_index = 0
    hart.priv = MACHINE
    hart.pc = pc
    hart.budget = 0
    hart.instret_base = 0
    hart.stop = STOP_NONE
    update_deadline(hart)
    protection_changed(hart)
    context_changed(hart)
