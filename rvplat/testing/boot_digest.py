"""The digest of a boot function, by which processes of a session know that it is the same one.

Functions with the same source may lead machines to different places: what a factory has put into
the closure, the defaults, and the place in the file are part of the digest.
"""

from __future__ import annotations

import hashlib
import os
import re
from functools import partial
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, EllipsisType, FunctionType, MethodType, ModuleType
from typing import Any

_PLAIN = (bool, int, float, complex, str, bytes, EllipsisType, type(None))


class _OwnValue(Exception):
    """A value that another process may not have, or not in the same way."""


def shared_digest(machine: str, boot: object) -> str:
    """The digest of a booted machine, the same in all processes of a session; "" if they can't
    know that the function is the same. `machine` describes the one that it boots."""
    try:
        text = f"{machine} {_text(boot, ())}"
    except _OwnValue:
        return ""
    return _short(text)


def own_digest(machine: str, boot: object) -> str:
    """As `shared_digest`, for this process alone, as long as it keeps the function."""
    return _short(f"{machine} {os.getpid()} {id(boot)}")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:20]


def _text(value: object, above: tuple[int, ...]) -> str:
    """A value as text, which is that of no other value. `above`: the ids of what it is in."""
    kind = type(value)
    if kind in _PLAIN:
        return f"{kind.__name__} {value!r}"
    if id(value) in above:
        raise _OwnValue
    inside = (*above, id(value))
    if isinstance(value, type | BuiltinFunctionType | ModuleType):
        return _named(value)
    parts = _parts(value)
    if kind is dict:
        parts = [part for pair in parts for part in pair]
    texts = [_text(one, inside) for one in parts]
    if kind in (set, frozenset):
        texts.sort()  # their order is another in each process
    return f"{kind.__name__} {texts!r}"


def _named(value: Any) -> str:
    """What is found by its name. _OwnValue if a function has made it."""
    name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value.__name__)}"
    is_bound = not isinstance(getattr(value, "__self__", None), ModuleType | type(None))
    if "<locals>" in name or is_bound:
        raise _OwnValue
    return f"{type(value).__name__} {name}"


def _parts(value: Any) -> list[Any]:
    """What a value consists of."""
    kind = type(value)
    if kind in (tuple, list, set, frozenset):
        return list(value)
    if kind is dict:
        return list(value.items())
    if isinstance(value, PurePath):
        return [str(value)]
    if kind is re.Pattern:
        return [value.pattern, value.flags]
    if kind is partial:
        return [value.func, value.args, value.keywords]
    if kind is MethodType:
        return [value.__func__, value.__self__]
    if kind is FunctionType:
        return _of_function(value)
    if kind is CodeType:
        return [
            value.co_filename, value.co_qualname, value.co_firstlineno, value.co_code,
            value.co_consts, value.co_names, value.co_varnames, value.co_freevars,
            list(value.co_positions()),
        ]  # fmt: skip
    raise _OwnValue


def _of_function(function: FunctionType) -> list[Any]:
    try:
        cells = [one.cell_contents for one in function.__closure__ or ()]
    except ValueError:  # an empty cell
        raise _OwnValue from None
    return [
        function.__module__, function.__qualname__, function.__code__, cells,
        function.__defaults__, function.__kwdefaults__,
    ]  # fmt: skip
