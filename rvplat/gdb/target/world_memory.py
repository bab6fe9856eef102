"""Memory as a world sees it, by the definitions' own page walk, without side effects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from rvplat.errors import BusError
from rvplat.gdb.protocol.errors import DeviceRefused, GdbError
from rvplat.gdb.protocol.interfaces import Region
from rvplat.isa.privileged import MACHINE, SUPERVISOR
from rvplat.machine.machine import Machine

SPACE = 1 << 64  # addresses

PAGE = 4096
_UNCHANGED = nullcontext()
SPACES = VIRTUAL, GUEST, PHYSICAL = "virtual", "guest-physical", "physical"


class WorldMemory:
    """Reads and writes memory for harts that are stopped. `devices`: device registers may be
    accessed. `space`: the kind of the addresses that clients give, one of SPACES."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._memory = machine.assembly.memory
        self._translate = machine.core.export("debug_translate")
        self.devices = False
        self.before_read: Callable[[], object] = lambda: None  # of a device, which may change it
        self.space = VIRTUAL
        names = machine.board.memory
        self._roms = [
            ram for name, ram in zip(names, self._memory.regions, strict=True) if names[name].rom
        ]

    # --- translation ---

    def _as(self, hart: Any, state: dict[str, int]) -> AbstractContextManager[None]:
        """Inside, the hart is in another state."""
        return self._changed(hart, state) if state else _UNCHANGED

    @contextmanager
    def _changed(self, hart: Any, state: dict[str, int]) -> Iterator[None]:
        before = {name: int(getattr(hart, name)) for name in state}
        for name, value in state.items():
            setattr(hart, name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(hart, name, value)

    def translate(self, number: int, state: dict[str, int], va: int) -> int | None:
        """The physical address of one of `space`, for a hart in a state; None: not mapped."""
        hart = self._machine.harts[number].plain
        with self._as(hart, self._in_space(state)):
            return self._find(hart, va)

    def _in_space(self, state: dict[str, int]) -> dict[str, int]:
        """The state for walks of addresses of `space`."""
        return {**state, "vsatp": 0} if self.space == GUEST else state

    def _find(self, hart: Any, va: int) -> int | None:
        """The physical address; None: not mapped. M mode has no translation. An address where M
        mode has no memory and no device is looked up in the supervisor's page tables."""
        if self._untranslated(hart):
            return va
        if hart.priv == MACHINE and self._there(va):
            return va
        with self._as(hart, {"priv": SUPERVISOR} if hart.priv == MACHINE else {}):
            found = self._translate(hart, va)
        return int(found.pa) if found.mapped else None

    def _untranslated(self, hart: Any) -> bool:
        return self.space == PHYSICAL or (self.space == GUEST and hart.virt == 0)

    def _there(self, pa: int) -> bool:
        return self._machine.assembly.map.window_at(pa) is not None or self._is_ram(pa)

    def _is_ram(self, pa: int) -> bool:
        return self._ram_end(pa) is not None

    def _ram_end(self, pa: int) -> int | None:
        """The end of the region of RAM that contains an address."""
        for ram in self._memory.regions:
            if ram.base <= pa < ram.end:
                return ram.end
        return None

    # --- access ---

    def _page_parts(
        self, number: int, state: dict[str, int], start: int, length: int
    ) -> list[tuple[int, int]]:
        """(physical address, bytes) in order, up to the first address that is not mapped. Each lies
        in one page, or in one region of RAM."""
        hart = self._machine.harts[number].plain
        found = []
        with self._as(hart, self._in_space(state)):
            flat = hart.priv == MACHINE or self._untranslated(hart)
            while length > 0:
                end = self._ram_end(start) if flat else None
                pa = start if end is not None else self._find(hart, start)
                if pa is None:
                    break
                size = min(length, (end or start - start % PAGE + PAGE) - start)
                found.append((pa, size))
                start += size
                length -= size
        return found

    def read(self, number: int, state: dict[str, int], start: int, length: int) -> bytes:
        """As many bytes as can be read. GdbError if none can."""
        parts: list[bytes] = []
        problem = GdbError(f"{start:#x} is not mapped")
        for pa, size in self._page_parts(number, state, start, length):
            try:
                parts.append(self._read(pa, size))
            except GdbError as error:
                problem = error
                break
        if not parts and length:
            raise problem
        return b"".join(parts)

    def _read(self, pa: int, size: int) -> bytes:
        if self._is_ram(pa):
            return self._memory.read(pa, size)
        words = self._words(pa, size)
        self.before_read()
        return b"".join(
            self._machine.assembly.map.read(at, n).to_bytes(n, "little") for at, n in words
        )

    def write(self, number: int, state: dict[str, int], start: int, data: bytes) -> None:
        """Write all the data. GdbError if some of it can't be written; then nothing is."""
        parts = self._page_parts(number, state, start, len(data))
        done = sum(size for _, size in parts)
        if done < len(data):
            raise GdbError(f"{start + done:#x} is not mapped")
        for pa, size in parts:
            if any(rom.base <= pa < rom.end for rom in self._roms):
                raise GdbError(f"{pa:#x} is in ROM")
            if not self._is_ram(pa):
                self._words(pa, size)
        at = 0
        for pa, size in parts:
            self._write(pa, data[at : at + size])
            at += size

    def _write(self, pa: int, data: bytes) -> None:
        if self._is_ram(pa):
            self._memory.write(pa, data)
            return
        for at, size in self._words(pa, len(data)):
            value = int.from_bytes(data[at - pa : at - pa + size], "little")
            try:
                self._machine.assembly.map.write(at, size, value)
            except BusError as error:
                raise GdbError(str(error)) from None

    def _words(self, pa: int, size: int) -> list[tuple[int, int]]:
        """(physical address, bytes) of the accesses of a device. GdbError if not allowed."""
        window = self._machine.assembly.map.window_at(pa)
        if window is None:
            raise GdbError(f"{pa:#x}: no memory and no device is there")
        if not self.devices:
            raise DeviceRefused(
                f"{pa:#x} is a register of {window[0].name}, which an access may change: "
                "monitor devices on allows it"
            )
        found = []
        while size > 0:
            n = max(n for n in (1, 2, 4, 8) if n <= size and pa % n == 0 and n <= 4)
            found.append((pa, n))
            pa, size = pa + n, size - n
        return found

    def layout(self) -> list[Region]:
        """RAM, ROM and devices, by physical address."""
        found = [
            Region("r-x" if ram in self._roms else "rwx", ram.base, ram.size, ram.name)
            for ram in self._memory.regions
        ]
        for window, _ in self._machine.assembly.map.windows:
            if not self._is_ram(window.base):
                found.append(Region("rw-", window.base, window.size, window.name))
        return sorted(found, key=lambda region: region.start)

    def regions(self) -> list[Region]:
        """The memory map: the board's ROM. Every other address may be RAM by some translation."""
        found, at = [], 0
        for base, size in sorted((rom.base, rom.size) for rom in self._roms):
            if base > at:
                found.append(Region("ram", at, base - at))
            found.append(Region("rom", base, size))
            at = base + size
        if at == 0:  # the length of all addresses doesn't fit in 64 bits
            found.append(Region("ram", 0, SPACE // 2))
            at = SPACE // 2
        return [*found, Region("ram", at, SPACE - at)]


def region_around(found: list[Region], address: int) -> Region:
    """The region that contains an address, or the gap between regions, whose kind is ""."""
    start, end = 0, SPACE
    for region in found:
        if region.start <= address < region.start + region.length:
            return region
        if region.start > address:
            end = region.start
            break
        start = region.start + region.length
    return Region("", start, end - start)
