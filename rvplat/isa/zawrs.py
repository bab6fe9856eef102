"""Zawrs, wait on a reservation set (Unprivileged, "Zawrs").

"An implementation is permitted to occasionally terminate the stall and complete execution for any
reason": both complete at once, and software loops.
"""

from rvplat.isa.extension import Extension
from rvplat.isa.privileged import MACHINE, HStatus, Status
from rvplat.isa.vocabulary import illegal, virtual_instruction

Zawrs = Extension(
    "Zawrs", version="1.0", standing="ratified", title="Wait on reservation set",
    requires=("Zalrsc",),
)  # fmt: skip


@Zawrs.instruction("0000000 01101 00000 000 00000 1110011", "wrs.nto")
def wrs_nto(hart):
    """Without a timeout, so illegal below M mode while mstatus.TW is set, and a virtual instruction
    with V=1 while hstatus.VTW is."""
    if hart.priv != MACHINE and hart.mstatus & Status.TW != 0:
        illegal(hart)
    if hart.virt != 0 and hart.hstatus & HStatus.VTW != 0:
        virtual_instruction(hart)


@Zawrs.instruction("0000000 11101 00000 000 00000 1110011", "wrs.sto")
def wrs_sto(hart):
    """With a short timeout: never illegal."""
