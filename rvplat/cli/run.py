"""`rvplat run`: a board, a program, and the user's terminal for a console."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.debug import add_gdb_options, check_gdb_options, serve
from rvplat.cli.options import DEFAULT_BOARD, add_board_options, overrides
from rvplat.cli.say import progress, say

if TYPE_CHECKING:
    from rvplat.machine.machine import Machine
    from rvplat.machine.source import Override
    from rvplat.machine.stop import Stop
    from rvplat.machine.trace import Tracer

EPILOG = """\
BOARD is a name (`rvplat boards`) or the path of a TOML file; virt without it. PROGRAM is firmware,
or a bare ELF or binary file, started in M mode, or the word "demo" or "hypervisor" for a guest that
ships with rvplat; without it, and without a kernel, the demo. A single word that is a file, or one
of these two, is the PROGRAM.

On a terminal, Ctrl-A X leaves and Ctrl-A H helps. The exit status is the guest's: 0 when it powers
off, the code that it gave to sifive_test or HTIF; 124 when --timeout or --max-instructions ended
the run, or when every hart waits for what can't come; 130 after Ctrl-C; 2 for an error of ours.
"""
STATS_TABLE, STATS_JSON = "table", "json"
#: Ends that ask for a look at where the guest was.
DUMPED = ("timeout", "limit", "idle", "interrupt")


def seconds(text: str) -> float:
    """A time for `--timeout`."""
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError
    return value


def count(text: str) -> int:
    """A number for `--max-instructions`."""
    value = int(text.replace("_", ""), 0)
    if not 0 < value < 1 << 62:
        raise ValueError
    return value


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
        _add_run_options(parser)
        add_gdb_options(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        with progress() as watched:
            machine = build(arguments, watched)
        try:
            return _run(machine, arguments)
        finally:
            machine.close()


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """The board, its software, what changes it."""
    parser.add_argument("words", nargs="*", metavar="BOARD PROGRAM", help="see below")
    for option, what in (
        ("--kernel", "what the firmware starts: an Image, ELF or raw binary file"),
        ("--initrd", "the kernel's initial RAM disk"),
        ("--dtb", "a device tree instead of the one made from the board"),
    ):
        parser.add_argument(option, type=Path, metavar="FILE", help=what)
    parser.add_argument("--append", metavar="TEXT", help="the kernel's command line")
    parser.add_argument(
        "--disk", dest="disks", action="append", default=[], metavar="FILE",
        help="a raw disk image in the next virtio slot of the board; may be repeated",
    )  # fmt: skip
    add_board_options(parser)


def add_limits(parser: argparse.ArgumentParser) -> None:
    """What ends a run from outside."""
    parser.add_argument("--timeout", type=seconds, metavar="S", help="end after so many seconds")
    parser.add_argument(
        "--max-instructions", type=count, metavar="N", help="end when a hart has executed N"
    )


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stats", action="store_const", const=STATS_TABLE, help="what the run took, on stderr"
    )
    parser.add_argument(
        "--stats=json", dest="stats", action="store_const", const=STATS_JSON,
        help="the same as JSON, the last line on stderr",
    )  # fmt: skip
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="every instruction, as Spike's commit log"
    )
    parser.add_argument(
        "--signature", type=Path, metavar="FILE",
        help="begin_signature to end_signature in 4-byte words of hex, when the run ends",
    )  # fmt: skip


def board_and_program(words: list[str]) -> tuple[str, Path | None]:
    """What the positional arguments are: `BOARD`, `PROGRAM`, both or neither."""
    from rvplat.errors import RvplatError

    if len(words) > 2:
        more = " ".join(words[2:])
        raise RvplatError(f"run: {more}: expected a BOARD and a PROGRAM, nothing more")
    if len(words) == 2:
        return words[0], shipped(words[1]) or Path(words[1])
    if not words:
        return DEFAULT_BOARD, None
    path = shipped(words[0]) or Path(words[0])
    looks = path.is_file() or "/" in words[0] or path.suffix
    if looks and path.suffix != ".toml":
        return DEFAULT_BOARD, path
    return words[0], None


def shipped(word: str) -> Path | None:
    """The guest that ships under a word; None for any other word."""
    from rvplat import guests

    found = {"demo": guests.demo_elf, "hypervisor": guests.hypervisor_elf}.get(word)
    return found() if found else None


def disks(paths: list[str]) -> list[Override]:
    """What `--disk` changes: the model and image of virtio0, virtio1, ..."""
    from rvplat.machine.source import Override

    found = []
    for number, path in enumerate(paths):
        for key, value in (("model", "virtio-blk"), ("image", path)):
            where = ("devices", f"virtio{number}", key)
            found.append(Override(where, value, f"--disk {path}"))
    return found


def build(arguments: argparse.Namespace, watched: object) -> Machine:
    """The machine that the arguments ask for."""
    from rvplat.cli import main
    from rvplat.guests import demo_elf
    from rvplat.machine.loader import read_software
    from rvplat.machine.machine import Machine
    from rvplat.machine.open import open_board

    name, program = board_and_program(arguments.words)
    changes = [*overrides(arguments), *disks(arguments.disks)]
    board, plugins = open_board(name, changes, arguments.plugins)
    if program is None and (board.boot.program, board.boot.kernel, arguments.kernel) == (None,) * 3:
        program = demo_elf()
    software = read_software(
        board, program, arguments.kernel, arguments.initrd, arguments.append, arguments.dtb,
        tuple(plugins.loaders.values()),
    )  # fmt: skip
    assert callable(watched)
    machine = Machine(board, software, None, plugins, watched)
    machine.built_at = main.BEGAN
    return machine


def _run(machine: Machine, arguments: argparse.Namespace) -> int:
    from rvplat.cli.terminal import Terminal
    from rvplat.machine.run import Runner
    from rvplat.machine.stop import Stop

    if arguments.signature is not None:
        from rvplat.machine.signature import signature_range

        signature_range(machine.symbols, str(arguments.words[-1] if arguments.words else "demo"))
        _write(arguments.signature, "")
    check_gdb_options(arguments)
    if arguments.gdb is not None:
        with Terminal(machine) as terminal:
            stop = serve(machine, arguments, terminal)
        _report(machine, stop, arguments)
        return 128 + terminal.signal if terminal.signal else stop.status
    with _turns(machine, arguments.trace) as turns, Terminal(machine) as terminal:
        runner = Runner(
            machine, arguments.timeout, arguments.max_instructions, not terminal.has_input,
            turns=turns,
        )  # fmt: skip
        try:
            runner.start()
            terminal.read_for(runner)
            stop = runner.wait()
        except KeyboardInterrupt:
            stop = Stop("interrupt")
            if machine.running:
                machine.pause()
    _report(machine, stop, arguments)
    return 128 + terminal.signal if terminal.signal else stop.status


def _turns(machine: Machine, trace: Path | None) -> AbstractContextManager[Tracer | None]:
    if trace is None:
        return nullcontext()
    from rvplat.machine.trace import tracing

    return tracing(machine, trace)


def _report(machine: Machine, stop: Stop, arguments: argparse.Namespace) -> None:
    """What there is to say after a run."""
    if arguments.signature is not None:
        _write(arguments.signature, machine.signature())
    if stop.reason in (*DUMPED, "fail"):
        say(str(stop))
    if stop.reason in DUMPED:
        sys.stderr.write(machine.dump())
    if arguments.stats == STATS_TABLE:
        sys.stderr.write(machine.statistics().table())
    elif arguments.stats == STATS_JSON:
        found = {**machine.statistics().as_json(), "stop": stop.reason, "status": stop.status}
        print(json.dumps(found), file=sys.stderr)


def _write(path: Path, text: str) -> None:
    from rvplat.errors import HostError

    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}") from None
