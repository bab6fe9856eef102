"""Structs: several named values that a definition returns as one.

    class Walk(Struct):
        page: u64
        shift: u64

`Walk(page, u64(12))` makes one, `walk.page` reads a field. Structs can't be changed. Native code
keeps them in registers, not in memory.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from rvplat.lang.types import convert


class Struct:
    """Base of structs. A subclass has its fields as annotations: integers, bools, records."""

    fields: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        cls.fields = {
            name: eval(kind, vars(sys.modules[cls.__module__])) if isinstance(kind, str) else kind
            for name, kind in cls.__annotations__.items()
        }

    def __init__(self, *values: Any) -> None:
        """All fields in order; integers are converted. ValueError for a wrong number of values."""
        for (name, kind), value in zip(self.fields.items(), values, strict=True):
            object.__setattr__(self, name, convert(value, kind))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} can't be changed: make another")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({parts})"


def is_struct(kind: Any) -> bool:
    """Whether a type is a struct."""
    return isinstance(kind, type) and issubclass(kind, Struct)


def flat(kind: Any, at: tuple[int, ...] = ()) -> list[tuple[tuple[int, ...], Any]]:
    """What a value of a type consists of in the end: the type of each part that is no struct, and
    its position, a field's number for each struct around it."""
    if not is_struct(kind):
        return [(at, kind)]
    parts = enumerate(kind.fields.values())
    return [one for number, part in parts for one in flat(part, (*at, number))]
