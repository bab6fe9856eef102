"""What tests of the plugin share: pytester runs small projects, in this process where it can."""

from __future__ import annotations

import lief  # noqa: F401
import pytest

import rvplat.testing.last_instructions
import rvplat.testing.report
import rvplat.testing.store  # noqa: F401
from rvplat import Machine
from rvplat.cache import cache_folder

CACHE = cache_folder()


@pytest.fixture(scope="session", autouse=True)
def _imported() -> None:
    """pytester forgets what is imported in its runs: import all that a machine needs before."""
    with Machine.open(program="demo", settings={"clock": "virtual"}) as machine:
        machine.run(max_instructions=10)
        machine.dump()
        machine.backtrace()


@pytest.fixture(autouse=True)
def _same_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytester has a home folder of its own: keep the cache of compiled code."""
    monkeypatch.setenv("RVPLAT_CACHE", str(CACHE))
