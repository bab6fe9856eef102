"""Compiles regions in the test's process, mostly with less effort than for users.

Code generation at level 0 takes a sixth of the time, and shows the faults of templates, graphs and
ways out; with optimisation, those of LLVM's passes too. The usual effort shows all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from rvplat.engine.regions.client import Client
from rvplat.engine.regions.messages import MOST, Answer, Request
from rvplat.engine.regions.tables import Tables
from rvplat.engine.regions.worker import USUAL, Compiler, Effort
from rvplat.isa.machinery.extension import Extension
from rvplat.machine.running.region_manager import RegionManager
from tests.engine.native_bench import Twin

EFFORTS = {Effort(False, 0): 3, Effort(True, 0): 2, USUAL: 1}  # and their weights
ENDLESS = 1 << 60


@lru_cache(maxsize=8)
def _compiler(tables: bytes) -> Compiler:
    return Compiler(Tables.from_bytes(tables))


def in_regions(twin: Twin, extensions: Sequence[Extension], effort: Effort = USUAL) -> Any:
    """A manager that compiles, in this process, what the twin's native hart decodes. Its client is
    `manager.client`, and `manager.forms` are those that have a template."""
    owner: Any = SimpleNamespace(
        core=twin.core, extensions=extensions, decoded=[extensions], native=twin.machine,
        harts=[twin.native], export=twin.core.export,
    )  # fmt: skip
    manager: Any = RegionManager(owner, "all")
    manager.client = manager._client = Here(manager._tables, effort)
    manager.forms = set(Tables.from_bytes(manager._tables).templates)
    return manager


class Here(Client):
    """Compiles in this process, at most `left` regions of at most `most` instructions. It is the
    client of a `RegionManager`."""

    def __init__(
        self, tables: bytes, effort: Effort = USUAL, left: int = ENDLESS,
        most: int = MOST,
    ) -> None:  # fmt: skip
        super().__init__(tables)
        self.effort, self.left, self.most = effort, left, most
        self.compiled = 0

    def compile(self, request: Request) -> Answer:
        if self.compiled >= self.left:
            return Answer(request.number, left=request.heads)
        self.compiled += 1
        smaller = replace(request, most=min(request.most, self.most))
        return _compiler(self._tables).answer(smaller, self.effort)
