"""Events for a timeline of a hart: changes of mode, interrupts, device accesses, sleep.

While a ring is given, the hart notes events in it: only where it traps, returns from a trap, looks
at its interrupts, meets a device, or sleeps. A thread of Python reads them (machine/timeline/).
Nobody waits for that thread: what it doesn't read in time is lost, and it counts the loss.
"""

from rvplat.hart.counters import steady_ns
from rvplat.hart.debugging.world_switches import vmid_of
from rvplat.hart.state import HartState
from rvplat.isa.machinery.vocabulary import retired
from rvplat.lang import Record, ctz, define, fence, record_at, u64

RING = 1 << 17  # events of a hart
ENTER, TRAP, RETURN, RISE, FALL, LOAD, STORE, SLEEP = range(1, 9)  # kinds

TimelineEvent = Record("TimelineEvent")
TimelineEvent.add("ns", u64)  # of the host's steady clock; for SLEEP and accesses, their end
TimelineEvent.add("retired", u64)  # instructions of the hart so far
TimelineEvent.add("kind", u64)  # kind, world << 8 (privilege, V << 2, VMID << 3), code << 32
TimelineEvent.add("value", u64)
TimelineEvent.add("more", u64)
# kind     the world          code           value                       more
# ENTER    that it is in      0              `retired` when Python ran   ns when Python ran
# TRAP     of the handler     as traps_taken epc                         tval
# RETURN   that it is in now  0              0                           0
# RISE     that it is in      number in mip  0                           ns when a device drove it
# FALL     that it is in      number in mip  0                           0
# accesses that it is in      bytes          physical address            ns when it began
# SLEEP    that it is in      0              0                           ns when it began

HartState.outside("timeline_ring", u64)  # host address of the events, or 0
HartState.outside("timeline_count", u64)  # how many were ever noted
HartState.outside("timeline_taken", u64)  # the trap that is being taken: 1 + index, or 0
HartState.outside("timeline_epc", u64)
HartState.outside("timeline_tval", u64)
HartState.outside("timeline_pending", u64)  # pending and enabled interrupts at the last look
HartState.outside("timeline_driven", u64, 64)  # ns when a device drove a bit of mip; 0: it is low
HartState.outside("timeline_left", u64)  # ns when native code was left
HartState.outside("timeline_left_retired", u64)

event_at = record_at(TimelineEvent)


@define(cold=True)
def note_event(hart, ns: u64, kind: u64, code: u64, value: u64, more: u64):
    """Put an event into the ring."""
    world = u64(hart.priv)
    if hart.virt != 0:
        world |= u64(4) | vmid_of(hart.hgatp) << 3
    event = event_at(hart.timeline_ring + hart.timeline_count % RING * TimelineEvent.size)
    event.ns = ns
    event.retired = retired(hart)
    event.kind = kind | world << 8 | code << 32
    event.value = value
    event.more = more
    fence()
    hart.timeline_count += 1


@define(cold=True)
def note_entry(hart):
    """Native code is entered."""
    count = hart.timeline_left_retired
    note_event(hart, steady_ns(hart), u64(ENTER), u64(0), count, hart.timeline_left)


@define(cold=True)
def expect_trap(hart, cause: u64):
    """A trap is about to be taken: its event is noted when the mode has changed."""
    hart.timeline_taken = 1 + (cause & 63 | cause >> 57 & 64)
    hart.timeline_epc = hart.pc
    hart.timeline_tval = hart.trap_tval


@define(cold=True)
def note_mode(hart):
    """The mode has changed: by the trap that was announced, or by a return."""
    now = steady_ns(hart)
    if hart.timeline_taken == 0:
        note_event(hart, now, u64(RETURN), u64(0), u64(0), u64(0))
        return
    code = hart.timeline_taken - 1
    hart.timeline_taken = 0
    note_event(hart, now, u64(TRAP), code, hart.timeline_epc, hart.timeline_tval)


@define(cold=True)
def note_pending(hart, pending: u64):
    """The interrupts that are pending and enabled may have changed."""
    changed = pending ^ hart.timeline_pending
    hart.timeline_pending = pending
    while changed != 0:
        bit = ctz(changed)
        changed &= changed - 1
        if pending >> bit & 1 != 0:
            driven = hart.timeline_driven[bit]
            note_event(hart, steady_ns(hart), u64(RISE), bit, u64(0), driven)
        else:
            note_event(hart, steady_ns(hart), u64(FALL), bit, u64(0), u64(0))


@define(cold=True)
def note_driven(hart, bit: u64, level: bool):
    """A device drives a line of the hart, perhaps in another thread."""
    hart.timeline_driven[bit] = steady_ns(hart) if level else u64(0)


@define(cold=True)
def note_access(hart, kind: u64, pa: u64, size: u64, began: u64):
    """A device was read or written."""
    note_event(hart, steady_ns(hart), kind, size, pa, began)


@define(cold=True)
def note_sleep(hart, began: u64, ended: u64):
    """The hart has slept in WFI."""
    note_event(hart, ended, u64(SLEEP), u64(0), u64(0), began)
