"""Runs the benchmark programs on two sides in turn, and compares: rvplat and QEMU, or VS and HS
mode. A third side may be the same programs built for the host (native.py).

Programs run for less than a second, so their first run includes the start of the regions of hot
code: the search for those of earlier starts, or their compile. Beside native programs, rvplat runs
each program again after a reset of the machine, and both runs are compared with the native one.

A program measures itself with the board's clock (mtime, 10 MHz) and prints `bench NAME checksum HEX
ticks N instret N`, so the start of the simulator is not measured. On QEMU `instret` is the host's
time and not a number of instructions: the first side gives that number for both.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterable

from rvplat.frozen import frozen
from rvplat.guests import BenchProgram
from rvplat.guests.errors import GuestError, Progress, silent
from rvplat.tables import table

QEMU = "qemu-system-riscv64"
TICKS_PER_SECOND = 10_000_000
REPEATS = 5
TIMEOUT_S = 120
VLEN = 128
"""VLEN of the harts on which vector programs run, on both sides."""
QEMU_WITH = {"zvknha": 9}
"""The first version of QEMU with an extension, where it is newer than V."""

Runner = Callable[[BenchProgram], str | None]
"""Runs a program in M mode on a `virt` board until it powers off, once or again after a reset;
returns the UART's output. None if this side lacks an extension that the program needs."""
NativeRunner = Callable[[BenchProgram], str]
"""Runs a program that was built for the host; returns its output."""

_LINE = re.compile(
    r"bench (?P<name>\w+) checksum (?P<checksum>[0-9a-f]+) ticks (?P<ticks>\d+)"
    r" instret (?P<instret>\d+)"
)


@frozen
class Sides:
    """The two sides of a comparison: the names of their columns, and texts for the table."""

    here: str
    there: str
    ratio: str
    """What the ratio is."""
    about: str | None
    """What the other side is; None if there is no other side."""
    alone: str = ""
    """Why there is no other side."""
    native: str | None = None
    """What the native side is; None if there is none."""


WORLDS = Sides("vs", "hs", "of its speed in HS mode", "Sv39 in pages of 4 KiB at each stage")
"""The comparison of VS mode (here) with HS mode (there)."""


@frozen
class Measurement:
    """One run of one program."""

    checksum: str
    seconds: float
    instret: int


