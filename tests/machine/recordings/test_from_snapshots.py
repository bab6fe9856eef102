"""A recording that begins where a snapshot was loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.errors import RecordingError
from tests.machine.recordings.test_recordings import ECHO, VIRTUAL
from tests.machine.small_guests import guest


def opened() -> Machine:
    return Machine.open("virt", program=guest(ECHO), settings=VIRTUAL)


def test_it_is_replayed_from_the_snapshot_only(tmp_path: Path) -> None:
    snap, other, rec = tmp_path / "s.snap", tmp_path / "o.snap", tmp_path / "r.rec"
    with opened() as machine:
        machine.run(max_instructions=1000)
        machine.save(other)
        machine.console.feed(b"abc")
        machine.run(max_instructions=1000)
        with pytest.raises(RecordingError, match="or where a snapshot was loaded, and once"):
            machine.record(rec)
        machine.load(machine.save(snap))
        machine.record(rec)
        machine.start()
        machine.console.feed(b"defgh")
        assert machine.wait(timeout_s=60).reason == "off"
        state = machine.harts[0].x["s3"]
    with Machine.from_snapshot(snap) as again:
        again.replay(rec)
        assert again.run(timeout_s=60).reason == "off"
        assert again.harts[0].x["s3"] == state
        again.load(snap)
        again.replay(rec)
        assert again.run(timeout_s=60).reason == "off", "load ended the replay before"
    with opened() as machine, pytest.raises(RecordingError, match="at a snapshot: load it before"):
        machine.replay(rec)
    with (
        Machine.from_snapshot(other) as machine,
        pytest.raises(RecordingError, match="the recording begins at another snapshot"),
    ):
        machine.replay(rec)
    with opened() as machine:
        machine.record(rec)
        machine.run(max_instructions=1000)
    with (
        Machine.from_snapshot(snap) as machine,
        pytest.raises(RecordingError, match="begins at power-on, not at a snapshot"),
    ):
        machine.replay(rec)
