"""Budgets: how many instructions a hart executes until it looks at the clock and at other threads.

A budget is tested where a jump or branch was taken and at the end of a page, in slots and in
regions alike. So it ends up to SLACK instructions late. What must come at its own instruction is
the hart's next *event*: the end of the limit, and with a virtual clock also a timer and the
overflow of a counter. Near an event, in the *window*, a budget is granted for one test only. If
the event could come before that test, the hart executes one instruction at a time.
"""

from rvplat.engine.decode import NO_ROW, find_row, read_page
from rvplat.engine.hot_code import sample_exit, sample_split, take_sample
from rvplat.hart.acceleration.young_pages import pass_young
from rvplat.hart.counters import NEVER, timer_check
from rvplat.hart.debugging.profile_samples import take_profile
from rvplat.hart.interrupts import answer_call
from rvplat.hart.ports import run_delayed
from rvplat.hart.sleep import is_firmware_waiting
from rvplat.hart.state import (
    FETCH_ENTRIES,
    STOP_BREAK,
    STOP_LIMIT,
    STOP_NONE,
    STOP_REQUEST,
    STOP_STUCK,
    HartState,
)
from rvplat.hart.triggers import is_counted
from rvplat.isa.hpm import find_overflows
from rvplat.isa.machinery.vocabulary import relax, retired
from rvplat.isa.privileged import MACHINE, PAGE_BYTES, PAGE_MASK
from rvplat.lang import define, s64, u32, u64

QUANTUM = 8192  # instructions between two checks of the clock and of other threads, at most
VARIES = 2048  # by so many it varies: else samples fall at a few places of a long loop only
STEP = 797  # odd, and far from 1 and VARIES: neighbours differ much, and all values come
SLACK = 2112  # more than the instructions between any two tests of the budget
FAR_TICKS = 1 << 40  # a timer that is farther away than any turn lasts
LOOKS_AT_EVENTS = 0x4000  # retired instructions between two looks at counters of events

HartState.derived("window", s64)  # instructions until the event, if it is near; else 0


@define
def until_overflow(hart, grant: s64) -> s64:
    """A budget that ends where a counter overflows, if it is longer."""
    due = hart.overflow_at - retired(hart)
    return s64(due) if due != 0 and due < u64(grant) else grant


@define
def runs_alone(hart) -> bool:
    """Whether the next instruction is executed alone: a search, or an icount trigger, asks after
    it."""
    if hart.search_code != 0 and hart.search_steps | hart.search_due != 0:
        return True
    return is_counted(hart)


@define(cold=True)
def step_from_here(hart):
    """Grant a budget of one instruction: each is asked for."""
    rest = hart.budget - 1
    hart.limit += rest
    hart.instret_base -= u64(rest)
    hart.budget = s64(1)
    hart.stepping = 1


@define
def look_around(hart):
    """What other threads want, and what is noted from time to time. None of it is the guest's."""
    if hart.machine.shared == 0 and is_firmware_waiting(hart):
        relax(hart)
    if hart.delayed != 0:
        run_delayed(hart)
    answer_call(hart)
    pass_young(hart)
    hart.passes += 1
    if hart.machine.regions_on != 0:
        take_sample(hart)
        sample_exit(hart)
        sample_split(hart)
    if hart.profile_ring != 0:
        take_profile(hart)


@define
def until_event(hart, left: s64) -> s64:
    """With a virtual clock: the instructions until the next timer or overflow, and `left` at most.
    Timers and overflows that are due have been seen to."""
    nearest = u64(left)
    if hart.deadline != NEVER:
        ticks = hart.deadline - hart.machine.time_now
        spent = retired(hart) - hart.slice_start
        if ticks < FAR_TICKS and ticks * hart.machine.instructions_per_tick - spent < nearest:
            nearest = ticks * hart.machine.instructions_per_tick - spent
    if hart.hpm_watched != 0:
        due = hart.overflow_at - retired(hart)
        if due != 0 and due < nearest:
            nearest = due
        look = LOOKS_AT_EVENTS - retired(hart) % LOOKS_AT_EVENTS
        if look < nearest:
            nearest = look
    if hart.priv == MACHINE and hart.yield_at != 0:
        until_yield = hart.yield_at - retired(hart)
        if until_yield == 0:
            hart.patience *= 2
            hart.yield_at += hart.patience
            hart.yields = 1
        elif until_yield < nearest:
            nearest = until_yield
    return s64(nearest) if nearest != 0 else s64(1)


@define
def see_overflows(hart):
    """Look for counters that have overflowed. With a virtual clock the guest's own instructions say
    when: other threads may end a budget anywhere."""
    if hart.machine.exact != 0:
        at_look = retired(hart) % LOOKS_AT_EVENTS == 0
        if not at_look and retired(hart) != hart.overflow_at:
            return
    find_overflows(hart, u64(0))


@define(cold=True)
def refill(hart):
    """The budget has ended, or another thread calls: check timers and requests of other threads,
    and grant another budget."""
    if hart.window == 0 or hart.attention != 0 or hart.limit + hart.budget <= 0:
        look_around(hart)  # at the end of a run too, so that nothing is noted for the next one
    if hart.stop_request != 0 and hart.stop != STOP_STUCK and hart.stop != STOP_BREAK:
        hart.stop = STOP_REQUEST  # a break comes first: the request is seen at the next entry
    timer_check(hart)
    if hart.hpm_watched != 0:
        see_overflows(hart)
    left = hart.limit + hart.budget
    hart.window = s64(0)
    if left <= 0:
        if hart.stop == STOP_NONE:
            hart.stop = STOP_LIMIT
        return
    if hart.machine.exact != 0:
        hart.granted_deadline = hart.deadline
        left = until_event(hart, left)
    hart.stepping = u32(runs_alone(hart))
    grant = left - SLACK
    if left <= SLACK:
        hart.window = left
    if hart.stepping != 0 or grant < 1:
        grant = s64(1)
    elif grant > QUANTUM:
        grant = s64(QUANTUM) - s64(retired(hart) // VARIES * STEP % VARIES)
    if hart.hpm_watched != 0:
        grant = until_overflow(hart, grant)
    hart.limit -= grant - hart.budget
    hart.instret_base += u64(grant - hart.budget)
    hart.budget = grant


@define
def lasts(hart) -> bool:
    """Whether the code at hart.pc comes to a test of the budget before the event. The tests that
    are sure to come are at the end of the page and at an instruction that always jumps. A single
    instruction is a step: debuggers and traces read which one it was (hart.scratch_bits)."""
    if hart.window == 1:
        return False
    offset = hart.pc & 0xFFE
    if s64(PAGE_BYTES - offset >> 1) <= hart.window:
        return True
    entry = hart.fetch[hart.pc >> 12 & (FETCH_ENTRIES - 1)]
    if entry.tag != hart.pc & PAGE_MASK:
        return False
    for _n in range(hart.window):
        number = find_row(hart, read_page(entry.host, offset))
        if number == NO_ROW or hart.decode_rows[number].jumps != 0:
            return True
        offset += u64(hart.decode_rows[number].length)
        if offset >= 0xFFE:
            return offset >= PAGE_BYTES
    return False


@define
def end_turn(hart):
    """Leave native code before the limit, so that other harts have their turns. Python clears
    hart.yields."""
    if hart.stop == STOP_NONE:
        hart.stop = STOP_LIMIT
