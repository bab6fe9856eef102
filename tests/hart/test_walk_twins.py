"""Random page tables: the reference and native code, and a model written from the manual, agree."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from random import Random

import pytest

from rvplat.hart.acceleration.tlb import REGIME_MXR, REGIME_SUM, REGIME_VALID
from rvplat.isa.privileged import EnvCfg
from tests.hart.memory_bench import RAM, Bench

V, R, W, X, U, _, A, D = (1 << i for i in range(8))
LOAD, STORE, FETCH = 1, 2, 4
PAGE_FAULT, ACCESS_FAULT = 1, 2
TABLES = [RAM + 0x1000 * i for i in (1, 2, 3)]
CASES = 2000
GOOD = V | R | W | X | A | D


@dataclass(frozen=True)
class Case:
    """One walk: the frames and flags of three levels' entries, and the access."""

    entries: list[tuple[int, int]]
    va: int
    access: int
    priv: int
    regime: int
    envcfg: int


def random_case(random: Random) -> Case:
    """A walk that has a fair chance to succeed, and to fail anywhere."""
    envcfg = random.choice([0, EnvCfg.ADUE, EnvCfg.PBMTE, EnvCfg.ADUE | EnvCfg.PBMTE])
    va = random.randrange(1 << 39)
    va |= -(va >> 38) << 39
    if random.random() < 0.1:
        va ^= 1 << random.randrange(38, 64)
    return Case(
        [random_entry(random, level) for level in (2, 1, 0)], va % (1 << 64),
        random.choice([LOAD, STORE, FETCH]), random.randrange(2),
        random.choice([0, REGIME_SUM, REGIME_MXR, REGIME_SUM | REGIME_MXR]), envcfg,
    )  # fmt: skip


def random_entry(random: Random, level: int) -> tuple[int, int]:
    """Frame and flags. An inner entry is a pointer in most cases."""
    if level and random.random() < 0.85:
        return 0, V | (1 << random.randrange(4, 64) if random.random() < 0.05 else 0)
    low = random.choice([GOOD, GOOD | U, GOOD & ~D | U, random.randrange(256), V | R])
    high = random.choice([0] * 6 + [1 << random.randrange(54, 64), 1 << 61, 2 << 61, 1 << 63])
    frame = random.choice([0x80000, 0x80008, random.randrange(0x80000, 0x80100), 0x40000, 0])
    return (0x80008 if high == 1 << 63 and random.random() < 0.7 else frame), low | high


@functools.cache
def benches() -> tuple[Bench, Bench]:
    both = Bench("reference"), Bench("native")
    for bench in both:
        bench.allow_all()
        bench.hart.satp = 8 << 60 | TABLES[0] >> 12
    return both


def permitted(pte: int, access: int, priv: int, regime: int) -> bool:
    """Steps 6 to 8 of "Virtual Address Translation Process"."""
    user = bool(pte & U)
    if priv == 0 and not user:
        return False
    if priv == 1 and user and (not regime & REGIME_SUM or access == FETCH):
        return False
    if access == LOAD:
        return bool(pte & R or (regime & REGIME_MXR and pte & X))
    return bool(pte & (W if access == STORE else X))


def malformed(pte: int, level: int, pbmte: bool) -> bool:
    """Step 3, and the encodings of Svnapot and Svpbmt."""
    memory_type = pte >> 61 & 3
    if not pte & V or (pte & W and not pte & R) or pte >> 54 & 0x7F:
        return True
    if memory_type and (not pbmte or memory_type == 3):
        return True
    if not pte & (R | X):
        return bool(pte & (U | A | D)) or pte >> 61 != 0
    return pte >> 63 == 1 and (level != 0 or pte >> 10 & 15 != 8)


def model(memory: Bench, case: Case) -> tuple[int, int] | int:
    """(physical page, the PTE afterwards) or a fault."""
    va = case.va
    if va >> 38 not in (0, (1 << 26) - 1):
        return PAGE_FAULT
    table = TABLES[0]
    for level in (2, 1, 0):
        if not RAM <= table < RAM + (1 << 20):
            return ACCESS_FAULT
        pte = memory.peek(table + (va >> (12 + 9 * level) & 511) * 8)
        if malformed(pte, level, bool(case.envcfg & EnvCfg.PBMTE)):
            return PAGE_FAULT
        if pte & (R | X):
            return leaf(pte, level, case)
        table = (pte >> 10 & ((1 << 44) - 1)) << 12
    return PAGE_FAULT


def leaf(pte: int, level: int, case: Case) -> tuple[int, int] | int:
    """Steps 5 to 10."""
    frame = pte >> 10 & ((1 << 44) - 1)
    low = (1 << 9 * level) - 1
    if frame & low or not permitted(pte, case.access, case.priv, case.regime):
        return PAGE_FAULT
    wanted = pte | A | (D if case.access == STORE else 0)
    if wanted != pte and not case.envcfg & EnvCfg.ADUE:
        return PAGE_FAULT
    if pte >> 63:
        frame, low = frame & ~15, 15
    return (frame & ~low | case.va >> 12 & low) << 12, wanted


def place(memory: Bench, case: Case) -> list[int]:
    """Write a case's entries into their tables; their addresses."""
    at = []
    for level, table, (frame, bits) in zip((2, 1, 0), TABLES, case.entries, strict=True):
        at.append(table + (case.va >> (12 + 9 * level) & 511) * 8)
        if level and bits & (V | R | W | X) == V:
            frame = TABLES[3 - level] >> 12
        memory.poke(at[-1], frame << 10 | bits)
    return at


@pytest.mark.parametrize("seed", range(4))
def test_walks_agree(seed: int) -> None:
    random = Random(seed)
    outcomes: Counter[str] = Counter()
    for _ in range(CASES // 4):
        case = random_case(random)
        results = []
        for memory in benches():
            memory.hart.menvcfg = case.envcfg
            at = place(memory, case)
            expected = model(memory, case)
            found = memory.walk(case.va, case.access, REGIME_VALID | case.priv | case.regime)
            entries = [memory.peek(a) for a in at]
            if isinstance(expected, int):
                assert (found.grant, found.fault) == (0, expected), case
            else:
                assert (int(found.page) & ~0xFFF, found.fault) == (expected[0], 0), case
                assert expected[1] in entries, case
                assert int(found.grant) & case.access, case
            outcomes["fault" if isinstance(expected, int) else "page"] += 1
            results.append((found, entries))
            for a in at:
                memory.poke(a, 0)
        assert results[0] == results[1], case
    assert min(outcomes["fault"], outcomes["page"]) > CASES // 16
