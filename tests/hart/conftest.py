"""Benches for the tests of memory: every one runs on the reference and on native code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hart.memory_bench import Bench

MakeBench = Callable[..., Bench]


@pytest.fixture(params=["reference", "native"])
def make_bench(request: pytest.FixtureRequest) -> MakeBench:
    """Makes benches of one kind: `make_bench(harts=2, without="svnapot")`."""

    def make(harts: int = 1, without: str = "") -> Bench:
        return Bench(request.param, harts, without)

    return make


@pytest.fixture
def memory(make_bench: MakeBench) -> Bench:
    """A machine of one hart, in M mode."""
    return make_bench()