@frozen
class Row:
    """A program's medians. `there_seconds` and `native_seconds` are None if there is no such side;
    `again_seconds` is of further runs on the same machine, None if there are none."""

    program: BenchProgram
    seconds: float
    instructions: int
    there_seconds: float | None
    native_seconds: float | None = None
    again_seconds: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times as fast as the other side."""
        return None if self.there_seconds is None else self.there_seconds / self.seconds

    @property
    def native_ratio(self) -> float | None:
        """How many times as fast as the native program."""
        return None if self.native_seconds is None else self.native_seconds / self.seconds

    @property
    def native_ratio_again(self) -> float | None:
        """The same of a further run, whose regions are there from its start on."""
        if self.native_seconds is None or self.again_seconds is None:
            return None
        return self.native_seconds / self.again_seconds

    @property
    def million_per_second(self) -> float:
        """Million instructions per second here."""
        return self.instructions / self.seconds / 1e6

    @property
    def there_million_per_second(self) -> float | None:
        """Million instructions per second on the other side."""
        return None if self.there_seconds is None else self.instructions / self.there_seconds / 1e6


@frozen
class Report:
    """All rows of one comparison, each the median of `repeats` runs."""

    rows: tuple[Row, ...]
    repeats: int
    sides: Sides

    @property
    def geometric_mean(self) -> float | None:
        """The geometric mean of the ratios; None if there is no other side."""
        return _mean(row.ratio for row in self.rows)

    @property
    def native_geometric_mean(self) -> float | None:
        """The geometric mean of the ratios to native; None if there are none."""
        return _mean(row.native_ratio for row in self.rows)

    @property
    def native_geometric_mean_again(self) -> float | None:
        """The same of further runs."""
        return _mean(row.native_ratio_again for row in self.rows)

    def as_json(self) -> dict[str, object]:
        """The report as values for json.dumps. Times are in seconds, rates in million per
        second."""
        found: dict[str, object] = {
            "repeats": self.repeats,
            self.sides.there: self.sides.about,
            "programs": [_row_json(row, self.sides) for row in self.rows],
            "geometric_mean": self.geometric_mean,
        }
        if self.sides.native is not None:
            found["native"] = self.sides.native
            found["native_geometric_mean"] = self.native_geometric_mean
            found["native_geometric_mean_again"] = self.native_geometric_mean_again
        return found

    def table(self) -> str:
        """The report as text, a line for each program."""
        columns = self._columns()
        lines: list[list[str]] = [[one.name for one in columns]]
        if self._beside or self.sides.native is not None:
            lines.insert(0, [one.group for one in columns])
        else:
            lines = [[one.group or one.name for one in columns]]
        lines += [[one.cell(row) for one in columns] for row in self.rows]
        if any(one.mean for one in columns):
            lines.append(["geometric mean", *(one.mean for one in columns[1:])])
        about = self.sides.alone
        if self._beside:
            about = f"ratio: {self.sides.ratio}; {self.sides.about or self.sides.there}"
        notes = "; ".join(note for note in (about, self.sides.native) if note)
        last = f"median of {self.repeats}; {notes}\n"
        return table(lines[0], lines[1:], "<" + ">" * (len(columns) - 2)) + last

    @property
    def _beside(self) -> bool:
        """Whether there is another side."""
        return self.geometric_mean is not None

    def _columns(self) -> list[_Column]:
        """The columns of the table, without those of sides that there are not."""
        here, there = self.sides.here, self.sides.there
        beside, native = self._beside, self.sides.native is not None
        ours, theirs = self.geometric_mean, self.native_geometric_mean
        again = self.native_geometric_mean_again
        columns = [
            (True, _Column("", "program", lambda row: row.program.name)),
            (True, _Column("seconds", here, lambda row: _number(row.seconds, 3))),
            (beside, _Column("", there, lambda row: _number(row.there_seconds, 3))),
            (again is not None, _Column("", "again", lambda row: _number(row.again_seconds, 3))),
            (native, _Column("", "native", lambda row: _number(row.native_seconds, 3))),
            (True, _Column("million/s", here, lambda row: _number(row.million_per_second, 0))),
            (beside, _Column("", there, lambda row: _number(row.there_million_per_second, 0))),
            (beside, _Column("", "ratio", lambda row: _number(row.ratio, 2), _number(ours, 2))),
            (native, _Column(
                "", "to native", lambda row: _number(row.native_ratio, 2), _number(theirs, 2))),
            (again is not None, _Column(
                "", "again", lambda row: _number(row.native_ratio_again, 2), _number(again, 2))),
            (True, _Column("", "", lambda row: row.program.about)),
        ]  # fmt: skip
        return [column for wanted, column in columns if wanted]


@frozen
class _Column:
    """A column of the table: two lines of its head, a row's cell, and the last line's."""

    group: str
    name: str
    cell: Callable[[Row], str]
    mean: str = ""


def _mean(ratios: Iterable[float | None]) -> float | None:
    known = [ratio for ratio in ratios if ratio is not None]
    return statistics.geometric_mean(known) if known else None


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _row_json(row: Row, sides: Sides) -> dict[str, object]:
    found: dict[str, object] = {
        "name": row.program.name, "about": row.program.about, "instructions": row.instructions,
        "seconds": row.seconds, "million_per_second": row.million_per_second,
        f"{sides.there}_seconds": row.there_seconds,
        f"{sides.there}_million_per_second": row.there_million_per_second,
        "ratio": row.ratio,
    }  # fmt: skip
    if sides.native is not None:
        found |= {
            "native_seconds": row.native_seconds, "native_ratio": row.native_ratio,
            "again_seconds": row.again_seconds, "native_ratio_again": row.native_ratio_again,
        }  # fmt: skip
    return found


def parse(program: BenchProgram, output: str) -> Measurement:
    """Find and parse the first line with a program's result in its output."""
    return parse_all(program, output)[0]


