"""Young pages: pages that became code recently, so that a fast store to them may be in flight.

Each gets the next number. invalidate.py explains how they work together with stores and decoding.
"""

from rvplat.hart.state import HartState, MachineState
from rvplat.lang import define, fence, record_at, u64

YOUNG = 256  # pages that the list holds
AWAY = 0xFFFF_FFFF_FFFF_FFFF  # a hart's young_passed while it isn't in native code

MachineState.add("young_pages", u64, YOUNG)  # a ring of page numbers: pages that became code
MachineState.add("young_count", u64)  # how many pages ever became code
HartState.outside("young_passed", u64)  # no store of this hart is in flight to pages listed before
HartState.outside("young_from", u64)  # the first page that this hart's fence.i must still drop


hart_at = record_at(HartState)


@define
def list_young(hart, page: u64):
    """A page (numbered among all regions' pages) has become code, and its write tags are gone. The
    caller holds the code lock."""
    machine = hart.machine
    machine.young_pages[machine.young_count & (YOUNG - 1)] = page
    fence()
    machine.young_count += 1


@define
def pass_young(hart):
    """For the run loop, between two instructions: from here on no store of this hart is in flight
    to the pages that are listed now."""
    count = hart.machine.young_count
    if hart.young_passed != count:
        fence()  # the stores before are visible, and tags are read anew after
        hart.young_passed = count


@define
def enter_young(hart):
    """The hart enters native code: from here on its stores count."""
    hart.young_passed = 0
    fence()


@define
def leave_young(hart):
    """The hart leaves native code: it has no store in flight."""
    fence()
    hart.young_passed = AWAY


@define
def passed_by_others(hart) -> u64:
    """How many of the young pages every other hart has passed."""
    machine = hart.machine
    least = u64(AWAY)
    for i in range(machine.hart_count):
        passed = hart_at(machine.harts[i]).young_passed
        if i != hart.hart_id and passed < least:
            least = passed
    return least
