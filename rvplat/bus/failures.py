"""Failures: what plugin code raised while the machine ran. They are kept, counted and logged. The
traceback is logged once.

The machine goes on after a failure. Its user decides what follows from one (`Failures.on_failure`,
`Machine.failures`).
"""

from __future__ import annotations

import inspect
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any

from rvplat.frozen import frozen

log = logging.getLogger("rvplat.bus")


class DidNotReturn(BaseException):
    """Raised in plugin code that does not return although the machine has to stop."""


#: What counts as a failure of plugin code.
RAISED = (Exception, SystemExit, DidNotReturn)
MOST_KEPT = 100  # different failures: a device may fail at many places


@frozen
class Failure:
    """One failure of plugin code.

    `device` is the device's name on the board ("" if it is not a device's code). `operation` is
    what the code was doing ("a load of 4 at 0x10010000", "an alarm"), `error` is what it raised,
    `place` is the plugin's line that raised it. `hart` and `pc` are those of the access that led to
    it, if one did. `times` is how often the same place failed.
    """

    device: str
    operation: str
    error: BaseException
    place: str
    hart: int | None = None
    pc: int | None = None
    times: int = 1

    @property
    def traceback(self) -> str:
        """The traceback, as Python prints it."""
        return "".join(traceback.format_exception(self.error))

    def __str__(self) -> str:
        who = f"{self.device}: " if self.device else ""
        said = str(self.error).splitlines()
        what = f"raised {type(self.error).__name__}" + (f": {said[0]}" if said else "")
        if isinstance(self.error, DidNotReturn):
            what = "did not come back"
        where = f", hart {self.hart}, pc {self.pc:#x}" if self.hart is not None else ""
        often = f" ({self.times} times)" if self.times > 1 else ""
        return f"{who}{self.operation} {what} ({self.place}{where}){often}"


class Failures:
    """The failures of one machine. `note` may be called from any thread."""

    def __init__(self) -> None:
        #: Called with each failure after it was kept.
        self.on_failure: Callable[[Failure], None] | None = None
        self._kept: dict[object, Failure] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def all(self) -> tuple[Failure, ...]:
        """The failures in order of time, one for each place."""
        with self._lock:
            return tuple(self._kept.values())

    def note(
        self, operation: str, error: BaseException, device: Any = None,
        hart: int | None = None, pc: int | None = None, place: str = "",
    ) -> Failure:  # fmt: skip
        """Keep what was raised. `device` is the Device whose code raised it, `place` the line. The
        default is to find them in the traceback."""
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        device = device if device is not None else device_in(frames)
        name = device.wiring.name if device is not None else ""
        place = place or place_of(traceback.extract_tb(error.__traceback__), device)
        failure = Failure(name, operation, error, place, hart, pc)
        key = name, type(error), place
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept[key] = replace(known, times=known.times + 1)
            elif len(self._kept) < MOST_KEPT:
                self._kept[key] = failure
        trace = error if known is None and error.__traceback__ is not None else None
        log.error("%s", failure, exc_info=trace)
        if self.on_failure is not None:
            self.on_failure(failure)
        return failure


def device_in(frames: Iterable[FrameType]) -> Any:
    """The device whose method is the outermost of the frames, or None."""
    for frame in frames:
        found = frame.f_locals.get("self")
        if _is_device(found):
            return found
    return None


def place_of(found: traceback.StackSummary, device: Any = None) -> str:
    """The innermost line of a stack in the file of the device's class: "lamp.py:7, in
    read_switch". Without a device or such a line, the innermost line of all."""
    if not found and device is not None:
        return f"{_file(type(device))}, in {type(device).__name__}"
    if not found:
        return "no traceback"
    files = {_file(kind) for kind in type(device).__mro__} if device is not None else set()
    theirs = [frame for frame in found if frame.filename in files - _OURS]
    frame = theirs[-1] if theirs else found[-1]
    return f"{frame.filename}:{frame.lineno}, in {frame.name}"


def owner_of(call: Any) -> tuple[Any, str]:
    """The device that a callback is a method of (or None), and the callback's place."""
    while isinstance(call, partial):
        call = call.func
    cells = getattr(call, "__closure__", None) or ()
    found = [getattr(call, "__self__", None), *(cell.cell_contents for cell in cells)]
    device = next((one for one in found if _is_device(one)), None)
    code = getattr(getattr(call, "__func__", call), "__code__", None)
    place = f"{code.co_filename}:{code.co_firstlineno}, in {code.co_name}" if code else repr(call)
    return device, place


def _is_device(found: Any) -> bool:
    return hasattr(type(found), "model") and hasattr(found, "wiring")


def _file(kind: type) -> str:
    module = sys.modules.get(kind.__module__)
    return (inspect.getsourcefile(kind) or "") if hasattr(module, "__file__") else ""


_OURS = {""} | {str(__file__).replace("failures", name) for name in ("device", "clock", "console")}


# --- threads that devices start -------------------------------------------------------------------


def watch_threads() -> None:
    """Note exceptions that end threads of devices. The excepthook before is still called."""
    before = threading.excepthook
    if getattr(before, "is_of_rvplat", False):
        return

    def ended(arguments: threading.ExceptHookArgs) -> None:
        error = arguments.exc_value
        frames = [frame for frame, _ in traceback.walk_tb(arguments.exc_traceback)]
        device = device_in(frames)
        if error is not None and device is not None:
            name = arguments.thread.name if arguments.thread is not None else "a thread"
            device.wiring.failures.note(f"its thread {name}", error, device)
        else:
            before(arguments)

    ended.is_of_rvplat = True  # type: ignore[attr-defined]
    threading.excepthook = ended
