"""Parsing, comparing and showing benchmark results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rvplat.cli.bench import IN_VS, ITS_OWN, Here
from rvplat.cli.progress import progress
from rvplat.guests import VECTOR_PROGRAMS, BenchProgram, bench_programs
from rvplat.guests import bench as logic
from rvplat.guests.bench import (
    Measurement,
    compare,
    parse,
    parse_all,
    qemu_version,
    run_on_qemu,
)
from rvplat.guests.build import compiler_version
from rvplat.guests.errors import GuestError
from rvplat.guests.native import Native
from rvplat.machine.machine import Machine

SIEVE = BenchProgram("sieve", Path("sieve.elf"), "a sieve")
SORT = BenchProgram("sort", Path("sort.elf"), "a sort")


def _side(order: list[str], who: str, ticks: dict[str, list[int]]) -> logic.Runner:
    def run(program: BenchProgram) -> str:
        order.append(f"{who} {program.name}")
        count = ticks[program.name].pop(0)
        return f"bench {program.name} checksum ab1 ticks {count} instret 3000000\n"

    return run


def test_line_is_found_among_other_output() -> None:
    text = "boot\r\nbench sieve checksum 1f ticks 25000000 instret 7\r\nmore"
    assert parse(SIEVE, text) == Measurement("1f", 2.5, 7)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "nothing"),
        ("oops\n", "oops"),
        ("bench sort checksum 1 ticks 2 instret 3", "bench sort"),
    ],
)
def test_missing_line_is_an_error(text: str, shown: str) -> None:
    with pytest.raises(GuestError, match=f"sieve printed no result, but: {shown}"):
        parse(SIEVE, text)


def test_sides_run_in_turn_and_medians_are_compared() -> None:
    order: list[str] = []
    here = _side(order, "here", {"sieve": [10_000_000, 90_000_000, 20_000_000]})
    there = _side(order, "there", {"sieve": [10_000_000, 10_000_000, 1]})
    report = compare([SIEVE], here, there, repeats=3)
    assert order == ["here sieve", "there sieve"] * 3
    (row,) = report.rows
    assert (row.seconds, row.there_seconds, row.instructions) == (2.0, 1.0, 3_000_000)
    assert row.ratio == 0.5
    assert (row.million_per_second, row.there_million_per_second) == (1.5, 3.0)


def test_geometric_mean_table_and_json() -> None:
    order: list[str] = []
    here = _side(order, "", {"sieve": [10_000_000], "sort": [10_000_000]})
    there = _side(order, "", {"sieve": [40_000_000], "sort": [10_000_000]})
    report = compare([SIEVE, SORT], here, there, repeats=1)
    assert report.geometric_mean == pytest.approx(2.0)
    lines = report.table().splitlines()
    assert lines[2].split() == ["sieve", "1.000", "4.000", "3", "1", "4.00", "a", "sieve"]
    assert lines[4].split() == ["geometric", "mean", "2.00"]
    values = json.loads(json.dumps(report.as_json()))
    assert values["programs"][0]["ratio"] == 4.0
    assert values["geometric_mean"] == pytest.approx(2.0)


def test_without_qemu_there_is_no_ratio() -> None:
    report = compare([SIEVE], _side([], "", {"sieve": [10_000_000]}), None, repeats=1)
    assert report.geometric_mean is None
    assert report.rows[0].ratio is None
    lines = report.table().splitlines()
    assert lines[0].split() == ["program", "seconds", "million/s"]
    assert lines[1].split() == ["sieve", "1.000", "3", "a", "sieve"]
    assert lines[-1] == "median of 1; rvplat alone, without QEMU"


def test_the_table_says_why_there_is_no_other_side() -> None:
    """Either QEMU is not wanted, or it is not installed."""
    here = _side([], "", {"sieve": [10_000_000]})
    report = compare([SIEVE], here, None, repeats=1, sides=logic.beside_qemu(True))
    last = report.table().splitlines()[-1]
    assert last == "median of 1; no qemu-system-riscv64 on this machine"


def test_different_checksums_are_an_error() -> None:
    outputs = iter(
        ["bench sieve checksum 1 ticks 1 instret 1", "bench sieve checksum 2 ticks 1 instret 1"]
    )
    with pytest.raises(GuestError) as caught:
        compare([SIEVE], lambda path: next(outputs), None, repeats=2)
    assert str(caught.value) == "sieve: the runs disagree: checksums ['1', '2']"


@pytest.mark.parametrize("name", ["beside", "mandelbrot", "pages", "selfmod", "syscall"])
def test_program_runs_as_a_guest(name: str) -> None:
    program = next(program for program in bench_programs() if program.name == name)
    with Machine.open("virt", program=program.path) as machine:
        machine.harts[0].x["tp"] = IN_VS
        assert machine.run(timeout_s=60).reason == "off"
        assert parse(program, machine.console.output.decode()).seconds > 0
        worlds = machine.statistics().harts[0].worlds
    assert worlds.instructions["guests"] > worlds.instructions["host"]
    assert worlds.walks["second stage"] > 1


@pytest.mark.skipif(qemu_version() is None, reason="no QEMU on this machine")
@pytest.mark.parametrize("program", bench_programs(), ids=lambda p: p.name)
def test_program_runs_on_qemu(program: BenchProgram) -> None:
    output = run_on_qemu(program)
    if output is None:  # QEMU 7 and 8 have no Zvknha
        assert program.name == "vsha256"
    else:
        assert parse(program, output).seconds > 0


@pytest.mark.parametrize("world", ["its own", "VS"])
@pytest.mark.parametrize("name", VECTOR_PROGRAMS)
def test_vector_program_runs(name: str, world: str) -> None:
    program = next(program for program in bench_programs() if program.name == name)
    with progress() as watched:
        output = Here(watched, IN_VS if world == "VS" else ITS_OWN)(program)
    assert parse(program, output).seconds > 0


def test_a_side_that_lacks_an_extension_gives_no_ratio() -> None:
    here = _side([], "", {"sieve": [10_000_000], "sort": [10_000_000]})
    there = _side([], "", {"sort": [40_000_000]})
    report = compare(
        [SIEVE, SORT], here, lambda one: None if one is SIEVE else there(one), repeats=1
    )
    assert [row.ratio for row in report.rows] == [None, 4.0]
    assert report.geometric_mean == pytest.approx(4.0)


@pytest.mark.skipif(qemu_version() is None, reason="no QEMU on this machine")
def test_program_that_qemu_refuses_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match=r"absent\.elf: qemu-system-riscv64 ended with status 1"):
        run_on_qemu(BenchProgram("absent", tmp_path / "absent.elf", ""))


def test_native_ratio_in_table_and_json() -> None:
    here = _side([], "", {"sieve": [40_000_000], "sort": [10_000_000]})
    there = _side([], "", {"sieve": [20_000_000], "sort": [10_000_000]})
    sides = logic.beside_qemu(True, "native: a compiler")
    sieve = BenchProgram("sieve", Path("sieve.elf"), "a sieve", native=True)

    def native(program: BenchProgram) -> str:
        return f"bench {program.name} checksum ab1 ticks 10000000 instret 0\n"

    report = compare([sieve, SORT], here, there, 1, sides=sides, native=native)
    lines = [" ".join(line.split()) for line in report.table().splitlines()]
    assert lines[1] == "program rvplat qemu native rvplat qemu ratio to native"
    assert lines[2] == "sieve 4.000 2.000 1.000 1 2 0.50 0.25 a sieve"
    assert lines[3] == "sort 1.000 1.000 - 3 3 1.00 - a sort"
    assert lines[4] == "geometric mean 0.71 0.25"
    assert lines[5].endswith("; native: a compiler")
    values = json.loads(json.dumps(report.as_json()))
    assert values["programs"][0]["native_ratio"] == 0.25
    assert values["programs"][1]["native_seconds"] is None
    assert (values["native"], values["native_geometric_mean"]) == ("native: a compiler", 0.25)


def test_a_further_run_is_compared_with_native_too() -> None:
    lines = [f"bench sieve checksum ab1 ticks {ticks} instret 3000000\n" for ticks in (4, 2)]
    outputs = iter(["".join(lines)])
    sieve = BenchProgram("sieve", Path("sieve.elf"), "a sieve", native=True)
    sides = logic.beside_qemu(False, "native: a compiler")
    native = "bench sieve checksum ab1 ticks 1 instret 0\n"
    report = compare(
        [sieve], lambda _: next(outputs), None, 1, sides=sides, native=lambda _: native
    )
    (row,) = report.rows
    assert (row.native_ratio, row.native_ratio_again) == (0.25, 0.5)
    head, line = (" ".join(line.split()) for line in report.table().splitlines()[1:3])
    assert head == "program rvplat again native rvplat to native again"
    assert line.endswith("0.25 0.50 a sieve")
    assert report.as_json()["native_geometric_mean_again"] == pytest.approx(0.5)


def test_a_run_after_a_reset_computes_the_same() -> None:
    program = next(program for program in bench_programs() if program.name == "crc32")
    with progress() as watched:
        output = Here(watched, ITS_OWN, again=True)(program)
    first, again = parse_all(program, output)
    assert first.checksum == again.checksum


def test_a_native_program_that_computes_something_else_is_an_error() -> None:
    sieve = BenchProgram("sieve", Path("sieve.elf"), "a sieve", native=True)
    here = _side([], "", {"sieve": [1]})
    with pytest.raises(GuestError, match="the runs disagree"):
        compare([sieve], here, None, 1, native=lambda _: "bench sieve checksum 2 ticks 1 instret 0")


@pytest.mark.skipif(compiler_version() is None, reason="needs ziglang")
@pytest.mark.parametrize(
    "program", [one for one in bench_programs() if one.native], ids=lambda p: p.name
)
def test_program_runs_on_the_host(program: BenchProgram, tmp_path: Path) -> None:
    """The guest's checksum is in its source, and the process's status says whether it is right."""
    native = Native([program], tmp_path)
    assert parse(program, native(program)).seconds > 0


def test_without_a_compiler_native_programs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rvplat.guests.native.compiler_version", lambda: None)
    with pytest.raises(GuestError) as caught:
        Native(bench_programs(), tmp_path)
    assert str(caught.value) == (
        "native programs are built by the package ziglang, which is not installed here: "
        "pip install ziglang"
    )
