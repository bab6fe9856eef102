"""The words of native devices (bus/natives/words.py) in native code."""

from rvplat.bus.natives import words
from rvplat.bus.natives.records import (
    ALARMS,
    CHANGED,
    LINES,
    NEVER,
    PULSED,
    RNMI,
    AlarmState,
    DeviceState,
    Gate,
    LineState,
)
from rvplat.hart.acceleration.invalidate import dma_written
from rvplat.hart.acceleration.saved_pages import before_dma
from rvplat.hart.acceleration.young_pages import hart_at
from rvplat.hart.counters import NS, host_time, read_time
from rvplat.hart.debugging.timeline_events import note_driven
from rvplat.hart.ports import device_at, enter_gate, wake_thread
from rvplat.hart.state import WATCHED, HartState, MachineState
from rvplat.lang import (
    atomic_store_u32,
    call_host,
    define,
    fence,
    host_address,
    implement,
    intrinsic,
    record_at,
    u8,
    u32,
    u64,
)

MachineState.add("wall_fn", u64)  # host function: nanoseconds since 1970-01-01 UTC
MachineState.add("epoch_ns", u64)  # of a virtual clock: the time of day at power-on

_ATTENTION = HartState.fields["attention"].offset


machine_at = record_at(MachineState)
gate_at = record_at(Gate)


@intrinsic(
    "%f{t} = inttoptr i64 {0} to ptr\n%d{t} = inttoptr i64 {1} to ptr\n"
    "%i{t} = zext i1 {3} to i64\n"
    "%v{t} = call i64 %f{t}(ptr %d{t}, i64 {2}, i64 %i{t}, ptr {4})",
    writes=True,
)
def call_input(function: u64, controller: u64, number: u64, level: bool, hart: HartState) -> None:
    """Call a controller's native `set_input`."""
    raise NotImplementedError


# --- time ----------------------------------------------------------------------------------------


@implement(words.now)
def now(device: DeviceState) -> u64:
    machine = machine_at(device.bus.machine)
    if machine.clock_virtual == 0:
        return host_time(machine)
    if device.bus.hart == 0:
        return device.bus.ticks
    return read_time(hart_at(device.bus.hart))


@define
def elapsed(device: DeviceState) -> u64:
    """Ticks since power-on, as `Clock.elapsed`."""
    return now(device) - machine_at(device.bus.machine).time_offset


@implement(words.wall_ns)
def wall_ns(device: DeviceState) -> u64:
    machine = machine_at(device.bus.machine)
    if machine.epoch_ns == 0:
        return call_host(machine.wall_fn, u64(0), u64(0), u64(0), u64(0))
    ticks = elapsed(device)
    hz = machine.timebase_hz
    return machine.epoch_ns - 1 + ticks // hz * NS + ticks % hz * NS // hz


@implement(words.start)
def start(alarm: AlarmState, ticks: u64) -> None:
    due = elapsed(alarm.owner) + ticks
    if due < ticks or due == NEVER:
        due = u64(NEVER - 1)
    alarm.due = due
    if due < alarm.armed:
        alarm.owner.bus.asked |= ALARMS


@implement(words.stop)
def stop(alarm: AlarmState) -> None:
    alarm.due = NEVER


# --- memory --------------------------------------------------------------------------------------


@implement(words.ram)
def ram(device: DeviceState, pa: u64, size: u64) -> u64:
    host = ram_to_read(device, pa, size)
    if host != 0:
        before_dma(hart_at(machine_at(device.bus.machine).harts[0]), pa, size)
    return host


@implement(words.ram_to_read)
def ram_to_read(device: DeviceState, pa: u64, size: u64) -> u64:
    """Regions follow each other in the host's memory where they are parts of one RAM."""
    machine = machine_at(device.bus.machine)
    host = u64(0)
    found = u64(0)  # bytes so far
    for i in range(machine.ram_count):
        region = machine.ram[i]
        at = pa + found - region.base
        if at < region.size and (host == 0 or region.host + at == host + found):
            if host == 0:
                host = region.host + at
            found += region.size - at
            if found >= size:
                return host
    return u64(0)


