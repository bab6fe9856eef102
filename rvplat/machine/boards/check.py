"""Check a board's merged TOML and build the `Board`. All faults are reported at once."""

from __future__ import annotations

from collections.abc import Mapping

from rvplat.bus.device import InterruptController
from rvplat.bus.host_calls import HostCalls
from rvplat.bus.map import Range, overlaps
from rvplat.errors import BoardError
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.machine.boards.board import (
    LAST_ADDRESS,
    MAX_MEMORIES,
    RESET_CODE_BYTES,
    Board,
    BoardDevice,
    BoardMemory,
    Boot,
    Chosen,
    Connection,
    Debug,
    General,
    Harts,
)
from rvplat.machine.boards.board_faults import (
    Fault,
    Place,
    fault,
    in_order,
    listed,
    quoted,
    toml_text,
)
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.check_harts import check_harts, every_extension, own_tables
from rvplat.machine.boards.model_errors import model_errors
from rvplat.machine.boards.schema import WRONG, Wrong, convert_table, fields_of, joined
from rvplat.machine.boards.toml_tree import Source, TomlEntry

SECTIONS = ("harts", "memory", "devices", "chosen", "boot", "debug")
SOURCE_KEYS = ("extends", "plugins", "remove")
#: How the `found` text begins in a fault about something that the board lacks.
ABSENT = ("no such key", "no RAM", "no interrupt controller", "no device", "no console")


def build_board(source: Source, catalogue: Catalogue) -> Board:
    """The board that was read.

    Raises:
        BoardError: the board has faults; the error lists all, including those of reading.
    """
    checker = _Checker(source, catalogue)
    board = checker.board()
    if board is None or checker.faults:
        raise BoardError(checker.reported())
    return board


def check_board(source: Source, catalogue: Catalogue) -> list[Fault]:
    """Every fault of a board; empty if it can be built."""
    checker = _Checker(source, catalogue)
    checker.board()
    return checker.reported()


