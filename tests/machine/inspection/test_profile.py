"""The sampling profile of a guest, read back from its file."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine, guests
from rvplat.cli.main import main
from rvplat.errors import HostError
from rvplat.hart.debugging.profile_samples import PERIOD, RING, ProfileSample
from rvplat.machine.inspection.profile import MOST_PERIODS, SCHEMA, Samples, Timeline, profiling
from tests.machine.small_guests import POWER_OFF, guest

HOT = (
    """
  li s0, 20
1: call cold
  call hot
  addi s0, s0, -1
  bnez s0, 1b
"""
    + POWER_OFF
    + """
cold:
  li t0, 3000
2: addi t0, t0, -1
  bnez t0, 2b
  ret
hot:
  li t0, 200000
3: addi t0, t0, -1
  bnez t0, 3b
  ret
"""
)


def read(path: Path) -> dict[str, Any]:
    """A profile, checked for what speedscope's file-format-spec.ts requires."""
    found: dict[str, Any] = json.loads(path.read_text())
    assert found["$schema"] == SCHEMA
    frames = found["shared"]["frames"]
    assert all(isinstance(frame["name"], str) for frame in frames)
    assert 0 <= found["activeProfileIndex"] < len(found["profiles"])
    for one in found["profiles"]:
        assert (one["type"], one["startValue"]) == ("sampled", 0)
        assert one["unit"] in ("nanoseconds", "none")
        assert isinstance(one["name"], str)
        assert len(one["samples"]) == len(one["weights"])
        assert one["endValue"] == sum(one["weights"])
        assert all(0 <= n < len(frames) for sample in one["samples"] for n in sample)
    return found


def weights(found: dict[str, Any], name: str) -> Counter[tuple[str, ...]]:
    """The weight of each stack in the profile with a name."""
    names = [frame["name"] for frame in found["shared"]["frames"]]
    (profile,) = (one for one in found["profiles"] if one["name"] == name)
    total: Counter[tuple[str, ...]] = Counter()
    for sample, weight in zip(profile["samples"], profile["weights"], strict=True):
        total[tuple(names[n] for n in sample)] += weight
    return total


@pytest.mark.parametrize("regions", ["off", "all"])
def test_a_hot_function_is_on_top(tmp_path: Path, regions: str) -> None:
    file = tmp_path / "profile.json"
    regions_key = f'harts.regions="{regions}"'
    assert main(["run", str(guest(HOT)), "--profile", str(file), "--set", regions_key]) == 0
    found = read(file)
    assert [one["name"] for one in found["profiles"]] == ["hart 0, time", "hart 0, instructions"]
    (stack, instructions), *_ = weights(found, "hart 0, instructions").most_common()
    assert stack == ("M", "_start", "hot")
    assert 0.9 * 8_000_000 < instructions < 8_200_000
    assert weights(found, "hart 0, time")[stack] > 0


