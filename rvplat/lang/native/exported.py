"""Exported definitions (`Unit.export`) as Python functions.

An exported definition is a C function. It takes the definition's parameters, and last a pointer to
where the values go: eight bytes for each, a struct's fields in order. Its result says whether the
definition raised.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

from rvplat.lang.define import Definition
from rvplat.lang.record import address_of
from rvplat.lang.struct import flat, is_struct
from rvplat.lang.types import Integer

_C_TYPES = {8: ctypes.c_uint8, 16: ctypes.c_uint16, 32: ctypes.c_uint32}


class Raised(Exception):
    """A definition that Python called has raised. The state that it works on has the cause."""


def caller(definition: Definition, address: int) -> Callable[..., Any]:
    """A Python function that calls an exported definition, whose C function is at the address.

    Arguments are records' views or addresses, and ints. The function returns what the definition
    does: None, an int, a bool, a struct, or a tuple of these. Raises `Raised`, and TypeError for a
    wrong number of arguments.
    """
    signature = definition.signature
    count, returns = len(signature.names), signature.parts
    kinds = [_c_type(kind) for kind in signature.types]
    native = ctypes.CFUNCTYPE(ctypes.c_uint8, *kinds, ctypes.c_void_p)(address)
    words: Any = ctypes.c_uint64 * sum(len(flat(kind)) for kind in returns)

    def call(*arguments: Any) -> Any:
        if len(arguments) != count:
            raise TypeError(f"{definition.name} takes {count} arguments")
        out = words()
        if native(*[address_of(one) for one in arguments], ctypes.addressof(out)):
            raise Raised(definition.name)
        found = iter(out)
        if len(returns) == 1:
            return _value(returns[0], found)
        return tuple(_value(kind, found) for kind in returns) or None

    return call


def _value(kind: Any, words: Iterator[int]) -> Any:
    """A value of a type, from as many words as it has."""
    if is_struct(kind):
        return kind(*[_value(part, words) for part in kind.fields.values()])
    word = next(words)
    if kind is bool:
        return bool(word)
    signed = isinstance(kind, type) and issubclass(kind, Integer) and kind.signed
    return int(kind(word)) if signed else word


def _c_type(kind: Any) -> Any:
    if kind is bool:
        return ctypes.c_uint8
    return _C_TYPES.get(getattr(kind, "bits", 64), ctypes.c_uint64)
