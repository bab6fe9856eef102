"""The records of native devices: what every device has, interrupt lines, alarms.

A `Memory` is a record that a Python object owns. The object is found by the record's address, so
that words (words.py) can act on it when CPython runs a definition.
"""

from __future__ import annotations

import ctypes
from typing import Any
from weakref import WeakValueDictionary

from rvplat.frozen import frozen
from rvplat.lang import Integer, Record, address_of, ptr, u8, u32, u64

NEVER = (1 << 64) - 1  # the time of an alarm that is off
LINES = 1 << 63  # in BusState.asked: pass the levels of lines on
ALARMS = 1 << 62  # in BusState.asked: tell the clock of alarms
CHANGED, PULSED = 1, 2  # in LineState.changes
MAX_HARTS = 8  # of a machine
#: From this bit on, a hart's lines are its resumable non-maskable interrupts: RNMI + 3 is the one
#: with the cause 3 (Smrnmi). A hart without Smrnmi ignores them.
RNMI = 64

BusState = Record("BusState")  # of a device: its connection to the machine
BusState.add("machine", u64)  # host address of the machine's record; 0: native code doesn't run it
BusState.add("hart", u64)  # host address of the hart whose access runs a definition; 0: Python does
BusState.add("asked", u64)  # Python methods that run when the access is over, bit by bit
BusState.add("delayed", u64)  # Python methods that run soon
BusState.add("ticks", u64)  # the time for a definition that Python runs
BusState.add("number", u32)  # of the device among the machine's native devices
BusState.add("called", u32)  # 1: the device's thread has work (words.call_thread)
BusState.add("wakes", u8)  # 1: the hart wakes the thread when it has left the device

DeviceState = Record("Device")  # what every device's record begins with
DeviceState.add("bus", BusState)

LineState = Record("Line")  # an interrupt line
LineState.add("sink", u64)  # host address of the controller's native `set_input`; 0: it has none
LineState.add("controller", u64)  # host address of the controller's record
LineState.add("number", u64)  # of the controller's input
LineState.add("owner", ptr(DeviceState))
LineState.add("level", u8)
LineState.add("changes", u8)  # CHANGED: Python passes the level on; PULSED: it was high meanwhile

AlarmState = Record("Alarm")  # times are ticks since power-on (`Clock.elapsed`)
AlarmState.add("due", u64)  # NEVER: off
AlarmState.add("armed", u64)  # when the clock calls at the latest; NEVER: it does not
AlarmState.add("owner", ptr(DeviceState))

Gate = Record("Gate")  # keeps harts and Python apart (bus/lock.py)
Gate.add("inside", u32)  # 1: a hart runs a definition of a device
Gate.add("line_padding", u32, 15)
Gate.add("shut", u32)  # 1: Python does
Gate.add("is_thread", u8)  # 1: inside is a device's thread
Gate.add("wakes", u64)  # the harts, bit by bit, that it wakes when it has left


@frozen
class State:
    """A row of `Device.state`: a field of a native device's record, or an array of `count`. A
    register that is in `Device.rows` only needs such a row. `saved`: `Device.save` saves it.
    `lasting`: a reset leaves it as it is."""

    name: str
    type: type[Integer] = u64
    count: int = 0
    saved: bool = True
    lasting: bool = False


_owners: WeakValueDictionary[int, Any] = WeakValueDictionary()


class Memory:
    """Zeroed host memory of a record, aligned to a cache line. `owner` is the object whose state it
    is."""

    def __init__(self, record: Record, owner: Any) -> None:
        line = 64
        self._buffer = ctypes.create_string_buffer(record.size + line)
        first = ctypes.addressof(self._buffer)
        self.address = first + -first % line
        self.view: Any = record.view(self.address)
        self.plain: Any = record.plain(self.address)
        _owners[self.address] = owner


def owner_of(view: Any) -> Any:
    """The object whose state a record is."""
    return _owners[address_of(view)]


def plain(value: Any) -> Any:
    """An array of a record as a list; anything else as it is."""
    return list(value) if isinstance(value, ctypes.Array) else value


def is_saved(row: str | State) -> bool:
    """Whether a row of `Device.state` is saved."""
    return isinstance(row, str) or row.saved
