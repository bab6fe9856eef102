"""Digests of boot functions: the same in all processes, and of one function only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rvplat.testing.boot_digest import own_digest, shared_digest
from rvplat.testing.report import Place
from rvplat.testing.robot import _until as robot_boot

Boot = Callable[[object], object]
ROOT = Path(__file__).parents[2]


def made(wanted: object, count: int = 0) -> Boot:
    """A boot function of a factory."""

    def boot(machine: object, number: int = count) -> object:
        return wanted, number, machine in {"a", "b", "c"}

    return boot


def once(machine: object, *wanted: object) -> None:
    """A boot function."""


TWO = (lambda machine: 1), (lambda machine: 1)


def test_functions_with_the_same_source_are_told_apart() -> None:
    several: list[Callable[..., object]] = [
        once, partial(once, "a"), partial(once, "b"), made("a"), made("b"), made("a", 1), *TWO,
        made(made("a")), made(frozenset("abc")), made({"a": [Path("b"), None]}), made(str),
        robot_boot("a", 60.0), robot_boot("b", 60.0), robot_boot("a", 61.0),
    ]  # fmt: skip
    digests = [shared_digest("machine", one) for one in several]
    assert "" not in digests and len(set(digests)) == len(several)
    assert shared_digest("machine", made("a")) == shared_digest("machine", made("a"))
    assert shared_digest("other", once) != shared_digest("machine", once)


def test_a_function_with_a_value_of_this_process_is_not_shared() -> None:
    class Local:
        """A class that a function has made."""

    own = object(), Local, Local(), [[object()]], Local().__init__  # type: ignore[misc]
    functions = [made(one) for one in own]
    assert [shared_digest("machine", one) for one in functions] == [""] * len(own)
    assert len({own_digest("machine", one) for one in functions}) == len(own)


def test_other_processes_have_the_same_digest() -> None:
    code = (
        "from tests.testing.test_boot_digest import made; "
        "from rvplat.testing.boot_digest import shared_digest; "
        "print(shared_digest('machine', made(frozenset('abcdef'))))"
    )
    found = {
        subprocess.check_output(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2")
    }
    assert len(found) == 1 and len(found.pop()) == 21


def test_files_of_two_tests_have_two_names(tmp_path: Path) -> None:
    names = ["test_it", "test_it.py::test_a", "test_it.py_test_a", "test_it.py::test[a b]",
             "test_it.py::test[a/b]", "x" * 150 + "test", "y" + "x" * 149 + "test"]  # fmt: skip
    files = {Place(tmp_path, name, tmp_path).file(".rec").name for name in names}
    assert len(files) == len(names) and {"test_it.rec", "test_it.py_test_a.rec"} <= files
