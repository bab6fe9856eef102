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
FORMS = "unix:PATH, or tcp:PORT for a websocket"
HIGHEST_PORT = 0xFFFF


def add_api_options(parser: argparse.ArgumentParser) -> None:
    """Add `--api` and `--web`."""
    parser.add_argument(
        "--api", dest="apis", action="append", default=[], metavar="PLACE",
        help=f"let clients of the machine API use the machine at PLACE: {FORMS}; the token that "
        f"they must know is printed, or is that of the variable {TOKEN}",
    )  # fmt: skip
    parser.add_argument(
        "--web", nargs="?", const="0", metavar="PORT",
        help="show the machine in a browser: print the address of a page, at PORT of the loopback "
        "interface or a free one (it needs `pip install 'rvplat[web]'`)",
    )  # fmt: skip


def wants_api(arguments: argparse.Namespace) -> bool:
    """Whether the options name a place for clients."""
    return bool(arguments.apis) or arguments.web is not None


def check_api_options(arguments: argparse.Namespace) -> None:
    """Raise RvplatError for options that exclude each other, or a bad place or token."""
    from rvplat.errors import RvplatError

    if not wants_api(arguments):
        return
    for name in EXCLUDED:
        if getattr(arguments, name) is not None:
            option = "--api" if arguments.apis else "--web"
            raise RvplatError(f"{option} and --{name.replace('_', '-')} exclude each other")
    for place in arguments.apis:
        _check_place(place)
    if arguments.web is not None:
        _check_web(arguments.web)
    token = os.environ.get(TOKEN)
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise RvplatError(f"{TOKEN}: {len(token)} characters, expected {SHORTEST_TOKEN} or more")


def _check_place(place: str) -> None:
    from rvplat.errors import RvplatError

    kind, _, rest = place.partition(":")
    if not (kind == "unix" and rest) and not (kind == "tcp" and _is_port(rest)):
        raise RvplatError(f"--api {place}: expected {FORMS}")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= HIGHEST_PORT


def _check_web(port: str) -> None:
    from rvplat.api.assets import has_xterm
    from rvplat.errors import HostError, RvplatError

    if not _is_port(port):
        raise RvplatError(f"--web {port}: expected a port below 65536 (BOARD and PROGRAM go first)")
    if not has_xterm():
        from rvplat.api.websockets import MISSING

        raise HostError(f"--web: {MISSING}")


def serve_api(machine: Machine, arguments: argparse.Namespace, terminal: Terminal) -> Stop:
    """Let clients use the machine until it is off; return how the run ended."""
    from rvplat.api.server import Api
    from rvplat.machine.running.stop import Stop

    with Api(machine, os.environ.get(TOKEN)) as api:
        _listen(api, arguments)
        terminal.read_for(None)  # clients decide when the run ends
        api.control.deadline(arguments.timeout)
        if not arguments.halt:
            api.control.run()
        try:
            return api.control.wait(lambda: terminal.wanted)
        except KeyboardInterrupt:
            api.control.end("interrupt")
            return Stop("interrupt")


def _listen(api: Api, arguments: argparse.Namespace) -> None:
    """Open the places for clients, and print where they are."""
    for place in arguments.apis:
        kind, _, rest = place.partition(":")
        origin = f"--api {place}"
        if kind == "unix":
            api.listen_unix(Path(rest), origin)
            say(f"the API is at {place}{_token(api)}")
        else:
            port = api.listen_web(int(rest), origin)
            say(f"the API is at ws://127.0.0.1:{port}/api{_token(api)}")
    if arguments.web is not None:
        port = api.listen_web(int(arguments.web), "--web", page=True)
        fragment = "#token=..." if TOKEN in os.environ else f"#token={api.token}"
        say(f"the page is at http://127.0.0.1:{port}/{fragment}")


def _token(api: Api) -> str:
    """The token, unless the user has chosen it."""
    return "" if TOKEN in os.environ else f", token {api.token}"
