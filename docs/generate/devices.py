"""The device models that ship: settings, lines, registers."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator

from generate.board_keys import value_text
from generate.markdown import code, docstring, table
from rvplat.bus import Device, Hole
from rvplat.machine.boards.json_schema import type_schema
from rvplat.machine.boards.schema import fields_of
from rvplat.pluginmanager import load_plugins


def page() -> str:
    """A section for each model."""
    return "\n\n".join(_model(one) for _, one in sorted(load_plugins([]).devices.items()))


def _model(model: type[Device]) -> str:
    parts = [f"## `{model.model}`", docstring(sys.modules[model.__module__]), docstring(model)]
    if model.compatible:
        parts.append(f"`compatible`: {', '.join(map(code, model.compatible))}.")
    if model.interrupts:
        parts.append(f"Lines, in the order of `interrupts`: {', '.join(model.interrupts)}.")
    settings = list(_settings(model))
    parts += [table(("setting", "value", "default", "meaning"), settings)] if settings else []
    registers = list(_registers(model))
    parts += [table(("offset", "register", "fields", "access"), registers)] if registers else []
    return "\n\n".join(parts)


def _settings(model: type[Device]) -> Iterator[tuple[str, str, str, str]]:
    if not dataclasses.is_dataclass(model.settings_type):
        return
    for one in fields_of(model.settings_type):
        default = "must be given" if one.required else code(str(one.default))
        default = "" if one.default is None else default
        yield code(one.name), value_text(type_schema(one.type, one.limits)), default, one.doc


def _registers(model: type[Device]) -> Iterator[tuple[str, str, str, str]]:
    for row in model.registers:
        if isinstance(row, Hole):
            continue
        many = f", {row.count} of them, {row.stride} bytes apart" if row.count else ""
        yield f"{row.offset:#x}{many}", code(row.name), code(row.bits), row.access
