"""`rvplat bench`: the benchmark programs here and on QEMU, in turn."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rvplat.cli.say import Progress, progress

TIMEOUT_S = 120.0


class Bench:
    """Measures."""

    name = "bench"
    help = "measure speed with guest programs, beside QEMU where it is installed"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="only these")
        parser.add_argument(
            "--repeat", type=int, default=5, metavar="N", help="runs of each (5); medians count"
        )
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
        parser.add_argument("--alone", action="store_true", help="without QEMU")

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.errors import RvplatError, nearest
        from rvplat.guests import bench, bench_programs

        known = {program.name: program for program in bench_programs()}
        for name in arguments.programs:
            if name not in known:
                hint = nearest(name, known)
                meant = f'; did you mean "{hint}"?' if hint else ""
                raise RvplatError(f"no program {name}, expected {', '.join(known)}{meant}")
        if arguments.repeat < 1:
            raise RvplatError(f"--repeat {arguments.repeat}: expected 1 or more")
        wanted = [known[name] for name in arguments.programs or known]
        there = None if arguments.alone or bench.qemu_version() is None else bench.run_on_qemu
        with progress() as watched:
            here = Here(watched)
            report = bench.compare(wanted, here, there, arguments.repeat, watched)
        sys.stdout.write(
            json.dumps(report.as_json(), indent=2) + "\n" if arguments.json else report.table()
        )
        return 0


class Here:
    """Runs a program on a `virt` board; gives what it printed."""

    def __init__(self, watched: Progress) -> None:
        self._watched = watched

    def __call__(self, path: Path) -> str:
        from rvplat.guests.errors import GuestError
        from rvplat.machine.machine import Machine

        with Machine.open("virt", program=path, say=self._watched) as machine:
            stop = machine.run(timeout_s=TIMEOUT_S)
            if stop.reason != "off":
                raise GuestError(f"{path.name}: {stop}")
            return machine.console.output.decode(errors="replace")
