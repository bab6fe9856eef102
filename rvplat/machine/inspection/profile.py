"""A sampling profile of the guest by world and call stack, in speedscope's JSON format, or as
collapsed stacks.

Harts note samples where budgets end (hart/debugging/profile_samples.py), which is after branches. A
thread collects them. Each hart gives two profiles, with the same samples: their weights are the
host's time, and retired instructions. A stack begins with the world (profile_stacks.py).

The format: https://github.com/jlfwong/speedscope/blob/main/src/lib/file-format-spec.ts
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import struct
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import IO

from rvplat.errors import HostError
from rvplat.hart.debugging.profile_samples import RING, ProfileSample
from rvplat.machine.inspection.output_file import open_output
from rvplat.machine.inspection.profile_stacks import Key, Stack, Stacks, key_of
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.native_records import Block
from rvplat.machine.running.system import System

COLLAPSED = (".folded", ".collapsed")  # suffixes of files for collapsed stacks
SCHEMA = "https://www.speedscope.app/file-format-schema.json"
COLLECT_S = 0.05  # between two collections
MOST_UNNAMED = 1 << 15  # stacks whose names are not looked for while harts may want Python's lock
MOST_PERIODS = 1024  # of a hart; then each two become one
_HEAD = struct.Struct("=8x3Q")  # ProfileSample: world, instructions, ns
_WALKS = ProfileSample.fields["here"].offset
Weights = dict[Stack, tuple[int, int]]  # nanoseconds and instructions


class Timeline:
    """The weights of a hart's stacks, by periods of equal length."""

    def __init__(self) -> None:
        self._periods: list[Weights] = []
        self._joined = 1  # collections in a period
        self._last = 0  # collections in the last period

    def add(self, weights: Weights) -> None:
        """Add what a collection has found."""
        if self._periods and self._last < self._joined:
            self._periods[-1] = _sum(self._periods[-1], weights)
            self._last += 1
            return
        if len(self._periods) == MOST_PERIODS:
            pairs = zip(self._periods[::2], self._periods[1::2], strict=True)
            self._periods = [_sum(*pair) for pair in pairs]
            self._joined *= 2
        self._periods.append(dict(weights))
        self._last = 1

    def __iter__(self) -> Iterator[tuple[Stack, tuple[int, int]]]:
        for period in self._periods:
            yield from sorted(period.items())


def _sum(one: Weights, other: Weights) -> Weights:
    found = dict(one)
    for stack, (ns, instructions) in other.items():
        before = found.get(stack, (0, 0))
        found[stack] = before[0] + ns, before[1] + instructions
    return found


class Samples:
    """The ring of a hart's samples."""

    def __init__(self, hart: Hart, copies: bool = False) -> None:
        self._plain = hart.plain
        self._plain.walk_copies = int(copies)
        self._plain.host_pc = 0
        self._block = Block(RING * ProfileSample.size)
        self._seen = int(self._plain.profile_count)
        self._plain.profile_retired = hart.retired % (1 << 64)
        self._plain.profile_ring = self._block.address

    def new(self) -> bytes:
        """The samples since the last call, each a ProfileSample."""
        count, first = int(self._plain.profile_count), self._seen
        first = max(first, count - RING)
        at, size = first % RING, ProfileSample.size
        before_end = min(count - first, RING - at)
        held = ctypes.string_at(self._block.address + at * size, before_end * size)
        held += ctypes.string_at(self._block.address, (count - first - before_end) * size)
        overtaken = max(int(self._plain.profile_count) - RING + 1 - first, 0)
        self._seen = count
        return held[overtaken * size :]

    def close(self) -> None:
        """End the sampling. The hart must not run."""
        self._plain.profile_ring = 0


