"""WFI: a hart with a thread of its own sleeps in native code, without Python and its lock.

The thread sleeps on the word hart.attention (a futex). The protocol:

A thread that needs the hart:
 1. writes its request: a line, mtimecmp, or stop_request;
 2. sets `attention`;
 3. wakes the thread that sleeps on `attention`.

The hart:
 1. clears `attention`;
 2. reads all requests;
 3. if there are none, sleeps while `attention` is 0. The host compares it as it puts the thread to
    sleep, so a request that comes after step 2 is not lost.
"""

from rvplat.hart.acceleration.young_pages import enter_young, leave_young
from rvplat.hart.counters import NEVER, NS, read_time, steady_ns, update_deadline
from rvplat.hart.debugging.timeline_events import note_sleep
from rvplat.hart.interrupts import enabled_interrupts
from rvplat.hart.ports import run_delayed
from rvplat.hart.state import STOP_NONE, STOP_REQUEST, STOP_WFI, HartState, MachineState
from rvplat.isa.privileged import MACHINE
from rvplat.lang import atomic_swap_u32, call_host, define, host_address, u8, u32, u64

MachineState.add("wait_fn", u64)  # host function (address, value, ns): sleep while the u32 is that
MachineState.add("wake_fn", u64)  # host function (address): wake all threads that sleep on the u32
MachineState.add("fence_fn", u64)  # host function: a full fence, for Python

HartState.outside("sleeps", u8)  # 1: WFI may put the thread to sleep; else native code leaves
HartState.saved("waiting", u8)  # 1: in WFI
HartState.derived("idle_since", u64)  # ns: when it fell asleep without a timer; 0: otherwise
HartState.outside("asleep_ns", u64)  # how long it was asleep in all

LONGEST_NS = NS  # of one sleep: then Python checks whether anything can wake the machine
ATTENTION = HartState.fields["attention"].offset


@define
def longest_sleep(hart) -> u64:
    """Nanoseconds until the hart's next timer, and LONGEST_NS at most. Rounded up: a thread that
    wakes too early would sleep again."""
    if hart.deadline == NEVER:
        return u64(LONGEST_NS)
    now = read_time(hart)
    hz = hart.machine.timebase_hz
    if now >= hart.deadline:
        return u64(0)
    ticks = hart.deadline - now
    return (ticks * NS + hz - 1) // hz if ticks < hz else u64(LONGEST_NS)


@define
def may_sleep(hart) -> bool:
    """Whether a WFI may sleep here: in a thread of its own, with instructions left to execute."""
    return hart.sleeps != 0 and hart.limit + hart.budget > 0


@define
def is_called_awake(hart) -> bool:
    """Set hart.stop by what ends a sleep: an interrupt that mie enables, or another thread that
    wants native code to leave."""
    if hart.stop_request != 0:
        hart.stop = STOP_REQUEST
        return True
    update_deadline(hart)
    if enabled_interrupts(hart) != 0:
        hart.waiting = 0
        hart.stop = STOP_NONE
        return True
    return False


@define
def look_idle(hart, began: u64) -> bool:
    """Note when the hart fell asleep with no timer to wake it. True if that is so long ago that
    Python should check."""
    now = steady_ns(hart)
    if hart.deadline != NEVER:
        hart.idle_since = 0
        return False
    if hart.idle_since == 0:
        hart.idle_since = now
    return now - began >= LONGEST_NS


@define(cold=True)
def sleep(hart):
    """Sleep in WFI. Afterwards hart.stop is STOP_NONE if an interrupt ended the wait. Otherwise
    native code leaves while the hart still waits: STOP_REQUEST, or STOP_WFI after LONGEST_NS."""
    if hart.delayed != 0:
        run_delayed(hart)
    word = host_address(hart) + ATTENTION
    began = steady_ns(hart)
    hart.waiting = 1
    hart.stop = STOP_WFI
    while True:
        atomic_swap_u32(word, u32(0))
        if is_called_awake(hart) or look_idle(hart, began):
            break
        leave_young(hart)
        call_host(hart.machine.wait_fn, word, u64(0), longest_sleep(hart), u64(0))
        enter_young(hart)
    if hart.stop == STOP_NONE:
        hart.idle_since = 0
    hart.attention = 1  # the run loop reads all requests again
    ended = steady_ns(hart)
    hart.asleep_ns += ended - began
    if hart.timeline_ring != 0:
        note_sleep(hart, began, ended)


@define
def is_firmware_waiting(hart) -> bool:
    """Whether firmware seems to wait for another hart. M mode that delegates traps runs for a short
    time only. If it is still running when a budget ends, it spins: OpenSBI does so, without a
    `pause`, until another hart has executed its fence."""
    return hart.budget <= 0 and hart.priv == MACHINE and hart.medeleg != 0
