"""A device's settings are a frozen dataclass. Its types and defaults are used to check a board's
keys and to make the JSON schema of boards (machine/boards/schema.py and json_schema.py).

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
    folder: bool = False,
) -> Any:
    """A field of a settings dataclass: its description and default, the range of an int, and
    whether a file may be missing, or is a folder.
    """
    limits = {"minimum": minimum, "maximum": maximum, "may_be_new": may_be_new, "folder": folder}
    metadata = {"doc": doc, **limits}
    return dataclasses.field(default=default, metadata=metadata, kw_only=True)


@dataclass(frozen=True)
class NoSettings:
    """The settings of a device that has none."""
