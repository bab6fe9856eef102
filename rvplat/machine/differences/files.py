"""What the files of two recordings say: what they are of, their input, and their checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rvplat.errors import RecordingError
from rvplat.frozen import frozen
from rvplat.machine.recordings.file import place_of, read
from rvplat.machine.snapshots.plain_board import differences

MOST_BYTES = 40  # of input that are shown
MOST_PROBES = 24  # places after an input, each twice as far as the one before


@frozen
class File:
    """A recording. `lines` are its events: input, checkpoints, ends of runs."""

    path: Path
    first: dict[str, Any]
    lines: list[dict[str, Any]]

    @classmethod
    def read(cls, path: Path) -> File:
        """Read one. RecordingError if it is damaged."""
        first, lines = read(path)
        try:
            for line in lines:
                place_of(line)
                if not {"input", "state"} & line.keys():
                    raise KeyError("state")
        except (KeyError, TypeError, ValueError):
            raise RecordingError(f"{path}: a line is no event of a recording") from None
        return cls(path, first, lines)

    @property
    def is_whole(self) -> bool:
        """Whether it has an end: no crash tore it."""
        return bool(self.lines) and "end" in self.lines[-1]

    @property
    def last_work(self) -> int:
        """After how many instructions the last event is."""
        return place_of(self.lines[-1]).work if self.lines else 0

    def events(self, key: str) -> list[dict[str, Any]]:
        """The lines of a kind: "input" or "state"."""
        return [line for line in self.lines if key in line]


def other_machines(one: File, two: File) -> list[str]:
    """Why two recordings are not of the same machine with the same software; empty if they are.

    Raises:
        RecordingError: a first line is damaged.
    """
    try:
        return list(_other_machines(one.first, two.first))
    except (KeyError, TypeError, AttributeError):
        raise RecordingError(f"{one.path} or {two.path}: its first line is damaged") from None


def _other_machines(one: dict[str, Any], two: dict[str, Any]) -> Iterator[str]:
    for key, a, b in differences(one["board"], two["board"]):
        yield f"board: {key} is {_value(a)} in A and {_value(b)} in B"
    a, b = _contents(one), _contents(two)
    for name in sorted(a.keys() | b.keys()):
        if name not in a or name not in b:
            yield f"{name}: only {'A' if name in a else 'B'} has it"
        elif a[name] != b[name]:
            yield f"{name}: its contents in A are not those in B"
    if a == b and one["memory"] != two["memory"]:
        yield (
            "memory before the first instruction: the kernel's command line, the device tree or a "
            "file of --load is another"
        )


def _contents(first: dict[str, Any]) -> dict[str, str]:
    """The digests of all that a run has read, by what it is."""
    found = {f"the plugin {one['name']}": one["sha256"] for one in first["plugins"]}
    found |= {f"the image of devices.{one['device']}": one["sha256"] for one in first["files"]}
    return found | {f"the {what}": digest for what, (_, digest) in first["software"].items()}


def _value(value: Any) -> str:
    return "missing" if value is None else repr(value)


def first_input(one: File, two: File) -> tuple[int, str] | None:
    """The first input that differs: after how many instructions it is, and what to say of it."""
    for a, b in zip_longest(one.events("input"), two.events("input")):
        if a is None or b is None or any(a[key] != b[key] for key in ("at", "input", "data")):
            works = [place_of(line).work for line in (a, b) if line is not None]
            return min(works), f"input: A {_input(a)}; B {_input(b)}"
    return None


def _input(line: dict[str, Any] | None) -> str:
    if line is None:
        return "has none"
    place, data = place_of(line), bytes.fromhex(line["data"])
    shown = f"{data[:MOST_BYTES]!r}{'...' if len(data) > MOST_BYTES else ''}"
    turn = "between two rounds" if place.hart is None else f"in the turn of hart {place.hart}"
    ticks = f" at tick {place.ticks:,}" if place.hart is None else ""
    return f"has {shown} for {line['input']} after {place.work:,} instructions, {turn}{ticks}"


def same_up_to(one: File, two: File) -> int:
    """After how many instructions the last checkpoint is that is the same in both, and before
    input that differs."""
    same, differs = 0, first_input(one, two)
    for a, b in zip(one.events("state"), two.events("state"), strict=False):
        if a["at"] != b["at"] or a["state"] != b["state"]:
            break
        if differs is not None and place_of(a).work > differs[0]:
            break
        same = place_of(a).work
    return same


def places_after(one: File, two: File, work: int) -> list[int]:
    """Where to compare two runs, after so many instructions: at the checkpoints and ends of any of
    the two, up to where a torn one ends; and soon after the first input that differs, because what
    it changes may vanish again."""
    works = {place_of(line).work for file in (one, two) for line in file.events("state")}
    if (found := first_input(one, two)) is not None:
        probes = (found[0] + (1 << n) for n in range(MOST_PROBES))
        works |= {probe for probe in probes if probe < max(works, default=0)}
    ends = [file.last_work for file in (one, two) if not file.is_whole]
    return sorted(n for n in works | set(ends) if n > work and n <= min(ends, default=n))


def _end(line: dict[str, Any]) -> str:
    return f"{line['end']!r}, code {line.get('code')}"


def other_end(one: File, two: File) -> str:
    """What differs in how the recordings end, if anything."""
    if one.is_whole != two.is_whole:
        return f"{'B' if one.is_whole else 'A'} is torn: it has no end"
    if not one.is_whole:
        return ""
    a, b = one.lines[-1], two.lines[-1]
    if a["end"] != b["end"] or a.get("code") != b.get("code"):
        return f"A ends with {_end(a)}; B ends with {_end(b)}"
    if a["at"] != b["at"]:
        return f"A ends after {a['at'][0]:,} instructions, B after {b['at'][0]:,}"
    names = [name for name in ("output", "memory", "state") if a.get(name) != b.get(name)]
    return f"at the end: {', '.join(names)}" if names else ""
