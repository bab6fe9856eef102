"""Every test of H runs on the reference and natively."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from tests.h.bench import Bench

MakeBench = Callable[..., Bench]


@cache
def _made(kind: str, without: str, geilen: int, tinst: str) -> Bench:
    return Bench(kind, without, geilen, tinst)


@pytest.fixture(params=["reference", "native"])
def make(request: pytest.FixtureRequest) -> MakeBench:
    """Makes benches: `make(geilen=5)`, out of reset each time."""

    def bench(without: str = "", geilen: int = 0, tinst: str = "transformed") -> Bench:
        found = _made(request.param, without, geilen, tinst)
        found.begin()
        return found

    return bench


@pytest.fixture
def bench(make: MakeBench) -> Bench:
    """A hart with everything that ships, in M mode, no guest external interrupts."""
    return make()