class _Checker:
    def __init__(self, source: Source, catalogue: Catalogue) -> None:
        self.source = source
        self.catalogue = catalogue
        self.faults = list(source.faults)
        self.root = source.root

    def fault(
        self, place: Place, key: str, found: str, expected: str, known: object = None
    ) -> None:
        names = known if isinstance(known, tuple) else None
        self.faults.append(fault(place, key, found, expected, names))

    def reported(self) -> list[Fault]:
        """The faults to report, in order. If a file of the board could not be read, faults about
        missing things are left out: the file may have defined them.
        """
        if self.source.complete:
            return in_order(self.faults)
        found = [one for one in self.faults if not one.found.startswith(ABSENT)]
        return in_order([*self.source.faults, *found])

    def board(self) -> Board | None:
        """The board; None, and a fault, if a required part is missing."""
        general = convert_table(General, self.root, "", self.faults, skip=(*SECTIONS, *SOURCE_KEYS))
        harts = convert_table(
            Harts, self._section("harts"), "harts", self.faults, own_tables(self._section("harts"))
        )
        boot = convert_table(Boot, self._section("boot"), "boot", self.faults)
        debug = convert_table(Debug, self._section("debug"), "debug", self.faults)
        each = check_harts(harts, self.root, self.catalogue, self.faults)
        memory = self._memory()
        devices = self._devices()
        self._check_overlaps(memory, devices)
        self._check_interrupts(devices)
        self._check_calls(devices)
        chosen = self._chosen(devices)
        self._check_boot(boot, memory)
        if isinstance(general, General) and isinstance(harts, Harts) and isinstance(boot, Boot):
            return Board(
                self.source.name, general, harts, every_extension(each), memory, devices, chosen,
                boot, debug if isinstance(debug, Debug) else Debug(), tuple(self.source.files),
                each,
            )  # fmt: skip
        return None

    def _section(self, name: str) -> TomlEntry:
        return self.root.table.get(name, TomlEntry({}, self.root.place))

    def _table(self, name: str) -> TomlEntry:
        section = self._section(name)
        if not isinstance(section.value, dict):
            self.fault(section.place, name, toml_text(section.plain()), "a table")
        return section

    def _place(self, *path: str) -> Place:
        """The place of a key, or of the innermost table on its path that exists."""
        entry = self.root
        for name in path:
            entry = entry.table.get(name, entry)
        return entry.place

    # Memories and devices

    def _memory(self) -> dict[str, BoardMemory]:
        found = {}
        section = self._table("memory")
        for name, entry in section.table.items():
            key = joined("memory", name)
            memory = convert_table(BoardMemory, entry, key, self.faults)
            if isinstance(memory, BoardMemory):
                found[name] = memory
                self._check_memory(name, memory)
        if not any(not memory.rom for memory in found.values()) and not self._faulty("memory"):
            self.fault(section.place, "memory", "no RAM", "a table such as [memory.ram]")
        if len(found) > MAX_MEMORIES:
            found_text = f"{len(found)} memories"
            self.fault(section.place, "memory", found_text, f"at most {MAX_MEMORIES}")
        return found

    def _faulty(self, prefix: str) -> bool:
        return any(one.key.startswith(prefix) for one in self.faults)

    def _check_memory(self, name: str, memory: BoardMemory) -> None:
        key = joined("memory", name)
        for part, value in (("base", memory.base), ("size", memory.size)):
            if value % PAGE_BYTES:
                place = self._place("memory", name, part)
                expected = f"a multiple of {PAGE_BYTES:#x}"
                self.fault(place, f"{key}.{part}", f"{value:#x}", expected)
        self._check_end(("memory", name), memory.base, memory.size)

    def _check_end(self, path: tuple[str, str], base: int, size: int) -> None:
        if base + size - 1 > LAST_ADDRESS:
            place = self._place(*path, "base")
            found = f"{size:#x} bytes at {base:#x}"
            self.fault(place, joined(*path) + ".base", found, f"an end below {LAST_ADDRESS + 1:#x}")

    def _devices(self) -> dict[str, BoardDevice]:
        found = {}
        section = self._table("devices")
        for name, entry in section.table.items():
            device = self._device(name, entry)
            if device is not None:
                found[name] = device
        return found

    def _device(self, name: str, entry: TomlEntry) -> BoardDevice | None:
        key = joined("devices", name)
        own = [field.name for field in fields_of(Connection)]
        settings_names = [name for name in entry.table if name not in own]
        connection = convert_table(Connection, entry, key, self.faults, skip=settings_names)
        if not isinstance(connection, Connection):
            return None
        model = self.catalogue.models.get(connection.model)
        if model is None:
            place, names = self._place("devices", name, "model"), sorted(self.catalogue.models)
            found = f"the unknown model {quoted(connection.model)}"
            self.fault(place, f"{key}.model", found, listed(names), (connection.model, names))
            return None
        settings = convert_table(model.settings_type, entry, key, self.faults, skip=own)
        if isinstance(settings, Wrong):
            return None
        with model_errors(model, name, "checking"):
            size = model.window(settings)
        device = BoardDevice(
            name, model, connection.base, size, connection.interrupts, connection.controller,
            settings, entry.place,
        )  # fmt: skip
        if not model.has_window:
            if connection.base is not None:
                place = self._place("devices", name, "base")
                self.fault(place, f"{key}.base", "a base", f"none: {model.model} has no window")
        elif connection.base is not None:
            self._check_base(name, connection.base, size)
        elif not device.carved and "base" not in entry.table:
            self.fault(entry.place, f"{key}.base", "no such key", "the physical address")
        return device

    def _check_base(self, name: str, base: int, size: int) -> None:
        place, key = self._place("devices", name, "base"), joined("devices", name) + ".base"
        alignment = min(PAGE_BYTES, 1 << max(0, (size - 1).bit_length()))
        if base % alignment:
            expected = f"a multiple of {alignment:#x}, as {size:#x} bytes ask for"
            self.fault(place, key, f"{base:#x}", expected)
        self._check_end(("devices", name), base, size)

    def _check_overlaps(
        self, memory: Mapping[str, BoardMemory], devices: Mapping[str, BoardDevice]
    ) -> None:
        ranges = [Range(one.base, one.size, f"memory.{name}") for name, one in memory.items()]
        ranges += [
            Range(one.base, one.size, f"devices.{name}")
            for name, one in devices.items()
            if one.base is not None and not one.carved
        ]
        for one, two in overlaps(ranges):
            first, second = sorted((one, two), key=lambda item: self._range_place(item).line or 0)
            place, other = self._range_place(second), self._range_place(first)
            found = f"{second.base:#x} to {second.end - 1:#x}"
            expected = f"a range apart from {first} at {other}"
            self.fault(place, f"{second.name}.base", found, expected)

    def _range_place(self, item: Range) -> Place:
        section, name = item.name.split(".", 1)
        return self._place(section, name, "base")

    # Interrupt lines

    def _check_interrupts(self, devices: Mapping[str, BoardDevice]) -> None:
        controllers = {
            name: device
            for name, device in devices.items()
            if issubclass(device.model, InterruptController)
        }
        taken: dict[tuple[str, int], str] = {}
        for name, device in devices.items():
            if device.interrupts:
                self._check_lines(name, device)
                controller = self._controller(name, device, controllers)
                if controller is not None:
                    self._check_numbers(name, device, controller, taken)

    def _check_lines(self, name: str, device: BoardDevice) -> None:
        lines = device.model.interrupts
        if len(device.interrupts) != len(lines):
            place = self._place("devices", name, "interrupts")
            found = f"{len(device.interrupts)} in {toml_text(device.interrupts)}"
            expected = f"{len(lines)} ({', '.join(lines) or device.model.model + ' has no line'})"
            self.fault(place, joined("devices", name) + ".interrupts", found, expected)

    def _controller(
        self, name: str, device: BoardDevice, controllers: Mapping[str, BoardDevice]
    ) -> BoardDevice | None:
        key = joined("devices", name)
        if device.controller is None:
            if len(controllers) == 1:
                return next(iter(controllers.values()))
            place = self._place("devices", name, "interrupts")
            found = f"{len(controllers) or 'no'} interrupt controllers on the board"
            expected = f"controller = {listed(controllers)}" if controllers else "one, such as plic"
            self.fault(place, f"{key}.interrupts", found, expected)
            return None
        if device.controller not in controllers:
            place = self._place("devices", name, "controller")
            found = f"no interrupt controller {quoted(device.controller)}"
            names = (device.controller, list(controllers))
            self.fault(place, f"{key}.controller", found, listed(controllers), names)
            return None
        return controllers[device.controller]

    def _check_numbers(
        self,
        name: str,
        device: BoardDevice,
        controller: BoardDevice,
        taken: dict[tuple[str, int], str],
    ) -> None:
        place = self._place("devices", name, "interrupts")
        key = joined("devices", name) + ".interrupts"
        model = controller.model
        assert issubclass(model, InterruptController)
        with model_errors(model, controller.name, "checking"):
            sources = model.sources(controller.settings)
        for number in device.interrupts:
            if number not in sources:
                expected = f"{sources[0]} to {sources[-1]}, which {controller.name} takes"
                self.fault(place, key, str(number), expected)
            elif other := taken.get((controller.name, number)):
                used = f"{number}, which devices.{other} uses too"
                at = self._place("devices", other, "interrupts")
                self.fault(place, key, used, f"a line of its own ({other} is at {at})")
            else:
                taken[controller.name, number] = name

    def _check_calls(self, devices: Mapping[str, BoardDevice]) -> None:
        """A call has no address that says which device it is for."""
        first, *others = [
            name for name, device in devices.items() if issubclass(device.model, HostCalls)
        ] or [""]
        for name in others:
            key, place = joined("devices", name) + ".model", self._place("devices", name, "model")
            at = self._place("devices", first, "model")
            found = f"a second device that takes the calls of harts, beside devices.{first}"
            self.fault(place, key, found, f"one such device ({first} is at {at})")

    # The chosen node and the start

    def _chosen(self, devices: Mapping[str, BoardDevice]) -> Chosen:
        chosen = convert_table(Chosen, self._section("chosen"), "chosen", self.faults)
        assert isinstance(chosen, Chosen) or chosen is WRONG
        if not isinstance(chosen, Chosen):
            return Chosen()
        declared = self._section("devices").table
        consoles = [name for name, device in devices.items() if device.model.uses_console]
        unknown = chosen.stdout is not None and chosen.stdout not in declared
        if unknown or (chosen.stdout in devices and chosen.stdout not in consoles):
            place = self._place("chosen", "stdout")
            meant = (chosen.stdout, consoles)
            what = "no device" if unknown else "no console"
            found = f"{what} {quoted(str(chosen.stdout))}"
            self.fault(place, "chosen.stdout", found, listed(consoles), meant)
        return chosen

    def _check_boot(self, boot: object, memory: Mapping[str, BoardMemory]) -> None:
        vector = boot.reset_vector if isinstance(boot, Boot) else None
        if vector is None:
            return
        end = vector + RESET_CODE_BYTES
        inside = any(one.base <= vector and end <= one.base + one.size for one in memory.values())
        if not inside or vector % 8:
            place = self._place("boot", "reset_vector")
            expected = f"a multiple of 8 with {RESET_CODE_BYTES} bytes of memory behind it"
            self.fault(place, "boot.reset_vector", f"{vector:#x}", expected)
