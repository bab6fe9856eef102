"""`rvplat run --gdb`: runs a board, and lets clients of the gdb protocol attach to it."""

from __future__ import annotations

import argparse
import threading
from typing import TYPE_CHECKING

from rvplat.cli.api import wants_api
from rvplat.cli.progress import say

if TYPE_CHECKING:
    from rvplat.cli.terminal import Terminal
    from rvplat.gdb.protocol.early_session import EarlySession
    from rvplat.machine.machine import Machine
    from rvplat.machine.running.stop import Stop

EXCLUDED = ("max_instructions", "trace")  # options of a run that --gdb excludes


def add_gdb_options(parser: argparse.ArgumentParser) -> None:
    """Add `--gdb` and `--halt`."""
    parser.add_argument(
        "--gdb", metavar="[HOST:]PORT",
        help="let gdb attach at a TCP port of this host, or at unix:PATH",
    )  # fmt: skip
    parser.add_argument(
        "--halt",
        action="store_true",
        help="with --gdb, --api or --web: wait for a client before the first instruction",
    )


def check_gdb_options(arguments: argparse.Namespace) -> None:
    """Raise RvplatError for options that exclude each other."""
    from rvplat.errors import RvplatError

    if arguments.gdb is None:
        if arguments.halt and not wants_api(arguments):
            raise RvplatError("--halt waits for a client, so it needs --gdb, --api or --web")
        return
    for name in EXCLUDED:
        if getattr(arguments, name) is not None:
            raise RvplatError(f"--gdb and --{name.replace('_', '-')} exclude each other")


def lobby_for(arguments: argparse.Namespace) -> EarlySession | None:
    """With `--gdb`, an EarlySession where a client waits until the board is built; else None."""
    if arguments.gdb is None:
        return None
    from rvplat.gdb.protocol.channels import listen
    from rvplat.gdb.protocol.early_session import EarlySession

    return EarlySession(listen(arguments.gdb, say))


def serve(
    machine: Machine, arguments: argparse.Namespace, terminal: Terminal, lobby: EarlySession
) -> Stop:
    """Let clients attach until the board is off; return how the run ended."""
    from rvplat.gdb.server import Server
    from rvplat.machine.running.stop import Stop

    timer = threading.Timer(arguments.timeout or 0, machine.request_stop, [Stop("timeout")])
    with Server(machine, lobby.listener, arguments.halt, say) as server:
        waits = "the board waits for gdb" if arguments.halt else "gdb may attach"
        say(f"{waits}: target extended-remote {server.place}")
        terminal.read_for(None)  # gdb decides when the board ends
        if arguments.timeout is not None:
            timer.start()
        try:
            return server.serve(lobby.client)
        except KeyboardInterrupt:
            return Stop("interrupt")
        finally:
            timer.cancel()
