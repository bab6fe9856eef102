"""A device's settings: a frozen dataclass whose types and defaults check a board's keys and give
its JSON schema (machine/boards/schema.py and json_schema.py).

    @dataclass(frozen=True)
    class DiskSettings:
        image: Path = setting("the raw image file")  # no default: the board must give it
        readonly: bool = setting("refuse the guest's writes", False)
        sectors: int = setting("size in sectors", 64, minimum=1)

A field's type is bool, int, str, Path, a Literal of strings, or one of these `| None`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

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
