"""What a command is, and which there are: the built-in ones, imported when they are needed."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol


class Command(Protocol):
    """A subcommand of `rvplat`; a plugin's `rvplat_commands` gives more."""

    @property
    def name(self) -> str:
        """What it is called by."""
        ...

    @property
    def help(self) -> str:
        """A line about it."""
        ...

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add arguments."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; the exit status. RvplatError for what the user did wrong."""
        ...


@dataclass(frozen=True)
class BuiltIn:
    """A command that ships with rvplat: `module` has its class, called as `title`."""

    name: str
    help: str
    module: str
    title: str

    def load(self) -> Command:
        """The command itself."""
        found: Command = getattr(import_module(f"rvplat.cli.{self.module}"), self.title)()
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
        BuiltIn("gdb", "the server at standard input and output", "debug", "GdbPipe"),
        BuiltIn("explain", "stop a machine, show where addresses lead", "explain", "Explain"),
        BuiltIn("boards", "list the boards", "lists", "Boards"),
        BuiltIn("plugins", "list the plugins and what they bring", "lists", "PluginList"),
        BuiltIn("isa", "list the ISA extensions, or show one of them", "isa", "Isa"),
        BuiltIn("check", "check a board, or a program on a board", "boards", "Check"),
        BuiltIn("dtb", "print the device tree of a board", "boards", "Dtb"),
        BuiltIn("schema", "print the JSON Schema of board files", "boards", "SchemaCommand"),
        BuiltIn("bench", "measure speed, beside QEMU where it is installed", "bench", "Bench"),
        BuiltIn("guest", "fetch a guest: debian", "guest", "Guest"),
        BuiltIn("cache", "show what is kept from one start to the next", "cache", "Cache"),
    )
}
