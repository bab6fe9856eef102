"""`rvplat run`: runs a program on a board, with the user's terminal as the console."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.api import add_api_options, check_api_options, serve_api, wants_api
from rvplat.cli.build import add_limits, add_machine_options, build, uncollected
from rvplat.cli.consoles import add_console_option, connect_consoles
from rvplat.cli.coverage import add_coverage_option, check_coverage, covering
from rvplat.cli.progress import progress, say
from rvplat.cli.recordings import add_recording_options, recorded_arguments, use_recording
from rvplat.cli.serve import add_gdb_options, check_gdb_options, lobby_for, serve
from rvplat.cli.snapshots import Saver, add_save_option

if TYPE_CHECKING:
    from rvplat.cli.terminal import Terminal
    from rvplat.gdb.protocol.early_session import EarlySession
    from rvplat.machine.machine import Machine
    from rvplat.machine.running.stop import Stop
    from rvplat.machine.running.turn_taking import TurnTaking

EPILOG = """\
BOARD is a name (see `rvplat boards`) or the path of a TOML file; the default is virt. PROGRAM is
firmware or another bare ELF or binary file, which starts in M mode, or the word "demo" or
"hypervisor" for a guest that ships with rvplat; the default is the demo, if there is no kernel. A
single word that names a file, or is one of these two, is the PROGRAM.

On a terminal, Ctrl-A X leaves, Ctrl-A S saves a snapshot, Ctrl-A H shows help. The exit status is
the guest's: 0 when it powers off, or the code that it wrote to sifive_test or HTIF. It is 124 when
--timeout or --max-instructions ended the run, when every hart waits and nothing can wake one, or
when a hart is in a critical error (Smdbltrp). It is 125 when a plugin's code raised or did not
return, whatever the guest's status; 130 after Ctrl-C; and 2 when rvplat reports an error.

If a plugin's code does not return, rvplat names the plugin after some seconds. A second request to
end the run (Ctrl-C, Ctrl-A X, a signal) ends the process at once.
"""
STATS_TABLE, STATS_JSON = "table", "json"
#: Reasons of a stop after which a dump shows where the guest was.
DUMPED = ("timeout", "limit", "idle", "critical", "interrupt", "failure")

#: Options with a file that is written, each once.
WRITTEN = ("trace", "profile", "timeline", "signature", "save", "record")


class Run:
    """Runs a machine until the guest ends it."""

    name = "run"
    help = "run a machine"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "rvplat run [BOARD] [PROGRAM] [options]"
        parser.epilog = EPILOG
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        add_machine_options(parser)
        add_limits(parser)
        add_save_option(parser)
        add_recording_options(parser)
        _add_run_options(parser)
        add_coverage_option(parser)
        add_console_option(parser)
        add_gdb_options(parser)
        add_api_options(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        if arguments.each:
            from rvplat.cli.run_each import run_each

            return run_each(arguments)
        arguments = recorded_arguments(arguments)
        check_gdb_options(arguments)
        check_api_options(arguments)
        check_coverage(arguments.coverage)
        _check_files(arguments)
        lobby = lobby_for(arguments)
        with lobby or nullcontext(), uncollected(), progress() as watched:
            machine = build(arguments, watched)
        try:
            with covering(machine, arguments.coverage):
                return _run(machine, arguments, lobby)
        finally:
            machine.close()


def _check_files(arguments: argparse.Namespace) -> None:
    """RvplatError if two options name one file: each would write into the other's text."""
    from rvplat.errors import RvplatError

    given = {name: [getattr(arguments, name)] for name in WRITTEN}
    known: dict[Path, str] = {}
    for name, paths in {**given, "coverage": arguments.coverage}.items():
        for path in filter(None, paths):
            place = path.resolve()
            if place in known and (place.is_file() or not place.exists()):
                raise RvplatError(f"--{name} {path}: --{known[place]} writes this file already")
            known[place] = name


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stats", action="store_const", const=STATS_TABLE,
        help="print statistics of the run on stderr",
    )  # fmt: skip
    parser.add_argument(
        "--stats=json", dest="stats", action="store_const", const=STATS_JSON,
        help="print them as JSON, as the last line on stderr",
    )  # fmt: skip
    parser.add_argument(
        "--strict", action="store_true", help="end the run when a plugin's code raises"
    )
    parser.add_argument(
        "--each", nargs="+", action="extend", default=[], type=Path, metavar="PATH",
        help="run many programs, each on a new machine, and print a line for each: files, or "
        "folders of ELF files; the exit status is 0 if each ends with 0, otherwise 1; --timeout "
        "limits each of them",
    )  # fmt: skip
    parser.add_argument(
        "--trace", type=Path, metavar="FILE",
        help="write every instruction to FILE, in the format of Spike's commit log",
    )  # fmt: skip
    parser.add_argument(
        "--profile", type=Path, metavar="FILE",
        help="write a sampling profile of the guest to FILE, by world and call stack, as JSON for "
        "https://www.speedscope.app, or if its name ends in .folded or .collapsed as collapsed "
        "stacks; --symbols names files with symbols",
    )  # fmt: skip
    parser.add_argument(
        "--timeline", type=Path, metavar="FILE",
        help="write a timeline of the harts to FILE, for https://ui.perfetto.dev: worlds, traps, "
        "interrupts, guests' exits and accesses to devices",
    )  # fmt: skip
    parser.add_argument(
        "--signature", type=Path, metavar="FILE",
        help="when the run ends, write the memory from begin_signature to end_signature to FILE, "
        "as 4-byte words in hex; with --each, FILE is a folder for PROGRAM.signature",
    )  # fmt: skip


