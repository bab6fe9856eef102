"""Checks of arguments of public functions, before these change anything.

A value of the wrong type is a TypeError, one out of range a ValueError, and the name or number of a
hart, register or CSR that doesn't exist a LookupError.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

LONGEST_S = 1e9
MASK64 = (1 << 64) - 1


def integer(name: str, value: object, low: int, high: int) -> int:
    """An int from `low` to `high`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}={value!r}: expected an integer")
    number = int(value)
    if not low <= number <= high:
        raise ValueError(f"{name}={_shown(number)}: expected {_shown(low)} to {_shown(high)}")
    return int(number)


def word(name: str, value: object, bits: int = 64) -> int:
    """A number for a register of this many bits, signed or unsigned."""
    mask = (1 << bits) - 1
    return integer(name, value, -(1 << bits - 1), mask) & mask


def hart_number(value: object, count: int) -> int:
    """The number of a hart, on a machine with `count` harts."""
    number = integer("hart", value, -(1 << 63), MASK64)
    if not 0 <= number < count:
        there = f"harts 0 to {count - 1}" if count > 1 else "hart 0 alone"
        raise IndexError(f"hart={number}: the machine has {there}")
    return number


def seconds(name: str, value: object) -> float | None:
    """A time, or None for no limit."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}={value!r}: expected seconds, or None for no limit")
    if not 0 <= value <= LONGEST_S:
        raise ValueError(f"{name}={value!r}: expected 0 to {LONGEST_S:.0f} seconds")
    return float(value)


def flag(name: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name}={value!r}: expected True or False")
    return value


def text(name: str, value: object) -> str:
    """A string without null bytes."""
    if not isinstance(value, str):
        raise TypeError(f"{name}={value!r}: expected a string")
    if "\0" in value:
        raise ValueError(f"{name}={value!r}: expected a string without null bytes")
    return value


def path(name: str, value: object) -> Path:
    """The path of a file: a string or a path."""
    if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes):
        raise TypeError(f"{name}={value!r}: expected the path of a file, a string or Path")
    return Path(text(name, os.fspath(value)))


def optional_path(name: str, value: object) -> Path | None:
    """The path of a file, or None."""
    return None if value is None else path(name, value)


def paths(name: str, value: object) -> list[Path]:
    """A path, or several."""
    if isinstance(value, str | os.PathLike):
        return [path(name, value)]
    if not isinstance(value, Iterable):
        raise TypeError(f"{name}={value!r}: expected the path of a file, or several")
    return [path(name, one) for one in value]


def choice(name: str, value: object, choices: Sequence[str]) -> Any:
    """One of the words in `choices`."""
    if not isinstance(value, str):
        raise TypeError(f"{name}={value!r}: expected one of {', '.join(choices)}")
    if value not in choices:
        raise ValueError(f"{name}={value!r}: expected one of {', '.join(choices)}")
    return value


def _shown(value: int) -> str:
    return f"{value:#x}" if abs(value) > 0xFFFF else str(value)
