"""Worlds, symbols and addresses as clients write them."""

from __future__ import annotations

from typing import Any, Literal

from rvplat.api.errors import BadParameter
from rvplat.api.schema import shown
from rvplat.arguments import hart_number
from rvplat.errors import LoaderError
from rvplat.hart.debugging.worlds import HOST
from rvplat.isa.machinery.disassemble import Disassembler
from rvplat.machine.loading.symbol_files import SymbolTable, symbols_of
from rvplat.machine.machine import Machine
from rvplat.machine.running.hart import Hart
from rvplat.machine.worlds.debug_files import DebugFile, debug_files
from rvplat.machine.worlds.world import World, number_of

#: The world that a hart is in, the host (V=0), or the guest with a VMID.
WorldName = Literal["now", "host"] | int
MODES = {(3, 0): "M", (1, 0): "HS", (0, 0): "U", (1, 1): "VS", (0, 1): "VU"}
LAST_VMID = 0x3FFF


def hart_of(machine: Machine, number: int) -> Hart:
    """A hart by its number. IndexError if there is none."""
    return machine.harts[hart_number(number, len(machine.harts))]


def vmid_of(hart: Hart) -> int | None:
    """The guest that a hart is in; None for the host."""
    world = number_of(hart.plain)
    return None if world == HOST else world - 1


def vmid_named(hart: Hart, world: WorldName) -> int | None:
    """The VMID that a client's word for a world means; None for the host."""
    if world == "now":
        return vmid_of(hart)
    if isinstance(world, str):
        return None
    if not 0 <= world <= LAST_VMID:
        raise BadParameter(f"world={world}: expected a VMID from 0 to {LAST_VMID}")
    return world


def world_of(machine: Machine, hart: Hart, world: WorldName) -> World:
    """A world of the machine, as the hart sees it."""
    vmid = vmid_named(hart, world)
    return World(machine, hart, "host" if vmid is None else vmid)


class Names:
    """The symbols and files of every world. Each file is read once."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._tables: dict[int | None, SymbolTable] = {}
        self._files: dict[int | None, list[DebugFile]] = {}
        self._disassemblers: dict[int, Disassembler] = {}
        #: Instructions by VMID, hart, address and bits (methods/code.py).
        self.rows: dict[tuple[int | None, int, int, int], Any] = {}

    def files(self, vmid: int | None) -> list[DebugFile]:
        """The ELF files of a world, found at the first call."""
        if vmid not in self._files:
            self._files[vmid] = debug_files(self._machine.software, vmid)
        return self._files[vmid]

    def disassembler(self, hart: Hart) -> Disassembler:
        """That of a hart's extensions."""
        if hart.number not in self._disassemblers:
            self._disassemblers[hart.number] = Disassembler(hart.extensions)
        return self._disassemblers[hart.number]

    def near(self, vmid: int | None, address: int) -> str:
        """The symbol at an address or before it, with the offset; "" if there is none."""
        if vmid not in self._tables:
            try:
                symbols = symbols_of(self._machine.software, vmid)
            except LoaderError:  # the file was readable when the machine was built
                symbols = {}
            self._tables[vmid] = SymbolTable(symbols)
        found = self._tables[vmid].find(address)
        if found is None:
            return ""
        return found[0] if not found[1] else f"{found[0]}+{found[1]:#x}"

    def address(self, vmid: int | None, place: int | str) -> int:
        """The value of an `Address`. LookupError if there is no such symbol."""
        if isinstance(place, int):
            return place
        if place[0].isdigit():
            try:
                return int(place, 0) & (1 << 64) - 1
            except ValueError:
                raise BadParameter(f"{shown(place)}: expected an address") from None
        name, plus, offset = place.partition("+")
        symbols = symbols_of(self._machine.software, vmid)
        if name not in symbols:
            raise LookupError(f"there is no symbol {shown(name)}")
        try:
            return symbols[name] + (int(offset, 0) if plus else 0)
        except ValueError:
            raise BadParameter(f"{shown(place)}: expected an offset such as 0x10") from None
