"""The file of a recording: lines of JSON, appended as the run goes. A crash tears the last one.

    {"rvplat recording": 1, "version": ..., "board": ..., "plugins": ..., "files": ..., ...}
    {"at": [work, ticks, hart], "input": "uart0", "data": "6c730a"}     what arrived, in hexadecimal
    {"at": [work, ticks, null], "state": [[pc, instret, x1, ...], ...]}  a checkpoint
    {"at": [work, ticks, hart], "end": "off", "code": 0, "state": ..., "memory": ..., "output": ...}

`at` is a `Place` (running/schedule.py). A state has the registers of each hart.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

from rvplat.errors import HostError, RecordingError
from rvplat.machine.running.schedule import Place

FORMAT = 1
KEY = "rvplat recording"


class Writer:
    """Appends lines; each is with the host before the next is made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: BinaryIO = path.open("wb", buffering=0)
        except OSError as error:
            raise HostError(f"{path}: {error.strerror}") from None

    def put(self, line: dict[str, Any]) -> None:
        """Append a line. HostError if the disk is full: the lines before it stay."""
        try:
            self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            raise HostError(f"{self.path}: {error.strerror}") from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The first line, and the whole lines after it.

    Raises:
        RecordingError: the file can't be read, is no recording, or is of a newer version.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]  # after the last newline is nothing, or a tear
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            one = json.loads(line)
        except ValueError:
            one = None
        if not isinstance(one, dict):
            if number == 1:
                break
            raise RecordingError(f"{path}: line {number} is damaged")
        found.append(one)
    if not found or KEY not in found[0]:
        raise RecordingError(f"{path}: this is no recording of rvplat")
    if found[0][KEY] != FORMAT:
        raise RecordingError(
            f"{path}: a recording of format {found[0][KEY]}, made by rvplat "
            f"{found[0].get('version')}; this version reads format {FORMAT}"
        )
    return found[0], found[1:]


def place_of(line: dict[str, Any]) -> Place:
    """Where a line's event was."""
    work, ticks, hart = line["at"]
    return Place(work, ticks, hart)
