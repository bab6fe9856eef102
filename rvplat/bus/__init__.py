"""The bus: address map, RAM, devices, interrupt lines, the clock. It does not depend on harts."""

from rvplat.bus.clock import Alarm, Clock, HostClock, VirtualClock
from rvplat.bus.console import Console
from rvplat.bus.device import (
    Device,
    FdtNode,
    InterruptController,
    Power,
    Progress,
    Route,
    RouteOutput,
    Wiring,
)
from rvplat.bus.failures import Failure, Failures
from rvplat.bus.fence import barrier
from rvplat.bus.host_calls import Caller, CallerMode, HostCalls
from rvplat.bus.images import MemoryImage
from rvplat.bus.interrupts import Line, MipBit
from rvplat.bus.lock import BusLock
from rvplat.bus.map import AddressMap, DeviceRaised, Range, overlaps
from rvplat.bus.natives import DeviceAlarm, State, afterwards, native, soon, unlocked
from rvplat.bus.natives.records import MAX_HARTS, RNMI
from rvplat.bus.ram import Memory, Ram
from rvplat.bus.registers import Hole, Register
from rvplat.bus.settings import setting

__all__ = [
    "MAX_HARTS",
    "RNMI",
    "AddressMap",
    "Alarm",
    "BusLock",
    "Caller",
    "CallerMode",
    "Clock",
    "Console",
    "Device",
    "DeviceAlarm",
    "DeviceRaised",
    "Failure",
    "Failures",
    "FdtNode",
    "Hole",
    "HostCalls",
    "HostClock",
    "InterruptController",
    "Line",
    "Memory",
    "MemoryImage",
    "MipBit",
    "Power",
    "Progress",
    "Ram",
    "Range",
    "Register",
    "Route",
    "RouteOutput",
    "State",
    "VirtualClock",
    "Wiring",
    "afterwards",
    "barrier",
    "native",
    "overlaps",
    "setting",
    "soon",
    "unlocked",
]
