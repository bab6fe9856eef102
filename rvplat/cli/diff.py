"""`rvplat diff`: finds the first difference of two recordings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.build import add_machine_options, build
from rvplat.cli.progress import progress
from rvplat.cli.recordings import take_machine

if TYPE_CHECKING:
    from rvplat.cli.progress import Progress
    from rvplat.machine.differences.files import File
    from rvplat.machine.differences.search import Difference
    from rvplat.machine.machine import Machine

EPILOG = """\
A and B are recordings, which `rvplat run --record FILE` wrote. First the files are compared: the
board, the software, plugins and disk images, the input, and the checkpoints that they hold every
few million instructions. Then both runs are replayed, up to the last checkpoint that is the same,
and the instructions after it are halved until one is left: the first after which registers or RAM
differ. It is printed with its place in both runs, and what differs after it.

The machines are those of the recorded commands; with BOARD and PROGRAM on the line they are what
the line says. No plugin is taken from a recording: name them with --plugin.

The exit status is 0 if the recordings are the same, 1 if they differ, and 2 if one can't be used or
its replay is not as it was recorded.
"""
DIFFERENT = 1
MOST_ROWS = 40  # registers that are shown


class Diff:
    """Compares two recordings."""

    name = "diff"
    help = "find the first difference of two recordings, and show both states"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "rvplat diff A B [BOARD] [PROGRAM] [options]"
        parser.epilog = EPILOG
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        add_machine_options(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.errors import RvplatError
        from rvplat.machine.differences import files

        if len(arguments.words) < 2:
            raise RvplatError("diff: expected two recordings, A and B")
        one, two = (files.File.read(Path(word)) for word in arguments.words[:2])
        arguments.words = arguments.words[2:]
        if one.lines == two.lines and not files.other_machines(one, two):
            print(f"the recordings are the same, {one.last_work:,} instructions")
            return 0
        if why := files.other_machines(one, two):
            print("A and B are not of the same machine and software:", *why, sep="\n  ")
            return DIFFERENT
        return _compare(one, two, arguments)


def _compare(one: File, two: File, arguments: argparse.Namespace) -> int:
    """Print the first difference of two runs of the same machine."""
    from rvplat.machine.differences import files
    from rvplat.machine.differences.replays import Replay
    from rvplat.machine.differences.search import Pair

    print(f"A: {one.path}\nB: {two.path}")
    if (found := files.first_input(one, two)) is not None:
        print(found[1])
    begin = files.same_up_to(one, two)
    with progress() as say:
        machines: list[Machine] = []
        try:
            machines += [_machine(file, arguments, say) for file in (one, two)]
            replays = [Replay(m, f.path) for m, f in zip(machines, (one, two), strict=True)]
            pair = Pair(replays[0], replays[1], say)
            works = files.places_after(one, two, begin)
            difference = pair.first_difference(begin, works)
            if difference is not None:
                say.end()
                print("\n".join(_shown(difference, machines[0])))
        finally:
            for machine in machines:
                machine.close()
    if difference is None:
        last = works[-1] if works else begin
        print(f"registers, RAM and output are the same up to {last:,} instructions")
        if end := files.other_end(one, two):
            print(end)
    return DIFFERENT


def _machine(file: File, arguments: argparse.Namespace, say: Progress) -> Machine:
    """The machine of a recording."""
    from rvplat.errors import RvplatError

    own = argparse.Namespace(**vars(arguments))
    if not own.words and own.kernel is None:
        if not file.first.get("command"):
            raise RvplatError(
                f"{file.path}: it was not made by `rvplat run --record`, and doesn't say how its "
                "machine is built: name BOARD and PROGRAM too"
            )
        take_machine(own, file.path)
    return build(own, say)


def _shown(found: Difference, machine: Machine) -> list[str]:
    """The lines for a difference."""
    digits = machine.board.harts.xlen // 4
    lines = [
        f"registers, RAM and output are the same for {found.work:,} instructions; the next one:"
    ]
    for name, step in zip("AB", found.steps, strict=True):
        first, *rest = str(step).splitlines()
        lines += [f"{name}: {first}", *(f"   {line}" for line in rest)]
    rows = [(f"hart {hart}: {name}", a, b) for hart, (name, a, b) in found.registers]
    lines.append(f"{'after it':<24} {'A':<{digits + 2}} B")
    for name, a, b in [*rows[:MOST_ROWS], *found.words]:
        lines.append(f"{name:<24} {a:#0{digits + 2}x} {b:#0{digits + 2}x}")
    lines += [f"output of {name}: A ...{a!r}, B ...{b!r}" for name, a, b in found.outputs]
    if len(rows) > MOST_ROWS:
        lines.append(f"and {len(rows) - MOST_ROWS} registers more")
    return lines
