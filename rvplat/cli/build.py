"""Builds the machine that a command line describes: the board, its software, the options."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.interrupts import AtOnce
from rvplat.cli.options import DEFAULT_BOARD, add_board_options, overrides
from rvplat.cli.snapshots import load, snapshot_among

if TYPE_CHECKING:
    from rvplat.machine.boards.board import Board
    from rvplat.machine.loading.load_option import LoadOption
    from rvplat.machine.machine import Machine
    from rvplat.pluginmanager import Plugins


def seconds(text: str) -> float:
    """Parse the time of `--timeout`."""
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError
    return value


def count(text: str) -> int:
    """Parse the number of `--max-instructions`."""
    value = int(text.replace("_", ""), 0)
    if not 0 < value < 1 << 62:
        raise ValueError
    return value


def piece(text: str) -> LoadOption:
    """Parse the argument of `--load`. The text before a "=" is an address if it is a number."""
    from rvplat.machine.boards.board import LAST_ADDRESS
    from rvplat.machine.loading.load_option import LoadOption

    address, equals, name = text.partition("=")
    try:
        at = int(address, 0) if equals else None
    except ValueError:  # the "=" belongs to the file's name
        return LoadOption(Path(text))
    if not (name if equals else text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected [ADDR=]FILE, found no file name")
    if at is not None and not 0 <= at <= LAST_ADDRESS:
        raise argparse.ArgumentTypeError(
            f"{address}: expected an address from 0 to {LAST_ADDRESS:#x}"
        )
    return LoadOption(Path(name if equals else text), at)


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the board, its software and its settings."""
    parser.add_argument("words", nargs="*", metavar="BOARD PROGRAM", help="see below")
    for option, what in (
        ("--kernel", "the kernel that the firmware starts: an Image, ELF or raw binary file"),
        ("--initrd", "the kernel's initial RAM disk"),
        ("--dtb", "a device tree that replaces the one made from the board"),
    ):
        parser.add_argument(option, type=Path, metavar="FILE", help=what)
    parser.add_argument(
        "--symbols", action="append", default=[], metavar="[VMID=]FILE",
        help="an ELF file with symbols of the host's software, or of that of the guest with a VMID",
    )  # fmt: skip
    parser.add_argument(
        "--load", dest="extra_files", action="append", default=[], type=piece,
        metavar="[ADDR=]FILE",
        help="load one more file into memory at each reset: its bytes to the physical address "
        "ADDR, or, without ADDR, the segments of an ELF file to their addresses; may be repeated; "
        "or go on from a snapshot that --save wrote, which has a board and software of its own",
    )  # fmt: skip
    parser.add_argument("--append", metavar="TEXT", help="the kernel's command line")
    parser.add_argument(
        "--disk", dest="disks", action="append", default=[], metavar="FILE",
        help="a raw disk image for the next free virtio slot of the board (virt has 8, the other "
        "boards that ship have none); may be repeated",
    )  # fmt: skip
    add_board_options(parser)


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the options that limit a run."""
    parser.add_argument("--timeout", type=seconds, metavar="S", help="end the run after S seconds")
    parser.add_argument(
        "--max-instructions", type=count, metavar="N",
        help="end the run when a hart has executed N instructions",
    )  # fmt: skip


def board_and_program(words: list[str]) -> tuple[str, Path | None]:
    """Tell apart the positional arguments: `BOARD`, `PROGRAM`, both or neither."""
    from rvplat.errors import RvplatError
    from rvplat.guests import shipped

    if len(words) > 2:
        more = " ".join(words[2:])
        raise RvplatError(f"found {more}, expected only a BOARD and a PROGRAM")
    if len(words) == 2:
        return words[0], shipped(words[1]) or Path(words[1])
    if not words:
        return DEFAULT_BOARD, None
    path = shipped(words[0]) or Path(words[0])
    looks = path.is_file() or "/" in words[0] or path.suffix
    if looks and path.suffix != ".toml":
        return DEFAULT_BOARD, path
    return words[0], None


def symbol_files(texts: list[str], program: Path | None) -> dict[int | None, Path]:
    """The files that `--symbols` names, by VMID; None is the host. The demo hypervisor's guests are
    there without the option.

    Raises:
        LoaderError: a file can't be read, or isn't an ELF file.
    """
    from rvplat.machine.loading.symbol_files import check_symbol_file
    from rvplat.machine.open_arguments import shipped_symbols

    found = shipped_symbols(program)
    for text in texts:
        vmid, equals, name = text.partition("=")
        numbered = bool(equals) and vmid.isascii() and vmid.isdigit()
        path = Path(name if numbered else text)
        check_symbol_file(path, f"--symbols {text}")
        found[int(vmid) if numbered else None] = path
    return found


def open_named(name: str, arguments: argparse.Namespace) -> tuple[Board, Plugins]:
    """Open the board of this name with the changes of the options; return it and the plugins."""
    from rvplat.machine.boards.toml_tree import Override
    from rvplat.machine.open import Disk, open_board

    changes = [*getattr(arguments, "defaults", ()), *overrides(arguments)]
    if getattr(arguments, "strict", False):
        changes.append(Override(("strict",), True, "--strict"))
    disks = [Disk(path, f"--disk {path}") for path in arguments.disks]
    return open_board(name, changes, arguments.plugins, disks=disks)


@contextmanager
def uncollected() -> Iterator[None]:
    """Switch off garbage collection during the start: nearly every object of it is needed until the
    end, so that searching them for garbage is lost time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def build(arguments: argparse.Namespace, watched: object) -> Machine:
    """Build the machine that the arguments describe. Ctrl-C meanwhile ends the process."""
    with AtOnce():
        return _build(arguments, watched)


def _build(arguments: argparse.Namespace, watched: object) -> Machine:
    from rvplat.cli import main
    from rvplat.guests import demo_elf
    from rvplat.machine.loading.loader import read_software
    from rvplat.machine.machine import Machine

    snapshot = snapshot_among(arguments)
    if snapshot is not None:
        symbols = symbol_files(arguments.symbols, None)
        machine = load(snapshot, arguments, watched, symbols)
        machine.built_at = main.BEGAN
        return machine
    name, program = board_and_program(arguments.words)
    board, plugins = open_named(name, arguments)
    if program is None and (board.boot.program, board.boot.kernel, arguments.kernel) == (None,) * 3:
        program = demo_elf()
    software = read_software(
        board, program, arguments.kernel, arguments.initrd, arguments.append, arguments.dtb,
        tuple(plugins.loaders.values()), arguments.extra_files,
    )  # fmt: skip
    assert callable(watched)
    software = replace(software, symbol_files=symbol_files(arguments.symbols, program))
    machine = Machine(board, software, None, plugins, watched)
    machine.built_at = main.BEGAN
    return machine
