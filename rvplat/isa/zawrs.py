"""Zawrs, wait on a reservation set (Unprivileged, "Zawrs").

"An implementation is permitted to occasionally terminate the stall and complete execution for any
reason": both complete after a short time, and software repeats them. The same time is the limit
after which wrs.nto raises an exception if mstatus.TW or hstatus.VTW is set.
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import illegal, virtual_instruction, wait_on_reservation
from rvplat.isa.privileged import MACHINE, HStatus, Status

Zawrs = Extension(
    "Zawrs", version="1.0", standing="ratified", title="Wait on reservation set",
    requires=("Zalrsc",),
)  # fmt: skip


@Zawrs.instruction("0000000 01101 00000 000 00000 1110011", "wrs.nto")
def wrs_nto(hart):
    """Wait without a timeout. At the time limit it is illegal below M mode while mstatus.TW is set,
    and a virtual instruction with V=1 while hstatus.VTW is set."""
    if wait_on_reservation(hart):
        return
    if hart.priv != MACHINE and hart.mstatus & Status.TW != 0:
        illegal(hart)
    if hart.virt != 0 and hart.hstatus & HStatus.VTW != 0:
        virtual_instruction(hart)


@Zawrs.instruction("0000000 11101 00000 000 00000 1110011", "wrs.sto")
def wrs_sto(hart):
    """Wait with a short timeout. It is never illegal."""
    wait_on_reservation(hart)
