"""Every vector instruction in a region of its own: it leaves what the reference leaves, and the
region executes it."""

from __future__ import annotations

import functools
import random

import pytest

from rvplat.engine.regions.worker import USUAL, Effort
from rvplat.isa.machinery.disassemble import render
from rvplat.isa.machinery.extension import Instruction
from tests.engine.test_region_forms import SCRATCH
from tests.region_compiler import in_regions

from .bench import EXTENSIONS, ROWS, VectorTwin, begin, draw, vtypes_for

CASES = 4
ILLEGAL = 2
VS = 3 << 9  # of mstatus
EFFORTS = (Effort(False, 0), Effort(True, 0), USUAL)


class InRegions(VectorTwin):
    """A hart with V whose native run compiles what it decodes."""

    def __init__(self) -> None:
        super().__init__()
        self.regions = in_regions(self, EXTENSIONS)

    def begin(self) -> None:
        self.regions.forget()
        super().begin()


@functools.cache
def twin() -> InRegions:
    return InRegions()


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_region_leaves_what_the_reference_leaves(row: Instruction) -> None:
    chance = random.Random(f"region {row.name}")
    bench, legal = twin(), 0
    assert f"{row.name}.4" in bench.regions.forms
    for number in range(400):
        bits, _ = draw(chance, row)
        if bench.reference.find(bits) is not row:
            continue
        vtype = chance.choice(vtypes_for(row)) | chance.randrange(4) << 6
        begin(bench, chance, bits, vtype, chance.choice((0, 1, 3, 5, 16, 200)))
        bench.hart.vstart = chance.choice((0, 0, 0, 1))
        bench.regions.client.effort = EFFORTS[number % len(EFFORTS)]
        compiled = bench.regions.counts.compiled
        found = [one for one in bench.differences() if not one.startswith(SCRATCH)]
        assert found == [], f"{render(row, bits)} {vtype:#x}"
        assert bench.regions.counts.compiled > compiled
        legal += int(bench.hart.mcause) != ILLEGAL
        if number >= CASES and legal:
            break
    assert legal


@pytest.mark.parametrize("name", ["vsha2cl.vv", "vsha2ch.vv", "vsha2ms.vv"])
def test_one_group_has_its_text_in_the_region(name: str) -> None:
    """The text is for one group of SEW 32 in single registers; all else goes to the function. What
    is checked there is also a condition here: VS, vtype, vl, vstart, and that nothing overlaps."""
    chance = random.Random(f"group {name}")
    row = next(row for row in ROWS if row.name == name)
    bench, legal = twin(), 0
    for number in range(60):
        vd, vs2, vs1 = (1, 3, 8) if number % 3 else chance.choices((2, 4, 8), k=3)
        bits = row.pattern.encode(vd=vd, vs2=vs2, vs1=vs1)
        begin(bench, chance, bits, chance.choice((0xD0, 0xD0, 0xD1, 0xD8, 0x17)), 4)
        bench.hart.vstart = chance.choice((0, 0, 0, 0, 4))
        if number % 8 == 0:
            bench.hart.mstatus = int(bench.hart.mstatus) & ~VS
        bench.regions.client.effort = EFFORTS[number % len(EFFORTS)]
        found = [one for one in bench.differences() if not one.startswith(SCRATCH)]
        assert found == [], (vd, vs2, vs1, number)
        legal += int(bench.hart.mcause) != ILLEGAL
    assert 10 < legal < 50, legal
