"""`rvplat boards`, `rvplat plugins`, `rvplat isa`: what there is."""

from __future__ import annotations

import argparse
import sys

from rvplat.cli.options import DEFAULT_BOARD, add_board_options, add_plugin_option, overrides
from rvplat.cli.tables import table


class Boards:
    """Lists the boards."""

    name = "boards"
    help = "list the boards"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add_plugin_option(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.machine.catalogue import Catalogue
        from rvplat.machine.listing import list_boards
        from rvplat.pluginmanager import load_plugins

        rows = list_boards(Catalogue.of(load_plugins(arguments.plugins)))
        cells = [(row.name, row.extends or "-", row.description) for row in rows]
        sys.stdout.write(table(("board", "extends", "what it is"), cells))
        return 0


class PluginList:
    """Lists the plugins, and what each registered."""

    name = "plugins"
    help = "list the plugins and what they bring"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add_plugin_option(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.pluginmanager import load_plugins

        cells = [
            (one.name, one.source, _registered(one.registered))
            for one in load_plugins(arguments.plugins).plugins
        ]
        sys.stdout.write(table(("plugin", "from", "brings"), cells))
        return 0


def _registered(things: tuple[tuple[str, str], ...]) -> str:
    """`devices clint, uart; commands hello`."""
    kinds: dict[str, list[str]] = {}
    for hook, label in things:
        kinds.setdefault(hook.removeprefix("rvplat_"), []).append(label)
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items()) or "-"


class Isa:
    """Lists the ISA extensions."""

    name = "isa"
    help = "list the ISA extensions, their versions and standing, and what a board has of them"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("board", nargs="?", default=DEFAULT_BOARD, metavar="BOARD")
        add_board_options(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.machine.catalogue import Catalogue
        from rvplat.machine.listing import list_extensions
        from rvplat.machine.open import open_board

        board, plugins = open_board(arguments.board, overrides(arguments), arguments.plugins)
        rows = list_extensions(Catalogue.of(plugins), board)
        cells = [
            (row.name, row.version, row.standing, "yes" if row.enabled else "-",
             str(row.instructions), str(row.csrs), row.title)
            for row in rows
        ]  # fmt: skip
        head = ("extension", "version", "standing", board.name, "instructions", "CSRs", "what")
        sys.stdout.write(table(head, cells))
        return 0
