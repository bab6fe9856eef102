"""Records a run: what arrives from outside and where, and checkpoints.

A run begins at power-on or where a snapshot was loaded; the recording has a digest of that begin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from rvplat.bus.images import MemoryImage
from rvplat.errors import HistoryError, RecordingError
from rvplat.machine.recordings.facts import first_line
from rvplat.machine.recordings.file import Writer
from rvplat.machine.running.inbox import UNCHANGED
from rvplat.machine.running.schedule import Place
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.system import System

SPACING = 5_000_000  # instructions between two checkpoints


def state_of(machine: System) -> list[list[int]]:
    """pc, retired instructions and x1 to x31 of each hart."""
    return [[int(one.plain.pc), one.retired, *one.plain.x[1:32]] for one in machine.harts]


def end_of(machine: System) -> dict[str, Any]:
    """The state at the end of a run: registers, and digests of RAM and of the output."""
    memory = memory_digest(machine.memory.capture())
    output = hashlib.blake2b(machine.console.output, digest_size=16)
    return {
        "state": state_of(machine), "memory": memory, "output": output.hexdigest(),
    }  # fmt: skip


def memory_digest(image: MemoryImage) -> str:
    """A digest of RAM."""
    found = hashlib.blake2b(digest_size=16)
    for address, page in image.pages():
        found.update(address.to_bytes(8, "little"))
        found.update(page)
    return found.hexdigest()


def begin_of(machine: System, digest: Callable[[], str] | None = None) -> dict[str, Any] | None:
    """Where a machine is that has just taken the state of a snapshot; None at power-on. `digest`
    of RAM, if somebody has it."""
    at = machine.turns.place()
    if not at.work:
        return None
    memory = digest() if digest is not None else memory_digest(machine.memory.capture())
    return {"at": _plain(at), "state": state_of(machine), "memory": memory}


def must_be_new(machine: System, what: str) -> None:
    """RecordingError unless the machine has a virtual clock, and has executed nothing since its
    power-on or since a snapshot was loaded."""
    if machine.turns.virtual is None:
        raise RecordingError(
            f'{what} needs a board with a virtual clock: clock = "virtual", or --set clock=virtual'
        )
    here = machine.turns.place()
    if (here.work and here != machine.loaded_at) or machine.recording is not None:
        raise RecordingError(
            f"{what} begins before the first instruction, or where a snapshot was loaded, and once"
        )


class Lines(Protocol):
    """Where a recording goes."""

    def put(self, line: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


class Recorder:
    """Notes the events of a run in a file, or whatever takes its lines. `has_digests`: of RAM and
    of the output, where a run ends."""

    yields = False  # to a recording that the user wants

    def __init__(
        self, machine: System, lines: Lines, has_digests: bool = True, spacing: int = 0
    ) -> None:
        self._machine = machine
        self._lines = lines
        self._has_digests = has_digests
        self._spacing = spacing or SPACING
        self._next = machine.turns.place().work + self._spacing
        machine.turns.inbox.recorder = self

    def arrived(self, place: Place, name: str, data: bytes) -> None:
        """Input has arrived."""
        self._lines.put({"at": _plain(place), "input": name, "data": data.hex()})

    def passed(self, place: Place) -> None:
        """The run is at a place where input could arrive."""
        if place.hart is None and place.work >= self._next:
            self._next = place.work + self._spacing
            self._lines.put({"at": _plain(place), "state": state_of(self._machine)})

    def hook_changes(self) -> None:
        """A hook's handler is about to change the run. HistoryError: a replay would not do so."""
        raise HistoryError(UNCHANGED)

    def run_ended(self, stop: Stop) -> None:
        """A run has ended. If there is another one, it goes on from there."""
        at = _plain(self._machine.turns.place())
        machine = self._machine
        end = end_of(machine) if self._has_digests else {"state": state_of(machine)}
        self._lines.put({"at": at, "end": stop.reason, "code": stop.code, **end})

    def close(self) -> None:
        """The recording is whole."""
        self._machine.turns.inbox.recorder = None
        self._lines.close()


def record_to_file(machine: System, path: Path, command: list[str]) -> Recorder:
    """Begin a recording in a file.

    Raises:
        RecordingError: the clock is the host's, or the machine has run.
        HostError: the file can't be written.
    """
    must_be_new(machine, "a recording")
    first = first_line(machine, command, begin_of(machine))
    writer = Writer(path)
    writer.put(first)
    return Recorder(machine, writer)


def _plain(place: Place) -> list[int | None]:
    return [place.work, place.ticks, place.hart]
