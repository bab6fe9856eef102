"""Pages of HTML, by the library coverage: a line's contexts are the worlds that executed it.

The folder has the pages of all worlds together; where there are several, the folders in it have
those of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rvplat.coverage.lines import Lines, SourceFile
from rvplat.errors import CoverageError

PLUGIN = "rvplat.coverage.reporter"


def write_html(lines: Lines, folder: Path) -> None:
    """Write the pages.

    Raises:
        CoverageError: the library is not installed, or no program has lines.
        OSError: the folder can't be written.
    """
    try:
        import coverage  # noqa: F401
    except ImportError:
        raise CoverageError(
            f"{folder}: HTML needs the package coverage: pip install coverage"
        ) from None
    worlds = {name: world.files for name, world in lines.worlds.items() if world.files}
    if not worlds:
        raise CoverageError(f"{folder}: no program has lines: HTML shows the source")
    _write(worlds, folder, "all worlds" if len(worlds) > 1 else next(iter(worlds)))
    for name in worlds if len(worlds) > 1 else ():
        _write({name: worlds[name]}, folder / name, name)


def _write(worlds: Mapping[str, Mapping[str, SourceFile]], folder: Path, title: str) -> None:
    from coverage import Coverage
    from coverage.exceptions import CoverageException

    from rvplat.coverage import reporter

    with TemporaryDirectory() as place:
        data = str(Path(place) / "data")
        held: Any = Coverage(data_file=data, config_file=False, messages=False)
        held.set_option("run:plugins", [PLUGIN])
        held.set_option("html:show_contexts", True)
        found = held.get_data()
        every = sorted({path for files in worlds.values() for path in files})
        names = {path: reporter.shown_path(path) for path in every}
        for name, files in worlds.items():
            found.set_context(name)
            found.add_lines({
                names[path]: [line for line, ran in file.lines.items() if ran]
                for path, file in files.items()
            })  # fmt: skip
        found.add_file_tracers(dict.fromkeys(names.values(), f"{PLUGIN}.Reporters"))
        with reporter.shown(worlds):
            try:
                held.html_report(directory=str(folder), title=f"Coverage: {title}")
            except CoverageException as error:
                raise CoverageError(f"{folder}: {error}") from None
