"""The keys of a board file, from the JSON Schema that `rvplat schema` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from generate.markdown import code, table
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.json_schema import board_schema
from rvplat.pluginmanager import load_plugins

Schema = Mapping[str, Any]
HEAD = ("key", "value", "default", "meaning")
TITLES = {"memory": "memory.NAME", "devices": "devices.NAME"}


def page() -> str:
    """The keys before the first table, then a section for each table."""
    properties = board_schema(Catalogue.of(load_plugins([])))["properties"]
    tables = {name: one for name, one in properties.items() if one.get("type") == "object"}
    first = {name: one for name, one in properties.items() if name not in tables}
    parts = ["## Before the first table", table(HEAD, _rows(first))]
    for name, one in tables.items():
        inner = one.get("additionalProperties") or one
        parts += [
            f"## `[{TITLES.get(name, name)}]`",
            inner.get("description", ""),
            table(HEAD, _rows(inner["properties"])),
        ]
        for own in inner.get("patternProperties", {}).values():
            parts += [f"## `[{name}.N]`", own["description"], table(HEAD, _rows(own["properties"]))]
    return "\n\n".join(parts)


def _rows(properties: Schema) -> Iterator[tuple[str, str, str, str]]:
    for name, schema in properties.items():
        default = code(_value(schema["default"])) if "default" in schema else ""
        yield code(name), value_text(schema), default, schema.get("description", "")


def value_text(schema: Schema) -> str:
    """What a key takes, in words."""
    if "enum" in schema:
        return " or ".join(code(_value(one)) for one in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(value_text(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"an array, each of it {value_text(schema['items'])}"
    if "pattern" in schema:
        return 'a size such as `"512M"`'
    return str(schema.get("type", "")) + _range(schema)


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        return ""
    if high is None:
        return f", at least {_number(low)}"
    return f", {_number(low)} to {_number(high)}"


def _number(value: int | None) -> str:
    return "" if value is None else hex(value) if value > 1 << 20 else str(value)


def _value(value: object) -> str:
    return json.dumps(value)
