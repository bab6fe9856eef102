"""The pytest plugin: marks, options, and the fixtures `machine` and `machines`.

It is imported in every run of pytest in an environment that has rvplat: what it needs of the
machine is imported when a test asks for one.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from rvplat.machine.machine import Machine
    from rvplat.testing.store import Lent, Store

MARK = (
    "rvplat(board, program, settings, isa, boot, ...): the machine of the fixtures machine and "
    "machines: arguments of rvplat.Machine.open; a list of boards, ISA strings (isa), programs or "
    "numbers of harts is a test for each; boot: a function that brings the machine to where tests "
    "begin"
)
_INI = {
    "board": "a board, by name or as a file",
    "program": "firmware or a bare program",
    "kernel": "the kernel that the firmware starts",
    "initrd": "the kernel's initial RAM disk",
    "append": "the kernel's command line",
    "harts": "the number of harts",
    "memory": "the size of the main memory, such as 2G",
    "isa": "the ISA string of the harts",
}


class _AsItIs:
    """Finds rvplat's modules before pytest does, which would rewrite the assertions of all packages
    of a distribution with a plugin: three hundred files, some seconds."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:  # fmt: skip
        """The module of a package of rvplat."""
        if name.partition(".")[0] in ("rvplat", "rvplat_plugins", "rvplat_boards"):
            return PathFinder.find_spec(name, path, target)
        return None


sys.meta_path.insert(0, _AsItIs)


class Machines(Protocol):
    """Opens machines for a test: `machines(program="a.elf")`. The arguments are those of the mark,
    and take precedence over it. They are closed after the test."""

    def __call__(self, **arguments: Any) -> Machine: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the keys of the ini file."""
    group = parser.getgroup("rvplat", "machines of rvplat")
    group.addoption(
        "--rvplat-board", action="append", metavar="BOARD",
        help="the board of all tests, by name or as a file; may be repeated: a test for each",
    )  # fmt: skip
    group.addoption(
        "--rvplat-isa", action="append", metavar="ISA",
        help="the ISA string of all harts; may be repeated: a test for each",
    )  # fmt: skip
    group.addoption(
        "--rvplat-set", action="append", default=[], metavar="KEY=VALUE",
        help="change a key of each board, as rvplat run --set; may be repeated",
    )  # fmt: skip
    group.addoption(
        "--rvplat-recordings", default=".rvplat", metavar="FOLDER",
        help="where the consoles' output and the recordings of failed tests go (.rvplat, below "
        "the root folder)",
    )  # fmt: skip
    group.addoption(
        "--rvplat-coverage", action="append", default=[], metavar="FILE",
        help="write which lines and functions the machines of all tests executed, by world, as "
        "rvplat run --coverage does; may be repeated",
    )  # fmt: skip
    for name, what in _INI.items():
        parser.addini(f"rvplat_{name}", f"{what}, for tests whose marks don't say", default="")
    parser.addini(
        "rvplat_settings", "changes of the board, KEY=VALUE, one a line", "linelist", default=[]
    )
    parser.addini(
        "rvplat_plugins", "rvplat's plugins: files or folders, one a line", "linelist", default=[]
    )


def pytest_configure(config: pytest.Config) -> None:
    """Announce the mark, and begin to collect coverage."""
    config.addinivalue_line("markers", MARK)
    if config.getoption("--rvplat-coverage"):
        from rvplat.testing.coverage import begin_coverage

        begin_coverage(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    """The report of a failed test has what is to be known of its machines."""
    report = yield
    lent = item.stash.get(LENT, [])
    if report.failed and lent:
        from rvplat.testing.report import Place, sections

        folder = item.config.rootpath / item.config.getoption("--rvplat-recordings")
        place = Place(folder, item.nodeid, item.config.invocation_params.dir)
        for number, one in enumerate(lent, 1):
            which = f" {number}" if len(lent) > 1 else ""
            report.sections += sections(one, which, place)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with lists of boards, ISA strings and so on is a test for each."""
    if _VARIANT not in metafunc.fixturenames:
        return
    from rvplat.testing.config import wanted_by
    from rvplat.testing.wanted import variant_name, variants

    found = variants(wanted_by(metafunc.config, metafunc.definition))
    if found:
        metafunc.parametrize(_VARIANT, found, indirect=True, ids=map(variant_name, found))


_VARIANT = "_rvplat_variant"


@pytest.fixture(name=_VARIANT)
def _variant(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What is different from the other variants of a test."""
    return dict(getattr(request, "param", {}))


@pytest.fixture(scope="session")
def _rvplat_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """The session's machines."""
    from rvplat.testing.store import Store

    several = hasattr(request.config, "workerinput")  # xdist: a folder that all workers have
    shared = tmp_path_factory.getbasetemp().parent if several else None
    files: Any = request.config.pluginmanager.getplugin("rvplat-coverage")
    coverage = files.coverage if files is not None else None
    store = Store(shared, partial(_say, request.config, iter(["\n"])), coverage)
    yield store
    store.close()


def _say(config: pytest.Config, before: Iterator[str], text: str) -> None:
    """Tell the user before slow work, such as compiling at the very first start. `before`: what
    comes before each message, as long as there is some."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if config.pluginmanager.hasplugin("terminalreporter") and capture is not None:
        with capture.global_and_fixture_disabled():
            config.get_terminal_writer().line(f"{next(before, '')}rvplat: {text}")


@pytest.fixture
def machines(
    request: pytest.FixtureRequest, _rvplat_store: Store, _rvplat_variant: dict[str, Any]
) -> Iterator[Machines]:
    """A function that opens a machine: `machines(program="a.elf", harts=2)`. Its arguments take
    precedence over those of the mark `rvplat`. The machines are closed after the test."""
    from rvplat.testing.config import wanted_by
    from rvplat.testing.wanted import checked

    lent: list[Lent] = request.node.stash.setdefault(LENT, [])
    folder = Path(request.path).parent

    def opened(**arguments: Any) -> Machine:
        own = checked(arguments, folder, "machines()")
        wanted = wanted_by(request.config, request.node, _rvplat_variant, own)
        return _rvplat_store.lend(wanted, lent.append)

    yield opened
    _take_back(_rvplat_store, lent)


LENT = pytest.StashKey["list[Lent]"]()


def _take_back(store: Store, lent: list[Lent]) -> None:
    """Take all machines back, also after the error of one."""
    try:
        while lent:
            store.take_back(lent.pop())
    finally:
        if lent:
            _take_back(store, lent)


@pytest.fixture
def machine(machines: Machines) -> Machine:
    """The machine of the mark `rvplat`, not started; closed after the test."""
    return machines()
