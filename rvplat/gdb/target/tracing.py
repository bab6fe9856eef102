"""A trace that a client starts and ends: every instruction of every hart, into a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TextIO, cast

from rvplat.errors import HostError
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.target.hart_control import Control
from rvplat.machine.machine import Machine


class Sink:
    """A file whose first error ends what is written to it; `problem` is then set, and told."""

    def __init__(self, path: Path, file: TextIO, say: Callable[[str], None]) -> None:
        self._path = path
        self._file = file
        self._say = say
        self.problem = ""

    def write(self, text: str) -> int:
        """As a file's; never raises."""
        if not self.problem:
            try:
                self._file.write(text)
            except OSError as error:
                self._failed(error)
        return len(text)

    def close(self) -> None:
        """What is buffered is written now."""
        try:
            self._file.close()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        if not self.problem:
            self.problem = f"{self._path}: {error.strerror}: the trace ends before its end"
            self._say(self.problem + "\n")


class Trace:
    """A trace, from its beginning to `end`. GdbError if the file can't be opened, or is there: no
    client may overwrite a file. `say` may be called in a hart's thread."""

    def __init__(
        self, control: Control, machine: Machine, path: Path, say: Callable[[str], None]
    ) -> None:
        from rvplat.machine.inspection.trace import Tracer, open_trace  # late: types definitions

        self.path = path
        try:
            self._sink = Sink(path, open_trace(path, new=True), say)
        except HostError as error:
            raise GdbError(str(error)) from None
        self._control = control
        with control.quiet():
            self._tracer = Tracer(machine, cast("TextIO", self._sink))
            control.use(self._tracer)

    @property
    def problem(self) -> str:
        """Why it ended before its end; "" if it hasn't."""
        return self._sink.problem

    def end(self) -> None:
        """Harts run on without it."""
        with self._control.quiet():
            self._control.use(None)
            self._tracer.close()
        self._sink.close()
