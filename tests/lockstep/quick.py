"""Regions of random programs, compiled in this process and mostly with less effort.

With RVPLAT_REGIONS=all a program waits for about 20 compiles, which take a second. Code generation
at level 0 takes a sixth of the time, and shows the faults of templates, graphs and ways out; with
optimisation, those of LLVM's passes too. One program of six is compiled as users' regions are. In
half of the programs all heads of a page are known at its first compile, as in a region that has
grown; in the others the region grows head by head.
"""

from __future__ import annotations

import random

from rvplat.engine.regions.client import Client
from rvplat.engine.regions.messages import Answer, Request
from rvplat.engine.regions.tables import Tables
from rvplat.engine.regions.worker import USUAL, Compiler, Effort

from . import layout
from .program import Program
from .spike import Event

EFFORTS = {Effort(False, 0): 3, Effort(True, 0): 2, USUAL: 1}  # and their weights
WITH_HEADS = 0.5  # the share of programs with known heads


class Here(Client):
    """Compiles in this process."""

    effort = USUAL

    def __init__(self, tables: bytes) -> None:
        super().__init__(tables)
        self._compiler = Compiler(Tables.from_bytes(tables))

    def compile(self, request: Request) -> Answer:
        return self._compiler.answer(request, self.effort)


def choose(program: Program) -> tuple[Effort, bool]:
    """The effort for a program, and whether its heads are known."""
    rng = random.Random(f"regions of {program.name}")
    return rng.choices(list(EFFORTS), list(EFFORTS.values()))[0], rng.random() < WITH_HEADS


def heads(events: list[Event]) -> dict[int, dict[int, None]]:
    """Where a program went other than to the next instruction: offsets by physical page."""
    found: dict[int, dict[int, None]] = {}
    expected = 0
    for event in events:
        if event.pc != expected:
            page = layout.address(layout.page_of(event.pc))
            found.setdefault(page, {})[event.pc & layout.PAGE - 1] = None
        bits = getattr(event, "bits", 0)
        expected = event.pc + (4 if bits & 3 == 3 else 2)
    return found
