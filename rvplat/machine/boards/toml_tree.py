"""Read and merge a board's TOML files into one tree; every value has its file and line.

A board may build on another: `extends` names the parent, `remove` drops keys of the parent, and the
board's own keys are merged over the rest. Tables merge by name, other values are replaced. The
overrides of the command line are applied last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tomli

from rvplat.errors import file_kind
from rvplat.frozen import frozen
from rvplat.machine.boards.board_faults import (
    Fault,
    Place,
    fault,
    listed,
    quoted,
    shortened,
    toml_text,
)
from rvplat.machine.boards.toml_lines import KeyPath, locate

#: The greatest depth of tables and arrays; no key of a board needs more. Recursive functions walk
#: the tree, so the depth must have a limit.
DEEPEST = 32
TOO_DEEP = f"tables or arrays that are nested more than {DEEPEST} levels deep"


@frozen
class TomlEntry:
    """A TOML value and its place. Tables and arrays contain entries."""

    value: object
    place: Place

    @property
    def table(self) -> dict[str, TomlEntry]:
        """The entries of a table; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[TomlEntry]:
        """The entries of an array; empty for anything else."""
        return self.value if isinstance(self.value, list) else []

    def plain(self) -> object:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: entry.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        return self.value


def too_deep(value: object) -> bool:
    """Whether tables and arrays are nested more than `DEEPEST` levels, or contain themselves."""
    level = [value]
    for _ in range(DEEPEST + 1):
        tables = {id(one): one for one in level if isinstance(one, dict | list)}.values()
        if not tables:
            return False
        level = [
            part for one in tables for part in (one.values() if isinstance(one, dict) else one)
        ]
    return True


@frozen
class Override:
    """A value from the command line; `origin` is the option as written (`--set harts.count=2`).

    The path `memory` alone means the size of the main memory: `--memory 2G`.
    `is_default`: it counts only for a board without this key.
    """

    path: tuple[str, ...]
    value: object
    origin: str
    is_default: bool = False


@dataclass
class Source:
    """A board as read: the merged tree, the plugins of it and its parents, the faults so far.

    `complete` is False if a file could not be read: its keys are missing.
    """

    name: str
    root: TomlEntry
    files: list[Path] = field(default_factory=list)
    plugins: list[TomlEntry] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    complete: bool = True


def parse_override(text: str) -> Override:
    """`devices.uart0.base=0x1000` as an override; a value that is not TOML is a string.

    Raises:
        ValueError: there is no `=` or no key.
    """
    key, equals, value = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    if not equals or not all(path):
        raise ValueError(
            f'--set {text}: found no "=" or no key, expected KEY=VALUE such as harts.count=2'
        )
    if len(path) > DEEPEST:
        raise ValueError(
            f"--set {shortened(key)}: found a key of {len(path)} parts, expected KEY=VALUE such as "
            "harts.count=2"
        )
    try:
        document = tomli.loads(f"value = {value.strip()}")
    except (
        ValueError,
        RecursionError,
    ):  # not TOML, or beyond Python's limits for numbers and nesting
        document = {}
    parsed = document["value"] if len(document) == 1 else value.strip()
    return Override(path, parsed, f"--set {text}")


def board_names(places: Iterable[Path]) -> dict[str, Path]:
    """The boards in these files and folders, by name; the first file with a name wins."""
    found: dict[str, Path] = {}
    for place in places:
        for path in sorted(place.glob("*.toml")) if place.is_dir() else [place]:
            found.setdefault(path.stem, path)
    return found


def find_board(name: str, places: Sequence[Path], beside: Path = Path()) -> Path | None:
    """The file of a board, by a path (relative to `beside`) or by a name."""
    if "/" in name or name.endswith(".toml"):
        path = beside / Path(name).expanduser()
        return path if path.is_file() else None
    return board_names(places).get(name)


