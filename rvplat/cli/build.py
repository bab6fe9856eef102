"""The machine that a command line asks for: the board, its software, what changes it."""

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

if TYPE_CHECKING:
    from rvplat.machine.boards.board import Board
    from rvplat.machine.loading.load_option import Piece
    from rvplat.machine.machine import Machine
    from rvplat.pluginmanager import Plugins


def seconds(text: str) -> float:
    """A time for `--timeout`."""
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError
    return value


def count(text: str) -> int:
    """A number for `--max-instructions`."""
    value = int(text.replace("_", ""), 0)
    if not 0 < value < 1 << 62:
        raise ValueError
    return value


def piece(text: str) -> Piece:
    """What `--load` names. What stands before a "=" is an address if it is a number."""
    from rvplat.machine.boards.board import LAST_ADDRESS
    from rvplat.machine.loading.load_option import Piece

    address, equals, name = text.partition("=")
    try:
        at = int(address, 0) if equals else None
    except ValueError:  # a "=" in the name of a file
        return Piece(Path(text))
    if not (name if equals else text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected [ADDR=]FILE, found no file name")
    if at is not None and not 0 <= at <= LAST_ADDRESS:
        raise argparse.ArgumentTypeError(
            f"{address}: expected an address from 0 to {LAST_ADDRESS:#x}"
        )
    return Piece(Path(name if equals else text), at)


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """The board, its software, what changes it."""
    parser.add_argument("words", nargs="*", metavar="BOARD PROGRAM", help="see below")
    for option, what in (
        ("--kernel", "what the firmware starts: an Image, ELF or raw binary file"),
        ("--initrd", "the kernel's initial RAM disk"),
        ("--dtb", "a device tree instead of the one made from the board"),
    ):
        parser.add_argument(option, type=Path, metavar="FILE", help=what)
    parser.add_argument(
        "--symbols", action="append", default=[], metavar="[VMID=]FILE",
        help="an ELF file whose symbols gdb gets for the host, or for the guest with a VMID",
    )  # fmt: skip
    parser.add_argument(
        "--load", dest="pieces", action="append", default=[], type=piece, metavar="[ADDR=]FILE",
        help="put a file into memory too, after each reset: its bytes as they are at a physical "
        "address, or without ADDR an ELF file where its segments say; may be repeated",
    )  # fmt: skip
    parser.add_argument("--append", metavar="TEXT", help="the kernel's command line")
    parser.add_argument(
        "--disk", dest="disks", action="append", default=[], metavar="FILE",
        help="a raw disk image in the next of the board's virtio slots, of which virt has 8 and "
        "the other boards that ship none; may be repeated",
    )  # fmt: skip
    add_board_options(parser)


def add_limits(parser: argparse.ArgumentParser) -> None:
    """What ends a run from outside."""
    parser.add_argument("--timeout", type=seconds, metavar="S", help="end after so many seconds")
    parser.add_argument(
        "--max-instructions", type=count, metavar="N", help="end when a hart has executed N"
    )


def board_and_program(words: list[str]) -> tuple[str, Path | None]:
    """What the positional arguments are: `BOARD`, `PROGRAM`, both or neither."""
    from rvplat.errors import RvplatError
    from rvplat.guests import shipped

    if len(words) > 2:
        more = " ".join(words[2:])
        raise RvplatError(f"run: {more}: expected a BOARD and a PROGRAM, nothing more")
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
    """What `--symbols` names, by VMID. The hypervisor that ships brings its guests'.

    Raises:
        LoaderError: a file can't be read, or isn't an ELF file.
    """
    from rvplat import guests
    from rvplat.errors import LoaderError
    from rvplat.formats import recognise
    from rvplat.machine.loading.elf import is_elf
    from rvplat.machine.loading.user_files import read_file

    found: dict[int | None, Path] = {}
    if program == guests.hypervisor_elf():
        found.update(enumerate(guests.hypervisor_guest_elfs().values(), 1))
    for text in texts:
        vmid, equals, name = text.partition("=")
        numbered = bool(equals) and vmid.isascii() and vmid.isdigit()
        path = Path(name if numbered else text)
        data = read_file(path, "the symbols")
        if not is_elf(data):
            what = f": it is {kind}" if (kind := recognise(data)) else ""
            raise LoaderError(f"--symbols {text}: {path} is not an ELF file{what}")
        found[int(vmid) if numbered else None] = path
    return found


def open_named(name: str, arguments: argparse.Namespace) -> tuple[Board, Plugins]:
    """The board of this name, changed as the options say, and the plugins."""
    from rvplat.machine.boards.toml_tree import Override
    from rvplat.machine.open import Disk, open_board

    changes = overrides(arguments)
    if getattr(arguments, "strict", False):
        changes.append(Override(("strict",), True, "--strict"))
    disks = [Disk(path, f"--disk {path}") for path in arguments.disks]
    return open_board(name, changes, arguments.plugins, disks=disks)


@contextmanager
def uncollected() -> Iterator[None]:
    """What a start makes is needed until the end: a look at all of it for garbage is lost time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def build(arguments: argparse.Namespace, watched: object) -> Machine:
    """The machine that the arguments ask for. Ctrl-C meanwhile ends the process."""
    with AtOnce():
        return _build(arguments, watched)


def _build(arguments: argparse.Namespace, watched: object) -> Machine:
    from rvplat.cli import main
    from rvplat.guests import demo_elf
    from rvplat.machine.loading.loader import read_software
    from rvplat.machine.machine import Machine

    name, program = board_and_program(arguments.words)
    board, plugins = open_named(name, arguments)
    if program is None and (board.boot.program, board.boot.kernel, arguments.kernel) == (None,) * 3:
        program = demo_elf()
    software = read_software(
        board, program, arguments.kernel, arguments.initrd, arguments.append, arguments.dtb,
        tuple(plugins.loaders.values()), arguments.pieces,
    )  # fmt: skip
    assert callable(watched)
    software = replace(software, symbol_files=symbol_files(arguments.symbols, program))
    machine = Machine(board, software, None, plugins, watched)
    machine.built_at = main.BEGAN
    return machine
