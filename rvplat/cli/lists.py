"""`rvplat boards` and `rvplat plugins`: lists of the boards and of the plugins."""

from __future__ import annotations

import argparse
import sys

from rvplat.cli.options import add_plugin_option
from rvplat.tables import table


class Boards:
    """Lists the boards."""

    name = "boards"
    help = "list the boards"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add_plugin_option(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.machine.boards.catalogue import Catalogue
        from rvplat.machine.boards.listing import list_boards
        from rvplat.pluginmanager import load_plugins

        rows = list_boards(Catalogue.of(load_plugins(arguments.plugins)))
        cells = [(row.name, row.extends or "-", row.description) for row in rows]
        sys.stdout.write(table(("board", "extends", "what it is"), cells))
        return 0


class PluginList:
    """Lists the plugins, and what each registered."""

    name = "plugins"
    help = "list the plugins and what they provide"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add_plugin_option(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.pluginmanager import load_plugins

        cells = [
            (one.name, one.source, _registered(one.registered))
            for one in load_plugins(arguments.plugins).plugins
        ]
        sys.stdout.write(table(("plugin", "from", "provides"), cells))
        return 0


def _registered(things: tuple[tuple[str, str], ...]) -> str:
    """What a plugin registered as text: `devices clint, uart; commands hello`."""
    kinds: dict[str, list[str]] = {}
    for hook, label in things:
        kinds.setdefault(hook.removeprefix("rvplat_"), []).append(label)
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items()) or "-"
