"""Recordings and their replays: the same run, the first difference, and what doesn't fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine
from rvplat.errors import RecordingError
from tests.machine.small_guests import POWER_OFF, guest

VIRTUAL = {"clock": "virtual"}

#: Adds up the places where it reads eight characters from the UART, and polls meanwhile.
ECHO = (
    """
  li s0, 0x10000000
  li s1, 8
1: addi s2, s2, 1
  lb t0, 5(s0)
  andi t0, t0, 1
  beqz t0, 1b
  lb t1, 0(s0)
  add s3, s3, s2
  slli s4, s3, 1
  xor s3, s3, s4
  sb t1, 0(s0)
  addi s1, s1, -1
  bnez s1, 1b
"""
    + POWER_OFF
)


#: Two harts with short turns. Hart 0 waits for the UART's character timeout after each key, and
#: adds up its rounds until then.
TIMEOUTS = (
    """
  csrr a0, mhartid
  li s0, 0x10000000
  bnez a0, 3f
  li t0, 0x80             # LCR: DLAB
  sb t0, 3(s0)
  li t0, 1
  sb t0, 0(s0)            # divisor 1
  sb zero, 1(s0)
  sb zero, 3(s0)
  sb t0, 1(s0)            # IER: received
  li t0, 0xc1
  sb t0, 2(s0)            # FCR: FIFOs, an interrupt at 14 characters
  li s1, KEYS
  li t2, 0xcc             # IIR: timeout
  li t0, '>'
  sb t0, 0(s0)
1: addi s2, s2, 1
  li t0, 100
2: addi t0, t0, -1
  bnez t0, 2b
  .word 0x0100000f      # pause
  lbu t0, 2(s0)
  bne t0, t2, 1b
  lbu t1, 0(s0)
  slli s4, s3, 1
  xor s3, s4, s2
  sb t1, 0(s0)
  addi s1, s1, -1
  bnez s1, 1b
"""
    + POWER_OFF
    + """
3: addi s2, s2, 1
  .word 0x0100000f      # pause
  j 3b
"""
)


@contextmanager
def echo(**more: object) -> Iterator[Machine]:
    """A machine with the program."""
    with Machine.open("virt", program=guest(ECHO), settings={**VIRTUAL, **more}) as machine:
        yield machine


def typed(path: Path) -> Any:
    """Record a session in which eight keys come at places that nobody knows before."""
    with echo() as machine:
        machine.record(path)
        machine.start()
        for key in b"recorded":
            machine.console.feed(bytes([key]))
            machine.console.wait_for(bytes([key]), timeout_s=60)
        assert machine.wait(60).reason == "off"
        return list(machine.harts[0].x), machine.harts[0].instret, machine.console.output


def test_keys_arrive_at_the_same_places(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    before = typed(path)
    for regions in ("off", "hot"):
        with echo(**{"harts.regions": regions}) as machine:
            machine.replay(path)
            machine.console.feed(b"ignored")
            assert machine.run(timeout_s=60).reason == "off"
            hart = machine.harts[0]
            assert (list(hart.x), hart.instret, machine.console.output) == before


def test_keys_arrive_between_turns(tmp_path: Path) -> None:
    """Whether a hart has entered its turn yet or not, input finds the same time."""
    path, keys = tmp_path / "recording", 16
    program, ends = guest(TIMEOUTS.replace("KEYS", str(keys))), []
    for is_replay in (False, True):
        with Machine.open("virt", program=program, harts=2, settings=VIRTUAL) as machine:
            if is_replay:
                machine.replay(path)
                machine.run(timeout_s=60)
            else:
                machine.record(path)
                machine.start()
                machine.console.wait_for(b">", timeout_s=60)
                for number in range(64, 64 + keys):
                    machine.console.feed(bytes([number]))
                    machine.console.wait_for(bytes([number]), timeout_s=60)
                machine.wait(60)
            ends.append([(hart.instret, list(hart.x)) for hart in machine.harts])
    assert ends[0] == ends[1]


def changed(path: Path, number: int, **keys: object) -> Path:
    """A copy of a recording in which a line has other values."""
    lines = path.read_text().splitlines()
    lines[number] = json.dumps({**json.loads(lines[number]), **keys})
    other = path.with_name("changed")
    other.write_text("\n".join(lines) + "\n")
    return other


def refused(path: Path) -> str:
    """What a replay says, which raises."""
    with echo() as machine, pytest.raises(RecordingError) as raised:
        machine.replay(path)
        machine.run(timeout_s=60)
    return str(raised.value)


def test_the_first_difference_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    typed(path)
    place = json.loads(path.read_text().splitlines()[3])["at"]
    other = changed(path, 3, at=[place[0] + 4, *place[1:]])
    assert re.fullmatch(
        f"{other}: the replay differs from the recording, first between 0 and [0-9,]+ "
        "instructions: hart 0: .+",
        refused(other),
    ) or "the run ends" in refused(other)


def test_a_torn_recording_is_replayed_up_to_the_tear(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    typed(path)
    torn = tmp_path / "torn"
    torn.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:5]) + b'\n{"at": [12')
    assert re.fullmatch(
        f"{torn}: the recording ends early, after [0-9,]+ instructions; up to there the replay "
        "was the same",
        refused(torn),
    )


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    typed(path)
    assert refused(tmp_path / "none") == f"{tmp_path / 'none'}: No such file or directory"
    newer = changed(path, 0, **{"rvplat recording": 2, "version": "9"})
    assert refused(newer) == (
        f"{newer}: a recording of format 2, made by rvplat 9; this version reads format 1"
    )
    foreign = tmp_path / "foreign"
    foreign.write_text("text\n")
    assert refused(foreign) == f"{foreign}: this is no recording of rvplat"
    other = "is not that of the recording|differ|another"
    with (
        Machine.open("virt", program="demo", settings=VIRTUAL) as machine,
        pytest.raises(RecordingError, match=other),
    ):
        machine.replay(path)
    with (
        Machine.open("virt", program="demo") as machine,
        pytest.raises(RecordingError, match=r"^a recording needs a board with a virtual"),
    ):
        machine.record(path)
