"""How counters count: events, privilege modes, overflow (Privileged, "Sscofpmf" and "Smcntrpmf").

Nothing counts for a counter. The hart counts its retired instructions, page walks and traps anyway,
and a counter holds what has to be added to such a number; while it is stopped it holds its value.
So a counter costs something only where it stops or starts: where software writes its registers,
and, if some modes are excluded, where the mode changes.

An overflow is noticed where a budget ends (engine/core.py). A budget is made so short that it ends
at the instruction where a counter of instructions or cycles overflows, or soon after.

hart.mcycle, hart.minstret and hart.hpm_count hold the counters. hart.hpm_event has mhpmevent by
number, with mcyclecfg and minstretcfg as 0 and 2.
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import interrupts_changed, retired
from rvplat.isa.priv_m import Sm
from rvplat.isa.privileged import MACHINE, SUPERVISOR, Irq
from rvplat.lang import ctz, define, u64

Sscofpmf = Extension(
    "Sscofpmf", "1.0", "ratified", "Counter overflow and filtering by mode", ("S", "Zihpm")
)
Smcntrpmf = Extension(
    "Smcntrpmf", "1.0", "ratified", "cycle and instret filtered by mode", ("Sm", "Zicntr")
)
Shlcofideleg = Extension(
    "Shlcofideleg", "1.0", "ratified", "Overflow interrupts for VS mode", ("H", "Sscofpmf")
)

Sm.state("counters_stopped", u64)  # a bit for each counter: it stands, so its value is stored
Sm.state("hpm_count", u64, 32)
Sm.state("hpm_event", u64, 32)
Sm.state("hpm_seen", u64, 32)  # the value of a watched counter when it was looked at last
Sm.state("hpm_active", u64)  # counters from 3 on that have an event
Sm.state("hpm_filtered", u64)  # counters that don't count in some mode
Sm.state("hpm_watched", u64)  # counters whose overflow raises an interrupt
Sm.state("overflow_at", u64)  # retired instructions at which the first of them overflows


class Field:
    """Fields of mhpmevent, mcyclecfg and minstretcfg."""

    SELECTOR = 0xFFFF_FFFF
    VUINH = 1 << 58
    VSINH = 1 << 59
    UINH = 1 << 60
    SINH = 1 << 61
    MINH = 1 << 62
    OF = 1 << 63


class Event:
    """Selectors. The first five are the numbers of SBI's events (SBI, "Performance Monitoring Unit
    Extension"), so that firmware needs no table; the others are raw events."""

    CYCLES = 0x1
    INSTRUCTIONS = 0x2
    LOAD_MISSES = 0x10019  # of the data TLB, by loads
    STORE_MISSES = 0x1001B  # by stores and AMOs
    FETCH_MISSES = 0x10021  # of the instruction TLB
    EXCEPTIONS = 0x100
    INTERRUPTS = 0x101
    WALKS = 0x102  # of S mode's own page tables; then of a guest's first stage, of the second stage
    LAST_WALKS = 0x104


SBI_CACHE_EVENTS = (Event.LOAD_MISSES, Event.STORE_MISSES, Event.FETCH_MISSES)
RAW_EVENTS = tuple(range(Event.EXCEPTIONS, Event.LAST_WALKS + 1))
CYCLE, INSTRET = 0, 2  # numbers of counters
FIRST_EVENT = 3
HALF = 1 << 63
FAR = 1 << 62  # more instructions than a run has


@define
def counts_instructions(selector: u64) -> bool:
    """Whether an event is a retired instruction; a cycle is one too."""
    return selector == Event.CYCLES or selector == Event.INSTRUCTIONS


@define
def is_known(selector: u64) -> bool:
    """Whether the hart has an event."""
    if selector >= Event.EXCEPTIONS and selector <= Event.LAST_WALKS:
        return True
    if selector == Event.LOAD_MISSES or selector == Event.STORE_MISSES:
        return True
    return selector == Event.FETCH_MISSES or counts_instructions(selector)


