"""The checks of what users pass to `machine.breakpoints` and `machine.watchpoints`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from rvplat.arguments import MASK64, choice, integer
from rvplat.engine.breakpoints import ANY_ASID, GUEST_PHYSICAL, PHYSICAL, VIRTUAL
from rvplat.errors import did_you_mean, nearest
from rvplat.hart.debugging.worlds import ANYWHERE, HOST, VMID_MASK
from rvplat.machine.debugging.breakpoint_table import ALL_MODES, Place
from rvplat.machine.debugging.expressions import compile_expression
from rvplat.machine.debugging.register_names import RegisterNames
from rvplat.machine.loading.symbol_files import symbols_of
from rvplat.machine.running.stop import GuestOrHost, Space
from rvplat.machine.running.system import System

SPACES: dict[str, int] = {
    "virtual": VIRTUAL, "guest-physical": GUEST_PHYSICAL, "physical": PHYSICAL,
}  # fmt: skip
#: Modes by name: the privilege, and 4 more where V=1.
MODES = {"HS": 1, "U": 0, "S": 1, "M": 3, "VU": 4, "VS": 5}
GUEST_MODES = 0xF0
M_MODE = 1 << 3
MOST_ASID = 0xFFFF
HOST_WORLD = "host"


def world_number(vmid: object) -> int:
    """The world of a VMID or "host", as hart/debugging/worlds.py numbers them; None: every one."""
    if vmid is None:
        return ANYWHERE
    if vmid == HOST_WORLD:
        return HOST
    if isinstance(vmid, bool) or not hasattr(vmid, "__index__"):
        raise TypeError(f'vmid={vmid!r}: expected an integer, "host", or None for every world')
    return 1 + integer("vmid", vmid, 0, VMID_MASK)


def named_world(number: int) -> GuestOrHost:
    """The world of a number: "host" or a VMID."""
    return "host" if number == HOST else number - 1


def modes_of(privilege: object) -> tuple[tuple[str, ...], int]:
    """Privilege modes: their names, and a mask with bit n for mode n."""
    if privilege is None:
        return (), ALL_MODES
    if not isinstance(privilege, str | Iterable):
        raise TypeError(f"privilege={privilege!r}: expected one or several of {', '.join(MODES)}")
    names = (privilege,) if isinstance(privilege, str) else tuple(privilege)
    if not names:
        raise ValueError(f"privilege={privilege!r}: expected one or several of {', '.join(MODES)}")
    for name in names:
        choice("privilege", name, tuple(MODES))
    return names, sum({1 << MODES[name] for name in names})


class Arguments:
    """Checks arguments for a machine."""

    def __init__(self, machine: System) -> None:
        self._machine = machine
        self.names = RegisterNames(machine.extensions)
        self._has_guests = any(one.name == "H" for one in machine.extensions)

    def symbols(self, vmid: object = None) -> Mapping[str, int]:
        """Addresses by name: the program's symbols, and first those that `--symbols` names for a
        guest. LoaderError if such a file can't be read."""
        software = self._machine.software
        host = symbols_of(software, None)
        if isinstance(vmid, str) or vmid is None:
            return host
        return {**host, **symbols_of(software, cast("int", vmid))}

    def address(self, value: object, vmid: object = None) -> int:
        """An address: an integer, or a symbol of the program or of the guest."""
        if not isinstance(value, str):
            return integer("address", value, 0, MASK64)
        symbols = self.symbols(vmid)
        if value not in symbols:
            hint = did_you_mean(nearest(value, symbols))
            raise LookupError(f"address={value!r}: the program has no such symbol{hint}")
        return symbols[value]

    def place(
        self, address: object, space: object, vmid: object, asid: object, modes: int
    ) -> Place:
        """Where and when a breakpoint counts."""
        world = world_number(vmid)
        at = self.address(address, vmid)
        if at & 1:
            raise ValueError(f"a breakpoint at {at:#x}: instructions begin at even addresses")
        kind = cast("Space", choice("space", space, tuple(SPACES)))
        number = ANY_ASID if asid is None else integer("asid", asid, 0, MOST_ASID)
        found = Place(at, world, SPACES[kind], number, modes)
        self._refuse_impossible(found)
        return found

    def _refuse_impossible(self, place: Place) -> None:
        """ValueError for what no hart of this machine ever meets."""
        in_guest = place.world not in (ANYWHERE, HOST) or place.space == GUEST_PHYSICAL
        if in_guest or not place.modes & ~GUEST_MODES:
            self.refuse_guests()
        if in_guest and not place.modes & GUEST_MODES:
            raise ValueError("none of these modes is a guest's: VS and VU are")
        if place.modes == M_MODE and place.asid != ANY_ASID:
            raise ValueError("M mode has no address space: asid is for the others")

    def refuse_guests(self) -> None:
        """ValueError if there are no guests."""
        if not self._has_guests:
            raise ValueError("this board's harts have no H extension, and so no guests")

    def condition(self, text: object, symbols: Mapping[str, int]) -> bytes | None:
        """The bytecode of a condition; None for none."""
        if text is None:
            return None
        if not isinstance(text, str):
            raise TypeError(f"condition={text!r}: expected a string such as '$a0 > 3'")
        return self.compile(text, symbols)

    def compile(self, text: str, symbols: Mapping[str, int]) -> bytes:
        """The bytecode of an expression. DebuggingError if it is wrong."""
        return compile_expression(text, self.names.find, symbols)
