"""Collects what a machine's harts execute, by world (engine/coverage_marks.py)."""

from __future__ import annotations

import ctypes
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

from rvplat.coverage.ran import Coverage, Key, Program, world_name
from rvplat.engine.coverage_marks import FRESH
from rvplat.isa.privileged import PAGE_BYTES, PAGE_MASK
from rvplat.machine.running.system import System
from rvplat.machine.worlds.debug_files import debug_files

HALFWORDS = PAGE_BYTES // 2
_CALL: Any = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)
_DIGITS = bytes.maketrans(b"\0\1", b"01")


class _Map:
    """What a world has executed of a page of RAM: a byte for each halfword, and the virtual pages
    at which it was."""

    def __init__(self, world: int) -> None:
        self.world = world
        self.pages: list[int] = []
        self._held = (ctypes.c_ubyte * HALFWORDS)()
        self.address = ctypes.addressof(self._held)

    @property
    def bits(self) -> int:
        """Bit n: an instruction at halfword n."""
        return int(bytes(self._held)[::-1].translate(_DIGITS), 2)


class Covering:
    """The coverage of a machine from here on. The machine has not run yet.

    Raises:
        RuntimeError: it has run, or its coverage is collected already.
    """

    def __init__(self, machine: System) -> None:
        native = machine.native.view
        if int(native.cover_fn) or machine.last is not None or machine.regions.hot_pages():
            raise RuntimeError("coverage begins before the machine first runs, and once")
        self._machine = machine
        self._lock = threading.Lock()
        self._maps: list[_Map] = []
        self._current: dict[int, dict[int, _Map]] = {}  # by physical page and world
        self._singles: set[tuple[int, int]] = set()  # worlds and addresses
        self._lost = _Map(0)  # harts write there after an error
        self._calls = _CALL(self._entered), _CALL(self._one)
        enter, one = (int(ctypes.cast(call, ctypes.c_void_p).value or 0) for call in self._calls)
        machine.regions.covers = True
        native.cover_one_fn, native.cover_fn = one, enter
        for hart in machine.harts:
            machine.export("drop_slots")(hart.address)

    def _entered(self, hart: int, pa: int, world: int, va: int) -> int:
        """A hart enters a page of RAM: the address of the world's map for it."""
        try:
            with self._lock:
                return self._map_of(pa, world, va & PAGE_MASK, bool(va & FRESH)).address
        except BaseException as error:  # native code calls this, so nothing can be raised
            self._machine.fail(error)
            return self._lost.address

    def _map_of(self, pa: int, world: int, page: int, is_fresh: bool) -> _Map:
        """The map of a physical page. A page without decoded code has another program, if it is
        entered at another address: then it has other maps."""
        maps = self._current.setdefault(pa, {})
        found = maps.get(world)
        if is_fresh and (found is None or page not in found.pages):
            maps.clear()
            found = None
        if found is None:
            found = maps[world] = _Map(world)
            self._maps.append(found)
        if page not in found.pages:
            found.pages.append(page)
        return found

    def _one(self, hart: int, va: int, world: int, _: int) -> int:
        """A hart executes an instruction of a page without slots."""
        try:
            self._singles.add((world, va))
        except BaseException as error:  # as above
            self._machine.fail(error)
        return 0

    def coverage(self) -> Coverage:
        """What has run so far."""
        found = Coverage()
        with self._lock:
            maps, singles = list(self._maps), set(self._singles)
        for one in maps:
            bits = one.bits
            if bits:
                found.add(self._key(one.world), dict.fromkeys(one.pages, bits))
        for world, va in singles:
            found.add(self._key(world), {va & PAGE_MASK: 1 << (va % PAGE_BYTES // 2)})
        return found

    def _key(self, world: int) -> Key:
        """A world as coverage keeps it, with its programs."""
        vmid = world - 1 if world else None
        if vmid not in self._programs:
            files = debug_files(self._machine.software, vmid)
            self._programs[vmid] = tuple(Program.at(Path(one.path), one.moved) for one in files)
        return world_name(vmid), self._programs[vmid]

    @cached_property
    def _programs(self) -> dict[int | None, tuple[Program, ...]]:
        return {}
