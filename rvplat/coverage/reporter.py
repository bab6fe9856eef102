"""A plugin of the library coverage, which tells it of source files and their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from posixpath import normpath
from typing import Any

from coverage import CoveragePlugin, FileReporter
from coverage.plugin import CodeRegion

from rvplat.coverage.lines import SourceFile

_known: dict[str, list[SourceFile]] = {}  # by the path that is shown


def shown_path(path: str) -> str:
    """The path under which the library has a file: it takes absolute ones."""
    return normpath(Path(path).absolute())


@contextmanager
def shown(worlds: Mapping[str, Mapping[str, SourceFile]]) -> Iterator[None]:
    """Let the plugin know these files in a `with` block."""
    for files in worlds.values():
        for path, file in files.items():
            _known.setdefault(shown_path(path), []).append(file)
    try:
        yield
    finally:
        _known.clear()


class SourceReporter(FileReporter):
    """A source file. One that is not there is shown with empty lines."""

    def __init__(self, filename: str) -> None:
        super().__init__(filename)
        self._files = _known.get(filename, [])

    def lines(self) -> set[int]:
        return {line for file in self._files for line in file.lines}

    def source(self) -> str:
        try:
            text = Path(self.filename).read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
        missing = max(self.lines(), default=0) - text.count("\n")
        return text + "\n" * max(missing, 0)

    def code_regions(self) -> list[CodeRegion]:
        """The functions. DWARF says where each begins: it ends before the next one."""
        starts = sorted({key[::-1] for file in self._files for key in file.functions if key[1]})
        firsts = sorted({line for line, _ in starts})
        ends = dict(zip(firsts, [*firsts[1:], 1 << 30], strict=False))
        lines = self.lines()
        return [
            CodeRegion("function", name, line, {n for n in lines if line <= n < ends[line]})
            for line, name in starts
        ]

    def code_region_kinds(self) -> list[tuple[str, str]]:
        return [("function", "functions")]


class Reporters(CoveragePlugin):
    """The plugin."""

    def file_reporter(self, filename: str) -> FileReporter:
        return SourceReporter(filename)


def coverage_init(reg: Any, options: Any) -> None:
    """What the library calls to have the plugin."""
    reg.add_file_tracer(Reporters())
