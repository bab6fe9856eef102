"""Zicfilp and Zicfiss here and in Spike. `python -m tests.lockstep.guarded` runs more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lockstep import guarded_programs
from tests.lockstep.guarded import Lockstep

CHUNK = 5


@pytest.fixture(scope="module")
def lockstep(tmp_path_factory: pytest.TempPathFactory) -> Lockstep:
    return Lockstep(tmp_path_factory.mktemp("guarded"))


@pytest.mark.parametrize("chunk", range(3))
def test_programs_run_as_in_spike(lockstep: Lockstep, chunk: int) -> None:
    for number in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        difference = lockstep.compare(guarded_programs.make("guarded", number))
        assert difference is None, difference


def test_programs_run_as_in_spike_in_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RVPLAT_REGIONS", "all")
    compared = Lockstep(tmp_path, quick=True)
    difference = compared.compare(guarded_programs.make("guarded", 1))
    assert difference is None, difference
    for ours in compared.harts.values():
        assert ours.regions.counts.compiled > 0
        ours.regions.close()
