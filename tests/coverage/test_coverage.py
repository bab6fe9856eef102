"""Coverage holds what a trace shows, by world, with and without regions; its files can be read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pycobertura import Cobertura

from rvplat import Machine
from rvplat.cli.main import main
from rvplat.coverage.files import Writer
from rvplat.coverage.lines import Lines, lines_of
from rvplat.coverage.ran import Coverage
from rvplat.errors import CoverageError
from rvplat.guests import hypervisor_elf
from rvplat.machine.inspection.trace import tracing
from rvplat.machine.running.run import Runner
from tests.machine.regions.forced import compile_quickly, machine_of
from tests.machine.small_guests import LOOP, POWER_OFF, guest

FOLDER = hypervisor_elf().parent.parent
PROGRAMS = {"demo": 3000, "hypervisor": 4000, "bench/sort": 3000, "bench/bytecode": 3000,
            "bench/sha256": 3000}  # fmt: skip


@pytest.fixture(scope="module")
def hypervisor() -> Coverage:
    """What the shipped hypervisor and its two guests execute."""
    with Machine.open("virt", program="hypervisor") as machine:
        covering = machine.cover()
        assert machine.run(timeout_s=60).reason == "off"
        return covering.coverage()


def traced(program: Path, count: int, file: Path) -> set[int]:
    machine = Machine.open("virt", program, settings={"clock": "virtual"})
    with machine, tracing(machine, file) as tracer:
        runner = Runner(machine, 60, count, False, turns=tracer)
        runner.start()
        runner.wait()
    lines = file.read_text().splitlines()
    return {int(line.split()[3], 16) for line in lines if line.startswith("core")}


def covered(program: Path, count: int, regions: str) -> set[int]:
    settings = {"clock": "virtual", "harts.regions": regions}
    with Machine.open("virt", program, settings=settings) as machine:
        covering = machine.cover()
        if regions == "all":
            compile_quickly(machine)
        machine.run(timeout_s=60, max_instructions=count)
        assert (machine.regions.counts.compiled > 0) == (regions == "all")
        return covering.coverage().addresses("host")


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_has_the_instructions_of_a_trace(name: str, tmp_path: Path) -> None:
    program = FOLDER / (f"{name}.elf" if "/" in name else f"{name}/{name}.elf")
    count = PROGRAMS[name]
    expected = traced(program, count, tmp_path / "trace")
    assert covered(program, count, "off") == expected
    assert covered(program, count, "all") == expected


def executed(lines: Lines, world: str, name: str) -> dict[str, bool]:
    """The functions of a file in a world."""
    files = lines.worlds[world].files
    (file,) = (file for path, file in files.items() if path.endswith(name))
    return {function: ran for (function, _), ran in file.functions.items()}


def test_worlds_are_apart(hypervisor: Coverage) -> None:
    lines = lines_of(hypervisor)
    assert hypervisor.worlds() == ["host", "vmid_1", "vmid_2"]
    assert executed(lines, "host", "hypervisor/main.c")["main"]
    assert executed(lines, "vmid_1", "fibonacci.c") == {
        "guest_fibonacci": True, "guest_main": True, "guest_trap": True
    }  # fmt: skip
    assert not any("sort.c" in path for path in lines.worlds["vmid_1"].files)
    assert any("sort.c" in path for path in lines.worlds["vmid_2"].files)
    assert lines.problems == []


def test_files(hypervisor: Coverage, tmp_path: Path) -> None:
    writer = Writer(hypervisor)
    for name in ("a.json", "a.info", "a.xml", "pages"):
        writer.write(tmp_path / name)
    assert Coverage.read(tmp_path / "a.json").ran == hypervisor.ran
    for name, world in writer.lines.worlds.items():
        _check_lcov(tmp_path / "a.info", name, world.files)
    read = Cobertura(str(tmp_path / "a.xml"))
    every = {path: set(file.lines) for path, file in writer.lines.files().items()}
    assert {path: {n for n, _ in read.line_statuses(path)} for path in read.files()}.keys() == (
        every.keys()
    )
    page = (tmp_path / "pages" / "index.html").read_text()
    assert "main.c" in page and (tmp_path / "pages" / "vmid_2" / "index.html").exists()
    if genhtml := shutil.which("genhtml"):  # Debian's lcov reads it too
        subprocess.run(
            [genhtml, "a.info", "-o", "lcov", "--ignore-errors", "source"],
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip


def _check_lcov(path: Path, world: str, files: dict[str, Any]) -> None:
    found: dict[str, dict[int, int]] = {}
    for record in path.read_text().split("end_of_record\n"):
        rows = [line.partition(":")[::2] for line in record.splitlines()]
        if ("TN", world) in rows:
            numbers = [list(map(int, value.split(","))) for key, value in rows if key == "DA"]
            found[dict(rows)["SF"]] = {row[0]: row[1] for row in numbers}
    assert found == {name: {n: int(ran) for n, ran in file.lines.items()}
                     for name, file in files.items()}  # fmt: skip


def test_command_line_merges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two, both = (str(tmp_path / name) for name in ("1.json", "2.json", "both.json"))
    sort, demo = (str(FOLDER / name) for name in ("bench/sort.elf", "demo/demo.elf"))
    assert main(["run", sort, "--max-instructions", "100", "--coverage", one]) == 124
    assert main(["run", demo, "--max-instructions", "100", "--coverage", two]) == 124
    assert main(["coverage", one, two, "--output", both]) == 0
    parts = [Coverage.read(Path(path)) for path in (one, two)]
    merged = Coverage.read(Path(both))
    assert merged.addresses("host") == parts[0].addresses("host") | parts[1].addresses("host")
    assert len(merged.ran) == 2
    assert main(["coverage", both]) == 0
    assert "host: " in capsys.readouterr().out


def test_torn_debug_information_is_told_and_loses_nothing(tmp_path: Path) -> None:
    torn = tmp_path / "torn.elf"
    data = bytearray(hypervisor_elf().read_bytes())
    at = data.index(b"\0.debug_line\0")
    data[at:] = data[at:].replace(b".debug_line\0", b".debug_lost\0")
    torn.write_bytes(data)
    with Machine.open("virt", program=torn) as machine:
        covering = machine.cover()
        machine.run(timeout_s=60)
    found = covering.coverage()
    Writer(found).write(tmp_path / "a.json")
    lines = lines_of(Coverage.read(tmp_path / "a.json"))
    assert len(lines.problems) == 1 and str(torn) in lines.problems[0]
    assert lines.worlds["host"].symbols[str(torn)]["main"]


def row(
    page: str = "0x1000", bits: str = "1", world: str = "host", path: object = "a",
    moved: object = 0,
) -> str:  # fmt: skip
    """The text of a file, with something wrong in it."""
    program = {"path": path, "moved": moved, "digest": ""}
    held = {"world": world, "programs": [program], "pages": {page: bits}}
    return json.dumps({"rvplat coverage": 1, "ran": [held]})


@pytest.mark.parametrize(("name", "text", "problem"), [
    ("a.json", "{", "not a file of --coverage FILE.json, or cut off"),
    ("a.json", "[1]", "expected a file of --coverage FILE.json, this is other JSON"),
    ("a.json", '{"rvplat coverage": 7}', "this is version 7"),
    ("a.json", "[" * 100_000, "not a file of --coverage FILE.json, or cut off"),
    ("a.json", '{"rvplat coverage": 1, "ran": [{}]}', "the coverage in it is damaged"),
    ("a.json", row(page="0x1001"), "no page: 0x1001"),
    ("a.json", row(bits="-1"), "no page: 0x1000"),
    ("a.json", row(bits="1" + "0" * 512), "no page: 0x1000"),
    ("a.json", row(world="../out"), "there is no world '../out'"),
    ("a.json", row(path=5), "the coverage in it is damaged"),
    ("a.json", row(path="a\0b"), "no program: 'a\\x00b'"),
    ("a.json", row(moved="0"), "no program: 'a', moved by '0'"),
])  # fmt: skip
def test_wrong_files(name: str, text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CoverageError) as caught:
        Coverage.read(tmp_path / name)
    assert problem in str(caught.value)


def test_a_target_is_checked_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "demo", "--coverage", str(tmp_path / "a.csv")]) == 2
    assert "what .csv is for is unknown" in capsys.readouterr().err
    assert main(["run", "demo", "--coverage", str(tmp_path / "none" / "a.info")]) == 2
    capsys.readouterr()
    assert main(["run", "demo", "--coverage", "/dev/null"]) == 2
    assert capsys.readouterr().err == ("rvplat: /dev/null: this is a file; HTML needs a folder\n")


def test_a_file_is_in_utf_8_in_any_locale(tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    text = (
        "from rvplat.coverage.files import Writer; from rvplat.coverage.lines import *;"
        "from rvplat.coverage.ran import Coverage; from pathlib import Path; import sys;"
        "w = Writer(Coverage()); w.lines.worlds['host'] = WorldLines({'gr\\u00f6\\u00dfe.c': "
        "SourceFile({1: True})}); w.write(Path(sys.argv[1]))"
    )
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    environment = {**os.environ, **plain}
    subprocess.run([sys.executable, "-c", text, file], env=environment, check=True)
    assert 'filename="größe.c"' in file.read_text("utf-8")


def test_a_file_for_two_options_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sub").mkdir()
    file, same = tmp_path / "a.json", tmp_path / "sub" / ".." / "a.json"
    assert main(["run", "demo", "--profile", str(file), "--coverage", str(same)]) == 2
    assert capsys.readouterr().err == (
        f"rvplat: --coverage {same}: --profile writes this file already\n"
    )
    assert not file.exists()


def test_a_changed_program_is_told(tmp_path: Path, hypervisor: Coverage) -> None:
    text = json.loads(hypervisor.to_json())
    text["ran"][0]["programs"][0]["digest"] = "0"
    (tmp_path / "a.json").write_text(json.dumps(text))
    found = lines_of(Coverage.read(tmp_path / "a.json"))
    assert found.problems == [
        f"{hypervisor_elf()}: it has changed since the run: its lines are left out"
    ]


def test_a_snapshot_has_its_program_by_symbols(tmp_path: Path) -> None:
    program, snap, file = str(guest(LOOP)), str(tmp_path / "snap"), tmp_path / "a.json"
    limit = ["--max-instructions", "1000"]
    assert main(["run", program, *limit, "--save", snap]) == 124
    named = ["--symbols", program, "--coverage", str(file)]
    assert main(["run", "--load", snap, *named, *limit]) == 124
    world = lines_of(Coverage.read(file)).worlds["host"]
    assert (world.instructions, world.elsewhere) == (2, 0)


SHARED = (
    """
  la t0, trap
  csrw mtvec, t0
  li t0, -1
  csrw pmpaddr0, t0
  csrwi pmpcfg0, 31
  li s0, 50          # rounds: the host goes one way, the guest the other
  li s3, 0x1800
