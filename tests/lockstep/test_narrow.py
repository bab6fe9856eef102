"""Random programs for RV32 here and in Spike. `python -m tests.lockstep.narrow` runs more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lockstep import narrow_programs
from tests.lockstep.narrow import Lockstep

CHUNK = 5


@pytest.fixture(scope="module")
def lockstep(tmp_path_factory: pytest.TempPathFactory) -> Lockstep:
    return Lockstep(tmp_path_factory.mktemp("narrow"))


@pytest.mark.parametrize("chunk", range(3))
def test_programs_run_as_in_spike(lockstep: Lockstep, chunk: int) -> None:
    for number in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        difference = lockstep.compare(narrow_programs.make("rv32", number))
        assert difference is None, difference


def test_guests_run_as_in_spike(lockstep: Lockstep, tmp_path: Path) -> None:
    """In VS and VU mode with both stages, with hlv and hsv from outside."""
    other, number = Lockstep(tmp_path), 0
    other.harts = lockstep.harts
    wanted = (
        "load_guest_page_fault", "store_guest_page_fault", "instruction_guest_page_fault",
        "virtual_instruction",
    )  # fmt: skip
    while any(other.traps[f"trap_{name}"] == 0 for name in wanted) and number < 60:
        difference = other.compare(narrow_programs.make("guests", number))
        assert difference is None, difference
        number += 1
    assert all(other.traps[f"trap_{name}"] for name in wanted)


def test_programs_run_as_in_spike_in_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RVPLAT_REGIONS", "all")
    compared = Lockstep(tmp_path, quick=True)
    difference = compared.compare(narrow_programs.make("rv32", 1))
    assert difference is None, difference
    for ours in compared.harts.values():
        assert ours.regions.counts.compiled > 0
        ours.regions.close()
