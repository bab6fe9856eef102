"""`rvplat check`, `rvplat dtb`, `rvplat schema`: board files."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.options import add_board_options, add_plugin_option, overrides

if TYPE_CHECKING:
    from rvplat.pluginmanager import Plugins

FAULTY = 2


class Check:
    """Says every fault of a board at once."""

    name = "check"
    help = "check a board and its plugins: every fault at once, with its line and what was expected"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("board", metavar="BOARD", help="a name, or the path of a TOML file")
        add_board_options(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.cli.progress import progress
        from rvplat.machine.boards.problems import problems_of
        from rvplat.pluginmanager import load_plugins

        plugins = load_plugins(arguments.plugins)
        with progress() as watched:
            faults = problems_of(arguments.board, overrides(arguments), plugins, watched)
        faults += _hidden(plugins)
        for fault in faults:
            print(fault, file=sys.stderr)
        if not faults:
            print(f"{arguments.board}: no faults")
        return FAULTY if faults else 0


def _hidden(plugins: Plugins) -> list[str]:
    """Commands of plugins that nobody can call, for rvplat has its own of that name."""
    from rvplat.cli.commands import BUILT_IN
    from rvplat.gdb.monitor import dispatch  # noqa: F401 (enters the commands)
    from rvplat.gdb.monitor.command import BUILT_IN as MONITORS
    from rvplat.pluginmanager import SINGULAR

    found = []
    for one in plugins.plugins:
        for hook, name in one.registered:
            ours = {"rvplat_commands": BUILT_IN, "rvplat_monitors": MONITORS}.get(hook, {})
            if name in ours:
                what = SINGULAR[hook.removeprefix("rvplat_")]
                found.append(f"plugin {one.name} ({one.source}): {what} {name!r} is rvplat's own")
    return found


class Dtb:
    """Prints the device tree of a board as text, or writes it as a blob."""

    name = "dtb"
    help = "print the device tree of a board as text, or write it as a blob"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("board", metavar="BOARD", help="a name, or the path of a TOML file")
        parser.add_argument(
            "-o", "--output", type=Path, metavar="FILE", help="write the blob (DTB) there"
        )
        add_board_options(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.errors import HostError
        from rvplat.machine.loading.fdt import to_dtb
        from rvplat.machine.loading.fdt_text import to_dts
        from rvplat.machine.open import open_board, tree_of

        board, _ = open_board(arguments.board, overrides(arguments), arguments.plugins)
        tree = tree_of(board)
        if arguments.output is None:
            sys.stdout.write(to_dts(tree))
            return 0
        try:
            arguments.output.write_bytes(to_dtb(tree))
        except OSError as error:
            raise HostError(f"{arguments.output}: {error.strerror}") from None
        return 0


class SchemaCommand:
    """Prints the JSON Schema of boards."""

    name = "schema"
    help = "print the JSON Schema of board files, for editors"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add_plugin_option(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.machine.boards.catalogue import Catalogue
        from rvplat.machine.boards.json_schema import board_schema
        from rvplat.pluginmanager import load_plugins

        schema = board_schema(Catalogue.of(load_plugins(arguments.plugins)))
        print(json.dumps(schema, indent=2))
        return 0
