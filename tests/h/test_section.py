"""Collecting a test in tests/h that names no section is an error."""

from __future__ import annotations

import pytest

from tests.h.section import section

pytest_plugins = ["pytester"]

SUITE = """
import pytest
from tests.h.section import section

@section("Trap Entry")
@pytest.mark.parametrize("mode", ["VS", "VU"])
def test_decorated(mode): pass

@pytest.mark.parametrize(("section", "n"), [("Trap Return", 1), ("Guest-Page Faults", 2)])
def test_column(n): pass
"""
FORGOTTEN = """
@pytest.mark.parametrize("n", [1])
def test_without(n): pass
"""


def collected(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    pytester.makeconftest("from tests.h.conftest import pytest_generate_tests, section")
    pytester.makeini("[pytest]\nmarkers = section(title): of the manual")
    pytester.makepyfile(test_suite=source)
    return pytester.runpytest("--collect-only", "-q")


@section("rvplat: tests")
def test_a_section_is_part_of_the_name(pytester: pytest.Pytester) -> None:
    collected(pytester, SUITE).stdout.fnmatch_lines_random(
        [
            "test_suite.py::test_decorated[[]Trap Entry-VS[]]",
            "test_suite.py::test_decorated[[]Trap Entry-VU[]]",
            "test_suite.py::test_column[[]Trap Return-1[]]",
            "test_suite.py::test_column[[]Guest-Page Faults-2[]]",
        ]
    )


@section("rvplat: tests")
def test_a_test_without_a_section_is_an_error(pytester: pytest.Pytester) -> None:
    found = collected(pytester, SUITE + FORGOTTEN)
    assert found.ret == pytest.ExitCode.INTERRUPTED
    found.stdout.fnmatch_lines(
        ['*test_suite.py::test_without has no @section("...") of the manual']
    )
