"""The entry points of installed plugins, in the group `rvplat`.

Importing importlib.metadata and asking it takes longer than building a machine. So the cache folder
keeps its answer until a package is installed or removed.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, NamedTuple

from rvplat.cache import load_cached, save_cached

GROUP = "rvplat"


class EntryPoint(NamedTuple):
    """A name, and the `module` or `module:attribute` that it refers to."""

    name: str
    value: str

    def load(self) -> Any:
        """Import the object that it refers to."""
        module, _, attribute = self.value.partition(":")
        found: Any = import_module(module.strip())
        for part in filter(None, attribute.strip().split(".")):
            found = getattr(found, part)
        return found


def entry_points() -> list[EntryPoint]:
    """The entry points of the group, sorted by name."""
    key = "\n".join(["entry points", sys.version, *_metadata_files()])
    kept = load_cached(key)
    if kept is None:
        found = _ask()
        text = "\n".join(f"{one.name}={one.value}" for one in found)
        save_cached(key, text.encode(), f"installed plugins of {sys.prefix}")
        return found
    lines = (line.partition("=") for line in kept.decode().splitlines())
    return [EntryPoint(name, value) for name, _, value in lines]


def _ask() -> list[EntryPoint]:
    import importlib.metadata

    found = importlib.metadata.entry_points(group=GROUP)
    return sorted(EntryPoint(one.name, one.value) for one in found)


def _metadata_files() -> list[str]:
    """Each file and folder on sys.path that can define entry points, with its time and size."""
    found = []
    for name in sys.path:
        try:
            entries = sorted(os.scandir(name or "."), key=lambda entry: entry.name)
        except OSError:  # an archive, or a folder that doesn't exist
            found += _stamp(name)
            continue
        for entry in entries:
            if entry.name.endswith((".dist-info", ".egg-info", ".egg")):
                found += _stamp(entry.path) + _stamp(entry.path + "/entry_points.txt")
    return found


def _stamp(path: str) -> list[str]:
    try:
        status = os.stat(path)  # noqa: PTH116 (a Path for each would take most of the time)
    except OSError:
        return []
    return [f"{path} {status.st_mtime_ns} {status.st_size}"]