class Profiler:
    """Collects the samples of a machine's harts, until `close`."""

    def __init__(self, machine: System) -> None:
        self._stacks = Stacks(machine)
        self._samples = [Samples(hart, self._stacks.has_frames) for hart in machine.harts]
        self._timelines = [Timeline() for _ in machine.harts]
        self._unnamed: list[tuple[Timeline, dict[Key, list[int]]]] = []
        self._unnamed_keys = 0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rvplat-profile", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Collect the last samples. The machine must not run."""
        self._closed.set()
        self._thread.join()
        self._collect()
        self._name()
        for samples in self._samples:
            samples.close()

    def _watch(self) -> None:
        while not self._closed.wait(COLLECT_S):
            self._collect()

    def _collect(self) -> None:
        for samples, timeline in zip(self._samples, self._timelines, strict=True):
            found: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
            data = samples.new()
            for at in range(0, len(data), ProfileSample.size):
                world, instructions, ns = _HEAD.unpack_from(data, at)
                total = found[key_of(world, data, at + _WALKS)]
                total[0] += ns
                total[1] += instructions
            self._unnamed.append((timeline, found))
            self._unnamed_keys += len(found)
        if self._unnamed_keys > MOST_UNNAMED:
            self._name()

    def _name(self) -> None:
        """Name the stacks that were collected."""
        for timeline, found in self._unnamed:
            total: dict[Stack, tuple[int, int]] = {}
            for key, (ns, instructions) in found.items():
                stack = self._stacks.stack(key)
                before = total.get(stack, (0, 0))
                total[stack] = before[0] + ns, before[1] + instructions
            timeline.add(total)
        self._unnamed.clear()
        self._unnamed_keys = 0

    def collapsed(self) -> Iterator[str]:
        """A line for each stack of each hart: its frames, and its instructions."""
        for number, timeline in enumerate(self._timelines):
            total: Counter[Stack] = Counter()
            for stack, (_, instructions) in timeline:
                total[stack] += instructions
            for stack, instructions in sorted(total.items()):
                frames = (one.replace(";", ":") for one in (f"hart {number}", *stack))
                yield f"{';'.join(frames)} {instructions}\n"

    def as_json(self) -> dict[str, object]:
        """The profile as values for json.dumps."""
        frames: dict[str, int] = {}
        profiles = [
            _profile(f"hart {number}, {what}", unit, timeline, weight, frames)
            for number, timeline in enumerate(self._timelines)
            for weight, (what, unit) in enumerate(
                (("time", "nanoseconds"), ("instructions", "none"))
            )
        ]
        return {
            "$schema": SCHEMA,
            "shared": {"frames": [{"name": name} for name in frames]},
            "profiles": profiles,
            "name": "rvplat",
            "activeProfileIndex": 0,
            "exporter": f"rvplat@{version('rvplat')}",
        }


def _profile(
    name: str, unit: str, timeline: Timeline, weight: int, frames: dict[str, int]
) -> dict[str, object]:
    """A profile of the file. `frames` are the numbers of the frames so far."""
    samples, weights = [], []
    for stack, found in timeline:
        samples.append([frames.setdefault(frame, len(frames)) for frame in stack])
        weights.append(found[weight])
    return {
        "type": "sampled", "name": name, "unit": unit,
        "startValue": 0, "endValue": sum(weights), "samples": samples, "weights": weights,
    }  # fmt: skip


@contextlib.contextmanager
def profiling(machine: System, path: Path) -> Iterator[None]:
    """Profile what the machine runs in a `with` block, at whose end the file is written. The
    machine must not run at its begin and end.

    Raises:
        HostError: the file can't be written.
        LoaderError: a file with symbols can no longer be read.
    """
    with open_output(path) as file:
        profiler = Profiler(machine)
        try:
            yield
        finally:
            profiler.close()
            _write(file, path, profiler)


def _write(file: IO[str], path: Path, profiler: Profiler) -> None:
    """Write the profile and close the file. Errors of what was profiled are not errors of this."""
    try:
        with file:
            if path.suffix in COLLAPSED:
                file.writelines(profiler.collapsed())
                return
            json.dump(profiler.as_json(), file)
            file.write("\n")
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}") from None
