"""Zawrs, wait on a reservation set (Unprivileged, "Zawrs").

"An implementation is permitted to occasionally terminate the stall and complete execution for any
reason": both complete after a short time, and software loops. That time is also the bounded one
after which mstatus.TW and hstatus.VTW make an exception of wrs.nto.
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
    """Without a timeout. Where it doesn't end in a bounded time, it is illegal below M mode while
    mstatus.TW is set, and a virtual instruction with V=1 while hstatus.VTW is."""
    if wait_on_reservation(hart):
        return
    if hart.priv != MACHINE and hart.mstatus & Status.TW != 0:
        illegal(hart)
    if hart.virt != 0 and hart.hstatus & HStatus.VTW != 0:
        virtual_instruction(hart)


@Zawrs.instruction("0000000 11101 00000 000 00000 1110011", "wrs.sto")
def wrs_sto(hart):
    """With a short timeout: never illegal."""
    wait_on_reservation(hart)
