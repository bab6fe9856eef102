"""Registers of native devices, as harts reach them: without Python.

The machine has a row for each register, or array of registers, that native code can read or write.
A hart remembers in `ports` which row answers an access of a size at a physical address, or that
none does. Rows never change while harts run, so that a port is never wrong.

Only one thread is in native devices at a time. A hart enters if no other hart is inside and the
gate is open (bus/lock.py says why there is a gate). Otherwise it makes the access through Python,
which waits for the bus lock.
"""

from rvplat.bus.natives.records import BusState, DeviceState, Gate
from rvplat.hart.ram import read_host, write_host
from rvplat.hart.state import STOP_STUCK, HartState, MachineState
from rvplat.isa.fp_state import call_out
from rvplat.lang import (
    Record,
    atomic_load_u32,
    atomic_store_u32,
    atomic_swap_u32,
    call_host,
    define,
    fence,
    host_address,
    intrinsic,
    ptr,
    record_at,
    u8,
    u32,
    u64,
)

PORTS = 256  # of a hart
SPINS = 200  # attempts to enter, before the access is made through Python

READABLE = 1  # flags of a row
WRITABLE = 2
INDEXED = 4  # an array: its functions take the index first
READS_TIME = 8  # reading it tells the time
WRITES_TIME = 16  # writing it does
PLAIN_READ = 32  # a read is one load

LOADS = 0  # ways of an access
STORES = 1

PortRow = Record("PortRow")
PortRow.add("first", u64)  # physical address of the register, or of the array's first
PortRow.add("stride", u64)  # bytes from one to the next
PortRow.add("count", u64)
PortRow.add("width", u64)  # bytes of one
PortRow.add("widths", u64)  # the sizes of accesses, added
PortRow.add("mask", u64)  # bits that can be written
PortRow.add("device", u64)  # host address of the device's record
PortRow.add("read", u64)  # host address of a function (device, a, b, hart) -> value
PortRow.add("write", u64)
PortRow.add("place", u64)  # host address of the field that is accessed where a function is 0
PortRow.add("bytes", u64)  # of the field, or of one element
PortRow.add("flags", u64)

Port = Record("Port")  # what answers an access
Port.add("key", u64)  # address, size and way
Port.add("device", u64)  # 0: Python answers
Port.add("read", u64)
Port.add("write", u64)
Port.add("place", u64)
Port.add("bytes", u64)
Port.add("index", u64)
Port.add("shift", u64)  # of the part that is accessed
Port.add("part", u64)  # its bits; 0: the whole register
Port.add("mask", u64)
Port.add("flags", u64)

MachineState.add("port_rows", ptr(PortRow))
MachineState.add("port_count", u64)
MachineState.add("gate", u64)  # host address of the bus lock's Gate

HartState.outside("mmio_asked", u64)  # host function (hart, device's number): it asks for Python
HartState.outside("mmio_delayed", u64)  # host function (hart): devices want something to be run
HartState.derived("delayed", u8)  # 1: a device that the hart accessed wants Python to run something
HartState.derived("in_device", u64)  # host address of the device that the hart is in; 0: in none
HartState.derived("port_error", u8)  # a definition of a device has raised
HartState.outside("ports", Port, PORTS)

_SHUT = Gate.fields["shut"].offset
_CALLED = DeviceState.fields["bus"].offset + BusState.fields["called"].offset


device_at = record_at(DeviceState)


@intrinsic(
    "%f{t} = inttoptr i64 {0} to ptr\n%d{t} = inttoptr i64 {1} to ptr\n"
    "{result} = call i64 %f{t}(ptr %d{t}, i64 {2}, i64 {3}, ptr {4})",
    writes=True,
)
def call_port(function: u64, device: u64, a: u64, b: u64, hart: HartState) -> u64:
    """Call native code of a device."""
    raise NotImplementedError


# --- which register ------------------------------------------------------------------------------


@define
def serves(row: PortRow, at: u64, size: u64, way: u64) -> bool:
    """Whether a row answers an access at an offset from its first register."""
    if at >= row.stride * row.count or row.widths & size == 0:
        return False
    wanted = u64(READABLE) if way == LOADS else u64(WRITABLE)
    if row.flags & wanted == 0:
        return False
    byte = at % row.stride
    return byte == 0 or (byte < row.width and size < row.width)


