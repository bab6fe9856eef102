"""`rvplat run --timeline FILE`: a timeline of what a machine runs."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from rvplat.errors import HostError
from rvplat.machine.inspection.output_file import open_binary
from rvplat.machine.running.system import System
from rvplat.machine.timeline.events import MOST_EVENTS, Collector
from rvplat.machine.timeline.perfetto import Trace
from rvplat.machine.timeline.spans import HartSpans

log = logging.getLogger("rvplat.timeline")


@contextlib.contextmanager
def timeline(machine: System, path: Path) -> Iterator[None]:
    """Note what the harts do in a `with` block, at whose end the file is written. The machine must
    not run at its begin and end.

    Raises:
        HostError: the file can't be written.
    """
    with open_binary(path) as file:
        collector = Collector(machine.harts)
        try:
            yield
        finally:
            collector.close()
            _write(file, path, machine, collector)
            lost = sum(one.lost for one in collector.harts)
            if lost:
                log.warning(
                    "%s: %d events were lost, as its spans say: a timeline keeps the last %d. Run "
                    "less with it: begin at a snapshot, or end the run sooner",
                    path, lost, MOST_EVENTS,
                )  # fmt: skip


def _write(file: BinaryIO, path: Path, machine: System, collector: Collector) -> None:
    """Write the trace and close the file."""
    try:
        with file:
            trace = Trace(file, "rvplat")
            base = min(one.began for one in collector.harts)
            for one in collector.harts:
                HartSpans(trace, one, base, _device_names(machine)).write()
            trace.flush()
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}") from None


def _device_names(machine: System) -> Callable[[int], str]:
    """Names devices by physical address."""
    windows = [(window, device.wiring.name) for window, device in machine.bus.windows]
    known: dict[int, str] = {}

    def name_of(pa: int) -> str:
        found = known.get(pa)
        if found is None:
            names = [name for window, name in windows if window.base <= pa < window.end]
            found = known[pa] = names[0] if names else "nothing"
        return found

    return name_of
