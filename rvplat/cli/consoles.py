"""`--console NAME=PLACE`: where the consoles of a machine are on this host."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rvplat.cli.progress import say
from rvplat.frozen import frozen

if TYPE_CHECKING:
    from rvplat.machine.machine import Machine
    from rvplat.machine.running.console import HostConsole

STDIO, NONE = "stdio", "none"
FORMS = "NAME=unix:PATH, NAME=tcp:[HOST:]PORT, NAME=pty, NAME=file:PATH, NAME=stdio or NAME=none"


def add_console_option(parser: argparse.ArgumentParser) -> None:
    """Add `--console`."""
    parser.add_argument(
        "--console", dest="consoles", action="append", default=[], type=console_place,
        metavar="NAME=PLACE",
        help="connect the console of device NAME to PLACE: unix:PATH or tcp:[HOST:]PORT, where one "
        "client at a time can connect (HOST is the loopback interface if it is left out; PORT 0 is "
        "a free one); pty; file:PATH, for output; stdio; or none. The main console is at stdio "
        "unless it is named or another one is at stdio; may be repeated",
    )  # fmt: skip


def console_place(argument: str) -> tuple[str, str]:
    """Parse NAME=PLACE."""
    from rvplat.errors import HostError
    from rvplat.machine.consoles.places import parse_place

    name, equals, place = argument.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{argument}: expected {FORMS}")
    if place not in (STDIO, NONE):
        try:
            parse_place(place, argument)
        except HostError as error:
            raise argparse.ArgumentTypeError(f"{error}, stdio or none") from None
    return name, place


@frozen
class Connected:
    """`at_stdio` is the console that belongs to standard input and output, if one does. `shown` are
    others whose output is shown there. `has_input` says whether a client of another one may send
    input."""

    at_stdio: HostConsole | None
    shown: tuple[HostConsole, ...]
    has_input: bool


def connect_consoles(machine: Machine, arguments: argparse.Namespace) -> Connected:
    """Connect the consoles that the options name, and print where they are. RvplatError if there is
    no such console, or if a place can't be used."""
    from rvplat.errors import RvplatError, did_you_mean, nearest

    at_stdio: dict[str, HostConsole] = {}
    has_input = False
    for name, place in arguments.consoles:
        console = machine.consoles.get(name)
        if console is None:
            names = ", ".join(machine.consoles) or "none"
            hint = did_you_mean(nearest(name, machine.consoles))
            raise RvplatError(f"--console {name}={place}: the board's consoles are {names}{hint}")
        if place == STDIO:
            at_stdio[name] = console
        elif place != NONE:
            made = console.connect(place)
            has_input = has_input or made.has_input
            if made.has_input:
                say(f"console {name} is at {made.where}")
    if len(at_stdio) > 1:
        raise RvplatError(f"--console: only one console can be at stdio, not {', '.join(at_stdio)}")
    main, named = machine.console, {name for name, _ in arguments.consoles}
    if not any(machine.consoles.get(name) is main for name in named):
        at_stdio = at_stdio or {"": main}
    return Connected(next(iter(at_stdio.values()), None), _shown(machine, named), has_input)


def _shown(machine: Machine, named: set[str]) -> tuple[HostConsole, ...]:
    """The consoles of devices that harts call, unless they are named: a program that is called
    with --semihosting writes there."""
    from rvplat.machine.running.host_calls import called_devices

    found = [machine.consoles[name] for name in called_devices(machine) if name not in named]
    return tuple(one for one in found if one is not machine.console)
