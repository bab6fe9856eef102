"""The words of native devices. Definitions say them as methods of their records: `self.now()`,
`self.irq.set(True)`, `self.alarm.start(ticks)`.

Here stands what a word means in CPython, where it acts on the Python object that owns the record.
rvplat/hart/device_words.py has its meaning in native code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rvplat.bus.natives.records import AlarmState, DeviceState, LineState, owner_of
from rvplat.lang import Declaration, u64

F = TypeVar("F", bound=Callable[..., Any])


class Word(Declaration):
    """A declared word whose body is its meaning in CPython."""

    def __call__(self, *arguments: Any) -> Any:
        given = self._arguments(arguments)
        result = self.function(*given)
        return None if self.signature.returns is None else self.signature.returns(result)


def word(function: F) -> F:
    """Declare a word."""
    return Word(function)


@word
def now(device: DeviceState) -> u64:
    """The platform's time in ticks, as `Clock.now`."""
    return owner_of(device).now()


@word
def wall_ns(device: DeviceState) -> u64:
    """The time of day in nanoseconds, as `Clock.wall_ns`."""
    return owner_of(device).wall_ns()


@word
def set_hart_line(device: DeviceState, hart: u64, bit: u64, level: bool) -> None:
    """For interrupt controllers: drive a bit of a hart's `mip`, or from RNMI on an RNMI, as
    `Wiring.set_hart_line`."""
    owner_of(device).set_hart_line(int(hart), int(bit), bool(level))


@word
def set_timer(device: DeviceState, hart: u64, mtimecmp: u64) -> None:
    """Set what a hart compares `mtime` with, as `Wiring.set_timer`."""
    owner_of(device).set_timer(int(hart), int(mtimecmp))


@word
def ram(device: DeviceState, pa: u64, size: u64) -> u64:
    """The host address of `size` bytes of RAM at a physical address; 0 if they are not all in RAM.
    A definition may write there until it returns, and then says `ram_written`: ask again each time,
    because an image of RAM may need what is there (`Memory.will_write`)."""
    return owner_of(device).ram(int(pa), int(size))


@word
def ram_to_read(device: DeviceState, pa: u64, size: u64) -> u64:
    """As `ram`, for definitions that don't write there."""
    return owner_of(device).ram_to_read(int(pa), int(size))


@word
def ram_written(device: DeviceState, pa: u64, size: u64) -> bool:
    """Tell the harts that a definition has written RAM: they drop what they decoded there. True if
    a device is carved out of this RAM: then call `Memory.written` afterwards."""
    return owner_of(device).ram_written(int(pa), int(size))


@word
def call_thread(device: DeviceState) -> None:
    """Wake the device's own thread, which waits in `Device.wait_for_call`."""
    owner_of(device).call_thread()


@word
def hold(device: DeviceState) -> bool:
    """For `unlocked` definitions: keep harts and Python out of native devices until `release`.
    False if Python is inside: then it is not held, and Python has to go on."""
    return owner_of(device).hold()


@word
def release(device: DeviceState) -> None:
    """Undo `hold`."""
    owner_of(device).release()


@word
def set_line(line: LineState, level: bool) -> None:
    """Drive an interrupt line, as `Line.set`."""
    owner_of(line).set(bool(level))


@word
def start(alarm: AlarmState, ticks: u64) -> None:
    """Let an alarm ring in so many ticks, once. A start replaces an earlier one."""
    owner_of(alarm).start(int(ticks))


@word
def stop(alarm: AlarmState) -> None:
    """Switch an alarm off. It is no error if it is off already."""
    owner_of(alarm).stop()


DeviceState.methods.update(
    now=now,
    wall_ns=wall_ns,
    set_hart_line=set_hart_line,
    set_timer=set_timer,
    ram=ram,
    ram_to_read=ram_to_read,
    ram_written=ram_written,
    call_thread=call_thread,
    hold=hold,
    release=release,
)
LineState.methods.update(set=set_line)
AlarmState.methods.update(start=start, stop=stop)
