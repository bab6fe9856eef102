"""`rvplat run --record` and `--replay`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.build import add_machine_options

if TYPE_CHECKING:
    from rvplat.machine.machine import Machine


def add_recording_options(parser: argparse.ArgumentParser) -> None:
    """Add `--record` and `--replay`."""
    parser.add_argument(
        "--record", type=Path, metavar="FILE",
        help="record the input from outside in FILE, with the place where it arrived; it needs "
        "--set clock=virtual",
    )  # fmt: skip
    add_replay_option(parser)


def add_replay_option(parser: argparse.ArgumentParser) -> None:
    """Add `--replay`."""
    parser.add_argument(
        "--replay", type=Path, metavar="FILE",
        help="run as in the recording FILE, with its input at the same places, and report the "
        "first difference; without BOARD and PROGRAM, of the machine of the recorded command",
    )  # fmt: skip


def recorded_arguments(arguments: argparse.Namespace) -> argparse.Namespace:
    """If only a recording is named: the arguments, with the recorded machine. Of the recorded
    command's other options none counts, and no plugin: a file from somebody else must not write
    files or run code. RvplatError if two options exclude each other."""
    from rvplat.errors import RvplatError

    if arguments.replay is None:
        return arguments
    if getattr(arguments, "record", None) is not None:
        raise RvplatError("--record and --replay exclude each other")
    if arguments.words or arguments.kernel is not None:
        return arguments
    take_machine(arguments, arguments.replay)
    return arguments


def take_machine(arguments: argparse.Namespace, recording: Path) -> None:
    """Give arguments the machine of a recorded command, with their own changes of its board."""
    from rvplat.cli.commands import BUILT_IN
    from rvplat.machine.recordings.file import read

    parser = argparse.ArgumentParser(prog=f"the command in {recording}: rvplat run")
    BUILT_IN["run"].configure(parser)
    words = [str(one) for one in read(recording)[0].get("command", [])]
    recorded = parser.parse_args(words)
    own = [*recorded.settings, *arguments.settings]
    for name in _machine_options() - {"plugins"}:
        setattr(arguments, name, getattr(recorded, name))
    arguments.settings = own


def _machine_options() -> set[str]:
    """The options that say what the machine is."""
    parser = argparse.ArgumentParser()
    add_machine_options(parser)
    return set(vars(parser.parse_args([])))


def use_recording(machine: Machine, arguments: argparse.Namespace) -> None:
    """Record or replay, if the arguments say so."""
    if getattr(arguments, "record", None) is not None:
        machine.record(arguments.record, sys.argv[sys.argv.index("run") + 1 :])
    elif arguments.replay is not None:
        machine.replay(arguments.replay)
