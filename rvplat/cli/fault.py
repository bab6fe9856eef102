"""`rvplat fault`: a fault campaign."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from rvplat.cli.build import add_machine_options, build, count
from rvplat.cli.progress import progress

if TYPE_CHECKING:
    from rvplat.faults.campaign import Campaign, Golden, Result
    from rvplat.faults.plan import Fault, Wanted

EPILOG = """\
BOARD and PROGRAM are those of `rvplat run`. The machine has a virtual clock. It first runs without
a fault; its end, its exit code and what the main console shows are how it should be. Then it runs
once for each fault, from the same state: from the first instruction, after --after instructions, or
from the snapshot that --load names. After its fault a run may go on until a hart has executed twice
the instructions of the run without a fault and 1,000,000 more, or for 120 s of the host's time.

crashed    the run ended otherwise: another reason or exit code, a critical error, a reset
hung       it did not end within these limits, or every hart waits
wrong      it ended as it should, and the console showed something else
unnoticed  nothing is different
unreached  the instruction of --at was never executed

--at FUNCTION puts a fault before each instruction of the function (the first time that a hart
executes it, on that hart), with --count at N of them. Without --at, --count N chooses N places
among all executed instructions of a board with one hart. What is left open is chosen by --seed: the
same command makes the same faults.

Each fault is a line of JSON on stdout, with the command that repeats it alone; the last line is the
summary. The exit status is 0; 2 when rvplat reports an error; 125 when a plugin fails without a
fault. The run without a fault must end by itself, within 120 s of the host's time.
"""


class FaultCommand:
    """Runs a campaign."""

    name = "fault"
    help = "inject faults and count what follows"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "rvplat fault [BOARD] [PROGRAM] (--at FUNCTION | --count N) [options]"
        parser.epilog = EPILOG
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        add_machine_options(parser)
        parser.add_argument(
            "--at", action="append", default=[], metavar="FUNCTION",
            help="at the instructions of this function; may be repeated",
        )  # fmt: skip
        parser.add_argument("--count", type=count, metavar="N", help="the number of places")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--skip", action="store_true", help="skip an instruction (the default)")
        what.add_argument(
            "--flip", metavar="REG:BIT", help="flip a bit of a register, such as a0:3, a0 or any"
        )
        what.add_argument(
            "--flip-memory", metavar="PLACE:BIT",
            help="flip a bit at an address, a symbol or a variable, counted from its first byte; "
            "without BIT one of the first eight",
        )  # fmt: skip
        parser.add_argument(
            "--after", type=count, metavar="N",
            help="all runs begin when a hart has executed N instructions",
        )  # fmt: skip
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: 1")
        parser.add_argument("--workers", type=count, default=1, metavar="N", help="processes")
        parser.add_argument("--only", type=int, metavar="N", help="only the fault with this number")

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.errors import RvplatError
        from rvplat.faults.workers import results

        if not arguments.at and arguments.count is None:
            raise RvplatError("fault: expected --at FUNCTION or --count N")
        wanted = _wanted(arguments)
        begin = partial(begun, arguments)
        campaign = begin()
        machine = campaign.machine
        try:
            golden = campaign.golden()
            print(_facts(golden), file=sys.stderr)
            faults = _chosen(campaign.faults(wanted, golden), arguments.only)
            seen: Counter[str] = Counter()
            for result in results(campaign, begin, faults, golden, arguments.workers):
                seen[result.outcome] += 1
                print(_line(result), flush=True)
        finally:
            machine.close()
        print(_summary(seen))
        return 0


def begun(arguments: argparse.Namespace) -> Campaign:
    """The machine of the command line, in the state with which all runs begin.

    Raises:
        RvplatError: the machine can't be built, or its program ends before --after.
    """
    from rvplat.errors import RvplatError
    from rvplat.faults.campaign import Campaign

    changed = argparse.Namespace(**vars(arguments))
    changed.settings = ["clock=virtual", *arguments.settings]
    with progress() as watched:
        machine = build(changed, watched)
    try:
        if arguments.after:
            stop = machine.run(max_instructions=arguments.after)
            if stop.reason != "limit":
                raise RvplatError(f"--after {arguments.after}: the run ends before: {stop}")
        return Campaign(machine)
    except BaseException:
        machine.close()
        raise


def _wanted(arguments: argparse.Namespace) -> Wanted:
    from rvplat.errors import RvplatError
    from rvplat.faults.plan import Flip, Kind, Wanted

    kind: Kind = "skip"
    text = arguments.flip if arguments.flip is not None else arguments.flip_memory
    if text is not None:
        kind = "flip" if arguments.flip is not None else "flip-memory"
    try:
        flip = Flip.parse(text, kind) if text is not None else None
    except ValueError as error:
        raise RvplatError(f"--{kind} {error}") from None
    return Wanted(kind, arguments.count, tuple(arguments.at), flip, arguments.seed)


def _chosen(faults: list[Fault], only: int | None) -> list[Fault]:
    from rvplat.errors import RvplatError

    if only is None:
        return faults
    if not 0 <= only < len(faults):
        raise RvplatError(f"--only {only}: the campaign has the faults 0 to {len(faults) - 1}")
    return [faults[only]]


def _facts(golden: Golden) -> str:
    ends = f"{golden.reason}, code {golden.code}"
    size = len(golden.output)
    return f"without a fault: {golden.instructions:,} instructions, {ends}, {size} bytes of output"


def _line(result: Result) -> str:
    """A fault's line, with the command that repeats it alone."""
    words = ["rvplat", *sys.argv[sys.argv.index(FaultCommand.name) :]]
    repeat = shlex.join([*words, "--only", str(result.fault.number)])
    return json.dumps(result.row() | {"repeat": repeat})


def _summary(seen: Counter[str]) -> str:
    from rvplat.faults.campaign import OUTCOMES

    row = {"faults": sum(seen.values())} | {name: seen[name] for name in OUTCOMES if seen[name]}
    return json.dumps(row)
