"""The house: imports point down, files and functions stay small, nothing names this machine."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rvplat"
FILES = sorted(PACKAGE.rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").glob("*.py"))

# What each part may import of rvplat besides itself.
BELOW = {
    "lang": set(),
    "cache": set(),
    "entrypoints": {"cache"},
    "formats": set(),
    "isa": {"lang"},
    "bus": {"errors"},
    "hart": {"lang", "isa"},
    "engine": {"lang", "isa", "hart", "cache"},
    "machine": {"lang", "isa", "bus", "hart", "engine", "errors", "formats", "guests", "hookspecs",
                "pluginmanager"},
    "guests": {"errors"},
    "gdb": {"machine", "errors", "hookspecs", "lang", "isa", "hart", "engine"},
    "cli": {"machine", "guests", "gdb", "bus", "isa", "engine", "lang", "cache", "entrypoints",
            "errors", "formats", "hookspecs", "pluginmanager"},
    "__main__": {"cli"},
    "errors": set(),
    "hookspecs": {"bus", "isa", "machine"},
    "pluginmanager": {"bus", "isa", "entrypoints", "errors", "hookspecs", "machine"},
}  # fmt: skip
PUBLIC = {"bus", "isa", "lang", "hookspecs", "errors", "formats"}
ACYCLIC = sorted(part for part in BELOW if (PACKAGE / part).is_dir())
LONGEST_FILE = 400
LONGEST_FUNCTION = 40
LARGEST_FILE_BYTES = 1_000_000


def part_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> set[str]:
    """The parts of rvplat that a file imports when it runs (not what only its types need)."""
    found = set()
    for node in _running(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "rvplat":
                names = [f"rvplat.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("rvplat.")}
    return found


def _running(tree: ast.AST) -> Iterator[Any]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _running(node)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    above = imports(path) - BELOW[part] - {part}
    assert not above, f"{part} must not import {sorted(above)}"


def modules_named(path: Path) -> set[str]:
    """The modules that a file imports anywhere: in functions, and for its types alone, too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, or none."""
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
    """Not even where it is only for types, which a Protocol below both would do better, or late."""
    files = [path for path in FILES if part_of(path) == part]
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files}
    names = {path: name.removesuffix(".__init__") for path, name in names.items()}
    graph = {name: modules_named(path) - {name} for path, name in names.items()}
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
    """Meaning once: no file outside isa names an instruction's definition."""
    names = {"addi", "lw", "sd", "beq", "jalr", "csrrw", "mret", "sret", "amoadd"}
    for path in FILES:
        if part_of(path) in ("isa", "guests"):
            continue
        words = {n.id for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Name)}
        assert not words & names, path


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [ROOT / name for name in listed.stdout.splitlines()]


def test_no_path_of_a_machine_or_registry_host() -> None:
    """Hosts of package registries and homes of somebody's machine have no place here."""
    bad = re.compile(r"/home/\w|/root/|deb\.debian\.org|pypi\.org|pythonhosted|registry\.npm")
    for path in _tracked():
        if path.suffix in (".py", ".md", ".toml", ".c", ".S", ".h", ".sh") and path.exists():
            if path == Path(__file__):
                continue
            found = bad.search(path.read_text(errors="replace"))
            assert found is None, f"{path}: {found and found[0]}"


def test_no_large_file_is_tracked() -> None:
    """A core dump of 45 MB was committed once."""
    sizes = {path: path.stat().st_size for path in _tracked() if path.exists()}
    assert [str(path) for path, size in sizes.items() if size > LARGEST_FILE_BYTES] == []


def test_every_package_is_in_the_wheel() -> None:
    """pyproject.toml lists them, because `plugins` and `boards` go under other names."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for path in PACKAGE.rglob("__init__.py")}
    found = {".".join(folder.parts) for folder in folders}
    assert {name for name in settings["packages"] if name.split(".")[0] == "rvplat"} == found
