"""Cache-block operations of guests, through both stages (cmo.adoc)."""

from __future__ import annotations

import pytest

from rvplat.isa.privileged import Status
from tests.h.bench import LEAF, ONES, A, Bench, D, R, Trap, U, V, W, word
from tests.h.section import section
from tests.h.stages import ADUE, GPA, PA, VA, stages

FAULTS = "Page-Fault, Guest-Page-Fault, and Access-Fault Exceptions"
MANAGING = ["cbo.clean", "cbo.flush", "cbo.inval"]
BLOCKS = [*MANAGING, "cbo.zero"]
INSIDE = 0x1A7  # rs1 may be any address in the block


def allowed(bench: Bench, first: int = LEAF, second: int = LEAF | U) -> Bench:
    bench["menvcfg"] = bench["henvcfg"] = bench["senvcfg"] = ONES & ~ADUE
    stages(bench)
    bench.map_guest(VA, GPA, first)
    bench.map_host(GPA, PA, second)
    return bench


def run(bench: Bench, name: str, mode: str = "VS") -> Trap | None:
    bench.hart.x[6] = VA + INSIDE
    return bench.step(word(name, rs1=6), mode)


@section(FAULTS)
@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("stage", ["first", "second"])
@pytest.mark.parametrize("to", ["M", "HS"])
def test_a_fault_names_the_address_in_rs1(bench: Bench, name: str, stage: str, to: str) -> None:
    """Every operation raises store faults. htval corresponds to exactly the address in stval."""
    allowed(bench, LEAF if stage == "second" else 0, LEAF | U if stage == "first" else 0)
    bench["medeleg"] = ONES if to == "HS" else 0
    found = run(bench, name)
    assert found is not None
    assert (found.mode, found.tval, found.gva) == (to, VA + INSIDE, 1)
    assert found.cause == (15 if stage == "first" else 23)
    assert found.tval2 == (0 if stage == "first" else (GPA + INSIDE) >> 2)


@section(FAULTS)
@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("flags", [R | A | D, R | W | A, R | W | D, R | W | A | D])
@pytest.mark.parametrize("stage", ["first", "second"])
def test_permissions_of_both_stages(bench: Bench, name: str, flags: int, stage: str) -> None:
    """Management is legal for a page that may be loaded, with or without D. Zeroing is a store."""
    if stage == "first":
        allowed(bench, V | flags)
    else:
        allowed(bench, second=V | U | flags)
    needed = A if name in MANAGING else A | D | W
    found = run(bench, name)
    assert (found is None) == (flags & needed == needed)
    if found is not None:
        assert found.cause == (15 if stage == "first" else 23)


@section(FAULTS)
@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("stage", ["first", "second"])
def test_svadu_sets_what_is_checked(bench: Bench, name: str, stage: str) -> None:
    """Management sets A; cbo.zero sets D too."""
    allowed(bench)
    bench["menvcfg"] = bench["henvcfg"] = ONES
    if stage == "first":
        entry = bench.map_guest(VA, GPA, V | R | W)
    else:
        entry = bench.map_host(GPA, PA, V | U | R | W)
    assert run(bench, name) is None
    assert bench.peek(entry) & (A | D) == (A if name in MANAGING else A | D)


@section(FAULTS)
@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("cfg", [0x18, 0x19, 0x1B])
def test_pmp_beneath_blocks(bench: Bench, name: str, cfg: int) -> None:
    """A store access fault, if translation permits the access but PMP doesn't."""
    allowed(bench)
    bench["pmpaddr1"], bench["pmpcfg0"] = ONES >> 10, 0x1F << 8
    bench["pmpaddr0"], bench["pmpcfg0"] = PA >> 2 | 0x1FF, 0x1F << 8 | cfg
    found = run(bench, name)
    if cfg == 0x1B or (cfg == 0x19 and name in MANAGING):
        assert found is None
    else:
        assert found is not None
        assert (found.cause, found.tval, found.tval2, found.gva) == (7, VA + INSIDE, 0, 1)


@section(FAULTS)
@pytest.mark.parametrize("name", ["prefetch.i", "prefetch.r", "prefetch.w"])
def test_prefetches_raise_nothing_and_set_nothing(bench: Bench, name: str) -> None:
    allowed(bench, 0, 0)
    assert run(bench, name) is None
    bench["menvcfg"] = bench["henvcfg"] = ONES
    first = bench.map_guest(VA, GPA, V | R | W)
    second = bench.map_host(GPA, PA, V | U | R | W)
    assert run(bench, name) is None
    assert [bench.peek(entry) & (A | D) for entry in (first, second)] == [0, 0]


@section("cbo.zero")
@pytest.mark.parametrize("mode", ["VS", "M"])
def test_cbo_zero_zeroes_the_block_of_the_guest(bench: Bench, mode: str) -> None:
    """In M mode MPRV applies to it, as to every explicit access."""
    allowed(bench)
    for at in range(0, 0x1000, 8):
        bench.poke(PA + at, ONES)
    bench["mstatus"] = Status.MPRV | Status.MPV | 1 << Status.MPP_SHIFT if mode == "M" else 0
    assert run(bench, "cbo.zero", mode) is None
    block = INSIDE & ~63
    zeros = [at for at in range(0, 0x1000, 8) if bench.peek(PA + at) == 0]
    assert zeros == [*range(block, block + 64, 8)]
