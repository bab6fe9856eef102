"""Statistics of a run: instructions, seconds by activity, traps by cause, regions."""

from __future__ import annotations

from dataclasses import asdict

from rvplat.frozen import frozen
from rvplat.machine.inspection.region_statistics import RegionStatistics, region_statistics
from rvplat.machine.inspection.trap_names import trap_name
from rvplat.machine.inspection.world_statistics import WorldStatistics, world_statistics
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.system import System
from rvplat.tables import html_table, table

NS = 1e9


@frozen
class HartStatistics:
    """One hart: retired instructions, and seconds in native code, in devices and asleep. The
    samples are budgets that ended in regions, and elsewhere."""

    instructions: int
    native_s: float
    devices_s: float
    asleep_s: float
    traps: dict[str, int]
    worlds: WorldStatistics
    region_samples: int = 0
    other_samples: int = 0

    @property
    def million_per_second(self) -> float:
        """Million instructions per second of native code."""
        return _rate(self.instructions, self.native_s)


@frozen
class Statistics:
    """`seconds` is the time in which harts ran, `starting_s` the time before that."""

    instructions: int
    seconds: float
    starting_s: float
    harts: tuple[HartStatistics, ...]
    regions: RegionStatistics

    @property
    def million_per_second(self) -> float:
        """Million instructions of all harts per second."""
        return _rate(self.instructions, self.seconds)

    def as_json(self) -> dict[str, object]:
        """The statistics as values for json.dumps."""
        harts = [
            {**asdict(one), "million_per_second": one.million_per_second} for one in self.harts
        ]
        return {
            "instructions": self.instructions,
            "seconds": self.seconds,
            "starting_s": self.starting_s,
            "million_per_second": self.million_per_second,
            "harts": harts,
            "regions": {**asdict(self.regions), "share": self.regions.share},
        }

    def table(self) -> str:
        """Text: a line for each hart, followed by its traps, and what regions did."""
        lines = [
            f"{self.instructions} instructions in {self.seconds:.3f} s: "
            f"{self.million_per_second:.1f} million a second; {self.starting_s:.3f} s to start",
        ]
        head = ("hart", "instructions", "million/s", "native s", "devices s", "asleep s")
        rows = [
            (
                str(number), str(one.instructions), f"{one.million_per_second:.1f}",
                f"{one.native_s:.3f}", f"{one.devices_s:.3f}", f"{one.asleep_s:.3f}",
            )
            for number, one in enumerate(self.harts)
        ]  # fmt: skip
        lines += table(head, rows, "<>>>>>").splitlines()
        for number, one in enumerate(self.harts):
            named = ", ".join(f"{name} {count}" for name, count in one.traps.items())
            lines.append(f"traps of hart {number}: {named or 'none'}")
            if one.worlds.entries:
                lines.append(f"guests of hart {number}: {one.worlds}")
        lines += self.regions.lines()
        return "\n".join(lines) + "\n"

    def _repr_html_(self) -> str:
        """For notebooks: a row for each hart."""
        name = f"{self.instructions} instructions in {self.seconds:.3f} s"
        head = ("hart", "instructions", "million/s", "native s", "devices s", "asleep s", "traps")
        rows = [
            (
                number, one.instructions, f"{one.million_per_second:.1f}", f"{one.native_s:.3f}",
                f"{one.devices_s:.3f}", f"{one.asleep_s:.3f}",
                ", ".join(f"{trap} {count}" for trap, count in one.traps.items()),
            )
            for number, one in enumerate(self.harts)
        ]  # fmt: skip
        return html_table(name, head, rows)


def _rate(instructions: int, seconds: float) -> float:
    return instructions / seconds / 1e6 if seconds > 0 else 0.0


def statistics(machine: System) -> Statistics:
    """The statistics of a stopped machine since it was built."""
    harts = tuple(_hart(hart) for hart in machine.harts)
    return Statistics(
        sum(one.instructions for one in harts), machine.ran_s, machine.started_s, harts,
        region_statistics(machine),
    )  # fmt: skip


def _hart(hart: Hart) -> HartStatistics:
    taken = hart.field("traps_taken")
    traps = {trap_name(index): int(count) for index, count in enumerate(taken) if count}
    native_ns = hart.ran_ns - hart.device_ns
    return HartStatistics(
        hart.retired_before + hart.retired, native_ns / NS, hart.device_ns / NS,
        hart.asleep_ns / NS, traps, world_statistics(hart),
        int(hart.plain.region_samples), int(hart.plain.other_samples),
    )  # fmt: skip
