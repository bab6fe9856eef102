"""`rvplat run --coverage`, and `rvplat coverage`, which merges files and shows what ran."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.progress import say

if TYPE_CHECKING:
    from rvplat.coverage.lines import Lines, WorldLines
    from rvplat.coverage.ran import Coverage
    from rvplat.machine.machine import Machine

EPILOG = """\
Each FILE is what `--coverage FILE.json` of `rvplat run` or `--rvplat-coverage FILE.json` of pytest
wrote. The programs must still be where they were: their debug information has the lines. Without
--output the summary of each world is printed: of each source file the lines and functions with
code, and how many were executed; of a program without DWARF the functions of its symbol table.
"""
FORMATS = (
    "FILE.json (to be merged by `rvplat coverage`), FILE.info (lcov), FILE.xml (Cobertura), or a "
    "folder of HTML, if FILE has no suffix"
)


def add_coverage_option(parser: argparse.ArgumentParser) -> None:
    """Add `--coverage`."""
    parser.add_argument(
        "--coverage", action="append", default=[], type=Path, metavar="FILE",
        help="write which lines and functions the host and each guest executed, when the run ends, "
        f"to {FORMATS}; may be repeated; --symbols names the programs of guests",
    )  # fmt: skip


def check_coverage(paths: Sequence[Path]) -> None:
    """Check where coverage is to be written, before slow work.

    Raises:
        CoverageError: it can't be written there.
    """
    if paths:
        from rvplat.coverage.files import check_target

        for path in paths:
            check_target(path)


@contextmanager
def covering(machine: Machine, paths: Sequence[Path]) -> Iterator[None]:
    """Write the coverage of what runs in a `with` block, however it ends.

    Raises:
        CoverageError: it can't be written.
    """
    if not paths:
        yield
        return
    found = machine.cover()
    try:
        yield
    finally:
        write_all(found.coverage(), paths)


def write_all(coverage: Coverage, paths: Sequence[Path]) -> None:
    """Write each file, and say what is left out.

    Raises:
        CoverageError: one can't be written; the others are.
    """
    from rvplat.coverage.files import Writer
    from rvplat.errors import CoverageError

    writer, failed = Writer(coverage), []
    for path in paths:
        try:
            writer.write(path)
        except CoverageError as error:
            failed.append(str(error))
    for problem in writer.problems:
        say(f"coverage: {problem}")
    if failed:
        raise CoverageError("; ".join(failed))


class CoverageCommand:
    """Merges files of coverage."""

    name = "coverage"
    help = "merge files of coverage, and show or convert them"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.epilog = EPILOG
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="see below")
        parser.add_argument(
            "--output", action="append", default=[], type=Path, metavar="FILE",
            help=f"write all of them together to {FORMATS}; may be repeated",
        )  # fmt: skip

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.coverage.lines import lines_of
        from rvplat.coverage.ran import Coverage

        check_coverage(arguments.output)
        merged = Coverage()
        for path in arguments.files:
            merged.merge(Coverage.read(path))
        if arguments.output:
            write_all(merged, arguments.output)
            return 0
        lines = lines_of(merged)
        print("\n".join(_summary(lines)))
        for problem in lines.problems:
            say(f"coverage: {problem}")
        return 0


def _summary(lines: Lines) -> Iterator[str]:
    for name, world in lines.worlds.items():
        yield f"{name}: {world.instructions:,} instructions, {world.elsewhere:,} in no program"
        for path, file in sorted(world.files.items()):
            functions = _share(file.functions.values())
            yield f"  {_share(file.lines.values())} lines  {functions} functions  {path}"
        yield from _without_dwarf(world)


def _without_dwarf(world: WorldLines) -> Iterator[str]:
    for path, symbols in sorted(world.symbols.items()):
        yield f"  {'':21}{_share(symbols.values())} functions  {path} (by its symbol table)"
        yield from (f"{'':30}{name}" for name, ran in sorted(symbols.items()) if ran)


def _share(every: Iterable[bool]) -> str:
    found = list(every)
    return f"{sum(found):6} of {len(found):6}"
