"""Every instruction in a region of its own: it leaves what the reference leaves.

RVPLAT_EXAMPLES is the number of cases for each instruction (default: 3).
"""

from __future__ import annotations

import functools
import os

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rvplat.engine.regions.worker import USUAL, Effort
from tests.engine.native_bench import Twin, scalar_extensions
from tests.engine.test_native import JUMPS, ROWS, arrange, cases
from tests.region_compiler import in_regions

EXAMPLES = int(os.environ.get("RVPLAT_EXAMPLES", "2"))
EFFORTS = (Effort(False, 0), Effort(True, 0), USUAL)
# Nobody reads these afterwards: the sink is written instead of x0, and a region forgets kept pages
# when it is entered.
SCRATCH = ("x[32]", "kept_pages[")


class InRegions(Twin):
    """A hart whose native run compiles what it decodes."""

    def __init__(self) -> None:
        extensions = scalar_extensions()
        super().__init__(extensions, compressed=True)
        self.regions = in_regions(self, extensions)

    def begin(self) -> None:
        self.regions.forget()
        super().begin()


@functools.cache
def twin() -> InRegions:
    return InRegions()


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[row.name for row in ROWS])
@settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate])
@given(data=st.data())
def test_a_region_leaves_what_the_reference_leaves(number: int, data: st.DataObject) -> None:
    row, bench = ROWS[number], twin()
    case = data.draw(cases(row).filter(lambda case: bench.reference.find(case.bits) is row))
    arrange(bench, case, row.pattern.length)
    bench.regions.client.effort = EFFORTS[case.seed % len(EFFORTS)]
    compiled = bench.regions.counts.compiled
    found = bench.differences()
    assert [one for one in found if not one.startswith(SCRATCH)] == []
    may_loop = number in JUMPS or row.name.startswith("c.")  # then it is executed in steps
    crosses = case.pc & 4094 == 4094
    if f"{row.name}.{row.pattern.length}" in bench.regions.forms and not (may_loop or crosses):
        assert bench.regions.counts.compiled > compiled
