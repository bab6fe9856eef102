"""Runs a machine under the user's gdb: `rvplat debug`, and `target remote | rvplat gdb`."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.build import add_machine_options, build
from rvplat.cli.consoles import add_console_option, connect_consoles
from rvplat.cli.progress import progress

if TYPE_CHECKING:
    from rvplat.machine.loading.loader import Software
    from rvplat.machine.machine import Machine

GDBS = (
    "riscv64-unknown-elf-gdb", "riscv64-unknown-linux-gnu-gdb", "riscv64-linux-gnu-gdb",
    "riscv64-elf-gdb", "gdb-multiarch", "gdb",
)  # fmt: skip
VARIABLE = "RVPLAT_GDB"
ARCHITECTURE = "riscv:rv64"
#: gdb shows guests as inferiors without a command for it, and resumes all inferiors together;
#: breakpoints may wait for symbols of guests that don't run yet; sources are files of this host.
SETTINGS = ("set detach-on-fork off", "set schedule-multiple on", "set breakpoint pending on",
            "set sysroot /")  # fmt: skip

EPILOG = """\
BOARD and PROGRAM are as for `rvplat run`. The board has the virtual clock, unless its file or --set
says which (--set clock=host): gdb can then go back in time, by reverse-stepi, reverse-continue and
so on. --set debug.history=SIZE says how much memory of this host that may take (512M; 0: none).
"""


def _candidates() -> Iterator[str]:
    if os.environ.get(VARIABLE):
        yield os.environ[VARIABLE]
        return
    for name in GDBS:
        beside = Path(sys.executable).with_name(name)
        found = str(beside) if beside.exists() else shutil.which(name)
        if found is not None:
            yield found


def knows_riscv(path: str) -> bool:
    """Whether a gdb can debug 64-bit RISC-V."""
    command = [path, "-nx", "-batch", "-ex", f"set architecture {ARCHITECTURE}"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0 and "Undefined item" not in result.stderr


def find_gdb() -> str:
    """The path of a gdb that can debug RISC-V. HostError if there is none."""
    from rvplat.errors import HostError

    tried = list(_candidates())
    for path in tried:
        if knows_riscv(path):
            return path
    what = f"none of {', '.join(tried)} knows {ARCHITECTURE}" if tried else "there is no gdb"
    raise HostError(
        f"{what}: install gdb-multiarch or `pip install gdb-for-pwndbg`, or set {VARIABLE} to a gdb"
    )


class Debug:
    """Starts a board, and a gdb that is attached to it."""

    name = "debug"
    help = "run a machine under gdb"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "rvplat debug [BOARD] [PROGRAM] [options] [-x FILE] [--ex COMMAND]"
        parser.epilog = EPILOG
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        add_machine_options(parser)
        add_console_option(parser)
        parser.add_argument("-x", dest="scripts", action="append", default=[], metavar="FILE",
                            help="a file of commands that gdb runs after it attached")  # fmt: skip
        parser.add_argument("--ex", dest="commands", action="append", default=[],
                            metavar="COMMAND", help="a command that gdb runs then")  # fmt: skip
        parser.add_argument("--batch", action="store_true", help="leave gdb after these commands")

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.gdb.protocol.channels import listen
        from rvplat.gdb.server import Server, keep_history
        from rvplat.machine.backwards import HISTORY_BYTES
        from rvplat.machine.boards.toml_tree import Override

        gdb = find_gdb()
        arguments.defaults = [Override(("clock",), "virtual", "rvplat debug", is_default=True)]
        with progress() as watched:
            machine = build(arguments, watched)
        show_console(machine, arguments, _show)
        keep_history(machine, HISTORY_BYTES)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "gdb"
            with Server(machine, listen(f"unix:{path}"), halt=True) as server:
                server.target.keeps_forks = True  # as SETTINGS tell gdb
                thread = threading.Thread(target=server.serve, daemon=True)
                thread.start()
                status = _run_gdb([gdb, "-q", *_sources(machine.software)], path, arguments)
                server.stop()
                thread.join()
        machine.close()
        return status


def _show(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def _sources(software: Software) -> list[str]:
    """The options that tell gdb where the sources of a shipped guest are."""
    from rvplat.guests import hypervisor_elf

    folder, program = hypervisor_elf().parents[1], software.program
    ships = program is not None and folder in program.path.parents
    return ["-d", str(folder)] if ships else []


def _run_gdb(command: list[str], path: Path, arguments: argparse.Namespace) -> int:
    """Run the user's session; return gdb's exit status. gdb handles Ctrl-C."""
    for line in (*SETTINGS, f"target extended-remote {path}"):
        command += ["-ex", line]
    for script in arguments.scripts:
        command += ["-x", script]
    for line in arguments.commands:
        command += ["-ex", line]
    if arguments.batch:
        command.append("-batch")
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


class GdbPipe:
    """Serves one gdb on standard input and output."""

    name = "gdb"
    help = "serve gdb on standard input and output, for `target remote | rvplat gdb BOARD PROGRAM`"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "rvplat gdb [BOARD] [PROGRAM] [options]"
        add_machine_options(parser)
        add_console_option(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.gdb.protocol.channels import PipeChannel
        from rvplat.gdb.protocol.early_session import EarlySession

        client = PipeChannel(sys.stdin.fileno(), sys.stdout.fileno())
        with EarlySession(client=client), progress() as watched:
            machine = build(arguments, watched)
        from rvplat.gdb.server import Server

        show_console(machine, arguments, show_beside)
        with Server(machine, None, halt=True) as server:
            stop = server.serve_pipe(client)
        machine.close()
        return 0 if stop.reason == "leave" else stop.status


def show_console(
    machine: Machine, arguments: argparse.Namespace, show: Callable[[bytes], None]
) -> None:
    """Connect the consoles, and show the output of the one at stdio: gdb has the input."""
    try:
        found = connect_consoles(machine, arguments)
    except BaseException:
        machine.close()
        raise
    for console in (found.at_stdio, *found.shown):
        if console is not None:
            console.sinks.append(show)


def show_beside(data: bytes) -> None:
    """Write the guest's output to stderr, because stdout has another use."""
    sys.stderr.buffer.write(data)
    sys.stderr.flush()
