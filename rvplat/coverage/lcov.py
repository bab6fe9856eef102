"""lcov's format of tracefiles, as geninfo(1) describes it. A world is a test name (TN)."""

from __future__ import annotations

from collections.abc import Iterator

from rvplat.coverage.lines import Lines, SourceFile


def lcov_text(lines: Lines) -> str:
    """The text of a tracefile. A count is 1 for what was executed, 0 for what was not."""
    found: list[str] = []
    for name, world in lines.worlds.items():
        for path, file in sorted(world.files.items()):
            found += [f"TN:{name}", f"SF:{path}", *_functions(file), *_lines(file), "end_of_record"]
    return "".join(f"{line}\n" for line in found)


def _functions(file: SourceFile) -> Iterator[str]:
    """Functions of one name, as in two units that include a header, are one."""
    first: dict[str, int] = {}
    ran: dict[str, bool] = {}
    for (name, line), was_run in sorted(file.functions.items(), key=lambda row: row[0][::-1]):
        first.setdefault(name, line)
        ran[name] = was_run or ran.get(name, False)
    for name, line in first.items():
        yield f"FN:{line},{name}"
    for name, was_run in ran.items():
        yield f"FNDA:{int(was_run)},{name}"
    yield f"FNF:{len(ran)}"
    yield f"FNH:{sum(ran.values())}"


def _lines(file: SourceFile) -> Iterator[str]:
    for line, ran in sorted(file.lines.items()):
        yield f"DA:{line},{int(ran)}"
    yield f"LF:{len(file.lines)}"
    yield f"LH:{sum(file.lines.values())}"
