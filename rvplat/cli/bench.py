"""`rvplat bench`: runs the benchmark programs on rvplat, on QEMU and natively in turn, or in VS and
HS mode."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.progress import Progress, progress

if TYPE_CHECKING:
    from rvplat.guests import BenchProgram
    from rvplat.guests.bench import Report

TIMEOUT_S = 120.0
VECTOR_ISA = "rv64imafdcvh_zicclsm_zicntr_zicsr_zifencei_zihpm_zba_zbb_zbs_zvkb_zvknha"
ITS_OWN, IN_HS, IN_VS = 0, 1, 2  # modes as guests/programs/measure.h reads them in tp


class Bench:
    """Measures speed with the benchmark programs."""

    name = "bench"
    help = "measure speed with guest programs, beside QEMU where it is installed"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="only these")
        parser.add_argument(
            "--vectors", action="store_true",
            help="the programs with vector instructions, on a hart with V and VLEN 128",
        )  # fmt: skip
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
        parser.add_argument(
            "--native", action="store_true",
            help="compare with the programs built for the host, which needs the package ziglang; "
            "each program runs again on the same machine, without the start of its regions",
        )  # fmt: skip

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.errors import RvplatError, did_you_mean, nearest
        from rvplat.guests import bench_programs

        known = {program.name: program for program in bench_programs()}
        for name in arguments.programs:
            if name not in known:
                hint = did_you_mean(nearest(name, known))
                raise RvplatError(f"no program {name}, expected {', '.join(known)}{hint}")
        if arguments.repeat < 1:
            raise RvplatError(f"--repeat {arguments.repeat}: expected 1 or more")
        if arguments.native and arguments.worlds:
            raise RvplatError("--native and --worlds: expected one of them")
        named = arguments.programs or [
            name for name, one in known.items() if bool(one.needs) == arguments.vectors
        ]
        wanted = [known[name] for name in named]
        with progress() as watched:
            report = _measured(arguments, wanted, watched)
        sys.stdout.write(
            json.dumps(report.as_json(), indent=2) + "\n" if arguments.json else report.table()
        )
        return 0


def _measured(
    arguments: argparse.Namespace, wanted: list[BenchProgram], watched: Progress
) -> Report:
    """The comparison that the options ask for."""
    from rvplat.guests import bench

    repeat = arguments.repeat
    if arguments.worlds:
        here, there = Here(watched, IN_VS), Here(watched, IN_HS)
        return bench.compare(wanted, here, there, repeat, watched, bench.WORLDS)
    with tempfile.TemporaryDirectory() as folder:
        native = None
        if arguments.native:
            from rvplat.guests.native import Native

            native = Native(wanted, Path(folder), watched)
        sides = bench.beside_qemu(not arguments.alone, native.about if native else None)
        on_qemu = bench.run_on_qemu if sides.about else None
        own = Here(watched, ITS_OWN, again=arguments.native)
        return bench.compare(wanted, own, on_qemu, repeat, watched, sides, native)


class Here:
    """Runs a program in one mode of a `virt` board, and returns what it printed. `again`: it runs
    twice on the same machine."""

    def __init__(self, watched: Progress, world: int, again: bool = False) -> None:
        self._watched = watched
        self._world = world
        self._again = again

    def __call__(self, program: BenchProgram) -> str:
        from rvplat.guests.bench import VLEN
        from rvplat.guests.errors import GuestError
        from rvplat.machine.machine import Machine

        settings = {"harts.isa": VECTOR_ISA, "harts.vlen": VLEN} if program.needs else None
        with Machine.open(
            "virt", program=program.path, say=self._watched, settings=settings
        ) as machine:
            for n in range(1 + self._again):
                if n:
                    machine.reset()
                machine.harts[0].x["tp"] = self._world
                stop = machine.run(timeout_s=TIMEOUT_S)
                if stop.reason != "off":
                    raise GuestError(f"{program.path.name}: {stop}")
            return machine.console.output.decode(errors="replace")
