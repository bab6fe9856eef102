"""`rvplat when`: finds the first instruction after which a condition holds."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rvplat.cli.build import add_limits, add_machine_options, build
from rvplat.cli.debug import show_beside
from rvplat.cli.progress import progress
from rvplat.cli.recordings import add_replay_option, recorded_arguments, use_recording

if TYPE_CHECKING:
    from rvplat.machine.debugging.when import When
    from rvplat.machine.machine import Machine
    from rvplat.machine.running.stop import GuestOrHost

EPILOG = """\
BOARD and PROGRAM are those of `rvplat run`. The last word is the CONDITION, in quotes for the
shell: '$a0 == 3', '{u64} counter > 100 && $priv == 1'. $NAME is a register or CSR, as gdb calls it,
{u64} ADDRESS is memory (u8 to u64, s8 to s64), and a name without $ is the address of a symbol of
the program, or of the file that --symbols names for the guest. Operators are those of C.

The machine runs on the virtual clock, from its first instruction, or from the snapshot that --load
names, until the condition holds after an instruction. The place is printed, and the instruction:
it is the same in every run. The guest's output goes to stderr; there is no input, except that of a
recording. A condition that only reads memory costs little; with registers, five to ten million
instructions a second are searched.

The exit status is 0 if the condition holds, 1 if the run ended before (the guest's end, --timeout,
--max-instructions), and 2 when rvplat reports an error.
"""
NOT_FOUND = 1
VIRTUAL = "clock=virtual"


def vmid(text: str) -> GuestOrHost:
    """Parse the argument of `--vmid`."""
    from rvplat.isa.privileged import VMID

    if text == "host":
        return "host"
    value = int(text, 0)
    if not 0 <= value <= VMID:
        raise ValueError
    return value


class WhenCommand:
    """Runs a machine until a condition holds."""

    name = "when"
    help = "find the first instruction after which a condition holds"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "rvplat when [BOARD] [PROGRAM] CONDITION [options]"
        parser.epilog = EPILOG
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        add_machine_options(parser)
        parser.add_argument(
            "--vmid", type=vmid, metavar="N",
            help='only in the guest with this VMID, or only in the "host"',
        )  # fmt: skip
        parser.add_argument(
            "--hart", type=int, metavar="N", help="only after instructions of this hart"
        )
        add_limits(parser)
        add_replay_option(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.errors import RvplatError

        if not arguments.words:
            raise RvplatError("when: expected a CONDITION, such as '$a0 == 3'")
        condition = arguments.words.pop()
        arguments.settings = [VIRTUAL, *arguments.settings]
        arguments = recorded_arguments(arguments)
        with progress() as watched:
            machine = build(arguments, watched)
        try:
            use_recording(machine, arguments)
            found = _search(machine, condition, arguments)
            print(found)
        finally:
            machine.close()
        return 0 if found else NOT_FOUND


def _search(machine: Machine, condition: str, arguments: argparse.Namespace) -> When:
    from rvplat.errors import RvplatError

    machine.console.sinks.append(show_beside)
    try:
        found = machine.when(
            condition, arguments.vmid, arguments.hart, arguments.timeout,
            arguments.max_instructions,
        )  # fmt: skip
    except (ValueError, LookupError) as error:
        raise RvplatError(f"when: {error.args[0]}") from None
    if not machine.console.output.endswith(b"\n") and machine.console.output:
        show_beside(b"\n")  # the guest was stopped in its line
    return found
