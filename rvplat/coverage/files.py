"""The files of coverage, by their suffixes."""

from __future__ import annotations

import os
from pathlib import Path

from rvplat.coverage.lines import Lines, lines_of
from rvplat.coverage.ran import Coverage
from rvplat.errors import CoverageError

KINDS = {".json": "to be merged", ".info": "lcov", ".xml": "Cobertura", "": "a folder of HTML"}


def check_target(path: Path) -> None:
    """Check that coverage can be written there, before the run.

    Raises:
        CoverageError: the suffix is unknown, or the folder is not there.
    """
    if path.suffix not in KINDS:
        known = ", ".join(f"{suffix or 'no suffix'} ({what})" for suffix, what in KINDS.items())
        raise CoverageError(f"{path}: what {path.suffix} is for is unknown; expected {known}")
    if path.suffix == "" and path.exists() and not path.is_dir():
        raise CoverageError(f"{path}: this is a file; HTML needs a folder")
    if path.suffix != "" and path.is_dir():
        raise CoverageError(f"{path}: this is a folder; only HTML goes to one")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise CoverageError(f"{path}: there is no folder {folder}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise CoverageError(f"{path}: it can't be written")


class Writer:
    """Writes coverage to files; its lines are found once. `problems` says what is left out."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self._lines: Lines | None = None

    @property
    def lines(self) -> Lines:
        """The lines and functions."""
        if self._lines is None:
            self._lines = lines_of(self._coverage)
        return self._lines

    @property
    def problems(self) -> list[str]:
        """What is wrong with the programs' debug information, if it was needed."""
        return [] if self._lines is None else self._lines.problems

    def write(self, path: Path) -> None:
        """Write a file, or a folder of HTML.

        Raises:
            CoverageError: it can't be written.
        """
        check_target(path)
        try:
            if path.suffix == ".json":
                _replace(path, self._coverage.to_json())
            elif path.suffix == ".info":
                from rvplat.coverage.lcov import lcov_text

                _replace(path, lcov_text(self.lines))
            elif path.suffix == ".xml":
                from rvplat.coverage.cobertura import cobertura_text

                _replace(path, cobertura_text(self.lines))
            else:
                from rvplat.coverage.html import write_html

                write_html(self.lines, path)
        except OSError as error:
            raise CoverageError(f"{path}: {error.strerror or error}") from None


def _replace(path: Path, text: str) -> None:
    """Write the whole text, or leave what was there. A pipe or a device is written to."""
    if path.exists() and not path.is_file():
        path.write_text(text, "utf-8")
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
