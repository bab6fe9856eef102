"""`rvplat explain`: runs a machine until it stops, then shows how it translates addresses."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.build import add_limits, add_machine_options, build
from rvplat.cli.debug import show_beside
from rvplat.cli.progress import progress

if TYPE_CHECKING:
    from rvplat.machine.inspection.explain import World
    from rvplat.machine.machine import Machine
    from rvplat.machine.running.stop import Stop

EPILOG = """\
BOARD and PROGRAM are those of `rvplat run`. ADDRESS is a number, such as 0x8000_1000, or a symbol
with or without an offset, such as main+0x10. Symbols are those of the program, or of the file that
--symbols names for WORLD.

The machine runs until --until, --timeout, --max-instructions, Ctrl-C or the guest itself stops it.
The guest's output goes to stderr. Then the page-table walk of each address is shown, entry by
entry, with the permissions of PMP and the memory types of Svpbmt. If the access would fault, the
fault is shown with the values that its handler would read in htval and htinst. The machine is not
changed.

Of a hart with Zicfilp or Zicfiss it also shows whether a landing pad is expected, the shadow stack,
and what the last failed software check expected and found.

WORLD is "host" (V=0) or "vmid:N", the guest with that VMID; without --world it is where the hart
is. If no hart runs that guest now, its page tables are those with which a hart ran it last.
"""
HOST, VMID = "host", "vmid:"
FILES = (".toml", ".elf", ".bin")  # a word with such an ending is not a symbol


def number(text: str) -> int:
    """Parse an address: 0x8000_1000, 4096."""
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
    """Parse the name of a world."""
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
    """Split the words: BOARD and PROGRAM; and the ADDRESSes, which are all other words."""
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
    """Runs a machine until it stops, and shows how it translates addresses."""

    name = "explain"
    help = "run a machine until it stops, and show how it translates addresses"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "rvplat explain [BOARD] [PROGRAM] ADDRESS... [options]"
        parser.epilog = EPILOG
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        add_machine_options(parser)
        parser.add_argument(
            "--until", metavar="PLACE[@WORLD]",
            help="stop before the instruction at an address or symbol, in any world or in WORLD",
        )  # fmt: skip
        add_limits(parser)
        parser.add_argument(
            "--world", type=world, metavar="WORLD",
            help="the world of the addresses, host or vmid:N, instead of the one where the hart is",
        )  # fmt: skip
        parser.add_argument(
            "--mode", choices=["M", "HS", "U", "VS", "VU"],
            help="the mode of the access, instead of the hart's mode (or instead of HS or VS, if "
            "the hart is in another world)",
        )  # fmt: skip
        parser.add_argument(
            "--access", choices=["load", "store", "fetch"], default="load",
            help="the kind of access (default: load)",
        )  # fmt: skip
        parser.add_argument(
            "--hart", type=int, metavar="N",
            help="the hart, instead of the one that stopped the run",
        )  # fmt: skip

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
            print(_report(machine, stop, found, arguments))
        finally:
            machine.close()
        return 0


def _check_hart(machine: Machine, hart: int | None) -> None:
    from rvplat.errors import RvplatError

    if hart is not None and not 0 <= hart < len(machine.harts):
        raise RvplatError(f"--hart {hart}: expected 0 to {len(machine.harts) - 1}")


def _stopped(machine: Machine, arguments: argparse.Namespace) -> Stop:
    """Run the machine until it stops."""
    from rvplat.errors import RvplatError
    from rvplat.machine.running.run import Runner
    from rvplat.machine.running.stop import Stop

    if arguments.until is not None:
        _break_at(machine, arguments.until)
    machine.console.sinks.append(show_beside)
    try:
        stop = Runner(machine, arguments.timeout, arguments.max_instructions, ends_idle=True).run()
    except KeyboardInterrupt:
        stop = Stop("interrupt")
    if arguments.until is not None and stop.reason not in ("break", "interrupt"):
        raise RvplatError(f"--until {arguments.until}: the machine did not get there: {stop}")
    return stop


def _address(machine: Machine, text: str, whose: World | None) -> int:
    """The value of an ADDRESS: a number, or a symbol of a world with or without an offset."""
    from rvplat.errors import RvplatError

    if is_number(text):
        return number(text)
    name, plus, offset = text.partition("+")
    vmid = whose if isinstance(whose, int) else None
    if plus and not is_number(offset):
        raise RvplatError(f"explain {text}: found {offset!r}, expected an offset such as 0x10")
    base = _symbol(machine, name, vmid, f"explain {text}", ", and no board or file of this name")
    return base + (number(offset) if plus else 0)


def _break_at(machine: Machine, text: str) -> None:
    """Set a breakpoint at the place that `--until` names."""
    from rvplat.errors import RvplatError

    place, at, name = text.partition("@")
    try:
        chosen = world(name) if at else None
    except ValueError:
        raise RvplatError(f"--until {text}: found {name!r}, expected host or vmid:N") from None
    vmid = chosen if isinstance(chosen, int) else None
    said = f"--until {text}"
    address = number(place) if is_number(place) else _symbol(machine, place, vmid, said)
    try:
        machine.breakpoints.add(address, "host" if chosen == HOST else vmid)
    except ValueError as error:
        raise RvplatError(f"{said}: {error}") from None


def _symbol(machine: Machine, name: str, vmid: int | None, option: str, also: str = "") -> int:
    """The address of a symbol of the program, or of the file that `--symbols` names for a world.
    An error begins with `option`, and `also` says what else was not found."""
    from rvplat.errors import RvplatError, did_you_mean, nearest
    from rvplat.machine.loading.symbol_files import symbols_of

    path = machine.software.symbol_files.get(vmid)
    symbols = symbols_of(machine.software, vmid)
    if name not in symbols:
        hint = did_you_mean(nearest(name, symbols))
        where = "the program" if path is None else path
        raise RvplatError(f"{option}: found no symbol {name!r} in {where}{also}{hint}")
    return symbols[name]


def _hart_in(machine: Machine, whose: World, stopped: int) -> int:
    """The hart that stopped the run. If it never ran the guest `whose`, a hart that did."""
    from rvplat.machine.inspection.explain import known_guests

    knowing = [hart.number for hart in machine.harts if whose in known_guests(hart.view)]
    return stopped if stopped in knowing or not knowing else knowing[0]


def _report(
    machine: Machine, stop: Stop, addresses: list[int], arguments: argparse.Namespace
) -> str:
    """Where the hart is, and the walk of each address."""
    from rvplat.errors import RvplatError
    from rvplat.machine.inspection.control_flow import control_flow
    from rvplat.machine.inspection.hart_report import where

    whose: World = "now" if arguments.world is None else arguments.world
    hart = _hart_in(machine, whose, stop.hart) if arguments.hart is None else arguments.hart
    here = machine.harts[hart]
    lines = [str(stop), where(machine, here), *control_flow(here)]
    parts = ["\n".join(lines)]
    try:
        for address in addresses:
            found = machine.explain(address, arguments.access, hart, arguments.mode, whose)
            parts.append(str(found))
    except LookupError as error:
        raise RvplatError(f"explain: {error.args[0]}") from None
    return "\n\n".join(parts)
