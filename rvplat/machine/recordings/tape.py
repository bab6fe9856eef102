"""A recording in memory, which is written to a file if somebody wants it afterwards.

It yields to recordings and histories that the user begins, and knows when it can't be replayed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rvplat.machine.recordings.facts import first_line
from rvplat.machine.recordings.file import Writer
from rvplat.machine.recordings.recorder import Recorder, begin_of, memory_digest
from rvplat.machine.running.ram_images import RamConnection
from rvplat.machine.running.system import System
from rvplat.machine.snapshots.snapshot import Snapshot

SPACING = 50_000_000  # instructions between two checkpoints


class Tape(Recorder):
    """Records a machine that has executed nothing since its power-on, or since it took the state of
    `snapshot`. Cheap: it copies nothing, and hashes nothing before it is written."""

    yields = True

    def __init__(self, machine: System, ram: RamConnection, snapshot: Snapshot | None) -> None:
        self.lines: list[dict[str, Any]] = []
        super().__init__(machine, self, has_digests=False, spacing=SPACING)
        self._snapshot = snapshot
        self.begin_work = machine.turns.place().work
        self._begin = begin_of(machine, lambda: "") if snapshot is not None else None
        #: Why the recording is not the run of the machine; "" if it is.
        self.problem = ""
        machine.recording = self
        ram.on_change = machine.bus.on_change = self._changed
        for hart in machine.harts:
            hart.on_change = self._changed

    def put(self, line: dict[str, Any]) -> None:
        """Keep a line."""
        self.lines.append(line)

    def close(self) -> None:
        """The recording ends: another, a history or a snapshot takes its place."""
        self._stop()
        if not self._machine.closed and not self.problem:
            self.problem = "the test loaded a snapshot, or began a recording or a history"

    def hook_changes(self) -> None:
        """A hook's handler changes the run, which goes on without a recording."""
        self.problem = "a hook changed the run"
        self._stop()

    def _stop(self) -> None:
        if self._machine.turns.inbox.recorder is self:
            self._machine.turns.inbox.recorder = None

    def _changed(self) -> None:
        inbox = self._machine.turns.inbox
        if not inbox.running and not inbox.is_giving:
            self.problem = "the test changed registers, memory or devices itself"

    def write(self, path: Path, command: list[str]) -> None:
        """Write the recording. `command` are the words of `rvplat run` for the machine.

        Raises:
            HostError: the file can't be written.
        """
        begin = self._begin
        if begin is not None and self._snapshot is not None:
            begin = {**begin, "memory": memory_digest(self._snapshot.memory)}
        first = first_line(self._machine, command, begin)
        writer = Writer(path)
        for line in (first, *self.lines):
            writer.put(line)
        writer.close()
