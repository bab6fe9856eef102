"""Random programs of vector instructions, here and in Spike, with the vector state compared after
each instruction. python -m tests.lockstep.vectors runs more."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import vector_programs
from .vectors import Lockstep

CHUNKS, CHUNK = 4, 20


@pytest.fixture(scope="module")
def lockstep(tmp_path_factory: pytest.TempPathFactory) -> Lockstep:
    return Lockstep(tmp_path_factory.mktemp("vectors"))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_vector_programs_run_as_in_spike(lockstep: Lockstep, chunk: int) -> None:
    for number in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        assert lockstep.compare(vector_programs.make("test", number)) is None


def test_most_instructions_retire(lockstep: Lockstep, tmp_path: Path) -> None:
    """Otherwise the programs would compare little but traps."""
    other = Lockstep(tmp_path)
    other.harts = lockstep.harts
    for number in range(10):
        assert other.compare(vector_programs.make("retire", number)) is None
    assert other.counts.total() > other.traps.total()


def test_regions_leave_at_vector_instructions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tier 0 executes them, and the region goes on after them."""
    monkeypatch.setenv("RVPLAT_REGIONS", "all")
    lockstep = Lockstep(tmp_path)
    for number in range(3):
        assert lockstep.compare(vector_programs.make("regions", number)) is None
    for ours in lockstep.harts.values():
        assert ours.regions.counts.compiled > 0
        ours.regions.close()
