"""Time, retired instructions, and when the hart's timers fire.

hart.timer_lines holds MTIP, STIP and VSTIP as of the last update. They are updated when software
reads mip or writes something that they depend on, and at hart.deadline: the earliest tick at which
a timer that mie enables will rise. So MTIP and STIP "are guaranteed to be reflected eventually"
(Privileged, "Machine Timer Registers"), and the run loop compares the time with one number only.
Other code that writes mtimecmp or sets the clock must make `update_deadline` run in the hart's own
thread afterwards.
"""

from rvplat.hart.state import HartState, MachineState
from rvplat.isa.machinery import vocabulary
from rvplat.isa.privileged import EnvCfg, Irq
from rvplat.lang import call_host, define, implement, u8, u64

NEVER = (1 << 64) - 1  # no timer will fire
NS = 1_000_000_000
PATIENCE = 2000  # instructions in M mode until a hart ends its turn; then twice as many, and so on

MachineState.add("time_offset", u64)  # ticks: how far mtime is ahead of the time since power-on
MachineState.add("exact", u64)  # 1: what the clock says comes at its own instruction (budgets.py)
MachineState.add("least_turn", u64)  # instructions before which a `pause` doesn't end a turn
MachineState.add("shared", u64)  # 1: several harts take turns in one thread, with a virtual clock
HartState.saved("yields", u8)  # 1: the hart ends its turn
HartState.saved("yield_at", u64)  # retired instructions at which M mode ends its turn; or 0
HartState.saved("patience", u64)  # instructions from there to the next time
HartState.derived("granted_deadline", u64)  # the deadline for which the budget was granted
HartState.saved("slice_start", u64)  # retired instructions at which machine.time_now was the time


@implement(vocabulary.retired)
def retired(hart) -> u64:
    """Retired instructions. The budget falls by one after each; a refill adds the same to both."""
    return hart.instret_base - u64(hart.budget)


@define
def ticks_of(ns: u64, hz: u64) -> u64:
    """Nanoseconds in ticks, without a product that could overflow."""
    return ns // NS * hz + ns % NS * hz // NS


@define
def steady_ns(hart) -> u64:
    """The host's steady clock, the same as Python's time.monotonic_ns."""
    return call_host(hart.machine.clock_fn, u64(0), u64(0), u64(0), u64(0))


@define
def host_time(machine: MachineState) -> u64:
    """mtime from the host's clock."""
    now = call_host(machine.clock_fn, u64(0), u64(0), u64(0), u64(0))
    return ticks_of(now - machine.clock_base_ns, machine.timebase_hz) + machine.time_offset


@implement(vocabulary.read_time, cold=True)
def read_time(hart) -> u64:
    """mtime: from the host's clock, or on a board with a virtual clock from retired instructions.

    With a virtual clock machine.time_now is the time at the start of the hart's turn.
    """
    machine = hart.machine
    if machine.clock_virtual != 0:
        elapsed = retired(hart) - hart.slice_start
        return machine.time_now + elapsed // machine.instructions_per_tick
    return host_time(machine)


@define
def enter_firmware(hart):
    """The hart enters M mode, on a machine whose harts take turns. Firmware runs for a short time
    only. If it is still running after PATIENCE instructions, it waits for another hart: OpenSBI
    does so without a `pause`, until the other has executed its fence."""
    hart.patience = u64(PATIENCE)
    hart.yield_at = retired(hart) + PATIENCE
    hart.attention = 1  # the budget may be too long


@define
def timers_at(hart, now: u64) -> u64:
    """MTIP and, while menvcfg.STCE gives it to stimecmp, STIP: time >= comparand, unsigned. VSTIP,
    while henvcfg.STCE gives it to vstimecmp: time + htimedelta, modulo 2**64."""
    lines = u64(Irq.MTI) if now >= hart.mtimecmp else u64(0)
    if hart.menvcfg & EnvCfg.STCE != 0:
        if now >= hart.stimecmp:
            lines |= Irq.STI
        if hart.henvcfg & EnvCfg.STCE != 0 and now + hart.htimedelta >= hart.vstimecmp:
            lines |= Irq.VSTI
    return lines


@define
def refresh_timers(hart):
    """Update the timers' lines."""
    hart.timer_lines = timers_at(hart, read_time(hart))


@define
def guest_deadline(hart) -> u64:
    """The tick at which vstimecmp's interrupt, which isn't pending, will rise."""
    if hart.menvcfg & hart.henvcfg & EnvCfg.STCE == 0:
        return u64(NEVER)
    now = read_time(hart)
    at = now + (hart.vstimecmp - (now + hart.htimedelta))
    return at if at > now else u64(NEVER)


@implement(vocabulary.update_deadline)
def update_deadline(hart):
    """Update the timers' lines, and the tick at which the next one that mie enables rises."""
    refresh_timers(hart)
    awaited = hart.mie & ~hart.timer_lines
    deadline = u64(NEVER)
    if awaited & Irq.MTI != 0:
        deadline = hart.mtimecmp
    if awaited & Irq.STI != 0 and hart.menvcfg & EnvCfg.STCE != 0 and hart.stimecmp < deadline:
        deadline = hart.stimecmp
    if awaited & Irq.VSTI != 0:
        guest = guest_deadline(hart)
        deadline = guest if guest < deadline else deadline
    hart.deadline = deadline
    if hart.machine.exact != 0 and deadline < hart.granted_deadline:
        hart.granted_deadline = deadline
        hart.attention = 1  # the budget is too long
        hart.resync = 1


@define
def timer_check(hart):
    """For the run loop, when a budget has ended: raise the lines of timers whose tick has come."""
    if hart.deadline != NEVER and read_time(hart) >= hart.deadline:
        update_deadline(hart)
        hart.resync = 1
