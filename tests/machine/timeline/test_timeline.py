"""Timelines of harts, read back with the protobuf classes of Perfetto."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.cli.main import main
from rvplat.errors import HostError
from rvplat.hart.debugging.timeline_events import RING
from rvplat.machine.inspection.run_statistics import HartStatistics
from rvplat.machine.timeline import events
from rvplat.machine.timeline.events import HartEvents, Lost
from tests.machine.small_guests import POWER_OFF, guest
from tests.machine.timeline.spans_of import Timeline


def check(found: Timeline, number: int, hart: HartStatistics) -> None:
    """The spans of a hart add up to its statistics."""
    worlds = found.instructions(number)
    guests: Counter[int] = Counter()
    for name, count in worlds.items():
        if name.startswith("V"):
            guests[int(name.split()[-1])] += count
    assert worlds.total() == hart.instructions
    assert dict(guests) == hart.worlds.guests
    assert guests.total() == hart.worlds.instructions["guests"]
    traps = found.of(f"hart {number} traps", "exception")
    traps += found.of(f"hart {number} traps", "interrupt")
    assert Counter(one.name for one in traps) == hart.traps
    exits = found.of(f"hart {number} traps", "exit")
    assert Counter(one.name for one in exits) == hart.worlds.exits
    assert len(found.of(f"hart {number} guests", "guest")) == hart.worlds.entries
    asleep = sum(one.took or 0 for one in found.of(f"hart {number} worlds", "sleep"))
    assert asleep == round(hart.asleep_s * 1e9)
    taken = [one for one in found.spans if "taken in" in one.arguments
             and one.track.startswith(f"hart {number} ")]  # fmt: skip
    names = Counter("interrupt " + one.track.removeprefix(f"hart {number} ") for one in taken)
    assert names == {name: n for name, n in hart.traps.items() if name.startswith("interrupt")}


@pytest.mark.parametrize(("harts", "clock"), [(1, "host"), (2, "host"), (2, "virtual")])
def test_spans_add_up_to_the_statistics(tmp_path: Path, harts: int, clock: str) -> None:
    file = tmp_path / "t"
    settings = {"clock": clock}
    with Machine.open(program="hypervisor", harts=harts, settings=settings) as machine:
        assert machine.run(timeout_s=120, timeline=file).reason == "off"
        statistics = machine.statistics()
        found = Timeline(file)
        for number, hart in enumerate(statistics.harts):
            check(found, number, hart)
    assert {"HS", "VS of VMID 1", "VS of VMID 2"} <= set(found.instructions(0))
    writes = [one for one in found.of("hart 0 devices", "mmio") if one.name == "write uart0"]
    assert len(writes) > 1000 and writes[0].arguments == {"address": 0x1000_0000, "bytes": 1}
    spans = {one for one, parent in found.parents.items() if parent == 0}
    assert [found.tracks[one] for one in spans] == ["rvplat"]


LINES = (
    """
  la t0, handler
  csrw mtvec, t0
  li s1, 0x2000000
  li t0, 1
  csrw mie, 8
  sw t0, 0(s1)
  csrsi mstatus, 8
  nop
"""
    + POWER_OFF
    + """
  .balign 4
handler:
  sw zero, 0(s1)
  mret
"""
)


def test_an_interrupt_waits_from_its_line_to_its_handler(tmp_path: Path) -> None:
    file = tmp_path / "t"
    assert main(["run", str(guest(LINES)), "--timeline", str(file)]) == 0
    found = Timeline(file)
    (wait,) = found.of("hart 0 MSI", "pending")
    (trap,) = found.of("hart 0 traps", "interrupt")
    line, low, *_ = found.of("hart 0 devices", "mmio")
    assert (line.name, low.name) == ("write clint", "write clint")
    assert line.began <= wait.began < line.began + (line.took or 0) < trap.began
    assert wait.began + (wait.took or 0) == trap.began
    assert wait.arguments == {"taken in": "M"}
    assert low.began + (low.took or 0) < trap.began + (trap.took or 0)


NO_RETURN = (
    """
  la t0, 1f
  csrw mtvec, t0
  ecall
  .balign 4
1:
  la t0, 2f
  csrw mtvec, t0
  csrw mepc, zero
  li t0, 0x1800
  csrc mstatus, t0
  mret
  .balign 4
2:
"""
    + POWER_OFF
)


def test_a_trap_from_which_nobody_returns_ends_when_its_mode_is_left(tmp_path: Path) -> None:
    """As Linux' trap that turns on its page tables; it held all later traps inside."""
    file = tmp_path / "t"
    assert main(["run", str(guest(NO_RETURN)), "--timeline", str(file)]) == 0
    first, second = Timeline(file).of("hart 0 traps", "exception")
    assert (first.name, second.name) == ("ecall from m", "fetch access")
    assert first.depth == second.depth == 0
    assert first.began + (first.took or 0) <= second.began


def test_lost_events_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The instructions of worlds and of what is lost add up, too."""
    monkeypatch.setattr(events, "MOST_EVENTS", 300)
    with Machine.open(program="hypervisor") as machine:
        machine.run(timeout_s=120, timeline=tmp_path / "t")
        retired = machine.harts[0].instret
    found = Timeline(tmp_path / "t")
    (lost,) = found.of("hart 0 worlds", "lost")
    count = int(lost.name.removesuffix(" events lost"))
    assert count > 5000
    (said,) = [one for one in caplog.messages if "lost" in one]
    assert f": {count} events were lost, as its spans say: " in said
    assert found.instructions(0).total() + lost.arguments["instructions"] == retired
    assert len(found.spans) < 600


def test_what_is_lost_in_the_ring_is_counted() -> None:
    with Machine.open(program=guest(LINES)) as machine:
        hart = machine.harts[0]
        noted = HartEvents(hart)
        hart.plain.timeline_count = 3 * RING
        noted.close()
        first, *rest = noted
        assert first == Lost(2 * RING + 1) and len(rest) == RING - 1
        assert noted.lost == 2 * RING + 1
        assert hart.plain.timeline_ring == 0


def test_a_second_timeline_begins_anew(tmp_path: Path) -> None:
    with Machine.open(program="hypervisor", settings={"clock": "virtual"}) as machine:
        before = 0
        for name in ("one", "two"):
            machine.run(max_instructions=10_000_000, timeline=tmp_path / name)
            retired, before = machine.harts[0].instret - before, machine.harts[0].instret
            assert Timeline(tmp_path / name).instructions(0).total() == retired


def test_a_timeline_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "no" / "t"
    assert main(["run", str(guest(LINES)), "--timeline", str(file)]) == 2
    assert capsys.readouterr().err.endswith(f"rvplat: {file}: No such file or directory\n")
    with (
        Machine.open(program=guest(LINES)) as machine,
        pytest.raises(HostError, match="^/dev/full: No space left on device$"),
    ):
        machine.run(timeline="/dev/full")
