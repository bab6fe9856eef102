"""Rules of the source tree: imports point down, files and functions are small, no local paths."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

pytestmark = pytest.mark.quick  # every file, not only a sample

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rvplat"
FILES = sorted(PACKAGE.rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").glob("*.py"))

# The rooms that each room may import besides itself. A room is a package, or a top-level module.
BELOW = {
    "cache": set(),
    "entrypoints": {"cache"},
    "lang.host": set(),
    "lang": {"lang.host"},
    "lang.floating_point": {"lang", "lang.host"},
    "lang.typed_ir": {"lang"},
    "lang.checking": {"lang", "lang.typed_ir"},
    "lang.native": {"lang", "lang.checking", "lang.host", "lang.typed_ir"},
    "isa.machinery": {"lang"},
    "isa": {"isa.machinery", "lang", "lang.floating_point"},
    "isa.cryptography": {"isa.machinery", "lang"},
    "isa.scalar": {"isa", "isa.cryptography", "isa.machinery", "lang", "lang.floating_point"},
    "isa.vector": {"isa", "isa.cryptography", "isa.machinery", "lang", "lang.floating_point"},
    "hart": {"bus.natives", "hart.acceleration", "hart.debugging", "isa", "isa.machinery", "lang"},
    "hart.acceleration": {"bus.natives", "hart", "isa", "isa.machinery", "lang"},
    "hart.debugging": {"hart", "hart.acceleration", "isa", "isa.machinery", "lang"},
    "engine.regions": {"cache", "isa.machinery", "lang.native"},
    "engine": {"cache", "engine.regions", "hart", "hart.acceleration", "hart.debugging", "isa",
               "isa.machinery", "lang", "lang.checking", "lang.host", "lang.native",
               "lang.typed_ir"},
    "bus": {"bus.natives"},
    "bus.natives": {"lang"},
    "debuginfo": set(),
    "coverage": {"debuginfo"},
    "guests": set(),
    "pluginmanager": {"bus", "entrypoints"},
    "machine.boards": {"bus", "engine", "hart", "isa", "isa.machinery", "lang", "lang.native",
                       "pluginmanager"},
    "machine.loading": {"bus", "isa", "machine.boards"},
    "machine.running": {"bus", "bus.natives", "engine", "engine.regions", "hart",
                        "hart.acceleration", "hart.debugging", "isa", "isa.machinery", "lang",
                        "lang.native", "machine.boards", "machine.consoles", "machine.loading"},
    "machine.consoles": {"bus"},
    "machine.inspection": {"debuginfo", "engine", "hart", "hart.acceleration", "hart.debugging",
                           "isa", "isa.machinery", "lang", "lang.checking", "lang.typed_ir",
                           "machine.loading", "machine.running", "machine.worlds"},
    "machine.debugging": {"engine", "hart", "hart.debugging", "isa", "isa.machinery",
                          "machine.loading", "machine.running"},
    "machine.snapshots": {"bus", "hart", "hart.debugging", "isa", "lang", "machine.boards",
                          "machine.loading", "machine.running", "pluginmanager"},
    "machine.recordings": {"bus", "isa.machinery", "machine.running", "machine.snapshots"},
    "machine.history": {"bus.natives", "machine.running", "machine.snapshots"},
    "machine.differences": {"isa.machinery", "machine.debugging", "machine.recordings",
                            "machine.running", "machine.snapshots"},
    "machine.worlds": {"coverage", "debuginfo", "engine", "hart.debugging", "isa",
                       "machine.loading", "machine.running"},
    "faults": {"isa.machinery", "machine", "machine.running", "machine.worlds"},
    "machine.timeline": {"hart.debugging", "machine.inspection", "machine.running"},
    "machine.hooks": {"bus", "engine", "hart.debugging", "isa", "isa.machinery",
                      "machine.debugging", "machine.running", "machine.worlds"},
    "machine": {"bus", "guests", "hart", "isa", "isa.machinery", "machine.boards",
                "machine.debugging", "machine.history", "machine.hooks", "machine.inspection",
                "machine.loading", "machine.recordings", "machine.running", "machine.snapshots",
                "machine.timeline", "machine.worlds", "pluginmanager"},
    "gdb.protocol": set(),
    "gdb.commands": {"gdb.protocol"},
    "gdb.evaluation": {"engine", "gdb.protocol", "lang"},
    "gdb.target": {"engine", "gdb.evaluation", "gdb.protocol", "hart", "hart.debugging", "isa",
                   "isa.machinery", "machine", "machine.debugging", "machine.inspection",
                   "machine.history", "machine.loading", "machine.running", "machine.snapshots"},
    "gdb.monitor": {"engine", "gdb.evaluation", "gdb.protocol", "gdb.target", "hart.debugging",
                    "machine", "machine.boards", "machine.debugging", "machine.history",
                    "machine.inspection", "machine.running", "machine.snapshots"},
    "gdb": {"gdb.commands", "gdb.monitor", "gdb.protocol", "gdb.target", "machine",
            "machine.running"},
    "web": set(),
    "api": {"api.methods", "hart.debugging", "isa.machinery", "machine", "machine.loading",
            "machine.running", "machine.worlds"},
    "api.methods": {"api", "bus", "isa", "isa.machinery", "machine.history", "machine.inspection",
                    "machine.running", "machine.snapshots", "machine.worlds"},
    "cli": {"api", "cache", "coverage", "engine", "entrypoints", "faults", "gdb", "gdb.monitor",
            "gdb.protocol", "guests", "isa", "isa.machinery", "lang", "machine", "machine.boards",
            "machine.consoles", "machine.differences", "machine.inspection", "machine.loading",
            "machine.recordings", "machine.running", "machine.snapshots", "pluginmanager"},
    "testing": {"coverage", "isa.machinery", "machine", "machine.boards", "machine.differences",
                "machine.inspection", "machine.loading", "machine.recordings",
                "machine.running", "machine.snapshots"},
    "__main__": {"cli"},
}  # fmt: skip
#: Every room may import these. They import no room.
LEAVES = {"arguments", "errors", "formats", "frozen", "hookspecs", "listening", "tables"}
PUBLIC = {"bus", "isa", "isa.machinery", "lang", "lang.floating_point", "hookspecs", "errors",
          "formats"}  # fmt: skip
ACYCLIC = sorted({room.split(".")[0] for room in BELOW if (PACKAGE / room.split(".")[0]).is_dir()})
LONGEST_FILE = 400
LONGEST_FUNCTION = 40
LARGEST_FILE_BYTES = 1_000_000


def room_of(module: str) -> str:
    """`machine.boards` for rvplat.machine.boards.check, `cache` for rvplat.cache."""
    parts = module.split(".")[1:]
    packages = [n for n in range(1, len(parts) + 1) if (PACKAGE / Path(*parts[:n])).is_dir()]
    return ".".join(parts[: max(packages, default=1)])


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """The rooms that a file imports when it runs, without imports for types only."""
    found = set()
    for node in _running(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {room_of(name) for name in found if name.startswith("rvplat.")}


def _running(tree: ast.AST) -> Iterator[Any]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _running(node)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(name_of(path))
    if not room or room in LEAVES:
        return
    above = imports(path) - BELOW[room] - LEAVES - {room}
    assert not above, f"{room} must not import {sorted(above)}"


def test_every_arrow_of_the_map_is_used() -> None:
    used: dict[str, set[str]] = {room: set() for room in BELOW}
    for path in FILES:
        if (room := room_of(name_of(path))) in used:
            used[room] |= imports(path)
    assert {room: below - used[room] for room, below in BELOW.items() if below - used[room]} == {}


def modules_named(path: Path) -> set[str]:
    """The modules that a file imports anywhere, in functions and for types too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle; empty if there is no circle."""
    left = dict(graph)
    while free := [name for name, below in left.items() if not below & set(left)]:
        for name in free:
            del left[name]
    if not left:
        return []
    path = [next(iter(left))]
    while path[-1] not in path[:-1]:
        path.append(min(left[path[-1]] & set(left)))
    return path[path.index(path[-1]) :]


@pytest.mark.parametrize("part", ACYCLIC)
def test_no_module_imports_itself_by_a_circle(part: str) -> None:
    """Imports for types and in functions count too: a Protocol below both modules avoids them."""
    files = [path for path in FILES if room_of(name_of(path)).split(".")[0] == part]
    graph = {name_of(path): modules_named(path) - {name_of(path)} for path in files}
    assert circle(graph) == []
    hidden = [name for name, below in graph.items() if "importlib" in below]
    assert part != "gdb" or hidden == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c", "x"}, "c": {"b"}, "d": {"a"}}) == ["b", "c", "b"]
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("path", PLUGINS, ids=lambda p: p.name)
def test_plugins_use_what_is_public(path: Path) -> None:
    assert imports(path) <= PUBLIC


@pytest.mark.parametrize("path", FILES + PLUGINS, ids=lambda p: str(p.relative_to(ROOT)))
def test_units_are_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


def test_no_instruction_is_named_outside_its_extension() -> None:
    """Each instruction is defined once: no file outside isa names an instruction's definition."""
    names = {"addi", "lw", "sd", "beq", "jalr", "csrrw", "mret", "sret", "amoadd"}
    for path in FILES:
        if room_of(name_of(path)).split(".")[0] in ("isa", "guests"):
            continue
        words = {n.id for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Name)}
        assert not words & names, path


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [ROOT / name for name in listed.stdout.splitlines()]