again:
  li a0, 1
  la s1, mine
  j shared
mine:
  csrc mstatus, s3
  li t0, 0x800
  csrs mstatus, t0
  li t0, 1 << 39
  csrs mstatus, t0
  li t0, 3 << 44      # VMID 3, Bare
  .4byte 0x68029073   # csrw hgatp, t0
  la t0, shared
  csrw mepc, t0
  li a0, 0
  mret
  .balign 4
trap:
  addi s0, s0, -1
  bnez s0, again
"""
    + POWER_OFF
    + """
shared:
  beqz a0, theirs
ours:
  addi a1, a1, 1
  jr s1
theirs:
  addi a2, a2, 1
back:
  ecall
"""
)


@pytest.mark.parametrize("regions", ["off", "all"])
def test_code_that_worlds_share_counts_for_each(regions: str) -> None:
    with machine_of(SHARED, regions, clock="virtual") as machine:
        covering = machine.cover()
        compile_quickly(machine)
        assert machine.run(timeout_s=15).reason == "off"
        found, at = covering.coverage(), machine.symbols
    both = {at["shared"], at["ours"], at["theirs"], at["back"]}
    assert found.addresses("host") & both == {at["shared"], at["ours"]}
    assert found.addresses("vmid_3") == {at["shared"], at["theirs"], at["back"]}
