"""`rvplat explain`: a machine runs until it stops; then it is told where addresses lead."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.build import add_limits, add_machine_options, build
from rvplat.cli.debug import show_beside
from rvplat.cli.progress import progress

if TYPE_CHECKING:
    from rvplat.gdb.target.breakpoint_table import Spot
    from rvplat.machine.inspection.explain import World
    from rvplat.machine.machine import Machine
    from rvplat.machine.running.stop import Stop

EPILOG = """\
BOARD and PROGRAM are those of `rvplat run`. ADDRESS is a number, such as 0x8000_1000, or a symbol,
perhaps with an offset, such as main+0x10: of the program, or of what --symbols names for WORLD.

The machine runs until --until, --timeout or --max-instructions stops it, or Ctrl-C, or the guest
itself, whose output goes to stderr. Then the walk from each address is shown, entry by entry, with
what PMP grants and the memory types of Svpbmt, and the fault that would come, with what its handler
would find in htval and htinst. Nothing of it changes the machine.

WORLD is "host" (V=0), "vmid:N" for the guest with that VMID, or, without it, where the hart is. A
guest that no hart is in has the page tables that it had when it was left last.
"""
HOST, VMID = "host", "vmid:"
FILES = (".toml", ".elf", ".bin")  # a word that ends so is no symbol


def number(text: str) -> int:
    """An address: 0x8000_1000, 4096."""
    value = int(text, 0)
    if not 0 <= value < 1 << 64:
        raise ValueError
    return value


def is_number(text: str) -> bool:
    """Whether a word is an ADDRESS."""
    try:
        number(text)
    except ValueError:
        return False
    return True


def world(text: str) -> World:
    """A name of a world."""
    from rvplat.isa.privileged import VMID as LAST_VMID

    if text == HOST:
        return "host"
    if not text.startswith(VMID):
        raise ValueError
    vmid = number(text.removeprefix(VMID))
    if vmid > LAST_VMID:
        raise ValueError
    return vmid


def words_and_addresses(words: list[str], plugins: list[str]) -> tuple[list[str], list[str]]:
    """BOARD and PROGRAM, and the ADDRESSes: numbers, and what names no board and no file."""
    from rvplat.guests import shipped
    from rvplat.machine.boards.catalogue import Catalogue
    from rvplat.machine.boards.toml_tree import board_names
    from rvplat.pluginmanager import load_plugins

    boards = board_names(Catalogue.of(load_plugins(plugins)).boards)
    kept = [
        word
        for word in words
        if not is_number(word)
        and ("/" in word or word.endswith(FILES) or word in boards or shipped(word)
             or Path(word).is_file())
    ]  # fmt: skip
    return kept, [word for word in words if word not in kept]


class Explain:
    """Runs a machine until it stops, and shows where addresses lead."""

    name = "explain"
    help = "run a machine until it stops, and show where addresses lead"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "rvplat explain [BOARD] [PROGRAM] ADDRESS... [options]"
        parser.epilog = EPILOG
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        add_machine_options(parser)
        parser.add_argument(
            "--until", metavar="PLACE[@WORLD]",
            help="stop before the instruction at an address or a symbol, in any world or one",
        )  # fmt: skip
        add_limits(parser)
        parser.add_argument(
            "--world", type=world, metavar="WORLD",
            help="whose addresses they are: host or vmid:N, instead of where the hart is",
        )  # fmt: skip
        parser.add_argument(
            "--mode", choices=["M", "HS", "U", "VS", "VU"],
            help="of the access, instead of the hart's (in a world where it isn't: HS or VS)",
        )  # fmt: skip
        parser.add_argument(
            "--access", choices=["load", "store", "fetch"], default="load", help="load if not given"
        )
        parser.add_argument(
            "--hart", type=int, metavar="N", help="the hart, instead of the one that stopped"
        )

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.errors import RvplatError

        arguments.words, addresses = words_and_addresses(arguments.words, arguments.plugins)
        if not addresses:
            raise RvplatError("explain: expected an ADDRESS, such as 0x8000_1000 or main")
        with progress() as watched:
            machine = build(arguments, watched)
        try:
            _check_hart(machine, arguments.hart)
            found = [_address(machine, text, arguments.world) for text in addresses]
            stop = _stopped(machine, arguments)
            print(_told(machine, stop, found, arguments))
        finally:
            machine.close()
        return 0


def _check_hart(machine: Machine, hart: int | None) -> None:
    from rvplat.errors import RvplatError

    if hart is not None and not 0 <= hart < len(machine.harts):
        raise RvplatError(f"--hart {hart}: expected 0 to {len(machine.harts) - 1}")


def _stopped(machine: Machine, arguments: argparse.Namespace) -> Stop:
    """Run the machine to where it shall stop."""
    from rvplat.errors import RvplatError
    from rvplat.gdb.target.breakpoint_table import Points
    from rvplat.machine.running.run import Runner
    from rvplat.machine.running.stop import Stop

    points = Points(machine)
    if arguments.until is not None:
        points.add(_spot(machine, arguments.until))
    machine.console.sinks.append(show_beside)
    try:
        stop = Runner(machine, arguments.timeout, arguments.max_instructions, ends_idle=True).run()
    except KeyboardInterrupt:
        stop = Stop("interrupt")
    if arguments.until is not None and stop.reason not in ("break", "interrupt"):
        raise RvplatError(f"--until {arguments.until}: it didn't come there: {stop}")
    return stop


def _address(machine: Machine, text: str, whose: World | None) -> int:
    """An ADDRESS: a number, or a symbol of a world with or without an offset."""
    from rvplat.errors import RvplatError

    if is_number(text):
        return number(text)
    name, plus, offset = text.partition("+")
    vmid = whose if isinstance(whose, int) else None
    if plus and not is_number(offset):
        raise RvplatError(f"explain {text}: found {offset!r}, expected an offset such as 0x10")
    base = _symbol(machine, name, vmid, f"explain {text}", ", nor a board or file of this name")
    return base + (number(offset) if plus else 0)


def _spot(machine: Machine, text: str) -> Spot:
    """The place that `--until` names."""
    from rvplat.errors import RvplatError
    from rvplat.gdb.target.breakpoint_table import Spot
    from rvplat.gdb.target.worlds import number_of

    place, at, name = text.partition("@")
    try:
        chosen = world(name) if at else HOST
    except ValueError:
        raise RvplatError(f"--until {text}: found {name!r}, expected host or vmid:N") from None
    vmid = chosen if isinstance(chosen, int) else None
    said = f"--until {text}"
    address = number(place) if is_number(place) else _symbol(machine, place, vmid, said)
    return Spot(address, number_of(vmid)) if at else Spot(address)


def _symbol(machine: Machine, name: str, vmid: int | None, said: str, else_: str = "") -> int:
    """The address of a symbol of the program, or of what `--symbols` says that a world runs."""
    from rvplat.errors import RvplatError, nearest
    from rvplat.machine.loading.symbol_files import symbols_of

    path = machine.software.symbol_files.get(vmid)
    symbols = symbols_of(machine.software, vmid)
    if name not in symbols:
        near = nearest(name, symbols)
        hint = f'; did you mean "{near}"?' if near else ""
        where = "the program" if path is None else path
        raise RvplatError(f"{said}: found no symbol {name!r} in {where}{else_}{hint}")
    return symbols[name]


def _hart_in(machine: Machine, whose: World, stopped: int) -> int:
    """The hart that stopped the run, or, for a guest that it doesn't know, one that does."""
    from rvplat.machine.inspection.explain import known_guests

    knowing = [hart.number for hart in machine.harts if whose in known_guests(hart.view)]
    return stopped if stopped in knowing or not knowing else knowing[0]


def _told(machine: Machine, stop: Stop, addresses: list[int], arguments: argparse.Namespace) -> str:
    """What there is to say: where the hart is, and about each address."""
    from rvplat.errors import RvplatError
    from rvplat.machine.inspection.hart_report import where

    whose: World = "now" if arguments.world is None else arguments.world
    hart = _hart_in(machine, whose, stop.hart) if arguments.hart is None else arguments.hart
    parts = [f"{stop}\n{where(machine, machine.harts[hart])}"]
    try:
        for address in addresses:
            found = machine.explain(address, arguments.access, hart, arguments.mode, whose)
            parts.append(str(found))
    except LookupError as error:
        raise RvplatError(f"explain: {error.args[0]}") from None
    return "\n\n".join(parts)
