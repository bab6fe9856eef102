"""What the compiler of regions knows of an architecture, as plain data.

It is made beside the handlers, and kept with them. So the process that compiles regions imports
neither definitions nor plugins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Term = tuple[str, str]
"""A term of a sum: "x" and the operand with the number of a register, or "" and an operand. Digits
stand for themselves."""


class Template(NamedTuple):
    """The text of a form. `text` and `allocas` are literal parts and names of holes in turn.
    `reads` and `writes` are registers, as the file ("x" or "f") and the operand that has the number
    or the number itself. `branch` is the operand with a branch's offset, or "". `ways` are the
    labels that the text reaches."""

    text: Sequence[str]
    allocas: Sequence[str]
    reads: Sequence[Sequence[str]]
    writes: Sequence[Sequence[str]]
    branch: str
    ways: Sequence[str]
    keeps: bool
    sum: Sequence[Term] = ()
    """The terms of x[rd], if it is a sum."""


class Access(NamedTuple):
    """A load or store of a form: `size` bytes at the sum of `address`. `text` and `allocas` are of
    its template where the page is known (covered.py): the local `addend` leads to the host's
    memory."""

    stores: bool
    size: int
    address: Sequence[Term]
    text: Sequence[str]
    allocas: Sequence[str]
    ways: Sequence[str]


@dataclass(frozen=True)
class Tables:
    """`templates`, `accesses` and the numbers of the slow handlers (`forms`) by form; `glue` as in
    region_templates.py; `offsets` of fields of the hart's record and of an entry of the TLB
    (`tlb_`), with its size and the number of entries. `xlen` is the width of an x register."""

    templates: Mapping[str, Template]
    accesses: Mapping[str, Access]
    forms: Mapping[str, int]
    glue: Mapping[str, Sequence[str]]
    declarations: Sequence[str]
    offsets: Mapping[str, int]
    rows: Sequence[Any]
    xlen: int = 64

    def to_bytes(self) -> bytes:
        return json.dumps(vars(self)).encode()  # asdict would copy all that is in them

    @classmethod
    def from_bytes(cls, data: bytes) -> Tables:
        held = json.loads(data)
        held["templates"] = {name: Template(*row) for name, row in held["templates"].items()}
        held["accesses"] = {name: Access(*row) for name, row in held["accesses"].items()}
        return cls(**held)


def fill(parts: Sequence[str], holes: Mapping[str, str]) -> str:
    """A text with its holes filled."""
    found = list(parts)
    found[1::2] = [holes[name] for name in parts[1::2]]
    return "".join(found)