@define(cold=True)
def taken(hart, first: u64) -> u64:
    """How many traps of 64 causes from `first` on were taken."""
    total = u64(0)
    for i in range(64):
        total += hart.traps_taken[first + i]
    return total


@define(cold=True)
def happened(hart, selector: u64) -> u64:
    """How often an event other than a retired instruction has happened on the hart."""
    if selector == Event.LOAD_MISSES:
        return hart.tlb_misses[0]
    if selector == Event.STORE_MISSES:
        return hart.tlb_misses[1]
    if selector == Event.FETCH_MISSES:
        return hart.tlb_misses[2]
    if selector == Event.EXCEPTIONS:
        return taken(hart, u64(0))
    if selector == Event.INTERRUPTS:
        return taken(hart, u64(64))
    if selector >= Event.WALKS and selector <= Event.LAST_WALKS:
        return hart.walks[selector - Event.WALKS]
    return u64(0)


@define
def selector_of(hart, n: u64) -> u64:
    """A counter's event."""
    if n < FIRST_EVENT:
        return u64(Event.CYCLES)
    return hart.hpm_event[n] & Field.SELECTOR


@define
def source(hart, n: u64, ahead: u64) -> u64:
    """The number that a counter follows, `ahead` instructions from now (0 or 1)."""
    selector = selector_of(hart, n)
    if counts_instructions(selector):
        return retired(hart) + ahead
    return happened(hart, selector)


@define
def is_stopped(hart, n: u64) -> bool:
    """Whether a counter stands."""
    return hart.counters_stopped >> n & 1 != 0


@define
def stored(hart, n: u64) -> u64:
    """What is stored for a counter."""
    if n == CYCLE:
        return hart.mcycle
    return hart.minstret if n == INSTRET else hart.hpm_count[n]


@define
def store(hart, n: u64, value: u64):
    """Store something for a counter."""
    if n == CYCLE:
        hart.mcycle = value
    elif n == INSTRET:
        hart.minstret = value
    else:
        hart.hpm_count[n] = value


@define
def value_of(hart, n: u64, ahead: u64) -> u64:
    """A counter's value, `ahead` instructions from now."""
    return stored(hart, n) if is_stopped(hart, n) else stored(hart, n) + source(hart, n, ahead)


@define
def put_counter(hart, n: u64, value: u64):
    """Make the next instruction read a value: the retirement of the writing one isn't counted
    (Zicsr, "CSR Instructions")."""
    store(hart, n, value if is_stopped(hart, n) else value - source(hart, n, u64(1)))


@define
def count_one(hart, n: u64):
    """Count an instruction that doesn't retire, if the counter counts instructions."""
    if not is_stopped(hart, n) and counts_instructions(selector_of(hart, n)):
        store(hart, n, stored(hart, n) + 1)


# --- modes --------------------------------------------------------------------------------------


@define
def inhibit_fields(hart) -> u64:
    """The fields xINH of the modes that the hart has."""
    fields = u64(Field.MINH)
    fields |= u64(Field.SINH) if hart.has_s != 0 else u64(0)
    fields |= u64(Field.UINH) if hart.has_u != 0 else u64(0)
    return fields | (Field.VSINH | Field.VUINH) if hart.has_h != 0 else fields


@define
def field_of_mode(hart) -> u64:
    """The field that excludes the current mode."""
    if hart.priv == MACHINE:
        return u64(Field.MINH)
    if hart.priv == SUPERVISOR:
        return u64(Field.VSINH) if hart.virt != 0 else u64(Field.SINH)
    return u64(Field.VUINH) if hart.virt != 0 else u64(Field.UINH)


@define
def excluded_here(hart) -> u64:
    """The counters that don't count in the current mode."""
    field = field_of_mode(hart)
    found = u64(0)
    left = hart.hpm_filtered
    while left != 0:
        n = ctz(left)
        left &= left - 1
        if hart.hpm_event[n] & field != 0:
            found |= u64(1) << n
    return found