def read_board(name: str, places: Sequence[Path], overrides: Sequence[Override] = ()) -> Source:
    """Read a board, those that it extends, and the overrides. Faults are collected, not raised."""
    place = Place(name)
    source = Source(Path(name).stem, TomlEntry({}, place))
    path = find_board(name, places)
    if path is None:
        source.faults.append(_no_board(name, places, place, ""))
        source.complete = False
        return source
    source.root = _Reader(source, places).read(path, ())
    # The ISA string first: it drops the menvcfg of the board, and not that of another option.
    for override in sorted(overrides, key=lambda one: one.path != ("harts", "isa")):
        apply(source, override)
    return source


def _no_board(name: str, places: Sequence[Path], place: Place, key: str) -> Fault:
    if "/" in name or name.endswith(".toml"):
        found = f"no file {quoted(name)}" if key else _unfit(Path(name))
        return fault(place, key, found, "the path of a board")
    names = board_names(places)
    return fault(place, key, f"no board {toml_text(name)}", listed(names), (name, names))


def _unfit(path: Path) -> str:
    """Why a path cannot be the file of a board."""
    try:
        return file_kind(path.expanduser().stat().st_mode) or "no such file"
    except (OSError, ValueError):
        return "no such file"


class _Reader:
    def __init__(self, source: Source, places: Sequence[Path]) -> None:
        self.source = source
        self.places = places

    def fault(self, place: Place, key: str, found: str, expected: str) -> None:
        self.source.faults.append(fault(place, key, found, expected))

    def read(self, path: Path, below: tuple[Path, ...]) -> TomlEntry:
        """The tree of a file, merged over that of the board that it extends."""
        self.source.files.append(path)
        own = self._parse(path)
        table = dict(own.table)
        extends, remove = table.pop("extends", None), table.pop("remove", None)
        plugins = table.pop("plugins", None)
        parent = self._parent(extends, path, (*below, path))
        if plugins is not None:
            self.source.plugins += self._strings(plugins, "plugins")
        for key in self._strings(remove, "remove") if remove is not None else []:
            parent = self._without(parent, key) if parent else None
        above = TomlEntry(table, own.place)
        return merge(parent, above) if parent else above

    def _parse(self, path: Path) -> TomlEntry:
        shown_path = str(path)
        place = Place(shown_path, 1, path.parent)
        try:
            text = path.read_text("utf-8-sig")  # some editors write a byte-order mark
            values = tomli.loads(text)
            if too_deep(values):
                raise RecursionError
            lines = locate(text)
        except RecursionError:
            self.fault(place, "", TOO_DEEP, "a board")
        except OSError as error:
            self.fault(Place(shown_path), "", f"an unreadable file ({error.strerror})", "a board")
        except UnicodeDecodeError as error:
            found = f"a byte that is not UTF-8 at offset {error.start}"
            self.fault(Place(shown_path), "", found, "TOML, which is UTF-8")
        except tomli.TOMLDecodeError as error:
            at = Place(shown_path, error.lineno, path.parent)
            self.fault(at, "", f"a syntax error ({error.msg}, column {error.colno})", "TOML")
        except ValueError as error:  # an integer of more digits than Python reads
            self.fault(place, "", f"a value that can't be read ({error})", "TOML")
        else:
            return _entry(values, (), lines, place)
        self.source.complete = False
        return TomlEntry({}, place)

    def _parent(
        self, extends: TomlEntry | None, path: Path, below: tuple[Path, ...]
    ) -> TomlEntry | None:
        """The parent board; None if there is none, with a fault if `extends` is wrong."""
        if extends is None:
            return None
        found = self._find_parent(extends, path, below)
        if found is None:
            self.source.complete = False
            return None
        return self.read(found, below)

    def _find_parent(self, extends: TomlEntry, path: Path, below: tuple[Path, ...]) -> Path | None:
        if not isinstance(extends.value, str):
            self.fault(extends.place, "extends", toml_text(extends.plain()), "the name of a board")
            return None
        found = find_board(extends.value, self.places, path.parent)
        if found is None:
            self.source.faults.append(
                _no_board(extends.value, self.places, extends.place, "extends")
            )
            return None
        if len(below) > DEEPEST:
            what = f"more than {DEEPEST} boards that build on each other"
            self.fault(extends.place, "extends", what, "fewer")
            return None
        if found.resolve() in [file.resolve() for file in below]:
            circle = " -> ".join(file.stem for file in (*below, found))
            self.fault(
                extends.place,
                "extends",
                f"a circle ({circle})",
                "a board that does not extend this one",
            )
            return None
        return found

    def _strings(self, entry: TomlEntry, key: str) -> list[TomlEntry]:
        if not isinstance(entry.value, list):
            self.fault(entry.place, key, toml_text(entry.plain()), "an array of strings")
        for index, item in enumerate(entry.items):
            if not isinstance(item.value, str):
                self.fault(item.place, f"{key}[{index}]", toml_text(item.plain()), "a string")
        return [item for item in entry.items if isinstance(item.value, str)]

    def _without(self, tree: TomlEntry, removed: TomlEntry) -> TomlEntry:
        path = tuple(str(removed.value).split("."))
        known = _paths(tree)
        if path not in known:
            names = [".".join(path) for path in known]
            expected = "a key of the board that this one extends"
            found, meant = toml_text(removed.value), (str(removed.value), names)
            self.source.faults.append(fault(removed.place, "remove", found, expected, meant))
            return tree
        return _removed(tree, path)


