"""Recordings, as a machine's user makes and replays them. What they are is in recordings/."""

from __future__ import annotations

from collections.abc import Sequence

from rvplat.arguments import path as path_argument
from rvplat.machine.open_arguments import PathLike
from rvplat.machine.searched import Searched


class Recorded(Searched):
    """The part of a machine that records its input and replays that of an earlier run."""

    def record(self, path: PathLike, command: Sequence[str] = ()) -> None:
        """Record the runs of this machine in a file, until `close` or `load`. It has a virtual
        clock, and has executed nothing since its power-on or since a snapshot was loaded. The file
        has the board, the digests of all files, the input from outside with the place where it
        arrived, and checkpoints. A crash leaves it readable.

        Args:
            command: the arguments of `rvplat run`, for `--replay` without others.

        Raises:
            RecordingError: the clock is the host's, or the machine has run.
            HostError: the file can't be written.
        """
        from rvplat.machine.recordings.recorder import record_to_file

        self.must_be_free()
        self.end_tape()
        self.recording = record_to_file(self, path_argument("path", path), list(command))

    def replay(self, path: PathLike) -> None:
        """Let the next run of this machine be a recorded one: its input arrives at the same places,
        other input is ignored. `run` raises RecordingError at the first difference, where the
        recording ends early, and if the end is another.

        Raises:
            RecordingError: the file is no recording, or of another board, file or plugin; or the
                machine has run.
        """
        from rvplat.machine.recordings.replayer import Replayer

        self.must_be_free()
        self.end_tape()
        self.recording = Replayer(self, path_argument("path", path))

    def end_recording(self) -> None:
        """Close the file of a recording."""
        if self.recording is not None:
            self.recording.close()

    def end_tape(self) -> None:
        """End a recording that nobody has asked for (recordings/tape.py)."""
        if self.recording is not None and self.recording.yields:
            self.end_recording()
            self.recording = None
