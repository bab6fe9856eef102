"""Regions: hot guest code as native code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.engine.regions.graph import Decoder, discover
from rvplat.engine.regions.messages import Answer
from rvplat.engine.regions.store import Store
from rvplat.engine.regions.tables import Tables
from rvplat.guests import bench_programs
from rvplat.machine.inspection.region_statistics import CROSSING, SIZE, left_instructions
from rvplat.machine.running.region_manager import RegionManager
from rvplat.machine.running.region_pages import HotPage

SIEVE = next(one for one in bench_programs() if one.name == "sieve")


def sieve(regions: str, **settings: object) -> Machine:
    return Machine.open("virt", program=SIEVE.path, settings={"harts.regions": regions, **settings})


def ended(machine: Machine) -> tuple[bytes, int]:
    """Run to the end; the output without its times, and the retired instructions."""
    output = bytearray()
    machine.console.sinks.append(output.extend)
    machine.run(timeout_s=120)
    return bytes(output).split(b" ticks ")[0], machine.harts[0].instret


@pytest.mark.slow
@pytest.mark.parametrize("regions", ["hot", "all"])
def test_a_program_runs_as_in_the_interpreter(regions: str) -> None:
    with sieve("off", clock="virtual") as machine:
        expected = ended(machine)
        assert machine.regions.counts.compiled == 0
    with sieve(regions, clock="virtual") as machine:
        assert ended(machine) == expected
        counts = machine.regions.counts
        assert counts.compiled + counts.kept > 0


def test_a_breakpoint_in_a_region_is_met() -> None:
    with sieve("all") as machine:
        machine.run(max_instructions=50_000_000)
        assert machine.regions.counts.compiled > 0
        where = machine.harts[0].pc
        machine.breakpoints.add(where)
        assert machine.run(timeout_s=60).reason == "break"
        assert machine.harts[0].pc == where


def test_statistics_say_what_ran_in_regions() -> None:
    with sieve("all") as machine:
        machine.run(max_instructions=50_000_000)
        found = machine.statistics()
        hart, regions = found.harts[0], found.regions
        assert (regions.mode, regions.share > 0.9) == ("all", True)
        assert (regions.region_samples, regions.other_samples) == (
            hart.region_samples, hart.other_samples,
        )  # fmt: skip
        assert regions.compiled > 0 < regions.seconds
        assert regions.instructions > 10
        assert regions.pages == {"compiled": len(machine.regions.hot_pages())}
        assert regions.left["csrrs"] >= 2  # of instret and time
        assert "csrrs" in found.table()
        assert f"regions: {regions.share:.1%} of " in found.table()
        values = found.as_json()
        assert isinstance(values["regions"], dict)
        assert values["regions"]["share"] == regions.share


def test_a_larger_region_keeps_what_the_smaller_one_has() -> None:
    """The harts' slots of a region's heads are decoded again, when they next run."""
    with sieve("all") as machine:
        machine.run(max_instructions=50_000_000)
        pages = [page for page in machine.regions.hot_pages() if page.fate == "compiled"]
        assert pages and isinstance(machine.regions, RegionManager)
        for page in pages:
            ran = machine.regions._ran(page.pa)
            assert all(ran[offset >> 1] for offset in page.inside)


def test_a_dump_has_all_stages_of_a_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "new" / "dump"
    monkeypatch.setenv("RVPLAT_DUMP", str(folder))
    with sieve("all") as machine:
        machine.run(max_instructions=1_000_000)
        assert machine.regions.counts.failed == 0
        assert isinstance(machine.regions, RegionManager)
        last = machine.regions._number
    kinds = {path.name.partition(".")[2] for path in folder.glob("region-*")}
    assert kinds == {"guest.s", "ll", "opt.ll", "s"}
    (shown,) = folder.glob(f"region-*-{last}-*.guest.s")
    lines = shown.read_text().splitlines()
    assert lines[0].startswith("# page 0x80000")
    assert any(line.startswith("> 0x80000") for line in lines)
    assert any(line.startswith("- 0x80000") and "csrrs" in line for line in lines)


def test_statistics_say_that_regions_are_off() -> None:
    with sieve("off") as machine:
        machine.run(max_instructions=1000)
        assert machine.statistics().table().endswith("regions: off (harts.regions)\n")


def test_instructions_that_regions_leave_are_counted_by_name() -> None:
    """Instructions that the region had no room for are not the reason why it ends."""
    page = bytearray(4096)
    for offset, bits in {0: 0x73, 4: 0x73, 8: 0x10500073, 12: 0x13, 16: 0x13, 4094: 0x03}.items():
        page[offset : offset + 4] = bits.to_bytes(4, "little")[: 4096 - offset]
    left = frozenset((0, 4, 8, 16, 4094))
    pages = [HotPage(0x8000_0000, "compiled", bytes(page), (12,), left, (16,))]
    with sieve("off") as machine:
        found = left_instructions(pages, machine.extensions)
    assert found == {"ecall": 2, "wfi": 1, CROSSING: 1, SIZE: 1}


def test_a_region_has_no_room_for_more() -> None:
    page = b"".join(bits.to_bytes(4, "little") for bits in [0x13] * 6 + [0x73] + [0x13] * 1017)
    with sieve("hot") as machine:
        assert isinstance(machine.regions, RegionManager)
        tables = Tables.from_bytes(machine.regions._tables)
    decoder, ran = Decoder(tables.rows), bytes([1]) * 16 + bytes(2032)
    small, whole = (
        discover(page, ran, [0], decoder, tables.templates, most) for most in (4, 400)
    )  # fmt: skip
    assert (sorted(small.instructions), small.beyond) == ([0, 4, 8, 12], {16, 20, 28})
    assert small.left == {16, 20, 24, 28}
    assert (whole.beyond, whole.left) == (set(), {24})


def test_kept_regions_say_what_they_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RVPLAT_CACHE", str(tmp_path))
    page = bytes(range(256)) * 16
    answer = Answer(7, b"code", heads=(64,), inside=(64, 68), left=(72,), beyond=(72,))
    answer = replace(answer, lines=2, seconds=0.5)
    store = Store("regions of a test")
    store.add(answer, page)
    assert store.save() is None
    found = Store("regions of a test").find(64, page)
    assert found == replace(answer, number=0)
