"""`World`: the host or a guest of a machine, with memory by its own addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rvplat.arguments import MASK64, integer
from rvplat.errors import BusError
from rvplat.hart.debugging.world_switches import GUESTS
from rvplat.hart.debugging.worlds import HOST
from rvplat.isa.privileged import MACHINE, PAGE_BYTES, SUPERVISOR, VMID, VMID_SHIFT
from rvplat.machine.loading.symbol_files import symbols_of
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.public_names import PublicNames
from rvplat.machine.running.stop import GuestOrHost
from rvplat.machine.running.system import System
from rvplat.machine.worlds.debug_files import debug_files

if TYPE_CHECKING:
    from rvplat.debuginfo.variables import Variable


def number_of(plain: Any) -> int:
    """The world that a hart is in, as hart/debugging/worlds.py numbers them."""
    return HOST if plain.virt == 0 else 1 + (int(plain.hgatp) >> VMID_SHIFT & VMID)


def text_of(name: GuestOrHost) -> str:
    """A world in messages."""
    return "the host" if isinstance(name, str) else f"the guest with VMID {name}"


class World(metaclass=PublicNames):
    """The host or a guest of a machine that stands still, or whose handler of a hook runs.

    `world["state.counts[3]"]` is a variable of its program, by the program's DWARF; it can be
    written too. `read` and `write` take virtual addresses, of the address space that the world has
    now, or had when a hart was in it last.
    """

    public = (
        "name", "read", "write", "read_guest_physical", "write_guest_physical", "symbols",
        "variable",
    )  # fmt: skip

    def __init__(self, machine: System, hart: Hart, name: GuestOrHost) -> None:
        self._machine = machine
        self._hart = hart
        self.name = name
        """ "host", or the guest's VMID."""

    def __repr__(self) -> str:
        return f"<{text_of(self.name)}>"

    def __dir__(self) -> list[str]:
        return [*self.public]

    # --- memory ---

    def read(self, address: int, size: int) -> bytes:
        """Bytes at a virtual address.

        Raises:
            LookupError: the guest has not run.
            BusError: the address is not mapped to memory.
        """
        return b"".join(self._machine.memory.read(pa, n) for pa, n in self._parts(address, size))

    def write(self, address: int, data: bytes) -> None:
        """Write bytes at a virtual address, even if it is write-protected. Errors as `read`; then
        nothing is written."""
        self._put(list(self._parts(address, len(data))), data)

    def read_guest_physical(self, address: int, size: int) -> bytes:
        """Bytes at a guest-physical address; for the host, at a physical one. Errors as `read`."""
        parts = self._parts(address, size, physical=True)
        return b"".join(self._machine.memory.read(pa, n) for pa, n in parts)

    def write_guest_physical(self, address: int, data: bytes) -> None:
        """Write bytes at a guest-physical address; for the host, at a physical one. Errors as
        `read`; then nothing is written."""
        self._put(list(self._parts(address, len(data), physical=True)), data)

    def _put(self, parts: list[tuple[int, int]], data: bytes) -> None:
        at = 0
        for pa, size in parts:
            self._machine.memory.write(pa, data[at : at + size])
            at += size

    def _parts(self, start: int, size: int, physical: bool = False) -> Iterator[tuple[int, int]]:
        """(physical address, bytes) in each page."""
        self._hart._still()
        address, left = integer("address", start, 0, MASK64), integer("size", size, 0, MASK64)
        state = self._state()
        if physical:
            state["vsatp"] = 0
        while left > 0:
            length = min(left, PAGE_BYTES - address % PAGE_BYTES)
            pa = self._find(state, address, physical)
            if pa is None:
                raise BusError(f"{address:#x} is not mapped in {text_of(self.name)}")
            yield pa, length
            address, left = address + length, left - length

    def _find(self, state: dict[str, int], va: int, physical: bool) -> int | None:
        """The physical address of one of the world; None: it is not mapped. M mode has no
        translation; an address where it has no RAM is looked up in the supervisor's tables."""
        plain = self._hart.plain
        if not state["virt"]:
            regions = self._machine.memory.regions
            flat = physical or (state["priv"] == MACHINE and
                                any(one.base <= va < one.end for one in regions))  # fmt: skip
            if flat:
                return va
        if state["priv"] == MACHINE:
            state = {**state, "priv": SUPERVISOR}
        with _changed(plain, state):
            found = self._machine.export("debug_translate")(self._hart.address, va)
        return int(found.pa) if found.mapped else None

    def _state(self) -> dict[str, int]:
        """The fields of the hart's state that decide a walk in this world."""
        plain = self._hart.plain
        wanted = HOST if isinstance(self.name, str) else 1 + self.name
        if number_of(plain) == wanted:
            return {"virt": int(plain.virt), "priv": int(plain.priv)}
        if wanted == HOST:
            return {"virt": 0, "priv": SUPERVISOR}
        others = [one for one in self._machine.harts if one is not self._hart]
        for hart in (self._hart, *others):
            for entry in range(min(int(hart.plain.guest_count), GUESTS)):
                hgatp = int(hart.plain.guest_hgatp[entry])
                if hgatp and 1 + (hgatp >> VMID_SHIFT & VMID) == wanted:
                    return {"virt": 1, "priv": SUPERVISOR, "hgatp": hgatp,
                            "vsatp": int(hart.plain.guest_vsatp[entry])}  # fmt: skip
        raise LookupError(f"{text_of(self.name)} has not run since the reset")

    # --- symbols and variables ---

    @property
    def symbols(self) -> Mapping[str, int]:
        """The addresses of its symbols by name. LoaderError if a file can't be read any more."""
        vmid = None if isinstance(self.name, str) else self.name
        return symbols_of(self._machine.software, vmid)

    def variable(self, path: str) -> Variable:
        """A variable or a part of one, by its path: its address, type and size.

        Raises:
            LookupError: there is no such variable, member or element.
            DebugInfoError: the software has no DWARF, or a damaged one.
        """
        from rvplat.machine.worlds.variables import find_variable

        vmid = None if isinstance(self.name, str) else self.name
        files = debug_files(self._machine.software, vmid)
        return find_variable(files, path, self.read, text_of(self.name))

    def __getitem__(self, path: str) -> Any:
        """The value of a variable: an int, float, bool or str (a char is a number); a list for an
        array, a dict for a structure; a pointer is an address. Errors as `variable` and `read`."""
        found = self.variable(path)
        return found.type.decode(self.read(found.address, found.type.size))

    def __setitem__(self, path: str, value: Any) -> None:
        found = self.variable(path)
        old = self.read(found.address, found.type.size)
        self.write(found.address, found.type.encode(value, old))


@contextmanager
def _changed(plain: Any, state: dict[str, int]) -> Iterator[None]:
    """Inside, a hart's record has these values. The hart is not in native code."""
    before = {name: int(getattr(plain, name)) for name in state}
    for name, value in state.items():
        setattr(plain, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(plain, name, value)
