"""A trace that a client starts and ends. It writes every instruction of every hart to a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TextIO, cast

from rvplat.errors import HostError
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.target.hart_control import HartControl
from rvplat.machine.machine import Machine


class TraceFile:
    """A file to which nothing more is written after its first error. `problem` then says why, and
    the user is told."""

    def __init__(self, path: Path, file: TextIO, say: Callable[[str], None]) -> None:
        self._path = path
        self._file = file
        self._say = say
        self.problem = ""

    def write(self, text: str) -> int:
        """As a file's `write`, but never raises."""
        if not self.problem:
            try:
                self._file.write(text)
            except OSError as error:
                self._failed(error)
        return len(text)

    def close(self) -> None:
        """Write what is buffered, and close the file."""
        try:
            self._file.close()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        if not self.problem:
            self.problem = f"{self._path}: {error.strerror}: the trace is not complete"
            self._say(self.problem + "\n")


class Trace:
    """A trace that is being written, until `end`. GdbError if the file can't be opened, or exists:
    a client may not overwrite files. `say` may be called in a hart's thread."""

    def __init__(
        self, control: HartControl, machine: Machine, path: Path, say: Callable[[str], None]
    ) -> None:
        from rvplat.machine.inspection.output_file import open_output
        from rvplat.machine.inspection.trace import Tracer  # late: types definitions

        self.path = path
        try:
            self._sink = TraceFile(path, open_output(path, new=True), say)
        except HostError as error:
            raise GdbError(str(error)) from None
        self._control = control
        with control.quiet():
            self._tracer = Tracer(machine, cast("TextIO", self._sink))
            control.use(self._tracer)

    @property
    def problem(self) -> str:
        """Why nothing more is written; "" if the trace goes on."""
        return self._sink.problem

    def end(self) -> None:
        """End the trace. The harts go on in native code."""
        with self._control.quiet():
            self._control.use(None)
            self._tracer.close()
        self._sink.close()
