"""The machine API's methods and types, from the functions that serve them."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints, is_typeddict

from generate.markdown import code, docstring, table
from rvplat.api.methods import ALL
from rvplat.api.registry import METHODS, Method
from rvplat.api.schema import words_of


def page() -> str:
    """A section for each subject, then the types of results."""
    parts: list[str] = []
    types: dict[str, Any] = {}
    for module in ALL:
        found = [one for one in METHODS.values() if one.function.__module__ == module.__name__]
        parts += [f"## {module.__name__.rpartition('.')[2].capitalize()}", docstring(module)]
        parts += [_method(one) for one in found]
        types |= {
            name: one for name, one in vars(module).items()
            if is_typeddict(one) and one.__module__ == module.__name__
        }  # fmt: skip
    parts += ["## Types", *(_type(one) for one in types.values())]
    return "\n\n".join(parts)


def _method(one: Method) -> str:
    rows = []
    for name, kind in one.hints.items():
        default = code(_json(one.defaults[name])) if name in one.defaults else "required"
        rows.append((code(name), code(words_of(kind)), default))
    head = ("parameter", "type", "default")
    shown = table(head, rows) if rows else ""
    needs = {"stopped": "The machine must be stopped.", "still": "", "free": ""}[one.use]
    result = f"Result: {code(words_of(one.result))}. {needs}"
    return "\n\n".join([f"### `{one.name}`", docstring(one.function), shown, result])


def _json(value: object) -> str:
    return {None: "null", True: "true", False: "false"}.get(value, str(value))  # type: ignore[call-overload,no-any-return]


def _type(one: Any) -> str:
    rows = [(code(name), code(words_of(kind))) for name, kind in get_type_hints(one).items()]
    text = " ".join((inspect.getdoc(one) or "").split())
    return "\n\n".join([f"### `{one.__name__}`", text, table(("member", "type"), rows)])
