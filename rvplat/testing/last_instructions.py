"""The last instructions of a recorded run: another machine repeats it, and traces its end."""

from __future__ import annotations

import re
from pathlib import Path

from rvplat.isa.machinery.disassemble import Disassembler
from rvplat.machine.differences.replays import Replay
from rvplat.machine.inspection.hart_report import near
from rvplat.machine.inspection.trace import tracing
from rvplat.machine.loading.symbol_files import symbols_of
from rvplat.machine.machine import Machine
from rvplat.machine.recordings.tape import Tape
from rvplat.machine.running.run import Runner
from rvplat.testing.store import Lent, open_machine

SHOWN = 16
MOST_REPEATED = 300_000_000  # instructions: a second or so
_LINE = re.compile(r"core +(\d+): \d (0x[0-9a-f]+) \((0x[0-9a-f]+)\)(.*)")


def last_instructions(one: Lent, tape: Tape, recording: Path) -> str:
    """The last instructions of all harts, with what they wrote; "" if it takes long to repeat them.

    Raises:
        RecordingError: the run does not repeat.
        HostError: the trace can't be written.
    """
    end = one.machine.turns.place().work
    if not SHOWN < end - tape.begin_work <= MOST_REPEATED:
        return ""
    trace = recording.with_suffix(".trace")
    with open_machine(one.arguments) as other:
        if one.snapshot is not None:
            other.load(one.snapshot)
        replay = Replay(other, recording)
        replay.reach(end - SHOWN)
        with tracing(other, trace) as turns:
            Runner(other, ends_idle=True, turns=turns).run()
        told = [_told(other, line) for line in trace.read_text().splitlines()[-SHOWN:]]
    trace.unlink()
    return "\n".join(told)


def _told(machine: Machine, line: str) -> str:
    """A line of a trace, with the instruction's text and, in the host, its symbol."""
    found = _LINE.fullmatch(line.strip())
    if found is None:
        return line
    pc, bits = int(found[2], 16), int(found[3], 16)
    place = f"{pc:#x}{near(symbols_of(machine.software, None), pc)}"
    text = Disassembler(machine.extensions).text(bits, pc)
    return f"hart {found[1]}  {place:<32} {text:<28} {' '.join(found[4].split())}".rstrip()
