"""What is written to files while a machine runs: a trace, a profile, a timeline."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from rvplat.machine.running.system import System
from rvplat.machine.running.turn_taking import TurnTaking


@contextlib.contextmanager
def recording(
    machine: System, trace: Path | None, profile: Path | None, timeline: Path | None = None
) -> Iterator[TurnTaking | None]:
    """Write the files that are named, of what the machine runs in a `with` block: a trace
    (inspection/trace.py), a profile (inspection/profile.py), and a timeline (timeline/). The value
    is who runs the harts, if they are traced.

    Raises:
        HostError: a file can't be written.
        LoaderError: a file with symbols can no longer be read.
    """
    turns: TurnTaking | None = None
    with contextlib.ExitStack() as stack:
        if profile is not None:  # the modules are imported only if they are needed
            from rvplat.machine.inspection.profile import profiling

            stack.enter_context(profiling(machine, profile))
        if timeline is not None:
            from rvplat.machine.timeline.recorded import timeline as noting

            stack.enter_context(noting(machine, timeline))
        if trace is not None:
            from rvplat.machine.inspection.trace import tracing

            turns = stack.enter_context(tracing(machine, trace))
        yield turns