def _entry(value: object, path: KeyPath, lines: Mapping[KeyPath, int], top: Place) -> TomlEntry:
    place = Place(top.origin, lines.get(path, top.line), top.directory)
    if isinstance(value, dict):
        return TomlEntry({k: _entry(v, (*path, k), lines, top) for k, v in value.items()}, place)
    if isinstance(value, list):
        return TomlEntry([_entry(v, (*path, i), lines, top) for i, v in enumerate(value)], place)
    return TomlEntry(value, place)


#: Keys that hold for the value of another key. Where a board or an option replaces that, they are
#: dropped.
BELONGS_TO = {"menvcfg": "isa"}


def merge(below: TomlEntry, above: TomlEntry) -> TomlEntry:
    """Merge tables by key and replace other values; keys keep the order of the first tree."""
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        return above
    replaced = above.table.keys() & BELONGS_TO.values()
    merged = {k: one for k, one in below.table.items() if BELONGS_TO.get(k) not in replaced}
    for key, entry in above.table.items():
        merged[key] = merge(merged[key], entry) if key in merged else entry
    return TomlEntry(merged, above.place)


def _paths(tree: TomlEntry, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path] if path else []
    for key, entry in tree.table.items():
        found += _paths(entry, (*path, key))
    return found


def _removed(tree: TomlEntry, path: tuple[str, ...]) -> TomlEntry:
    table = dict(tree.table)
    if len(path) == 1:
        del table[path[0]]
    else:
        table[path[0]] = _removed(table[path[0]], path[1:])
    return TomlEntry(table, tree.place)


def main_memory(root: TomlEntry) -> str:
    """The name of the first memory that is not a ROM."""
    memories = root.table["memory"].table if "memory" in root.table else {}
    rams = (name for name, one in memories.items() if not _is_true(one.table.get("rom")))
    return next(rams, "ram")


def _is_true(entry: TomlEntry | None) -> bool:
    return entry is not None and entry.value is True


def apply(source: Source, override: Override) -> None:
    """Put a value of the command line into the tree; its paths start at the working folder."""
    place = Place(override.origin)
    if len(override.path) > DEEPEST or too_deep(override.value):
        at = Place(shortened(override.origin))
        source.faults.append(fault(at, "", TOO_DEEP, "a key of the board and its value"))
        return
    tree = _entry(override.value, (), {}, place)
    path = override.path
    if path == ("memory",) and not isinstance(override.value, dict):
        path = ("memory", main_memory(source.root), "size")
    for key in reversed(path):
        tree = TomlEntry({key: tree}, place)
    merged = merge(tree, source.root) if override.is_default else merge(source.root, tree)
    source.root = TomlEntry(merged.value, source.root.place)
