"""`rvplat run --api` and `--web`: runs a board that clients of the machine API and a page use."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.progress import say

if TYPE_CHECKING:
    from rvplat.api.server import Api
    from rvplat.cli.terminal import Terminal
    from rvplat.machine.machine import Machine
    from rvplat.machine.running.stop import Stop

TOKEN = "RVPLAT_API_TOKEN"
SHORTEST_TOKEN = 16
EXCLUDED = ("gdb", "max_instructions", "trace")  # options of a run that --api excludes
FORMS = "unix:PATH"


def add_api_options(parser: argparse.ArgumentParser) -> None:
    """Add `--api`."""
    parser.add_argument(
        "--api", dest="apis", action="append", default=[], metavar="PLACE",
        help=f"let clients of the machine API use the machine at PLACE: {FORMS}; the token that "
        f"they must know is printed, or is that of the variable {TOKEN}",
    )  # fmt: skip


def wants_api(arguments: argparse.Namespace) -> bool:
    """Whether the options name a place for clients."""
    return bool(arguments.apis)


def check_api_options(arguments: argparse.Namespace) -> None:
    """Raise RvplatError for options that exclude each other, or a bad place or token."""
    from rvplat.errors import RvplatError

    if not wants_api(arguments):
        return
    for name in EXCLUDED:
        if getattr(arguments, name) is not None:
            raise RvplatError(f"--api and --{name.replace('_', '-')} exclude each other")
    for place in arguments.apis:
        _check_place(place)
    token = os.environ.get(TOKEN)
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise RvplatError(f"{TOKEN}: {len(token)} characters, expected {SHORTEST_TOKEN} or more")


def _check_place(place: str) -> None:
    from rvplat.errors import RvplatError

    kind, _, rest = place.partition(":")
    if kind != "unix" or not rest:
        raise RvplatError(f"--api {place}: expected {FORMS}")


def serve_api(machine: Machine, arguments: argparse.Namespace, terminal: Terminal) -> Stop:
    """Let clients use the machine until it is off; return how the run ended."""
    from rvplat.api.server import Api
    from rvplat.machine.running.stop import Stop

    with Api(machine, os.environ.get(TOKEN)) as api:
        for place in arguments.apis:
            api.listen_unix(Path(place.removeprefix("unix:")), f"--api {place}")
            say(f"the API is at {place}{_token(api)}")
        terminal.read_for(None)  # clients decide when the run ends
        api.control.deadline(arguments.timeout)
        if not arguments.halt:
            api.control.run()
        try:
            return api.control.wait()
        except KeyboardInterrupt:
            api.control.end("interrupt")
            return Stop("interrupt")


def _token(api: Api) -> str:
    """The token, unless the user has chosen it."""
    return "" if TOKEN in os.environ else f", token {api.token}"