def parse_all(program: BenchProgram, output: str) -> list[Measurement]:
    """Find and parse the lines with a program's results in its output: one for each run."""
    lines = list(_LINE.finditer(output))
    if not lines or any(line["name"] != program.name for line in lines):
        shown = output.strip()[-200:] or "nothing"
        raise GuestError(f"{program.name} printed no result, but: {shown}")
    return [
        Measurement(line["checksum"], int(line["ticks"]) / TICKS_PER_SECOND, int(line["instret"]))
        for line in lines
    ]


def qemu_version() -> str | None:
    """The version of this machine's QEMU, in one line; None if there is no QEMU."""
    if shutil.which(QEMU) is None:
        return None
    answer = subprocess.run([QEMU, "--version"], capture_output=True, text=True).stdout
    return answer.partition("\n")[0].strip() or None


def _qemu_has(extension: str) -> bool:
    """Whether this machine's QEMU is new enough for an extension."""
    first = QEMU_WITH.get(extension, 0)
    found = re.search(r"version (\d+)", (first and qemu_version()) or "")
    return first == 0 or (found is not None and int(found[1]) >= first)


def run_on_qemu(program: BenchProgram) -> str | None:
    """Run a program on QEMU (a `Runner`)."""
    if not all(map(_qemu_has, program.needs)):
        return None
    command = [QEMU, "-M", "virt", "-display", "none", "-monitor", "none", "-serial", "stdio"]
    if program.needs:
        parts = ["rv64", f"vlen={VLEN}", *(f"{name}=true" for name in program.needs)]
        command += ["-cpu", ",".join(parts)]
    name = program.path.name
    try:
        result = subprocess.run(
            [*command, "-bios", str(program.path)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise GuestError(f"{name}: {QEMU} didn't end within {TIMEOUT_S} s") from error
    if result.returncode != 0:
        raise GuestError(
            f"{name}: {QEMU} ended with status {result.returncode}:"
            f" {(result.stdout + result.stderr).strip()[-200:]}"
        )
    return result.stdout


def compare(
    programs: Iterable[BenchProgram],
    here: Runner,
    there: Runner | None,
    repeats: int = REPEATS,
    progress: Progress = silent,
    sides: Sides | None = None,
    native: NativeRunner | None = None,
) -> Report:
    """Run every program `repeats` times on all sides in turn. `there` is None if there is no other
    side. `native` runs those that are programs of the host too. Without `sides`, the other side is
    QEMU."""
    wanted = list(programs)
    rows = []
    for number, program in enumerate(wanted):
        progress(f"measuring {program.name}", number / len(wanted))
        rows.append(_compare_one(program, here, there, native, repeats))
    progress("measured", 1.0)
    return Report(tuple(rows), repeats, sides or beside_qemu(there is not None))


def beside_qemu(there: bool = True, native: str | None = None) -> Sides:
    """The comparison of rvplat with this machine's QEMU; without `there`, rvplat runs alone.
    `native`: what the native side is."""
    version = qemu_version() if there else None
    alone = f"no {QEMU} on this machine" if there else "rvplat alone, without QEMU"
    return Sides("rvplat", "qemu", "times QEMU's speed", version, alone, native)


def _compare_one(
    program: BenchProgram,
    here: Runner,
    there: Runner | None,
    native: NativeRunner | None,
    repeats: int,
) -> Row:
    ours, again, theirs, natives = [], [], [], []
    for _ in range(repeats):
        first, *more = parse_all(program, here(program) or "")
        ours.append(first)
        again += more
        other = None if there is None else there(program)
        if other is not None:
            theirs.append(parse(program, other))
        if native is not None and program.native:
            natives.append(parse(program, native(program)))
    checksums = {m.checksum for m in (*ours, *again, *theirs, *natives)}
    if len(checksums) != 1:
        raise GuestError(f"{program.name}: the runs disagree: checksums {sorted(checksums)}")
    return Row(
        program,
        _median_seconds(ours),
        round(statistics.median(m.instret for m in ours)),
        _median_seconds(theirs) if theirs else None,
        _median_seconds(natives) if natives else None,
        _median_seconds(again) if again else None,
    )


def _median_seconds(runs: list[Measurement]) -> float:
    seconds = statistics.median(run.seconds for run in runs)
    return max(seconds, 1 / TICKS_PER_SECOND)  # so that a clock that stands doesn't divide by zero
