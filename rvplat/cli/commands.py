"""The interface of a command, and the built-in commands, which are imported when needed."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib import import_module
from typing import Protocol

from rvplat.frozen import frozen


class Command(Protocol):
    """A subcommand of `rvplat`. The hook `rvplat_commands` adds those of plugins."""

    @property
    def name(self) -> str:
        """The word that calls it."""
        ...

    @property
    def help(self) -> str:
        """What it does, in one line."""
        ...

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add arguments."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Run the command and return the exit status. RvplatError for an error of the user's."""
        ...


@frozen
class BuiltIn:
    """A command that ships with rvplat: the class `class_name` of `module`. `help` is its line in
    the list of commands; the class's own `help` may say more."""

    name: str
    help: str
    module: str
    class_name: str

    def load(self) -> Command:
        """Import the module and make the command."""
        found: Command = getattr(import_module(f"rvplat.cli.{self.module}"), self.class_name)()
        return found

    def configure(self, parser: argparse.ArgumentParser) -> None:
        self.load().configure(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        return self.load().run(arguments)


BUILT_IN: Mapping[str, BuiltIn] = {
    one.name: one
    for one in (
        BuiltIn("run", "run a machine", "run", "Run"),
        BuiltIn("debug", "run a machine under gdb", "debug", "Debug"),
        BuiltIn("gdb", "serve gdb on standard input and output", "debug", "GdbPipe"),
        BuiltIn("explain", "stop a machine and show address translations", "explain", "Explain"),
        BuiltIn("when", "find when a condition holds first", "when", "WhenCommand"),
        BuiltIn("fault", "inject faults and count what follows", "fault", "FaultCommand"),
        BuiltIn(
            "coverage",
            "merge files of coverage, and show or convert them",
            "coverage",
            "CoverageCommand",
        ),
        BuiltIn("diff", "find the first difference of two recordings", "diff", "Diff"),
        BuiltIn("boards", "list the boards", "lists", "Boards"),
        BuiltIn("plugins", "list the plugins and what they provide", "lists", "PluginList"),
        BuiltIn("isa", "list the ISA extensions, or show one of them", "isa", "Isa"),
        BuiltIn("check", "check a board, or a program on a board", "boards", "Check"),
        BuiltIn("dtb", "print the device tree of a board", "boards", "Dtb"),
        BuiltIn("schema", "print the JSON Schema of board files", "boards", "SchemaCommand"),
        BuiltIn("bench", "measure speed, beside QEMU where it is installed", "bench", "Bench"),
        BuiltIn("guest", "fetch a guest: debian", "guest", "Guest"),
        BuiltIn(
            "completion", "print a script for a shell's completion", "completion", "Completion"
        ),
        BuiltIn("cache", "show what is kept from one start to the next", "cache", "Cache"),
    )
}