@define(cold=True)
def find_port(hart, port: Port, key: u64, pa: u64, size: u64, way: u64):
    """Fill a port: find the row that answers an access."""
    machine = hart.machine
    port.key = key
    port.device = 0
    for i in range(machine.port_count):
        row = machine.port_rows[i]
        at = pa - row.first
        if serves(row, at, size, way):
            is_part = size < row.width
            port.device = row.device
            port.read = row.read
            port.write = row.write
            port.index = at // row.stride
            port.place = row.place + port.index * row.bytes
            port.bytes = row.bytes
            port.shift = at % row.stride * 8
            port.part = (u64(1) << size * 8) - 1 if is_part else u64(0)
            port.mask = row.mask
            port.flags = row.flags
            if is_part:
                port.flags &= ~u64(PLAIN_READ)
            break


@define
def port_of(hart, pa: u64, size: u64, way: u64) -> Port:
    """What answers an aligned access at a physical address."""
    port = hart.ports[(pa ^ pa >> 9) & (PORTS - 1)]
    key = pa << 5 | size << 1 | way
    if port.key != key:
        find_port(hart, port, key, pa, size, way)
    return port


# --- access --------------------------------------------------------------------------------------


@define
def enter_gate(gate: u64) -> bool:
    """Keep other threads out of native devices. False: Python is inside, or somebody for long."""
    for _turn in range(SPINS):
        if atomic_swap_u32(gate, u32(1)) == 0:
            if atomic_load_u32(gate + _SHUT) == 0:
                return True
            atomic_store_u32(gate, u32(0))
            return False
    return False


@define
def enter_devices(hart) -> bool:
    """Keep other harts and Python out of native devices. False: make the access through Python."""
    return enter_gate(hart.machine.gate)


@define
def wake_thread(machine: MachineState, device: DeviceState):
    """Wake a device's own thread (words.call_thread)."""
    fence()
    call_host(machine.wake_fn, host_address(device) + _CALLED, u64(0), u64(0), u64(0))


@define
def leave_devices(hart, device: u64) -> bool:
    """End an access. Returns whether the device refused it."""
    bus = device_at(device).bus
    refused = hart.port_error != 0
    hart.port_error = 0
    bus.hart = 0
    asked = bus.asked != 0
    if hart.stop != STOP_STUCK:
        hart.in_device = 0
    if bus.delayed != 0:
        hart.delayed = 1
    wakes = bus.wakes != 0
    bus.wakes = 0
    atomic_store_u32(hart.machine.gate, u32(0))
    if wakes:
        wake_thread(hart.machine, device_at(device))
    if asked:
        call_out(hart, hart.mmio_asked, u64(bus.number), u64(0), u64(0))
    if hart.attention != 0:
        hart.resync = 1
    return refused


@define
def read_whole(hart, port: Port) -> u64:
    """The value of the register."""
    if port.read == 0:
        return read_host(port.place, port.bytes)
    return call_port(port.read, port.device, port.index, u64(0), hart)


@define
def write_whole(hart, port: Port, value: u64):
    """Write the register."""
    if port.write == 0:
        write_host(port.place, port.bytes, value & port.mask)
    elif port.flags & INDEXED != 0:
        call_port(port.write, port.device, port.index, value & port.mask, hart)
    else:
        call_port(port.write, port.device, value & port.mask, u64(0), hart)


@define
def read_port(hart, port: Port) -> tuple[u64, bool]:
    """Read a register, or a part of it, inside. Returns also whether the device refused it."""
    device_at(port.device).bus.hart = host_address(hart)
    hart.in_device = port.device
    value = read_whole(hart, port)
    if port.part != 0:
        value = value >> port.shift & port.part
    return value, leave_devices(hart, port.device)


@define
def write_port(hart, port: Port, value: u64) -> bool:
    """Write a register, or a part of it, inside. Returns whether the device refused it."""
    device_at(port.device).bus.hart = host_address(hart)
    hart.in_device = port.device
    if port.part != 0:
        rest = read_whole(hart, port) & ~(port.part << port.shift)
        value = rest | (value & port.part) << port.shift
    write_whole(hart, port, value)
    return leave_devices(hart, port.device)


@define(cold=True)
def run_delayed(hart):
    """Let Python run what native devices have delayed."""
    call_out(hart, hart.mmio_delayed, u64(0), u64(0), u64(0))
