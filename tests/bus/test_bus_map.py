"""The address map, RAM, and how the guest sees the failure of a device."""

from __future__ import annotations

import ctypes

import pytest

from rvplat.bus import (
    AddressMap,
    Device,
    DeviceRaised,
    Memory,
    Ram,
    Range,
    Register,
    Wiring,
    overlaps,
)
from rvplat.errors import BusError, DeviceError, HostError


class Cell(Device):
    """A device with one register whose accesses can be made to raise."""

    model = "cell"
    size = 0x10
    registers = (Register(0, "CELL", "VALUE[31:0]"), Register(4, "BAD", "VALUE[31:0]"))

    def read_bad(self) -> int:
        return 1 // 0

    def write_bad(self, value: int) -> None:
        raise KeyError(value)


@pytest.fixture
def bus() -> AddressMap:
    memory = Memory()
    memory.add(Ram(0x8000_0000, 0x10000))
    bus = AddressMap(memory)
    bus.attach(0x1000, Cell(wiring=Wiring(name="low")))
    bus.attach(0x2000, Cell(wiring=Wiring(name="high")))
    return bus


def test_accesses_go_to_the_device_at_the_address(bus: AddressMap) -> None:
    bus.write(0x1000, 4, 1)
    bus.write(0x2000, 4, 2)
    bus.write(0x8000_0000, 8, 3)
    assert [bus.read(0x1000, 4), bus.read(0x2000, 4), bus.read(0x8000_0000, 8)] == [1, 2, 3]
    assert str(bus.window_at(0x200F)[0]) == "high (0x2000 to 0x200f)"  # type: ignore[index]


@pytest.mark.parametrize("pa", [0x0, 0xFFF, 0x1010, 0x100E, 0x7FFF_FFFE, 0x8000_FFFE, 1 << 63])
def test_an_access_without_a_device(bus: AddressMap, pa: int) -> None:
    with pytest.raises(BusError):
        bus.read(pa, 4)
    with pytest.raises(BusError):
        bus.write(pa, 4, 0)


def test_a_device_that_raises_is_named_with_what_it_was_doing(bus: AddressMap) -> None:
    with pytest.raises(DeviceRaised) as caught:
        bus.read(0x1004, 4)
    assert str(caught.value) == "low raised in a load of 4 at 0x1004"
    with pytest.raises(DeviceRaised) as caught:
        bus.write(0x2004, 4, 5)
    assert str(caught.value) == "high raised in a store of 4 at 0x2004"
    assert caught.value.__cause__ is not None
    bus.write(0x1000, 4, 1)  # and the machine goes on


def test_windows_do_not_overlap(bus: AddressMap) -> None:
    with pytest.raises(DeviceError) as caught:
        bus.attach(0x1008, Cell(wiring=Wiring(name="third")))
    expected = "third (0x1008 to 0x1017) overlaps low (0x1000 to 0x100f)"
    assert str(caught.value) == expected


def test_a_window_hides_ram(bus: AddressMap) -> None:
    bus.attach(0x8000_1000, Cell())
    bus.write(0x8000_1000, 4, 7)
    assert bus.memory.read_int(0x8000_1000, 4) == 0
    assert bus.read(0x8000_1000, 4) == 7


def test_overlaps_finds_every_pair() -> None:
    one, two, three = Range(0, 16, "one"), Range(8, 4, "two"), Range(12, 8, "three")
    assert overlaps([three, one, two]) == [(one, two), (one, three)]


def test_ram_is_zeroed_host_memory_at_its_address() -> None:
    ram = Ram(0x8000_0000, 0x4000)
    assert not any(ram.view)
    ctypes.memset(ram.address + 5, 0xAB, 1)
    assert ram.view[5] == 0xAB
    ram.clear()
    assert not any(ram.view)


def test_too_much_ram_is_one_line() -> None:
    with pytest.raises(HostError) as caught:
        Ram(0, 1 << 62, "dram")
    assert str(caught.value).startswith("dram: this host can't give 0x4000000000000000 bytes: ")


def test_memory_reports_writes() -> None:
    told = []
    memory = Memory(written=lambda pa, size: told.append((pa, size)))
    memory.add(Ram(0x1000, 0x1000))
    memory.add(Ram(0x2000, 0x1000))
    memory.write(0x1FF0, b"abc")
    memory.write_int(0x2000, 8, 5)
    assert told == [(0x1FF0, 3), (0x2000, 8)]
    assert memory.read(0x1FF0, 3) == b"abc"
    with pytest.raises(BusError):  # no access spans two regions, even if they touch
        memory.read(0x1FFF, 2)
