"""The errors that rvplat raises for its user, and the error that becomes a trap of the guest.

    RvplatError             the base class: one line (or a line per fault); exit status 2
    +-- BoardError          a board that can't be built: all its faults, with file, line and key
    +-- LoaderError         a program, kernel, initrd or device tree that can't be loaded
    +-- PluginError         a plugin that raised, clashed or doesn't exist
    +-- DefinitionError     an instruction, CSR or definition that is not well formed
    +-- DeviceError         a device that can't be built or used: a locked disk image, a bad table
    +-- HostError           something that this host lacks or refuses
    +-- SnapshotError       a snapshot that can't be taken, written, read or loaded
    +-- RecordingError      a recording that can't be replayed, or a replay that differs from it
    +-- HistoryError        a machine that can't go back, or whose past can't be changed
    +-- DebugInfoError      DWARF that can't be used: it is damaged, absent, or lacks what was asked
    +-- RunFailed           plugin code raised while a machine ran: a line per failure

    BusError                no memory or device at this address: the guest takes an access fault

An error of a guest is never an `RvplatError`, and an error of the user never a trap.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rvplat.frozen import frozen


class RvplatError(Exception):
    """The base class. `str(error)` is the message for the user."""


@frozen
class Fault:
    """One fault of a board: the place, what was found, what was expected, the nearest name."""

    file: Path | str
    line: int | None
    key: str
    found: str
    expected: str
    nearest: str | None = None

    def __str__(self) -> str:
        """`b.toml:9: harts.cout: found an unknown key, expected count; did you mean "count"?`."""
        place = f"{self.file}:{self.line}" if self.line is not None else f"{self.file}"
        key = f"{self.key}: " if self.key else ""
        hint = did_you_mean(self.nearest)
        return f"{place}: {key}found {self.found}, expected {self.expected}{hint}"


class BoardError(RvplatError):
    """A board with faults. `faults` has all of them, and `str` gives each a line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class LoaderError(RvplatError):
    """A file that can't be loaded: the file, what is wrong with it, what was expected."""


class PluginError(RvplatError):
    """A plugin that can't be used: its name, and its traceback if it raised while loading."""

    def __init__(self, plugin: str, message: str, traceback: str = "") -> None:
        text = f"plugin {plugin}: {message}"
        super().__init__(f"{text}\n{traceback.rstrip()}" if traceback else text)
        self.plugin = plugin
        self.traceback = traceback


class DefinitionError(RvplatError):
    """A definition that isn't well formed: the file, the line and the construct."""


class DeviceError(RvplatError):
    """A device that can't be built or used."""


class HostError(RvplatError):
    """Something that this host lacks or refuses."""


class SnapshotError(RvplatError):
    """A snapshot that can't be taken, written, read or loaded: what doesn't fit, in one line."""


class RecordingError(RvplatError):
    """A recording that can't be made or replayed, or a replay that differs: where and what."""


class HistoryError(RvplatError):
    """A machine can't go back: its run does not repeat, or its past may not be changed."""


class DebugInfoError(RvplatError):
    """A file's debug information can't be used: which file, which part, what is wrong."""


class CoverageError(RvplatError):
    """Coverage can't be read, merged or written: which file, and why."""


class RunFailed(RvplatError):
    """Plugin code raised, or did not return, while a machine ran. `failures` has every failure
    (`rvplat.bus.Failure`), `stop` says how the run ended (a `rvplat.Stop`, or None if it did not
    end), and `__cause__` is the exception of the first failure."""

    def __init__(self, failures: Sequence[object], stop: Any = None) -> None:
        super().__init__("\n".join(str(failure) for failure in failures))
        self.failures = tuple(failures)
        self.stop = stop


class BusError(Exception):
    """No memory or device answers this access: the guest takes an access fault."""


_FILE_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def file_kind(mode: int) -> str:
    """The kind of a file by its `st_mode`, such as "a folder"; empty for a regular file."""
    return _FILE_KINDS.get(stat.S_IFMT(mode), "")


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that is most like `name`, if one is like it."""
    import difflib

    found = difflib.get_close_matches(name, list(names), n=1)
    return found[0] if found else None


def did_you_mean(name: str | None) -> str:
    """The end of a message that suggests a name: `; did you mean "NAME"?`, or nothing for None."""
    return "" if name is None else f'; did you mean "{name}"?'
