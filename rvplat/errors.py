"""Every error that rvplat raises for its user, and the one that a guest sees.

    RvplatError             each is one clear line (or one a fault) and ends the command: status 2
    +-- BoardError          a board that can't be built: every fault at once, file, line and key
    +-- LoaderError         a program, kernel, initrd or device tree that can't be loaded
    +-- PluginError         a plugin that raised, clashed or isn't there
    +-- DefinitionError     an instruction, CSR or definition that is not well formed
    +-- DeviceError         a device that can't be built or used: a locked disk image, a bad table
    +-- HostError           something that this host lacks or refuses
    +-- RunFailed           plugin code raised while a machine ran: a line for each failure

    BusError                nothing answers at this address: the guest takes an access fault

What a guest does wrong is never an `RvplatError`; what a user does wrong is never a trap.
"""

from __future__ import annotations

import difflib
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class RvplatError(Exception):
    """The root: `str(error)` is what the user reads."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a board: where, what was found and expected, the nearest name."""

    file: Path | str
    line: int | None
    key: str
    found: str
    expected: str
    nearest: str | None = None

    def __str__(self) -> str:
        """`b.toml:9: harts.cout: found an unknown key, expected count; did you mean "count"?`."""
        place = f"{self.file}:{self.line}" if self.line is not None else f"{self.file}"
        hint = f'; did you mean "{self.nearest}"?' if self.nearest is not None else ""
        key = f"{self.key}: " if self.key else ""
        return f"{place}: {key}found {self.found}, expected {self.expected}{hint}"


class BoardError(RvplatError):
    """A board with faults; `faults` has them all, `str` prints one a line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class LoaderError(RvplatError):
    """A file that can't be loaded: the file, what is wrong with it, what would do."""


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


class RunFailed(RvplatError):
    """Plugin code raised, or did not come back, while a machine ran. `failures` has every failure
    (`rvplat.bus.Failure`), `stop` (`rvplat.Stop`) says how the run ended (None if it did not); the
    cause is what the first of them raised."""

    def __init__(self, failures: Sequence[object], stop: Any = None) -> None:
        super().__init__("\n".join(str(failure) for failure in failures))
        self.failures = tuple(failures)
        self.stop = stop


class BusError(Exception):
    """Nothing answers this access: the guest takes an access fault."""


_FILE_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def file_kind(mode: int) -> str:
    """What a file is, by its `st_mode`, in words; empty for a regular file."""
    return _FILE_KINDS.get(stat.S_IFMT(mode), "")


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that `name` was perhaps meant to be, or None."""
    found = difflib.get_close_matches(name, list(names), n=1)
    return found[0] if found else None
