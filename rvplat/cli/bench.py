"""`rvplat bench`: runs the benchmark programs on rvplat and QEMU in turn, or in VS and HS mode."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.progress import Progress, progress

if TYPE_CHECKING:
    from rvplat.guests.bench import Runner, Sides

TIMEOUT_S = 120.0
ITS_OWN, IN_HS, IN_VS = 0, 1, 2  # modes as guests/programs/measure.h reads them in tp


class Bench:
    """Measures speed with the benchmark programs."""

    name = "bench"
    help = "measure speed with guest programs, beside QEMU where it is installed"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="only these")
        parser.add_argument(
            "--repeat", type=int, default=5, metavar="N",
            help="runs of each program, of which the median is shown (default: 5)",
        )  # fmt: skip
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
        beside = parser.add_mutually_exclusive_group()
        beside.add_argument("--alone", action="store_true", help="don't run QEMU")
        beside.add_argument(
            "--worlds", action="store_true",
            help="compare VS mode, with two stages of translation, with HS mode",
        )  # fmt: skip

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.errors import RvplatError, did_you_mean, nearest
        from rvplat.guests import bench, bench_programs

        known = {program.name: program for program in bench_programs()}
        for name in arguments.programs:
            if name not in known:
                hint = did_you_mean(nearest(name, known))
                raise RvplatError(f"no program {name}, expected {', '.join(known)}{hint}")
        if arguments.repeat < 1:
            raise RvplatError(f"--repeat {arguments.repeat}: expected 1 or more")
        wanted = [known[name] for name in arguments.programs or known]
        with progress() as watched:
            sides, here, there = _sides(arguments, watched)
            report = bench.compare(wanted, here, there, arguments.repeat, watched, sides)
        sys.stdout.write(
            json.dumps(report.as_json(), indent=2) + "\n" if arguments.json else report.table()
        )
        return 0


def _sides(arguments: argparse.Namespace, watched: Progress) -> tuple[Sides, Runner, Runner | None]:
    """The description of the comparison, and the runner of each side."""
    from rvplat.guests import bench

    if arguments.worlds:
        return bench.WORLDS, Here(watched, IN_VS), Here(watched, IN_HS)
    sides = bench.beside_qemu(not arguments.alone)
    return sides, Here(watched, ITS_OWN), bench.run_on_qemu if sides.about else None


class Here:
    """Runs a program in one mode of a `virt` board, and returns what it printed."""

    def __init__(self, watched: Progress, world: int) -> None:
        self._watched = watched
        self._world = world

    def __call__(self, path: Path) -> str:
        from rvplat.guests.errors import GuestError
        from rvplat.machine.machine import Machine

        with Machine.open("virt", program=path, say=self._watched) as machine:
            machine.harts[0].x["tp"] = self._world
            stop = machine.run(timeout_s=TIMEOUT_S)
            if stop.reason != "off":
                raise GuestError(f"{path.name}: {stop}")
            return machine.console.output.decode(errors="replace")