def _run(machine: Machine, arguments: argparse.Namespace, lobby: EarlySession | None) -> int:
    from rvplat.cli.terminal import Terminal
    from rvplat.machine.run_files import recording

    if arguments.signature is not None:
        from rvplat.machine.inspection.signature import signature_range

        signature_range(machine.symbols, str(arguments.words[-1] if arguments.words else "demo"))
        _write(arguments.signature, "")
    use_recording(machine, arguments)
    saver = Saver(machine, arguments.save)
    saver.check()
    consoles = connect_consoles(machine, arguments)
    terminal = Terminal(machine, saver, consoles.at_stdio, consoles.shown)
    if lobby is not None:
        with recording(machine, None, arguments.profile, arguments.timeline), terminal:
            stop = serve(machine, arguments, terminal, lobby)
        saver.end()
        return _report(machine, stop, arguments, terminal.signal)
    files = recording(machine, arguments.trace, arguments.profile, arguments.timeline)
    with files as turns, terminal:
        if wants_api(arguments):
            stop = serve_api(machine, arguments, terminal)
        else:
            stop = _run_alone(machine, arguments, terminal, consoles.has_input, turns)
    saver.end()
    return _report(machine, stop, arguments, terminal.signal)


def _run_alone(
    machine: Machine, arguments: argparse.Namespace, terminal: Terminal, has_input: bool,
    turns: TurnTaking | None,
) -> Stop:  # fmt: skip
    """Run until the guest, a limit or the user ends it. `has_input`: a client of a console may send
    some."""
    from rvplat.machine.running.run import Runner
    from rvplat.machine.running.stop import Stop

    runner = Runner(
        machine, arguments.timeout, arguments.max_instructions,
        not (terminal.has_input or has_input), turns=turns,
    )  # fmt: skip
    try:
        runner.start()
        terminal.read_for(None if has_input else runner)
        return runner.wait()
    except KeyboardInterrupt:
        if machine.running:
            machine.pause()
        return Stop("interrupt")


def _status(machine: Machine, stop: Stop, signal: int) -> int:
    """The exit status: that of an interrupt, if one ended the run; otherwise FAILURE_STATUS if a
    plugin failed, because the guest's status can't be trusted then; otherwise the guest's."""
    from rvplat.machine.running.stop import FAILURE_STATUS

    if signal:
        return 128 + signal
    interrupted = stop.reason in ("interrupt", "pause")
    return FAILURE_STATUS if machine.failures and not interrupted else stop.status


def _report(machine: Machine, stop: Stop, arguments: argparse.Namespace, signal: int) -> int:
    """Print the reports after a run; return the exit status."""
    status = _status(machine, stop, signal)
    if arguments.signature is not None:
        _write(arguments.signature, machine.signature())
    if stop.reason in (*DUMPED, "fail"):
        say(str(stop))
    if stop.reason in DUMPED:
        sys.stderr.write(machine.dump())
    for failure in machine.failures:
        say(str(failure))
    if arguments.stats == STATS_TABLE:
        sys.stderr.write(machine.statistics().table())
    elif arguments.stats == STATS_JSON:
        found = {**machine.statistics().as_json(), "stop": stop.reason, "status": status}
        print(json.dumps(found), file=sys.stderr)
    return status


def _write(path: Path, text: str) -> None:
    from rvplat.errors import HostError

    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}") from None
