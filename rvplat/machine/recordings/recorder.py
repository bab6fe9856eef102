"""Records a run: what arrives from outside and where, and checkpoints."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from rvplat.errors import RecordingError
from rvplat.machine.recordings.facts import first_line
from rvplat.machine.recordings.file import Writer
from rvplat.machine.running.schedule import Place
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.system import System

SPACING = 5_000_000  # instructions between two checkpoints


def state_of(machine: System) -> list[list[int]]:
    """pc, retired instructions and x1 to x31 of each hart."""
    return [[int(one.plain.pc), one.retired, *one.plain.x[1:32]] for one in machine.harts]


def end_of(machine: System) -> dict[str, Any]:
    """The state at the end of a run: registers, and digests of RAM and of the output."""
    memory = hashlib.blake2b(digest_size=16)
    for address, page in machine.memory.capture().pages():
        memory.update(address.to_bytes(8, "little"))
        memory.update(page)
    output = hashlib.blake2b(machine.console.output, digest_size=16)
    return {
        "state": state_of(machine), "memory": memory.hexdigest(), "output": output.hexdigest(),
    }  # fmt: skip


def must_be_new(machine: System, what: str) -> None:
    """RecordingError unless the machine has a virtual clock and has executed nothing."""
    if machine.turns.virtual is None:
        raise RecordingError(
            f'{what} needs a board with a virtual clock: clock = "virtual", or --set clock=virtual'
        )
    if machine.turns.place().work or machine.recording is not None:
        raise RecordingError(f"{what} begins before the first instruction, and once")


class Recorder:
    """Writes the recording of a machine."""

    def __init__(self, machine: System, path: Path, command: list[str]) -> None:
        must_be_new(machine, "a recording")
        self._machine = machine
        self._writer = Writer(path)
        self._writer.put(first_line(machine, command))
        self._next = SPACING
        machine.turns.inbox.recorder = self

    def arrived(self, place: Place, name: str, data: bytes) -> None:
        """Input has arrived."""
        self._writer.put({"at": _plain(place), "input": name, "data": data.hex()})

    def passed(self, place: Place) -> None:
        """The run is at a place where input could arrive."""
        if place.hart is None and place.work >= self._next:
            self._next = place.work + SPACING
            self._writer.put({"at": _plain(place), "state": state_of(self._machine)})

    def run_ended(self, stop: Stop) -> None:
        """A run has ended. If there is another one, it goes on from there."""
        at = _plain(self._machine.turns.place())
        found = {"at": at, "end": stop.reason, "code": stop.code, **end_of(self._machine)}
        self._writer.put(found)

    def close(self) -> None:
        """The recording is whole."""
        self._machine.turns.inbox.recorder = None
        self._writer.close()


def _plain(place: Place) -> list[int | None]:
    return [place.work, place.ticks, place.hart]
