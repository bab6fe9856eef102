"""What Python programs use: machines and their parts, from the docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import rvplat
from generate.markdown import block, code, docstring, table
from rvplat import errors
from rvplat.bus import Memory
from rvplat.gdb.attach import GdbServer
from rvplat.machine.consoles.connection import Connection
from rvplat.machine.debugging.breakpoints import Breakpoints
from rvplat.machine.debugging.watchpoints import Watchpoints
from rvplat.machine.debugging.when import When
from rvplat.machine.history.history import History
from rvplat.machine.hooks.event import Event
from rvplat.machine.hooks.hook import Hook
from rvplat.machine.running.console import HostConsole
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.stop import Breakpoint, Watchpoint
from rvplat.machine.worlds.stack import Backtrace, Frame
from rvplat.machine.worlds.world import World

LONG = 90
_ATTRIBUTE = re.compile(r"    (\w+): ([^=\n]+?)(?: = (.*))?")
_COMMENT = "    #: "


def page() -> str:
    """What `rvplat` exports, then what its machines are made of."""
    parts = [class_text(one) for one in (rvplat.Machine, rvplat.Stop, When, History)]
    parts.append(function_text(rvplat.serve_gdb))
    points = (Breakpoints, Breakpoint, Watchpoints, Watchpoint)
    worlds = (Hook, Event, World, Backtrace, Frame)
    parts += [class_text(one) for one in (*points, *worlds, GdbServer, Hart, Memory)]
    parts += [class_text(one) for one in (HostConsole, Connection)]
    parts += ["## Errors", block(inspect.getdoc(errors) or "")]
    return "\n\n".join(parts)


def function_text(function: Callable[..., Any]) -> str:
    """A section for a function."""
    name = function.__name__
    return f"## `{name}`\n\n{block(call(name, function), 'python')}\n{docstring(function)}"


def class_text(cls: type) -> str:
    """A class: its docstring and attributes, then a section for each member that users see."""
    parts = [f"## `{cls.__name__}`", docstring(cls)]
    rows = list(_attributes(cls))
    parts += [table(("attribute", "type", "default", "meaning"), rows)] if rows else []
    for name in _members(cls):
        member = inspect.getattr_static(cls, name)
        if isinstance(member, property | cached_property):
            parts += [f"### `{name}`", docstring(member)]
        elif isinstance(member, classmethod | staticmethod) or inspect.isfunction(member):
            function = getattr(cls, name)
            signed = block(call(f"{cls.__name__}.{name}", function), "python")
            parts += [f"### `{name}()`", signed, docstring(function)]
    return "\n\n".join(parts)


def _members(cls: type) -> Iterator[str]:
    """What is public and documented: as the class lists it, or in the order of its text."""
    names = getattr(cls, "public", None) or dict.fromkeys(
        name for base in reversed(cls.__mro__) for name in vars(base)
    )
    annotated = {name for base in cls.__mro__ for name in inspect.get_annotations(base)}
    for name in names:
        member = inspect.getattr_static(cls, name, None)
        if not name.startswith("_") and name not in annotated and inspect.getdoc(member):
            yield name


def _attributes(cls: type) -> Iterator[tuple[str, str, str, str]]:
    """The annotated names of a class that says with `#:` what they are: those, and the others."""
    lines = inspect.getsource(cls).splitlines()
    if not any(line.startswith(_COMMENT) for line in lines):
        return
    said: list[str] = []
    for line in lines:
        if line.startswith(_COMMENT):
            said.append(line.removeprefix(_COMMENT))
        elif found := _ATTRIBUTE.fullmatch(line):
            if not found[1].startswith("_"):
                yield code(found[1]), code(found[2]), code(found[3] or ""), " ".join(said)
            said = []
        elif line.startswith("    def "):
            return


def call(name: str, function: Callable[..., Any]) -> str:
    """A call as a reader writes it, with types and defaults; a parameter a line if it is long."""
    signature = inspect.signature(function)
    found = [one for one in signature.parameters.values() if one.name not in ("self", "cls")]
    texts = [_parameter(one) for one in found]
    named = next((n for n, one in enumerate(found) if one.kind is one.KEYWORD_ONLY), None)
    if named is not None:
        texts.insert(named, "*")
    returned = signature.return_annotation
    arrow = "" if returned is signature.empty else f" -> {_type(returned)}"
    whole = f"{name}({', '.join(texts)}){arrow}"
    if len(whole) <= LONG:
        return whole
    lines = "".join(f"    {text},\n" for text in texts)
    return f"{name}(\n{lines}){arrow}"


def _parameter(one: inspect.Parameter) -> str:
    stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
    text = (
        stars + one.name
        if one.annotation is one.empty
        else f"{stars}{one.name}: {_type(one.annotation)}"
    )
    if one.default is one.empty or "_MISSING_TYPE" in repr(one.default):
        return text
    default = getattr(one.default, "__name__", None) or repr(one.default)
    if isinstance(one.default, int) and one.default > 1 << 32:
        default = hex(one.default)
    return f"{text} = {default}"


def _type(annotation: object) -> str:
    if isinstance(annotation, str):
        return annotation
    return getattr(annotation, "__name__", str(annotation))
