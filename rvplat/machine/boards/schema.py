"""Dataclasses are the schema of a board's TOML: their types check and convert its values.

The type of a field says which TOML values fit; `rvplat.bus.setting` adds limits and a description:

    count: int = setting("how many harts", 1, minimum=1, maximum=8)
    size: Size = setting("bytes, or a size such as \"2G\"")
"""

from __future__ import annotations

import dataclasses
import enum
import re
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from rvplat.frozen import frozen
from rvplat.machine.boards.board_faults import Fault, fault, listed, quoted, toml_text
from rvplat.machine.boards.toml_tree import TomlEntry

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+) ?([KMGT]?)(?:i?B)?")
#: Marks an int that may have a unit: "512M", "2G", "64 KiB".
WITH_UNIT = "with unit"
Size = Annotated[int, WITH_UNIT]


@frozen
class Limits:
    """The range of an int and whether it may have a unit; whether a file need not exist yet, or
    is a folder."""

    low: int | None = None
    high: int | None = None
    with_unit: bool = False
    may_be_new: bool = False
    folder: bool = False

    def allow(self, value: int) -> bool:
        """Whether the value is in the range."""
        above = self.low is None or value >= self.low
        return above and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        text = 'a size such as "512M"' if self.with_unit else "an integer"
        if self.low is not None and self.high is not None:
            return f"{text} from {number(self.low)} to {number(self.high)}"
        if self.low is not None:
            return f"{text} of at least {number(self.low)}"
        return f"{text} of at most {number(self.high)}" if self.high is not None else text


NO_LIMITS = Limits()


class Wrong:
    """The result of `convert` for a value that does not fit; `convert` also records the fault."""


WRONG = Wrong()


@frozen
class SchemaKey:
    """A field of a dataclass as the schema sees it."""

    name: str
    type: Any
    limits: Limits
    doc: str
    required: bool
    default: object


def fields_of(cls: type) -> list[SchemaKey]:
    """The fields of a dataclass that a board may set, in order."""
    hints = get_type_hints(cls, include_extras=True)
    return [_field(field, hints[field.name]) for field in dataclasses.fields(cls) if field.init]


def _field(field: dataclasses.Field[Any], hint: Any) -> SchemaKey:
    default: object = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    meta = field.metadata
    limits = Limits(
        meta.get("minimum"),
        meta.get("maximum"),
        may_be_new=meta.get("may_be_new", False),
        folder=meta.get("folder", False),
    )
    required = default is dataclasses.MISSING
    return SchemaKey(field.name, hint, limits, str(meta.get("doc", "")), required, default)


def unwrap(hint: Any, limits: Limits = NO_LIMITS) -> tuple[Any, Limits]:
    """A type without its `Annotated`, and the limits with its annotations added."""
    if get_origin(hint) is Annotated:
        plain, *extras = get_args(hint)
        return plain, dataclasses.replace(limits, with_unit=WITH_UNIT in extras)
    return hint, limits


def parse_size(text: str) -> int | None:
    """The number of bytes in "2G", "512 MiB" or "4096"; None if the text is not a size."""
    found = _SIZE.fullmatch(text.strip())
    return int(found[1]) * UNITS[found[2]] if found else None


def convert_table(
    cls: type, entry: TomlEntry, key: str, faults: list[Fault], skip: Sequence[str] = ()
) -> object:
    """An instance of a dataclass from a table; WRONG if a required key is missing or does not fit.

    An optional key that does not fit gets its default, so that later checks can continue. Keys in
    `skip` are not checked.
    """
    if not isinstance(entry.value, dict):
        faults.append(fault(entry.place, key, toml_text(entry.plain()), "a table"))
        return WRONG
    fields = {field.name: field for field in fields_of(cls)}
    _unknown_keys([*fields, *skip], entry, key, faults)
    values: dict[str, object] = {}
    complete = True
    for name, field in fields.items():
        value = _field_value(field, entry, key, faults)
        if value is not WRONG:
            values[name] = value
        elif field.required:
            complete = False
    return cls(**values) if complete else WRONG


def _unknown_keys(known: Sequence[str], entry: TomlEntry, key: str, faults: list[Fault]) -> None:
    for name, item in entry.table.items():
        if name not in known:
            found = f"an unknown key {quoted(name)}"
            path = joined(key, name)
            faults.append(fault(item.place, path, found, listed(sorted(known)), (name, known)))


def _field_value(field: SchemaKey, table: TomlEntry, key: str, faults: list[Fault]) -> object:
    entry = table.table.get(field.name)
    path = joined(key, field.name)
    if entry is not None:
        return convert(field.type, field.limits, entry, path, faults)
    if field.required:
        faults.append(fault(table.place, path, "no such key", expected(field.type, field.limits)))
        return WRONG
    return field.default


def joined(key: str, name: str) -> str:
    """A dotted key, with quotes around names that need them in TOML."""
    written = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)
    return f"{key}.{written}" if key else written