@implement(words.ram_written)
def ram_written(device: DeviceState, pa: u64, size: u64) -> bool:
    machine = machine_at(device.bus.machine)
    dma_written(hart_at(machine.harts[0]), pa, size)
    for i in range(machine.ram_count):
        region = machine.ram[i]
        if (
            region.writable == WATCHED
            and pa < region.base + region.size
            and region.base < pa + size
        ):
            return True
    return False


# --- the device's own thread ---------------------------------------------------------------------


@implement(words.call_thread)
def call_thread(device: DeviceState) -> None:
    """The thread clears `called` before it looks for work, so a call that finds it set is not
    lost. A hart wakes the thread after it has left: a thread that wakes wants to enter."""
    if device.bus.called == 0:
        device.bus.called = 1
        if device.bus.hart != 0:
            device.bus.wakes = 1
        else:
            wake_thread(machine_at(device.bus.machine), device)


@implement(words.hold)
def hold(device: DeviceState) -> bool:
    machine = machine_at(device.bus.machine)
    if not enter_gate(machine.gate):
        return False
    gate_at(machine.gate).is_thread = 1
    return True


@implement(words.release)
def release(device: DeviceState) -> None:
    """Harts wake after it has left: they want to enter."""
    machine = machine_at(device.bus.machine)
    gate = gate_at(machine.gate)
    wakes = gate.wakes
    gate.wakes = 0
    gate.is_thread = 0
    atomic_store_u32(machine.gate, u32(0))
    hart = u64(0)
    while wakes != 0:
        if wakes & 1 != 0:
            wake_hart(machine, hart_at(machine.harts[hart]))
        wakes >>= 1
        hart += 1


# --- interrupts ----------------------------------------------------------------------------------


@define
def alert(machine: MachineState, hart: u64):
    """Make a hart look at its lines and timers, which were changed (hart/sleep.py). It may be the
    hart that runs this."""
    target = hart_at(machine.harts[hart])
    fence()
    target.attention = 1
    fence()
    gate = gate_at(machine.gate)
    if gate.is_thread != 0:
        gate.wakes |= u64(1) << hart
    else:
        wake_hart(machine, target)


@define
def wake_hart(machine: MachineState, target: HartState):
    """Wake a hart, if it is in WFI."""
    if target.waiting != 0:
        word = host_address(target) + _ATTENTION
        call_host(machine.wake_fn, word, u64(0), u64(0), u64(0))


@define
def driven(lines: u64, bit: u64, level: bool) -> u64:
    """The levels of lines after one of them is driven."""
    return (lines & ~(u64(1) << bit)) | u64(level) << bit


@implement(words.set_hart_line)
def set_hart_line(device: DeviceState, hart: u64, bit: u64, level: bool) -> None:
    machine = machine_at(device.bus.machine)
    target = hart_at(machine.harts[hart])
    if bit >= RNMI:
        if target.has_smrnmi != 0:
            target.rnmi_lines = driven(target.rnmi_lines, bit - RNMI, level)
            alert(machine, hart)
        return
    lines = driven(target.irq_lines, bit, level)
    if lines != target.irq_lines:
        target.irq_lines = lines
        if target.timeline_ring != 0:
            note_driven(target, bit, level)
        alert(machine, hart)


@implement(words.set_timer)
def set_timer(device: DeviceState, hart: u64, mtimecmp: u64) -> None:
    machine = machine_at(device.bus.machine)
    target = hart_at(machine.harts[hart])
    target.mtimecmp = mtimecmp
    alert(machine, hart)


@implement(words.set_line)
def set_line(line: LineState, level: bool) -> None:
    if not level and line.level == 0:
        return
    line.level = u8(level)
    if line.sink != 0:
        bus = device_at(line.controller).bus
        bus.hart = line.owner.bus.hart
        call_input(line.sink, line.controller, line.number, level, some_hart(line.owner))
        bus.hart = 0
        if bus.asked != 0:
            line.owner.bus.asked |= LINES
        return
    line.changes |= u8(CHANGED | PULSED) if level else u8(CHANGED)
    line.owner.bus.asked |= LINES


@define
def some_hart(device: DeviceState) -> HartState:
    """The hart that makes the access; hart 0 if Python runs the definition."""
    if device.bus.hart != 0:
        return hart_at(device.bus.hart)
    return hart_at(machine_at(device.bus.machine).harts[0])
