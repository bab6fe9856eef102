"""Every test of H runs twice: on the reference and natively."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from tests.h.bench import Bench

MakeBench = Callable[..., Bench]


@cache
def _made(kind: str, without: str, geilen: int, tinst: str, further: str) -> Bench:
    return Bench(kind, without, geilen, tinst, further)


@pytest.fixture(params=["reference", "native"])
def make(request: pytest.FixtureRequest) -> MakeBench:
    """A function that makes a bench after reset, such as `make(geilen=5)`."""

    def bench(
        without: str = "", geilen: int = 0, tinst: str = "transformed", further: str = ""
    ) -> Bench:
        found = _made(request.param, without, geilen, tinst, further)
        found.begin()
        return found

    return bench


@pytest.fixture
def bench(make: MakeBench) -> Bench:
    """A hart with all shipped extensions, in M mode, without guest external interrupts."""
    return make()


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make the section a part of each test's name. A test without a section is an error."""
    said = metafunc.definition.get_closest_marker("section")
    if said is not None:
        metafunc.parametrize("section", [said.args[0]], indirect=True)
    elif not any("section" in _names(m) for m in metafunc.definition.iter_markers("parametrize")):
        where = metafunc.definition.nodeid
        pytest.fail(f'{where} has no @section("...") of the manual', pytrace=False)


def _names(parametrize: pytest.Mark) -> list[str]:
    """The names of the parameters of a mark `parametrize`."""
    names = parametrize.args[0]
    return [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)


@pytest.fixture(autouse=True)
def section(request: pytest.FixtureRequest) -> str:
    """The manual's section that the test checks."""
    return str(request.param)