def convert(kind: Any, limits: Limits, entry: TomlEntry, key: str, faults: list[Fault]) -> object:
    """The value of an entry converted to a type; WRONG, and a fault, if it does not fit."""
    kind, limits = unwrap(kind, limits)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _convert_union(get_args(kind), limits, entry, key, faults)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return convert_table(kind, entry, key, faults)
    if origin in (tuple, list, Sequence):
        return _convert_array(origin, get_args(kind)[0], limits, entry, key, faults)
    if origin in (dict, Mapping):
        return _convert_names(get_args(kind)[1], entry, key, faults)
    value = _scalar(kind, limits, entry)
    if isinstance(value, Wrong):
        faults.append(_misfit(kind, limits, entry, key))
    elif isinstance(value, Path):
        faults += _missing(value, limits, entry, key)
    return value


def _missing(path: Path, limits: Limits, entry: TomlEntry, key: str) -> list[Fault]:
    """The fault of a file that does not exist, or of a new file whose folder does not exist."""
    if limits.folder:
        found = f"no folder {quoted(str(entry.value))}"
        problem = fault(entry.place, key, found, "an existing folder")
        return [] if path.is_dir() else [problem]
    if path.is_dir():
        found = f"the folder {quoted(str(entry.value))}"
        return [fault(entry.place, key, found, expected(Path))]
    if limits.may_be_new and not path.parent.is_dir():
        found = f"no folder {quoted(str(path.parent))} for {quoted(path.name)}"
        return [fault(entry.place, key, found, "an existing folder")]
    if not limits.may_be_new and not path.exists():
        return [fault(entry.place, key, f"no file {quoted(str(entry.value))}", expected(Path))]
    return []


def _misfit(kind: Any, limits: Limits, entry: TomlEntry, key: str) -> Fault:
    names = [name for name in choices(kind) if isinstance(name, str)]
    meant = (str(entry.value), names) if isinstance(entry.value, str) else None
    return fault(entry.place, key, toml_text(entry.plain()), expected(kind, limits), meant)


def _convert_union(
    kinds: Sequence[Any], limits: Limits, entry: TomlEntry, key: str, faults: list[Fault]
) -> object:
    """The value as the first type that fits; if none does, one fault for all of them."""
    wanted = [kind for kind in kinds if kind is not type(None)]
    if len(wanted) == 1:
        return convert(wanted[0], limits, entry, key, faults)
    for kind in wanted:
        value = convert(kind, limits, entry, key, [])
        if not isinstance(value, Wrong):
            return value
    meant = " or ".join(expected(kind, limits) for kind in wanted)
    faults.append(fault(entry.place, key, toml_text(entry.plain()), meant))
    return WRONG


def _convert_array(
    origin: Any, kind: Any, limits: Limits, entry: TomlEntry, key: str, faults: list[Fault]
) -> object:
    if not isinstance(entry.value, list):
        meant = expected(tuple[kind, ...], limits)
        faults.append(fault(entry.place, key, toml_text(entry.plain()), meant))
        return WRONG
    values = [
        convert(kind, limits, item, f"{key}[{index}]", faults)
        for index, item in enumerate(entry.items)
    ]
    if any(isinstance(value, Wrong) for value in values):
        return WRONG
    return values if origin is list else tuple(values)


def _convert_names(kind: Any, entry: TomlEntry, key: str, faults: list[Fault]) -> object:
    if not isinstance(entry.value, dict):
        faults.append(fault(entry.place, key, toml_text(entry.plain()), "a table"))
        return WRONG
    values = {
        name: convert(kind, NO_LIMITS, item, joined(key, name), faults)
        for name, item in entry.table.items()
    }
    return {name: value for name, value in values.items() if not isinstance(value, Wrong)}


def choices(kind: Any) -> tuple[object, ...]:
    """The values of a Literal or an Enum."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return tuple(member.value for member in kind)
    return ()


def _scalar(kind: Any, limits: Limits, entry: TomlEntry) -> object:
    value = entry.value
    known = choices(kind)
    if known:
        if value not in known or isinstance(value, bool) is not isinstance(known[0], bool):
            return WRONG
        return kind(value) if isinstance(kind, type) else value
    if kind is int:
        return _integer(value, limits)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is Path and isinstance(value, str):
        return entry.place.directory / Path(value).expanduser()
    if kind is Any or kind is object:
        return entry.plain()
    return value if isinstance(kind, type) and isinstance(value, kind) else WRONG


def _integer(value: object, limits: Limits) -> object:
    if isinstance(value, str) and limits.with_unit:
        size = parse_size(value)
        value = WRONG if size is None else size
    if not isinstance(value, int) or isinstance(value, bool):
        return WRONG
    return value if limits.allow(value) else WRONG


def number(value: int) -> str:
    """A limit in a message: an address in hexadecimal, a count in decimal."""
    return f"{value:#x}" if value > 0xFFFF else str(value)


_NAMES = {
    str: "a string", bool: "true or false", float: "a number",
    Path: "the path of a file",
}  # fmt: skip


def expected(kind: Any, limits: Limits = NO_LIMITS) -> str:
    """A description of the values that a key of this type takes."""
    kind, limits = unwrap(kind, limits)
    origin = get_origin(kind)
    if known := choices(kind):
        return listed(toml_text(value) for value in known)
    if origin in (Union, types.UnionType):
        kinds = [part for part in get_args(kind) if part is not type(None)]
        return " or ".join(expected(part, limits) for part in kinds)
    if origin in (tuple, list, Sequence):
        return f"an array, each of it {expected(get_args(kind)[0], limits)}"
    if kind is int:
        return str(limits)
    return _NAMES.get(kind, "a table")
