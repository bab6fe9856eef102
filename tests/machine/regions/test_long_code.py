"""Code without branches over several pages: budgets end only where it goes on to another page."""

from __future__ import annotations

import time

import pytest

from tests.machine.regions.forced import (
    compile_quickly,
    in_region,
    machine_of,
    same_in_regions,
)
from tests.machine.small_guests import POWER_OFF

#: A loop of 1,700 instructions and `more`.
LONG = (
    """
.option norvc
  li s0, {rounds}
.balign 4096
begin:
"""
    + "  addi s1, s1, 3\n" * 600
    + "deep:\n"
    + "  xor s2, s2, s1\n" * 1000
    + "second:\n"
    + ".rept {more}\n  add s3, s3, s2\n.endr\n"
    + """
last:
  addi s4, s4, 1
  addi s0, s0, -1
  beqz s0, 1f
  j begin
1:
"""
    + POWER_OFF
)


@pytest.mark.parametrize("more", [1000, 2597])
def test_it_comes_into_regions_piece_by_piece(more: int) -> None:
    """The first region has no room for the first page. With 2,597 more instructions, 8,192 are two
    rounds less 210: budgets of just so many would all end at the last page."""
    wanted = "begin", "deep", "second", "last"
    with machine_of(LONG.format(rounds=1 << 40, more=more), "hot") as machine:
        compile_quickly(machine)
        end = time.monotonic() + 120  # the compiler needs time, and the host may be busy
        while time.monotonic() < end:
            machine.run(timeout_s=5)
            if all(in_region(machine, symbol) for symbol in wanted):
                break
        assert [symbol for symbol in wanted if not in_region(machine, symbol)] == []


def test_it_is_exact_from_page_to_page() -> None:
    same_in_regions(LONG.format(rounds=3000, more=1000), None, "begin", "second", "last")
