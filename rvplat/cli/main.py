"""`rvplat`: finds the command, runs it, and reports errors in one line."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NoReturn

from rvplat.cli.commands import BUILT_IN, BuiltIn, Command
from rvplat.cli.interrupts import INTERRUPTED, raise_interrupts

BEGAN = time.perf_counter()
SHIPPED = "rvplat_plugins."
COMPLETES = "_ARGCOMPLETE"  # set if a shell asks how a word goes on
OUR_ERROR = 2
PLUGIN_FAILED = 125
BROKEN_PIPE = 141

DESCRIPTION = "RISC-V machines, defined in Python and executed by LLVM."


class Parser(argparse.ArgumentParser):
    """Reports wrong arguments in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}; see `{self.prog} --help`", file=sys.stderr)
        sys.exit(OUR_ERROR)


class Version(argparse.Action):
    """Prints the version. Reading it takes 20 ms, so it is read only for `--version`."""

    def __call__(self, *_: object) -> NoReturn:
        print(_version())
        sys.exit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments (default: the process's) name; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    standard_streams()
    logging.basicConfig(format="rvplat: %(message)s", stream=sys.stderr, level=logging.WARNING)
    try:
        status = _run(given)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return _broken_pipe()
    except OSError as error:  # such as a full disk, or a terminal that was closed
        complain(_message(error))
        return OUR_ERROR
    except Exception as error:
        from rvplat.errors import RunFailed, RvplatError

        if lack := _lack(error):
            complain(lack)
            return OUR_ERROR
        if not isinstance(error, RvplatError):
            raise
        for line in str(error).splitlines():
            complain(line)
        return PLUGIN_FAILED if isinstance(error, RunFailed) else OUR_ERROR


def standard_streams() -> None:
    """Open closed standard streams on /dev/null, and escape characters that can't be encoded."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def complain(line: str) -> None:
    """Print a line on stderr, if that can be written."""
    with contextlib.suppress(OSError):
        print(line if line.startswith(" ") else f"rvplat: {line}", file=sys.stderr, flush=True)


def _lack(error: Exception) -> str:
    """What the host has no more of, if that is the error."""
    if isinstance(error, MemoryError):
        return "this host has no more memory"
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        return "this host can't start another thread"
    return ""


def _message(error: OSError) -> str:
    """The file and the error. Only errors of writing to standard output have no file name."""
    if error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EFBIG):
        _drop_output()
        return f"standard output: {error.strerror}"
    return f"{error.filename}: {error.strerror}" if error.filename is not None else str(error)


def _broken_pipe() -> int:
    """The exit status when the reader of our output has closed the pipe."""
    _drop_output()
    return BROKEN_PIPE


def _drop_output() -> None:
    """Discard the rest of stdout, so that the interpreter's flush at its end doesn't fail again."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(given: Sequence[str]) -> int:
    if COMPLETES in os.environ:
        _complete()
    name = next((word for word in given if not word.startswith("-")), None)
    commands: Mapping[str, Command] = BUILT_IN
    if name not in BUILT_IN and (name is not None or not given or "--version" not in given):
        commands = {**_plugin_commands(given), **BUILT_IN}
    parser = _parser(commands, name)
    parsed = _parsed(parser, given)
    if parsed.command is None:
        parser.print_help()
        return 0
    command = commands[parsed.command]
    if isinstance(command, BuiltIn):
        command = command.load()
    raise_interrupts()
    return command.run(parsed)


def _complete() -> None:
    """Tell the shell how the word goes on, and end the process."""
    from rvplat.cli.completion import answer, wanted_command

    commands = {**_plugin_commands(()), **BUILT_IN}
    answer(_parser(commands, wanted_command(commands)))


def _parsed(parser: argparse.ArgumentParser, given: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments. Positional words may come between options, which argparse itself doesn't
    allow for subcommands."""
    parsed, rest = parser.parse_known_args(given)
    if rest and (not hasattr(parsed, "words") or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        parsed.words += rest
    return parsed


def _parser(commands: Mapping[str, Command], wanted: str | None) -> argparse.ArgumentParser:
    """The parser. Only the wanted command is configured, so that the others need no import."""
    parser = Parser(prog="rvplat", description=DESCRIPTION)
    parser.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    found = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", parser_class=Parser
    )
    for name, command in commands.items():
        one = found.add_parser(name, help=command.help)
        if name == wanted:
            loaded = command.load() if isinstance(command, BuiltIn) else command
            one.description = loaded.help
            loaded.configure(one)
    return parser


def _version() -> str:
    import importlib.metadata

    try:
        return f"rvplat {importlib.metadata.version('rvplat')}"
    except importlib.metadata.PackageNotFoundError:
        return "rvplat (not installed)"


def _plugin_commands(given: Sequence[str]) -> Mapping[str, Command]:
    """The commands of installed plugins, and of those that `--plugin` names."""
    from rvplat.entrypoints import entry_points

    entries = entry_points()
    paths = [path for option, path in pairwise(given) if option == "--plugin"]
    paths += [word.partition("=")[2] for word in given if word.startswith("--plugin=")]
    if not paths and all(entry.value.startswith(SHIPPED) for entry in entries):
        return {}
    from rvplat.pluginmanager import load_plugins

    return load_plugins(paths).commands
