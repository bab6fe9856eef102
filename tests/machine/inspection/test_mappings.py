"""Lists of mappings: they have what walks of the page tables find."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from rvplat.isa.privileged import SUPERVISOR, EnvCfg
from rvplat.machine.inspection.mappings import Mapping, mappings, merged
from rvplat.machine.machine import Machine

V, R, W, X, U, _G, A, D = (1 << bit for bit in range(8))
LEAF = V | R | W | X | A | D
TABLES = 0x8700_0000, 0x8700_1000, 0x8700_2000
PAGE, LARGE = 0x8000_0000, 0x8020_0000
SV39 = 8 << 60
RANDOM_ENTRIES = 100


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    found = Machine.open("virt", settings={"harts.isa": "rv64gch_sstc_svpbmt_svnapot_svadu"})
    yield found
    found.close()


@pytest.fixture
def hart(machine: Machine) -> Iterator[Any]:
    """A hart in S mode with three tables. Entry 1 points to the next one; the last has one page."""
    view = machine.harts[0].plain
    for table in TABLES:
        machine.memory.write(table, bytes(4096))
    for table, below in itertools.pairwise(TABLES):
        write(machine, table, 1, entry(below, V))
    write(machine, TABLES[2], 0, entry(PAGE, LEAF))
    view.priv, view.satp = SUPERVISOR, SV39 | TABLES[0] >> 12
    yield view
    view.menvcfg = 0


def write(machine: Machine, table: int, index: int, pte: int) -> None:
    machine.memory.write_int(table + 8 * index, 8, pte)


def entry(pa: int, flags: int) -> int:
    return pa >> 2 | flags


def check(machine: Machine, hart: Any, level: int, pte: int) -> bool:
    """Whether the walk accepts an entry. The list must have what walks find, at its first page and
    at its last one."""
    write(machine, TABLES[2 - level], 3, pte)
    va = sum(1 << 12 + 9 * above for above in range(level + 1, 3)) | 3 << 12 + 9 * level
    found = mappings(machine, hart, int(hart.satp))
    for at in (va, va + (1 << 12 + 9 * level) - 4096):
        pa = next((one.pa + at - one.va for one in found
                   if one.pa is not None and one.va <= at < one.end), None)  # fmt: skip
        assert pa == machine.harts[0].translate(at), f"level {level}, {pte:#x}, {at:#x}"
    accepted = machine.harts[0].translate(va) is not None
    write(machine, TABLES[2 - level], 3, 0)
    return accepted


@pytest.mark.parametrize(
    ("level", "pte"),
    [
        (0, entry(PAGE, LEAF)),
        (1, entry(LARGE, LEAF)),
        (0, entry(PAGE | 8 << 12, LEAF) | 1 << 63),  # Svnapot
        (1, entry(TABLES[2], V)),
    ],
)
def test_what_is_listed(machine: Machine, hart: Any, level: int, pte: int) -> None:
    assert check(machine, hart, level, pte)


@pytest.mark.parametrize(
    ("level", "pte"),
    [
        pytest.param(0, entry(PAGE, LEAF & ~V), id="not valid"),
        pytest.param(0, entry(PAGE, LEAF & ~R), id="W without R"),
        pytest.param(0, entry(PAGE, LEAF) | 1 << 54, id="a reserved bit"),
        pytest.param(0, entry(PAGE, LEAF) | 3 << 61, id="a reserved memory type"),
        pytest.param(0, entry(PAGE, LEAF) | 1 << 61, id="Svpbmt without PBMTE"),
        pytest.param(0, entry(PAGE, LEAF) | 1 << 63, id="Svnapot with a reserved size"),
        pytest.param(1, entry(LARGE | 8 << 12, LEAF) | 1 << 63, id="Svnapot in a superpage"),
        pytest.param(1, entry(PAGE | 1 << 12, LEAF), id="a superpage that isn't aligned"),
        pytest.param(0, entry(TABLES[2], V), id="a pointer in the last table"),
        pytest.param(1, entry(TABLES[2], V | U), id="a pointer with a leaf's bits"),
    ],
)
def test_what_the_hart_refuses_is_not_listed(
    machine: Machine, hart: Any, level: int, pte: int
) -> None:
    assert not check(machine, hart, level, pte)


def test_memory_types_are_listed_if_the_hart_has_them(machine: Machine, hart: Any) -> None:
    hart.menvcfg = int(EnvCfg.PBMTE)
    write(machine, TABLES[2], 3, entry(PAGE, LEAF) | 1 << 61)
    flags = [one.flags for one in mappings(machine, hart, int(hart.satp))]
    assert flags == ["rwx--ad", "rwx--ad NC"]


@pytest.mark.parametrize("seed", range(RANDOM_ENTRIES))
def test_random_entries(machine: Machine, hart: Any, seed: int) -> None:
    random = Random(seed)
    high = random.choice([0, 0, 0, 1 << 63, 1 << random.randrange(54, 64)])
    pa = random.choice([PAGE, LARGE, PAGE | 8 << 12, TABLES[2]])
    flags = random.choice([LEAF, random.randrange(256), V])
    check(machine, hart, random.randrange(3), entry(pa, flags) | high)


def test_ranges_are_merged_and_split() -> None:
    flags = "rwx----"
    parts = [Mapping(0x1000 * n, 0x1000, 0x8000 + 0x1000 * n, flags) for n in range(3)]
    assert list(merged(parts)) == [Mapping(0, 0x3000, 0x8000, flags)]
    assert len(list(merged([parts[0], parts[2]]))) == 2


@pytest.mark.parametrize("levels", [3, 4, 5])
def test_tables_that_point_to_themselves_end(
    machine: Machine, hart: Any, monkeypatch: pytest.MonkeyPatch, levels: int
) -> None:
    """They end soon: five levels have 512 to the power of five paths."""
    table = TABLES[0]
    machine.memory.write(table, (table >> 2 | V).to_bytes(8, "little") * 512)
    root = levels + 5 << 60 | table >> 12
    assert mappings(machine, hart, root) == []
    write(machine, table, 0, table >> 2 | V | R | W | X)
    monkeypatch.setattr("rvplat.machine.inspection.mappings.MOST", 1000)
    assert len(mappings(machine, hart, root)) == 1000