@define(cold=True)
def restart_counters(hart, counted: u64):
    """Stop and start counters after a change of the mode, of mcountinhibit or of a filter. They
    keep their values. `counted` is 1 if the current instruction is counted as before the change."""
    if hart.hpm_watched != 0:
        find_overflows(hart, counted)
    now = hart.mcountinhibit | excluded_here(hart)
    changed = now ^ hart.counters_stopped
    while changed != 0:
        n = ctz(changed)
        changed &= changed - 1
        if now >> n & 1 != 0:
            store(hart, n, stored(hart, n) + source(hart, n, counted))
        else:
            store(hart, n, stored(hart, n) - source(hart, n, counted))
    hart.counters_stopped = now
    watch_counters(hart, counted)


@define
def filter_changed(hart, n: u64, value: u64):
    """Write mcyclecfg, minstretcfg or mhpmevent, on which a counter depends."""
    bit = u64(1) << n
    hart.hpm_event[n] = value
    hart.hpm_filtered &= ~bit
    hart.hpm_filtered |= bit if value & inhibit_fields(hart) != 0 else u64(0)


@define
def legal_event(hart, value: u64) -> u64:
    """A selector of no event becomes 0. Fields of absent modes are read-only zero."""
    selector = value & Field.SELECTOR
    fields = value & (inhibit_fields(hart) | Field.OF)
    return fields | selector if is_known(selector) else fields


@define(cold=True)
def set_event(hart, n: u64, value: u64):
    """Write mhpmevent. The counter keeps its value."""
    if hart.hpm_watched != 0:
        find_overflows(hart, u64(0))
    bit = u64(1) << n
    value_now = value_of(hart, n, u64(0))
    filter_changed(hart, n, legal_event(hart, value))
    hart.hpm_active &= ~bit
    hart.hpm_active |= bit if selector_of(hart, n) != 0 else u64(0)
    stopped = (hart.mcountinhibit | excluded_here(hart)) & bit
    hart.counters_stopped = (hart.counters_stopped & ~bit) | stopped
    store(hart, n, value_now if stopped != 0 else value_now - source(hart, n, u64(0)))
    watch_counters(hart, u64(0))


# --- overflow ("Count Overflow Control") --------------------------------------------------------


@define(cold=True)
def watch_counters(hart, ahead: u64):
    """Find the counters whose overflow raises an interrupt, and when the first of them is due."""
    watched = u64(0)
    nearest = u64(FAR)
    left = hart.hpm_active & ~hart.counters_stopped
    while left != 0:
        n = ctz(left)
        left &= left - 1
        if hart.hpm_event[n] & Field.OF == 0:
            watched |= u64(1) << n
            value = value_of(hart, n, ahead)
            hart.hpm_seen[n] = value
            if counts_instructions(selector_of(hart, n)) and value != 0 and 0 - value < nearest:
                nearest = 0 - value
    hart.hpm_watched = watched
    hart.overflow_at = retired(hart) + ahead + nearest
    if watched != 0 and hart.budget > 0 and nearest < u64(hart.budget):
        hart.attention = 1  # the budget is too long
        hart.resync = 1


@define(cold=True)
def find_overflows(hart, ahead: u64):
    """Look for watched counters that have overflowed: each sets OF and LCOFIP. In the meantime none
    has counted half of its range."""
    left = hart.hpm_watched
    found = False
    while left != 0:
        n = ctz(left)
        left &= left - 1
        value = value_of(hart, n, ahead)
        if hart.hpm_seen[n] & ~value & HALF != 0:
            hart.hpm_event[n] |= Field.OF
            hart.mip |= Irq.LCOFI
            found = True
        hart.hpm_seen[n] = value
    if found:
        watch_counters(hart, ahead)
        interrupts_changed(hart)


@define
def overflow_bits(hart) -> u64:
    """Bit n is OF of mhpmevent n."""
    found = u64(0)
    for n in range(FIRST_EVENT, 32):
        found |= hart.hpm_event[n] >> 63 << n
    return found
