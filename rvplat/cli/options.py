"""Options that several commands share: those that change a board, and `--plugin`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rvplat.machine.boards.toml_tree import Override

DEFAULT_BOARD = "virt"


def add_board_options(parser: argparse.ArgumentParser) -> None:
    """Add `--set`, `--harts`, `--memory` and `--plugin`."""
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="KEY=VALUE",
        help="change a key of the board, such as devices.uart0.base=0x1000; may be repeated",
    )  # fmt: skip
    parser.add_argument("--harts", type=int, metavar="N", help="the number of harts")
    parser.add_argument("--memory", metavar="SIZE", help="size of the main memory, such as 2G")
    add_semihosting_options(parser)
    add_plugin_option(parser)


def add_semihosting_options(parser: argparse.ArgumentParser) -> None:
    """Add `--semihosting` and `--semihosting-files`."""
    parser.add_argument(
        "--semihosting", action="store_true",
        help="let programs in M and S mode call this host: console, clock, exit status",
    )  # fmt: skip
    parser.add_argument(
        "--semihosting-files", metavar="FOLDER[:rw]",
        help="the same, with files below FOLDER: to read, or also to write",
    )  # fmt: skip


def add_plugin_option(parser: argparse.ArgumentParser) -> None:
    """Add `--plugin`."""
    parser.add_argument(
        "--plugin", dest="plugins", action="append", default=[], metavar="PATH",
        help="load a plugin: a Python file, or a package's folder; may be repeated",
    )  # fmt: skip


def overrides(arguments: argparse.Namespace) -> list[Override]:
    """The changes to the board that the options describe. RvplatError for one that is malformed."""
    from rvplat.errors import RvplatError
    from rvplat.machine.boards.toml_tree import Override, parse_override

    try:
        found = [parse_override(text) for text in arguments.settings]
    except ValueError as error:
        raise RvplatError(str(error)) from None
    if arguments.harts is not None:
        found.append(Override(("harts", "count"), arguments.harts, f"--harts {arguments.harts}"))
    if arguments.memory is not None:
        found.append(Override(("memory",), arguments.memory, f"--memory {arguments.memory}"))
    return [*found, *_calls(arguments)]


def _calls(arguments: argparse.Namespace) -> Iterator[Override]:
    """The device that takes semihosting calls, if the options say so."""
    from rvplat.machine.boards.toml_tree import Override

    files: str | None = arguments.semihosting_files
    if not arguments.semihosting and files is None:
        return
    origin = "--semihosting" if files is None else f"--semihosting-files {files}"
    keys: dict[str, object] = {"model": "semihosting"}
    if files is not None:
        keys |= {"folder": files.removesuffix(":rw"), "write": files.endswith(":rw")}
    for key, value in keys.items():
        yield Override(("devices", "semihosting", key), value, origin)
