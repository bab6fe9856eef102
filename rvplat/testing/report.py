"""What a failed test says about its machines: the consoles, the harts, and how to have it again."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from rvplat.errors import RvplatError
from rvplat.machine.inspection.hart_report import where
from rvplat.machine.inspection.trap_loops import trap_loop
from rvplat.machine.machine import Machine
from rvplat.machine.running.expecting import tail
from rvplat.testing.store import Lent
from rvplat.testing.wanted import boot_name, command

SHOWN_FRAMES = 12
_IGNORED = "# made by rvplat's pytest plugin\n*\n"


@dataclass(frozen=True)
class Place:
    """Where the files of a failed test go, and what their names begin with."""

    folder: Path
    test: str
    invoked_in: Path

    def file(self, suffix: str) -> Path:
        """A file of this test, which no other has. HostError if the folder can't be made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ignored = self.folder / ".gitignore"
        if not ignored.exists():
            ignored.write_text(_IGNORED)
        name = re.sub(r"[^\w.-]+", "_", self.test).strip("_")[-150:]
        if name != self.test:
            name += f"-{hashlib.sha256(self.test.encode()).hexdigest()[:8]}"
        return self.folder / f"{name}{suffix.replace(' ', '.')}"

    def shown(self, path: Path) -> str:
        """A path as the user would type it."""
        inside = path.is_relative_to(self.invoked_in)
        return shlex.quote(str(path.relative_to(self.invoked_in) if inside else path))


def sections(one: Lent, number: str, place: Place) -> Iterator[tuple[str, str]]:
    """The titles and texts for a machine of a failed test; `number` tells machines apart. The
    machine stops. Errors while this is made are part of it."""
    machine, name = one.machine, f"rvplat{number}"
    if machine.closed:
        yield f"{name} machine", "the test has closed it"
        return
    try:
        stopped = stop(machine)
    except RvplatError as error:
        stopped = f"it can't be stopped: {error}"
    made: dict[str, Callable[[], str]] = {
        "console": lambda: consoles(machine, number, place),
        "harts": lambda: f"{stopped}\n{harts(machine)}",
        "again": lambda: again(one, number, place),
        "last instructions": lambda: _last_instructions(one, number, place),
    }
    for title, make in made.items():
        try:
            text = make()
        except Exception as error:  # whatever it is, the test's own failure must be reported
            text = f"not known: {type(error).__name__}: {error}"
        if text:
            yield f"{name} {title}", text


def stop(machine: Machine) -> str:
    """Stop a machine; why it stands still."""
    if machine.running:
        machine.pause()
        return "it was running"
    last = machine.last.stop if machine.last is not None else None
    return "it was not started" if last is None else f"it had stopped: {last}"


def consoles(machine: Machine, number: str, place: Place) -> str:
    """The end of what each console got; all that was kept of it is in a file."""
    found = []
    for name, console in machine.consoles.items():
        output = console.output
        if not output:
            continue
        path = place.file(f"{number}.{name}.txt")
        path.write_bytes(output)
        found += [f"{name} (all of it: {place.shown(path)}):", *(f"  | {x}" for x in tail(output))]
    return "\n".join(found)


def harts(machine: Machine) -> str:
    """Where each hart is, and the functions that have led there, in the guest and in the host."""
    lines = []
    for hart in machine.harts:
        lines.append(where(machine, hart))
        loop = trap_loop(hart)
        if loop is not None:
            lines.append(f"  it loops in traps: {loop}")
        frames = str(machine.backtrace(hart.number)).splitlines()
        lines += [f"  {frame}" for frame in frames[:SHOWN_FRAMES]]
        if len(frames) > SHOWN_FRAMES:
            lines.append(f"  ... {len(frames) - SHOWN_FRAMES} more")
    return "\n".join(lines)


def again(one: Lent, number: str, place: Place) -> str:
    """The command that repeats the run, instruction for instruction; or why there is none."""
    tape = one.tape
    if tape is None:
        return 'no recording: the clock is the host\'s; settings={"clock": "virtual"} repeats runs'
    if tape.problem:
        return f"no recording of this run: {tape.problem}"
    if not tape.lines:
        return ""
    words, note = _command(one, place)
    path = place.file(f"{number}.rec")
    tape.write(path, words)
    plugins = _plugins(one.arguments.get("plugin_paths"))
    options = "".join(f" --plugin {place.shown(Path(one))}" for one in plugins)
    return f"rvplat run --replay {place.shown(path)}{options}{note}"


def _last_instructions(one: Lent, number: str, place: Place) -> str:
    """The last instructions, if the recording says them soon."""
    if one.tape is None or one.tape.problem or not one.tape.lines:
        return ""
    from rvplat.testing.last_instructions import last_instructions

    return last_instructions(one, one.tape, place.file(f"{number}.rec"))


def _command(one: Lent, place: Place) -> tuple[list[str], str]:
    """The recorded command, and what is to be said about it."""
    if one.snapshot is None:
        clock = one.machine.board.general.clock
        return [*command(one.arguments), "--set", f"clock={clock}"], ""
    from rvplat.machine.snapshots.file import write

    boot = one.arguments["boot"]
    named = Place(place.folder, f"{boot_name(boot)}-{one.digest[:8]}", place.invoked_in)
    path = named.file(".snap").absolute()
    if not one.is_saved(path):
        write(one.snapshot, path)
    return ["--load", str(path)], f"\n(from {place.shown(path)}, where {boot_name(boot)} led)"


def _plugins(paths: Any) -> list[str]:
    if paths is None:
        return []
    return [str(paths)] if isinstance(paths, str | PathLike) else [str(one) for one in paths]
