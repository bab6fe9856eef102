"""`rvplat run --each`: runs many programs one after the other, and prints a line for each.

They run in one process, because a process takes longer to start than a short program takes to run;
a second machine in the same process takes some 25 ms.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.interrupts import TwiceAtOnce
from rvplat.cli.progress import progress
from rvplat.errors import RvplatError
from rvplat.frozen import frozen

if TYPE_CHECKING:
    from rvplat.machine.boards.board import Board
    from rvplat.pluginmanager import Plugins

ELF_MAGIC = b"\x7fELF"
SOME_FAILED = 1
#: Options that make sense for one program only.
FOR_ONE = (
    "kernel", "initrd", "dtb", "append", "symbols", "disk", "trace", "gdb", "halt", "stats",
    "profile", "timeline", "console", "coverage",
)  # fmt: skip


@frozen
class Result:
    """How one program ended. `problem` is "" if it passed; `output` is what it wrote."""

    path: Path
    seconds: float
    problem: str = ""
    output: bytes = b""

    def lines(self) -> Iterator[str]:
        """The lines for the user. The guest's output is shown only if the program failed."""
        word = "FAIL" if self.problem else "pass"
        rest = f": {self.problem}" if self.problem else ""
        yield f"{word} {self.seconds:8.3f} s  {self.path}{rest}"
        if self.problem and self.output:
            yield from (
                f"    | {line}" for line in self.output.decode(errors="replace").split("\n")
            )


def programs(paths: Sequence[Path]) -> list[Path]:
    """The files, and the ELF files in the folders, sorted by name in each folder.

    Raises:
        RvplatError: a path doesn't exist, or a folder has no ELF file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if one.is_file() and _is_elf(one))
            if not inside:
                raise RvplatError(f"--each {path}: no ELF file in this folder")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise RvplatError(f"--each {path}: no such file or folder")
    return found


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ELF_MAGIC)) == ELF_MAGIC


def run_each(arguments: argparse.Namespace) -> int:
    """Run every program on a machine of its own. The exit status is 0 if all passed, otherwise 1.

    Raises:
        RvplatError: a fault of the board, an option for one program only, a path without programs.
    """
    from rvplat.cli.build import open_named, uncollected
    from rvplat.cli.options import DEFAULT_BOARD

    _refuse_options(arguments)
    paths = programs(arguments.each)
    name = arguments.words[0] if arguments.words else DEFAULT_BOARD
    with uncollected():
        board, plugins = open_named(name, arguments)
        import rvplat.machine.machine  # noqa: F401 (so that its objects are frozen too)
    failed = 0
    with TwiceAtOnce():
        for path in paths:
            result = _run(path, board, plugins, arguments)
            failed += bool(result.problem)
            for line in result.lines():
                print(line, flush=True)
            gc.collect()  # a machine is a reference cycle that holds much memory
    count = "1 program" if len(paths) == 1 else f"{len(paths)} programs"
    print(f"{count}: {len(paths) - failed} passed, {failed} failed", flush=True)
    return SOME_FAILED if failed else 0


def _refuse_options(arguments: argparse.Namespace) -> None:
    given = {**vars(arguments), "disk": arguments.disks, "console": arguments.consoles}
    for name in FOR_ONE:
        if given[name]:
            raise RvplatError(f"--each: --{name} works with one program only")
    if len(arguments.words) > 1:
        raise RvplatError("--each: expected at most a BOARD before it; programs come after --each")


def _run(path: Path, board: Board, plugins: Plugins, arguments: argparse.Namespace) -> Result:
    from rvplat.machine.loading.loader import read_software
    from rvplat.machine.machine import Machine

    began = time.perf_counter()
    try:
        loaders = tuple(plugins.loaders.values())
        software = read_software(board, path, loaders=loaders, extra_files=arguments.extra_files)
        with progress() as say:
            machine = Machine(board, software, None, plugins, say)
    except RvplatError as error:
        return Result(path, time.perf_counter() - began, str(error))
    problem = ""
    try:
        with machine:
            stop = machine.run(arguments.timeout, arguments.max_instructions)
            problem = f"{stop}, status {stop.status}" if stop.status else ""
            if arguments.signature is not None:
                _write_signature(arguments.signature, path, machine.signature())
    except RvplatError as error:  # a plugin's code raised, or there is no signature
        problem = "; ".join(filter(None, [problem, *str(error).splitlines()]))
    return Result(path, time.perf_counter() - began, problem, machine.console.output)


def _write_signature(folder: Path, program: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{program.name}.signature").write_text(text, encoding="ascii")
