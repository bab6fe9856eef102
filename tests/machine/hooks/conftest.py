"""The guest with symbols that gdb's tests debug; the program with variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine
from tests.debuginfo.conftest import variables_elf
from tests.gdb.conftest import gdb, guest, serve

__all__ = ["gdb", "guest", "serve", "variables_elf"]

Open = Callable[..., Machine]


@pytest.fixture
def opened(guest: Path) -> Iterator[Open]:
    """opened(clock="virtual", rounds=0, **arguments): the guest, which calls `work` so often."""
    made: list[Machine] = []

    def start(clock: str = "virtual", rounds: int = 0, **arguments: Any) -> Machine:
        machine = Machine.open("virt", program=guest, settings={"clock": clock}, **arguments)
        made.append(machine)
        if rounds:  # the start clears it
            machine.breakpoints.add("main", temporary=True)
            machine.run(timeout_s=10)
            machine.host["limit"] = rounds
        return machine

    yield start
    for machine in made:
        machine.failures  # noqa: B018 (those that a test has looked at)
        machine.close()
