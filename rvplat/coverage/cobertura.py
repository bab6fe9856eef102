"""Cobertura's XML, as coverage-04.dtd of Cobertura describes it. A world is a package."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from xml.etree import ElementTree

from rvplat.coverage.lines import Lines, SourceFile, WorldLines

HEAD = """\
<?xml version="1.0" ?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
"""
_NO_BRANCHES = {"branch-rate": "0", "complexity": "0"}


def cobertura_text(lines: Lines) -> str:
    """The text of a file. Paths are as the debug information has them."""
    every = [ran for file in lines.files().values() for ran in file.lines.values()]
    root = ElementTree.Element("coverage", {
        "line-rate": _rate(every), "lines-covered": str(sum(every)),
        "lines-valid": str(len(every)), "branches-covered": "0", "branches-valid": "0",
        "version": f"rvplat {version('rvplat')}", "timestamp": str(int(time.time())),
        **_NO_BRANCHES,
    })  # fmt: skip
    ElementTree.SubElement(ElementTree.SubElement(root, "sources"), "source").text = "."
    packages = ElementTree.SubElement(root, "packages")
    for name, world in lines.worlds.items():
        _package(packages, name, world)
    ElementTree.indent(root)
    return HEAD + ElementTree.tostring(root, encoding="unicode") + "\n"


def _package(packages: ElementTree.Element, name: str, world: WorldLines) -> None:
    every = [ran for file in world.files.values() for ran in file.lines.values()]
    facts = {"name": name, "line-rate": _rate(every), **_NO_BRANCHES}
    package = ElementTree.SubElement(packages, "package", facts)
    classes = ElementTree.SubElement(package, "classes")
    for path, file in sorted(world.files.items()):
        _class(classes, path, file)


def _class(classes: ElementTree.Element, path: str, file: SourceFile) -> None:
    """A source file: its functions are methods."""
    name, rate = path.rpartition("/")[2], _rate(file.lines.values())
    facts = {"name": name, "filename": path, "line-rate": rate, **_NO_BRANCHES}
    found = ElementTree.SubElement(classes, "class", facts)
    methods = ElementTree.SubElement(found, "methods")
    for (function, line), ran in sorted(file.functions.items()):
        facts = {"name": function, "signature": "", "line-rate": _rate([ran]), "branch-rate": "0"}
        _lines(ElementTree.SubElement(methods, "method", facts), {line: ran})
    _lines(found, file.lines)


def _lines(above: ElementTree.Element, lines: Mapping[int, bool]) -> None:
    found = ElementTree.SubElement(above, "lines")
    for line, ran in sorted(lines.items()):
        ElementTree.SubElement(found, "line", {"number": str(line), "hits": str(int(ran))})


def _rate(every: Iterable[bool]) -> str:
    found = list(every)
    return f"{sum(found) / len(found):.4f}" if found else "0"
