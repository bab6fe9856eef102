"""Make the JSON Schema of board files, for editors, from the dataclasses that check the files.

`rvplat schema` prints it. JSON Schema 2020-12, https://json-schema.org/draft/2020-12/json-schema-core.
"""

from __future__ import annotations

import dataclasses
import enum
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from rvplat.machine.boards.board import (
    BoardMemory,
    Boot,
    Chosen,
    Connection,
    Debug,
    General,
    HartChanges,
    Harts,
)
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.schema import Limits, choices, fields_of, unwrap

Schema = dict[str, Any]
_STRINGS: Schema = {"type": "array", "items": {"type": "string"}}
_NAMES = {int: "integer", str: "string", bool: "boolean", float: "number", Path: "string"}
SIZE_PATTERN = "^[0-9]+ ?[KMGT]?(i?B)?$"


def board_schema(catalogue: Catalogue) -> Schema:
    """The JSON Schema of a board's TOML, as a JSON object."""
    properties: Schema = {
        "extends": {"type": "string", "description": "the board that this one builds on"},
        "remove": {**_STRINGS, "description": "keys of that board to leave out"},
        "plugins": {**_STRINGS, "description": "plugins to load: Python files beside the board"},
        **_properties(General),
        "harts": {**_table(Harts), "patternProperties": {"^[0-9]$": _table(HartChanges)}},
        "memory": {"type": "object", "additionalProperties": _table(BoardMemory)},
        "devices": {"type": "object", "additionalProperties": _device(catalogue)},
        "chosen": _table(Chosen),
        "boot": _table(Boot),
        "debug": _table(Debug),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rvplat board",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def _table(cls: type) -> Schema:
    """An object. No key is required: a board may inherit any key from its parent."""
    return {
        "type": "object",
        "description": (cls.__doc__ or "").strip(),
        "additionalProperties": False,
        "properties": _properties(cls),
    }


def _properties(cls: type) -> Schema:
    found: Schema = {}
    for field in fields_of(cls):
        schema = type_schema(field.type, field.limits)
        if field.doc:
            schema["description"] = field.doc
        if not field.required and field.default not in (None, ()):
            schema["default"] = _plain(field.default)
        found[field.name] = schema
    return found


def _device(catalogue: Catalogue) -> Schema:
    """A device has the keys of its model. Without `model` it changes a parent's device: any key."""
    connection = _properties(Connection)
    connection["model"]["enum"] = sorted(catalogue.models)
    rules = []
    for name, model in sorted(catalogue.models.items()):
        settings = _properties(model.settings_type)
        rules.append(
            {
                "if": {"properties": {"model": {"const": name}}, "required": ["model"]},
                "then": {
                    "description": (model.__doc__ or "").strip(),
                    "properties": {**dict.fromkeys(connection, True), **settings},
                    "additionalProperties": False,
                },
            }
        )
    return {
        "type": "object",
        "description": (Connection.__doc__ or "").strip(),
        "properties": connection,
        "allOf": rules,
    }


def type_schema(kind: Any, limits: Limits) -> Schema:
    """The schema of a value."""
    kind, limits = unwrap(kind, limits)
    origin = get_origin(kind)
    if known := choices(kind):
        return {"enum": list(known)}
    if origin in (Union, types.UnionType):
        parts = [part for part in get_args(kind) if part is not type(None)]
        schemas = [type_schema(part, limits) for part in parts]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    if origin in (tuple, list, Sequence):
        return {"type": "array", "items": type_schema(get_args(kind)[0], limits)}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _table(kind)
    schema: Schema = {"type": _NAMES.get(kind, "object")}
    if limits.low is not None:
        schema["minimum"] = limits.low
    if limits.high is not None:
        schema["maximum"] = limits.high
    if limits.with_unit:
        return {"anyOf": [schema, {"type": "string", "pattern": SIZE_PATTERN}]}
    return schema


def _plain(value: object) -> object:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
