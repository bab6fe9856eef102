"""Regions of code that changes: dropped, compiled anew but not for ever, and freed."""

from __future__ import annotations

import pytest

from rvplat import Machine
from tests.machine.regions.forced import inside, machine_of, run_to_end, same_in_regions
from tests.machine.small_guests import POWER_OFF

#: Each round writes an instruction of the hot loop: `addi s1, s1, N`, N from 1 to 4.
REWRITES = (
    """
.option norvc
  li s0, ROUNDS
  la s2, word
  li s3, 0x00048493       # addi s1, s1, 0
round:
  andi t0, s0, 3
  addi t0, t0, 1
  slli t0, t0, 20
  or t0, t0, s3
  sw t0, 0(s2)
  FENCE
  li t1, LOOPS
inner:
  xor s4, s4, s1
word:
  addi s1, s1, 0
  addi t1, t1, -1
  bnez t1, inner
  addi s0, s0, -1
  bnez s0, round
"""
    + POWER_OFF
)


def rewrites(rounds: int, loops: int, fence: str = "fence.i") -> str:
    text = REWRITES.replace("ROUNDS", str(rounds)).replace("LOOPS", str(loops))
    return text.replace("FENCE", fence)


@pytest.mark.slow
@pytest.mark.parametrize(("fence", "harts"), [("fence.i", 1), ("nop", 1), ("fence.i", 2)])
def test_self_modifying_code(fence: str, harts: int) -> None:
    """With one hart, stores to code count at once, as in the interpreter. With several, code may be
    old until fence.i."""
    text = rewrites(12, 40_000, fence)
    if harts == 2:
        text = "  csrr t0, mhartid\n  beqz t0, 1f\n2: wfi\n  j 2b\n1:\n" + text
    settings = {"harts.count": harts}
    with machine_of(text, "off", **settings) as machine:
        expected = run_to_end(machine)
    assert expected.x[0][9] == 40_000 * (1 + 2 + 3 + 4) * 3
    for mode in ("all", "hot"):
        with machine_of(text, mode, **settings) as machine:
            found = run_to_end(machine)
            assert found.x[0] == expected.x[0]
            assert found.retired[0] == expected.retired[0]
            assert mode == "hot" or inside(machine) > 0


def test_data_beside_hot_code() -> None:
    """Stores to the page of a region, but to none of its lines, don't drop it."""
    text = (
        """
  li s0, 400000
  la s2, data
1: sd s0, 0(s2)
  ld t0, 0(s2)
  add s1, s1, t0
  addi s0, s0, -1
  bnez s0, 1b
"""
        + POWER_OFF
        + ".balign 256\ndata: .dword 0\n"
    )
    same_in_regions(text)
    with machine_of(text) as machine:
        run_to_end(machine)
        assert machine.regions.counts.dropped == 0


@pytest.mark.parametrize(("rounds", "loops"), [(6000, 20_000), (40, 2_000_000)])
def test_code_that_rewrites_itself_is_not_compiled_again_and_again(rounds: int, loops: int) -> None:
    with machine_of(rewrites(rounds, loops), "hot") as machine:
        run_to_end(machine)
        counts = machine.regions.counts
        assert counts.compiled + counts.kept < 12
        assert counts.dropped < 12


def pieces(machine: Machine) -> tuple[int, int]:
    """How many regions and bytes of code are in memory."""
    placed = machine.regions._placed  # type: ignore[attr-defined]
    return len(placed._gone), placed.size


def test_dropped_code_is_freed() -> None:
    """Each round compiles a region anew. The memory stays bounded."""
    with machine_of(rewrites(60, 30_000)) as machine:
        run_to_end(machine)
        assert machine.regions.counts.dropped >= 50
        gone, size = pieces(machine)
        assert gone <= 4
        assert size < 200_000


def test_all_regions_are_dropped_when_there_is_too_much_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rvplat.machine.running.region_manager.MOST_BYTES", 30_000)
    with machine_of(rewrites(10, 30_000), "off") as machine:
        expected = run_to_end(machine)
    with machine_of(rewrites(10, 30_000)) as machine:
        assert run_to_end(machine) == expected
        assert 0 < pieces(machine)[1] <= 30_000