def test_no_path_of_a_machine_or_registry_host() -> None:
    """No file names the host of a package registry or a home folder."""
    bad = re.compile(r"/home/\w|/root/|deb\.debian\.org|pypi\.org|pythonhosted|registry\.npm")
    for path in _tracked():
        if path.suffix in (".py", ".md", ".toml", ".c", ".S", ".h", ".sh") and path.exists():
            if path == Path(__file__):
                continue
            found = bad.search(path.read_text(errors="replace"))
            assert found is None, f"{path}: {found and found[0]}"


def test_no_large_file_is_tracked() -> None:
    """Such as a core dump."""
    sizes = {path: path.stat().st_size for path in _tracked() if path.exists()}
    assert [str(path) for path, size in sizes.items() if size > LARGEST_FILE_BYTES] == []


def test_every_package_is_in_the_wheel() -> None:
    """pyproject.toml lists them, because `plugins` and `boards` are installed under other names."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for path in PACKAGE.rglob("__init__.py")}
    found = {".".join(folder.parts) for folder in folders}
    assert {name for name in settings["packages"] if name.split(".")[0] == "rvplat"} == found


def test_generated_examples_have_no_time_limit() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None
    assert HealthCheck.too_slow in settings.default.suppress_health_check


def test_the_names_of_tests_do_not_depend_on_the_time() -> None:
    """Bytes that a test has as a parameter are a part of its name, and gzip writes the time into
    its header. Workers of xdist that collected different names end the whole run."""
    timed = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "gzip.compress"
        if all(keyword.arg != "mtime" for keyword in node.keywords)
    ]
    assert timed == [], "pass mtime=0"