def test_worlds_have_their_own_symbols(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    with Machine.open(program="hypervisor", settings={"clock": "virtual"}) as machine:
        with profiling(machine, file):
            assert machine.run(timeout_s=120).reason == "off"
        retired = machine.harts[0].instret
    stacks = weights(read(file), "hart 0, instructions")
    below = ("HS", "_start", "main", "run_guest")
    assert (*below, "VS of VMID 1", "_start", "guest_main") in stacks
    deep = (*below, "VS of VMID 2", "_start", "guest_main")
    assert max(len(one) for one in stacks if one[: len(deep)] == deep) > 9  # it recurses
    assert all(one[0] in ("M", "HS") for one in stacks)
    assert retired - 2 * PERIOD < stacks.total() <= retired


FRAMES = (
    """
  la sp, stack_end
  li s0, 0
  call outer
"""
    + POWER_OFF
    + """
outer:                  # as compilers do with -fno-omit-frame-pointer
  addi sp, sp, -32
  sd ra, 24(sp)
  sd s0, 16(sp)
  addi s0, sp, 32
  call inner
  ld ra, 24(sp)
  ld s0, 16(sp)
  addi sp, sp, 32
  ret
inner:
  addi sp, sp, -16
  sd ra, 8(sp)
  sd s0, 0(sp)
  addi s0, sp, 16
  call leaf
  ld ra, 8(sp)
  ld s0, 0(sp)
  addi sp, sp, 16
  ret
leaf:                   # saves no ra
  addi sp, sp, -16
  sd s0, 8(sp)
  addi s0, sp, 16
  li t0, 1000000
1: addi t0, t0, -1
  bnez t0, 1b
  ld s0, 8(sp)
  addi sp, sp, 16
  ret
  .bss
  .balign 16
  .space 4096
stack_end:
"""
)


def test_collapsed_stacks_by_frame_pointers(tmp_path: Path) -> None:
    """The program has no call frame information. A frame pointer that leads nowhere ends it."""
    file = tmp_path / "profile.folded"
    program = guest(FRAMES)
    assert main(["run", str(program), "--profile", str(file)]) == 0
    lines = dict(line.rsplit(" ", 1) for line in file.read_text().splitlines())
    deepest = max(lines, key=lambda line: int(lines[line]))
    assert deepest == "hart 0;M;_start;outer;inner;leaf"
    assert 1_900_000 < int(lines[deepest]) < 2_100_000
    with Machine.open(program=program) as machine, profiling(machine, file):
        machine.breakpoints.add("leaf")
        machine.run()
        machine.breakpoints.clear()
        machine.step(3)
        machine.harts[0].x["s0"] = machine.harts[0].x["sp"] + 0x2000 & ~7
        machine.run(max_instructions=1_000_000)
    assert [line.split()[1] for line in file.read_text().splitlines()] == ["0;M;inner;leaf"]


def test_each_hart_has_its_profile(tmp_path: Path) -> None:
    with Machine.open(program="demo", harts=2) as machine:
        machine.run(timeout_s=120, profile=tmp_path / "p")
    names = [one["name"] for one in read(tmp_path / "p")["profiles"]]
    assert names == [f"hart {n}, {what}" for n in (0, 1) for what in ("time", "instructions")]


def test_code_without_symbols_is_named_by_its_page(tmp_path: Path) -> None:
    sieve = next(one for one in guests.bench_programs() if one.name == "sieve")
    with Machine.open(program=sieve.path) as machine, profiling(machine, tmp_path / "p"):
        machine.run(max_instructions=1_000_000)
    assert set(weights(read(tmp_path / "p"), "hart 0, instructions")) == {
        ("M", "page 0x80000000")
    }  # fmt: skip


def test_names_are_written_in_utf_8(tmp_path: Path) -> None:
    program = tmp_path / "named.elf"
    program.write_bytes(guest(HOT).read_bytes().replace(b"\0hot\0", "\0öt\0".encode()))
    with Machine.open(program=program) as machine:
        machine.run(timeout_s=60, profile=tmp_path / "p.folded")
    assert "M;_start;öt " in (tmp_path / "p.folded").read_text("utf-8")


def test_code_at_address_0_has_a_stack(tmp_path: Path) -> None:
    program = tmp_path / "here.bin"
    program.write_bytes(bytes.fromhex("6f000000"))  # j .
    settings = {"memory.ram.base": 0, "memory.ram.size": "64K", "boot.reset_vector": 0}
    with Machine.open("minimal", program, settings=settings) as machine:
        machine.run(max_instructions=1_000_000, profile=tmp_path / "p")
    assert set(weights(read(tmp_path / "p"), "hart 0, instructions")) == {("M", "page 0x0")}


def test_a_second_profile_begins_anew(tmp_path: Path) -> None:
    with Machine.open(program=guest(HOT)) as machine:
        for name in ("one", "two"):
            with profiling(machine, tmp_path / name):
                machine.run(max_instructions=1_000_000)
    for name in ("one", "two"):
        total = weights(read(tmp_path / name), "hart 0, instructions").total()
        assert 1_000_000 - 2 * PERIOD < total <= 1_000_000


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "no" / "p.json"
    assert main(["run", str(guest(HOT)), "--profile", str(file)]) == 2
    assert capsys.readouterr().err.endswith(f"rvplat: {file}: No such file or directory\n")
    with (
        Machine.open(program=guest(HOT)) as machine,
        pytest.raises(HostError, match="^/dev/full: No space left on device$"),
        profiling(machine, Path("/dev/full")),
    ):
        machine.run(max_instructions=1000)


def test_an_error_of_the_run_is_not_one_of_the_file(tmp_path: Path) -> None:
    """Such as that the reader of the console has closed its pipe."""
    with (
        Machine.open(program=guest(HOT)) as machine,
        pytest.raises(BrokenPipeError, match="the console"),
        profiling(machine, tmp_path / "profile"),
    ):
        raise BrokenPipeError("the console")
    assert read(tmp_path / "profile")["profiles"]


def test_a_pipe_without_a_reader_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (
        Machine.open(program=guest(HOT)) as machine,
        pytest.raises(HostError, match="pipe: the pipe has no reader$"),
    ):
        machine.run(max_instructions=1000, profile=tmp_path / "pipe")


def test_a_long_profile_has_longer_periods() -> None:
    timeline = Timeline()
    for n in range(5 * MOST_PERIODS):
        timeline.add({("M", f"f{n % 3}"): (1, 10)})
    found = list(timeline)
    assert len(found) <= 3 * MOST_PERIODS
    assert sum(ns for _, (ns, _) in found) == 5 * MOST_PERIODS
    assert sum(count for _, (_, count) in found) == 50 * MOST_PERIODS


def test_samples_that_nobody_read_in_time_are_lost() -> None:
    with Machine.open(program=guest(HOT)) as machine:
        hart = machine.harts[0]
        samples = Samples(hart)
        hart.plain.profile_count = 3 * RING
        assert len(samples.new()) == (RING - 1) * ProfileSample.size
        assert samples.new() == b""
        samples.close()
        assert hart.plain.profile_ring == 0
