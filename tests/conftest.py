"""Settings for all tests, and the choice of the quick tests.

`pytest -m quick` is for every change: it takes two minutes. A test is quick unless

- it is in one of SLOW_FOLDERS: real software, guests, random programs, walks through the pages;
- it uses one of SLOW_FIXTURES: Debian or a debugger;
- it, its class or its file has the mark `slow`: it takes longer than about a second;
- it has many cases, of which only SAMPLE are quick, spread over all of them.

The mark `quick` on a test or file makes all of its cases quick.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A slow or busy host must not fail a test, and hypothesis limits times unless it is told not to.
# Encodings are drawn at random too, and those that are other instructions are filtered out.
SUPPRESSED = [HealthCheck.too_slow, HealthCheck.filter_too_much]
settings.register_profile("untimed", deadline=None, suppress_health_check=SUPPRESSED)
settings.load_profile("untimed")

ROOT = Path(__file__).parent
SLOW_FOLDERS = {"docs", "fuzz", "guests", "lockstep", "real"}
SLOW_FIXTURES = {"debian_guest", "gdb"}
SAMPLE = 4


def pytest_configure() -> None:
    """Make signals reach the programs that tests start: tests in the background may inherit an
    ignored SIGINT or SIGHUP (nohup), which these programs would inherit in turn. `preexec_fn` would
    do it too, but it forks, which fails in a process that has mapped much memory."""
    for number, default in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the quick tests. If several processes run the tests, the long files come first, so that
    none of them is still running when the others have ended."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: _folder(item) not in SLOW_FOLDERS)
    families: dict[tuple[Path, str], list[pytest.Item]] = {}
    for item in items:
        if not _is_slow(item):
            name = item.nodeid.partition("[")[0]
            families.setdefault((item.path, name), []).append(item)
    for cases in families.values():
        for item in cases if cases[0].get_closest_marker("quick") else sample(cases):
            item.add_marker(pytest.mark.quick)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT).parts[0]


def _is_slow(item: pytest.Item) -> bool:
    uses_slow = not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
    return _folder(item) in SLOW_FOLDERS or uses_slow or item.get_closest_marker("slow") is not None


def sample(cases: Sequence[pytest.Item]) -> Sequence[pytest.Item]:
    """At most SAMPLE of a test's cases: the first, the last, and some between."""
    if len(cases) <= SAMPLE:
        return cases
    return [cases[n * (len(cases) - 1) // (SAMPLE - 1)] for n in range(SAMPLE)]
