"""A device's settings: a frozen dataclass whose types and defaults check a board's keys and give
its JSON schema.

    @dataclass(frozen=True)
    class DiskSettings:
        image: Path = setting("the raw image file")  # no default: the board must give it
        readonly: bool = setting("refuse the guest's writes", False)
        sectors: int = setting("size in sectors", 64, minimum=1)

A field's type is bool, int, str, Path, a Literal of strings, or one of these `| None`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rvplat.errors import DeviceError, nearest

REQUIRED = dataclasses.MISSING


def setting(
    doc: str,
    default: Any = REQUIRED,
    *,
    minimum: int | None = None,
    maximum: int | None = None,
    may_be_new: bool = False,
) -> Any:
    """A field of a settings dataclass: what it means, its default, for an int its range, for a
    file whether it may be one that is not there yet.
    """
    metadata = {"doc": doc, "minimum": minimum, "maximum": maximum, "may_be_new": may_be_new}
    return dataclasses.field(default=default, metadata=metadata, kw_only=True)


@dataclass(frozen=True)
class NoSettings:
    """The settings of a device that has none."""


@dataclass(frozen=True)
class Setting:
    """One key that a board may set."""

    name: str
    kind: type
    optional: bool
    choices: tuple[str, ...]
    default: Any
    doc: str
    minimum: int | None
    maximum: int | None

    @property
    def required(self) -> bool:
        """Whether a board must give it."""
        return self.default is REQUIRED

    @property
    def expected(self) -> str:
        """What would be right, for a message."""
        if self.choices:
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        words = {bool: "true or false", int: "an integer", str: "a string", Path: "a file name"}
        text = words[self.kind]
        if self.minimum is not None and self.maximum is not None:
            text += f" from {self.minimum} to {self.maximum}"
        elif self.minimum is not None:
            text += f" of at least {self.minimum}"
        elif self.maximum is not None:
            text += f" of at most {self.maximum}"
        return text

    def accepts(self, value: object) -> bool:
        """Whether a TOML value fits."""
        if self.choices:
            return value in self.choices
        if self.kind is int:
            return (
                type(value) is int
                and (self.minimum is None or value >= self.minimum)
                and (self.maximum is None or value <= self.maximum)
            )
        return isinstance(value, (str, Path) if self.kind is Path else self.kind)

    def json_schema(self) -> dict[str, Any]:
        """This key in JSON Schema."""
        names = {bool: "boolean", int: "integer", str: "string", Path: "string"}
        schema: dict[str, Any] = {"type": names[self.kind], "description": self.doc}
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.minimum is not None:
            schema["minimum"] = self.minimum
        if self.maximum is not None:
            schema["maximum"] = self.maximum
        if not self.required and self.default is not None:
            schema["default"] = self.default if self.kind is not Path else str(self.default)
        return schema


@dataclass(frozen=True)
class SettingFault:
    """A key that doesn't fit: what was found, what was expected, the nearest right name."""

    key: str
    found: str
    expected: str
    nearest: str | None = None


def settings_of(kind: type) -> tuple[Setting, ...]:
    """The settings that a dataclass declares, in order."""
    hints = typing.get_type_hints(kind)
    return tuple(_setting_of(kind, field, hints[field.name]) for field in dataclasses.fields(kind))


def _setting_of(owner: type, field: dataclasses.Field[Any], hint: Any) -> Setting:
    parts = typing.get_args(hint) if _is_union(hint) else (hint,)
    kinds = [part for part in parts if part is not type(None)]
    choices: tuple[str, ...] = ()
    kind = kinds[0]
    if typing.get_origin(kind) is typing.Literal:
        choices, kind = typing.get_args(kind), str
    if len(kinds) != 1 or kind not in (bool, int, str, Path):
        raise DeviceError(
            f"{owner.__qualname__}.{field.name}: a setting is bool, int, str, Path or a Literal of "
            f"strings, perhaps | None, not {hint}"
        )
    meta = field.metadata
    return Setting(
        field.name, kind, len(parts) > 1, choices, field.default,
        meta.get("doc", ""), meta.get("minimum"), meta.get("maximum"),
    )  # fmt: skip


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def check_settings(kind: type, values: Mapping[str, object]) -> list[SettingFault]:
    """Everything that is wrong with `values` as settings of `kind`."""
    known = {entry.name: entry for entry in settings_of(kind)}
    faults = []
    for key, value in values.items():
        entry = known.get(key)
        if entry is None:
            names = ", ".join(known) or "no settings"
            faults.append(SettingFault(key, "an unknown key", names, nearest(key, known)))
        elif not entry.accepts(value):
            faults.append(SettingFault(key, repr(value), entry.expected))
    for entry in known.values():
        if entry.required and entry.name not in values:
            faults.append(SettingFault(entry.name, "nothing", entry.expected))
    return faults


def make_settings(kind: type, values: Mapping[str, object]) -> Any:
    """Settings from values that `check_settings` found no fault with."""
    paths = {entry.name for entry in settings_of(kind) if entry.kind is Path}
    made = {
        key: Path(value) if key in paths and isinstance(value, str) else value
        for key, value in values.items()
    }
    return kind(**made)


def settings_schema(kind: type) -> dict[str, Any]:
    """JSON Schema properties of a settings dataclass, by key."""
    return {entry.name: entry.json_schema() for entry in settings_of(kind)}
