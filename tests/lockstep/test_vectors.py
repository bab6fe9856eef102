"""Random programs of vector instructions in U, S, VS and VU mode, here and in Spike. The vector
state is compared after each instruction. python -m tests.lockstep.vectors runs more."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import vector_programs
from .vector_frames import MODES
from .vectors import Lockstep

CHUNKS, CHUNK = 2, 3


@pytest.fixture(scope="module")
def lockstep(tmp_path_factory: pytest.TempPathFactory) -> Lockstep:
    return Lockstep(tmp_path_factory.mktemp("vectors"))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_vector_programs_run_as_in_spike(lockstep: Lockstep, chunk: int) -> None:
    for number in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        assert lockstep.compare(vector_programs.make("test", number)) is None


def test_vector_programs_of_rv32_run_as_in_spike(lockstep: Lockstep) -> None:
    assert lockstep.compare(vector_programs.make("rv32", 0, xlen=32)) is None


def test_saved_states_go_on_as_in_spike(tmp_path: Path) -> None:
    lockstep = Lockstep(tmp_path)
    lockstep.saves = True
    assert lockstep.compare(vector_programs.make("saves", 0)) is None
    assert lockstep.saved > 5


def test_most_instructions_retire(lockstep: Lockstep, tmp_path: Path) -> None:
    """Otherwise the programs would compare little but traps."""
    other = Lockstep(tmp_path)
    other.harts = lockstep.harts
    for number in range(3):
        assert other.compare(vector_programs.make("retire", number)) is None
    assert other.counts.total() > other.traps.total()


def kinds_in_the_middle() -> dict[str, list[str]]:
    """The kinds of traps that must have occurred: what vectors.py calls them, in any mode."""
    faults = [f"{access}_{kind}" for access in ("load", "store")
              for kind in ("access_fault", "page_fault", "guest_page_fault")]  # fmt: skip
    kinds = [f"{one}, in the middle" for one in faults]
    kinds += [f"illegal_instruction, {name}.VS off" for name in ("mstatus", "vsstatus")]
    return {kind: [f"{mode.name}: {kind}" for mode in MODES] for kind in kinds}


def test_faults_of_each_kind_go_on_in_the_middle(lockstep: Lockstep) -> None:
    """After faults of PMP and of each stage, and after VS was Off in either status register; in the
    programs of the tests before, or in more of them."""
    number = 0
    while (
        missing := [
            kind
            for kind, names in kinds_in_the_middle().items()
            if not any(lockstep.traps[name] for name in names)
        ]
    ) and number < 200:
        assert lockstep.compare(vector_programs.make("modes", number)) is None
        number += 1
    assert not missing


def test_vector_programs_run_as_in_spike_in_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One program: compiling regions with hundreds of vector instructions takes long."""
    monkeypatch.setenv("RVPLAT_REGIONS", "all")
    lockstep = Lockstep(tmp_path)
    assert lockstep.compare(vector_programs.make("regions", 0)) is None
    for ours in lockstep.harts.values():
        assert ours.regions.counts.compiled > 0
        ours.regions.close()
