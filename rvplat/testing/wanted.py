"""Which machine a test wants: what its marks, the ini file and the options say, put together."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from os import PathLike, fspath
from pathlib import Path
from typing import Any

#: The arguments of `Machine.open` that a mark may have.
OF_OPEN = (
    "board", "program", "kernel", "initrd", "append", "dtb", "disk", "harts", "memory", "load",
    "symbols", "settings", "strict", "plugin_paths",
)  # fmt: skip
#: Those of the plugin: the ISA string, and the function that boots the machine.
KEYS = (*OF_OPEN, "isa", "boot")
#: A list of these is a test for each value.
VARIED = ("board", "isa", "program", "harts")
_FILES = ("program", "kernel", "initrd", "dtb", "board")
_LISTS = ("disk", "plugin_paths")
_TABLES = ("load", "symbols")
SHIPPED = ("demo", "hypervisor")

Arguments = dict[str, Any]


class WrongMark(ValueError):
    """A mark says what no machine has."""


def checked(arguments: Mapping[str, Any], folder: Path, origin: str) -> Arguments:
    """Arguments with the paths of files below a folder. WrongMark if a name is unknown."""
    for name in arguments:
        if name not in KEYS:
            near = difflib.get_close_matches(name, KEYS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise WrongMark(f"{origin}: {name} is no argument of a machine{hint}")
    boot = arguments.get("boot")
    if boot is not None and not callable(boot):
        raise WrongMark(f"{origin}: boot={boot!r}: expected a function that gets the machine")
    return {name: _placed(name, value, folder) for name, value in arguments.items()}


def _placed(name: str, value: Any, folder: Path) -> Any:
    """A value whose files lie in a folder, unless their paths are absolute."""
    if name in _TABLES and isinstance(value, Mapping):
        return {key: _file(one, folder) for key, one in value.items()}
    if name in (*_FILES, *_LISTS):
        if isinstance(value, list | tuple):
            return [_place(name, one, folder) for one in value]
        return _place(name, value, folder)
    return value


def _place(name: str, value: Any, folder: Path) -> Any:
    is_name = isinstance(value, str) and (
        (name == "program" and value in SHIPPED)
        or (name == "board" and "/" not in value and not value.endswith(".toml"))
    )
    return value if is_name else _file(value, folder)


def _file(value: Any, folder: Path) -> Any:
    """A path below the folder; what is none is left for `Machine.open` to refuse."""
    return str(folder / fspath(value)) if isinstance(value, str | PathLike) else value


def merged(parts: Iterable[Arguments]) -> Arguments:
    """Arguments put together key by key, and `settings` by its keys; later parts win."""
    found: Arguments = {}
    for part in parts:
        settings = {**found.get("settings", {}), **(part.get("settings") or {})}
        found.update(part)
        if settings:
            found["settings"] = settings
    return found


def variants(arguments: Arguments) -> list[Arguments]:
    """The machines of arguments with lists: each combination of their values. Empty without."""
    lists = {
        name: list(arguments[name])
        for name in VARIED
        if isinstance(arguments.get(name), list | tuple)
    }
    if not lists:
        return []
    return [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]


def variant_name(variant: Arguments) -> str:
    """A variant in the name of a test: `virt-rv64gc`, `2harts`."""
    names = {"program": lambda value: Path(value).stem, "harts": lambda value: f"{value}harts"}
    return "-".join(names.get(name, str)(value) for name, value in variant.items())


def open_arguments(arguments: Arguments) -> Arguments:
    """The arguments for `Machine.open`."""
    found = {name: value for name, value in arguments.items() if name in OF_OPEN}
    if arguments.get("isa") is not None:
        found["settings"] = {**found.get("settings", {}), "harts.isa": arguments["isa"]}
    return found


def boot_name(boot: Callable[[Any], object]) -> str:
    """What messages call a boot function."""
    return str(getattr(boot, "__qualname__", repr(boot)))


def described(arguments: Arguments) -> str:
    """Arguments as text, the same for the same machine."""
    return repr(sorted((name, repr(value)) for name, value in open_arguments(arguments).items()))


def command(arguments: Arguments) -> list[str]:
    """The arguments of `rvplat run` for the same machine."""
    found = open_arguments(arguments)
    words = [str(found.get("board", "virt"))]
    words += [str(found["program"])] if found.get("program") is not None else []
    for name in ("kernel", "initrd", "append", "dtb", "harts", "memory"):
        if found.get(name) is not None:
            words += [f"--{name}", str(found[name])]
    disks = found.get("disk", ())
    for one in disks if isinstance(disks, Sequence) and not isinstance(disks, str) else [disks]:
        words += ["--disk", str(one)]
    for address, file in (found.get("load") or {}).items():
        words += ["--load", f"{address:#x}={file}"]
    for vmid, file in (found.get("symbols") or {}).items():
        words += ["--symbols", str(file) if vmid is None else f"{vmid}={file}"]
    settings = found.get("settings") or {}
    for key, value in settings.items():
        words += ["--set", f"{key}={toml(value)}"]
    return words


def toml(value: object) -> str:
    """A value as `--set` reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    if isinstance(value, str | PathLike):
        text = fspath(value).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'
    return str(value)
