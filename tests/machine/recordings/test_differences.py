"""The first difference of two recordings, down to the instruction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.errors import RecordingError
from rvplat.machine.debugging.when import When
from rvplat.machine.differences import files
from rvplat.machine.differences.replays import Replay
from rvplat.machine.differences.search import Difference, Pair
from rvplat.machine.recordings import recorder
from tests.machine.recordings.test_recordings import ECHO, echo
from tests.machine.small_guests import guest

#: The same, while hart 1 counts.
BUSY = "csrr t0, mhartid\n  bnez t0, 9f\n" + ECHO + "9: addi a0, a0, 1\n  j 9b\n"

Keys = Sequence[tuple[int, bytes]]  # after how many instructions which keys come
KEYS = ((2_100_000, b"r"), (900_000, b"ecorde"))


def recorded(path: Path, keys: Keys, last: bytes = b"d", harts: int = 1) -> files.File:
    """Record a session in which keys come at known places."""
    settings = {"clock": "virtual", "memory": "16M"}
    with Machine.open("virt", guest(BUSY), harts=harts, settings=settings) as machine:
        machine.record(path)
        for count, key in keys:
            machine.run(max_instructions=count)
            machine.console.feed(key)
        machine.run(max_instructions=700_000)
        machine.console.feed(last)
        assert machine.run(timeout_s=60).reason == "off"
    return files.File.read(path)


def found(one: files.File, two: files.File, harts: int = 1) -> Difference | None:
    """The first difference in what two replays do."""
    with ExitStack() as stack:
        settings = {"clock": "virtual", "memory": "16M"}
        machines = [
            stack.enter_context(Machine.open("virt", guest(BUSY), harts=harts, settings=settings))
            for _ in "AB"
        ]
        replays = [Replay(m, f.path) for m, f in zip(machines, (one, two), strict=True)]
        pair = Pair(replays[0], replays[1], lambda text: None)
        begin = files.same_up_to(one, two)
        return pair.first_difference(begin, files.places_after(one, two, begin))


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep more checkpoints than usual."""
    monkeypatch.setattr(recorder, "SPACING", 1_000_000)


@pytest.mark.parametrize("harts", [1, 2])
def test_another_key(tmp_path: Path, harts: int) -> None:
    """Found at the load that reads it."""
    other = ((2_100_000, b"r"), (900_000, b"ecOrde"))
    one = recorded(tmp_path / "one", KEYS, harts=harts)
    two = recorded(tmp_path / "two", other, harts=harts)
    differs = files.first_input(one, two)
    assert differs is not None
    assert "A has b'ecorde' for uart0 after " in differs[1]
    assert "B has b'ecOrde' for uart0 after " in differs[1]
    assert files.same_up_to(one, two) >= 2_000_000
    where = found(one, two, harts)
    assert where is not None
    assert where.work >= differs[0]
    a, b = where.steps
    assert isinstance(a, When)
    assert (a.instruction, a.work) == ("lb t1, 0(s0)", where.work + 1)
    assert a == b
    assert [row for _, row in where.registers] == [("t1", ord("o"), ord("O"))]
    assert where.words == ()


def test_a_key_that_comes_later(tmp_path: Path) -> None:
    """Found at the load of the status that tells of it."""
    one = recorded(tmp_path / "one", KEYS)
    two = recorded(tmp_path / "two", ((2_100_100, b"r"), *KEYS[1:]))
    where = found(one, two)
    assert where is not None
    a = where.steps[0]
    assert isinstance(a, When)
    assert a.instruction == "lb t0, 5(s0)"
    assert 2_100_000 <= where.work < 2_100_010
    assert [row[0] for _, row in where.registers] == ["t0"]


def test_a_difference_in_the_end_alone(tmp_path: Path) -> None:
    """A key that the guest never reads makes no difference to registers and RAM."""
    one, two = (recorded(tmp_path / name, KEYS, last) for name, last in (("a", b"d"), ("b", b"dx")))
    assert files.first_input(one, two) is not None
    assert found(one, two) is None


def test_a_torn_recording_is_compared_up_to_the_tear(tmp_path: Path) -> None:
    one = recorded(tmp_path / "one", KEYS)
    lines = one.path.read_bytes().split(b"\n")
    torn = tmp_path / "torn"
    torn.write_bytes(b"\n".join(lines[:5]) + b'\n{"at": [12')
    two = files.File.read(torn)
    assert found(one, two) is None
    assert files.other_end(one, two) == "B is torn: it has no end"
    assert files.places_after(one, two, 0)[-1] == two.last_work


def test_a_replay_that_is_not_as_it_was_recorded(tmp_path: Path) -> None:
    one, two = recorded(tmp_path / "one", KEYS), recorded(tmp_path / "two", KEYS)
    lines = two.path.read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if '"state"' in line and '"end"' not in line)
    state = json.loads(lines[first])
    state["state"][0][7] ^= 1
    two.path.write_text("\n".join([*lines[:first], json.dumps(state), *lines[first + 1 :]]) + "\n")
    with pytest.raises(RecordingError, match=f"^{two.path}: the replay differs from the recording"):
        found(one, files.File.read(two.path))


def test_what_two_recordings_are_of(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    with echo() as machine:
        machine.record(paths[0])
    with echo(**{"harts.count": 2, "memory": "64M"}) as machine:
        machine.record(paths[1])
    with Machine.open("virt", "demo", settings={"clock": "virtual"}) as machine:
        machine.record(paths[2])
    one, two, three = (files.File.read(path) for path in paths)
    assert files.other_machines(one, one) == []
    assert files.other_machines(one, two)[0] == "board: harts.count is 1 in A and 2 in B"
    assert "the program: its contents in A are not those in B" in files.other_machines(one, three)
