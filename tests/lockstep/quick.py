"""How the regions of random programs are compiled (region_compiler.py). A program waits for about
20 compiles, which take a second with the usual effort.

In half of the programs all heads of a page are known at its first compile, as in a region that has
grown; in the others the region grows head by head.
"""

from __future__ import annotations

import random

from rvplat.engine.regions.worker import Effort
from tests.region_compiler import EFFORTS

from . import layout
from .program import Program
from .spike import Event

WITH_HEADS = 0.5  # the share of programs with known heads


def choose(program: Program) -> tuple[Effort, bool]:
    """The effort for a program, and whether its heads are known."""
    rng = random.Random(f"regions of {program.name}")
    return rng.choices(list(EFFORTS), list(EFFORTS.values()))[0], rng.random() < WITH_HEADS


def heads(events: list[Event]) -> dict[int, dict[int, int]]:
    """Where a program went other than to the next instruction: by physical page, the offsets and
    how often."""
    found: dict[int, dict[int, int]] = {}
    expected = 0
    for event in events:
        if event.pc != expected:
            page = layout.address(layout.page_of(event.pc))
            offsets, offset = found.setdefault(page, {}), event.pc & layout.PAGE - 1
            offsets[offset] = offsets.get(offset, 0) + 1
        bits = getattr(event, "bits", 0)
        expected = event.pc + (4 if bits & 3 == 3 else 2)
    return found
