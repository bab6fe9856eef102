"""`rvplat check`, `rvplat dtb`, `rvplat schema`: board files, and programs on a board."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.options import add_board_options, add_plugin_option, overrides
from rvplat.tables import table

if TYPE_CHECKING:
    from rvplat.machine.boards.board import Board
    from rvplat.machine.loading.program_facts import Facts, Part
    from rvplat.pluginmanager import Plugins

FAULTY = 2
CHECK_DETAILS = """\
BOARD is a name, or the path of a TOML file. PROGRAM is a program file, or "demo" or "hypervisor". A
single word is the PROGRAM if it is one of these two or names a file that doesn't end with .toml;
the board is then virt. The exit status is 2 if the board has faults or the program will not start
on it.
"""


class Check:
    """Reports every fault of a board at once, and explains a program."""

    name = "check"
    help = "check a board and its plugins, or explain a program and why it will not start on one"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "rvplat check [BOARD] [PROGRAM] [options]"
        parser.epilog = CHECK_DETAILS
        parser.add_argument("words", nargs="*", metavar="BOARD PROGRAM", help="see below")
        add_board_options(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.cli.build import board_and_program
        from rvplat.cli.progress import progress
        from rvplat.machine.board_problems import problems_of
        from rvplat.machine.open import open_board
        from rvplat.pluginmanager import load_plugins

        name, program = board_and_program(arguments.words)
        plugins = load_plugins(arguments.plugins)
        with progress() as watched:
            faults = problems_of(name, overrides(arguments), plugins, watched)
        faults += _hidden(plugins)
        if not faults and program is not None:
            board, _ = open_board(name, overrides(arguments), plugins=plugins)
            faults = _explained(board, program, plugins)
        for fault in faults:
            print(fault, file=sys.stderr)
        if not faults:
            print(f"{name}: no faults" if program is None else f"{program}: it starts on {name}")
        return FAULTY if faults else 0


def _explained(board: Board, program: Path, plugins: Plugins) -> list[str]:
    """Print what a program is; return why it will not start on the board."""
    from rvplat.cli.progress import progress
    from rvplat.machine.loading.program_facts import facts_of
    from rvplat.machine.loading.user_files import read_file
    from rvplat.machine.program_check import notes, obstacles

    data = read_file(program, "the program")
    facts = facts_of(program, data, tuple(plugins.loaders.values()))
    sys.stdout.write(f"{program}: {facts.what}\n")
    rows = [*facts.rows, *(("note", text) for text in notes(board, program, facts))]
    sys.stdout.writelines(f"  {label:<12}{text}\n" for label, text in rows)
    sys.stdout.write("".join(f"  {line}\n" for line in _parts(board, facts)))
    sys.stdout.flush()
    with progress() as watched:
        return obstacles(board, plugins, program, facts, watched)


def _parts(board: Board, facts: Facts) -> list[str]:
    """A table of the parts of a program, and of the memory that each is loaded into."""
    cells = [
        (f"{one.address:#x}", f"{one.address + max(one.size, 1) - 1:#x}", one.access,
         str(one.file_size), str(one.size), _where(board, facts, one))
        for one in facts.parts
    ]  # fmt: skip
    head = ("from", "to", "access", "bytes", "in memory", "where")
    return table(head, cells).splitlines() if cells else []


def _where(board: Board, facts: Facts, part: Part) -> str:
    """The memory that a part is loaded into, if its address is fixed, and the part's name."""
    memories = [
        name
        for name, memory in board.memory.items()
        if facts.fixed and memory.base <= part.address < memory.base + memory.size
    ]
    return ", ".join([*memories, *filter(None, [part.name])])


def _hidden(plugins: Plugins) -> list[str]:
    """Commands of plugins that can't be called, because rvplat has a command of the same name."""
    from rvplat.cli.commands import BUILT_IN
    from rvplat.gdb.monitor import dispatch  # noqa: F401 (registers the commands)
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
