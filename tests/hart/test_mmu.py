"""Address translation (Privileged, "Virtual Address Translation Process" and what follows it)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rvplat.hart.mmu import DebugTranslation
from rvplat.isa.privileged import EnvCfg, Status
from tests.hart.memory_bench import (
    LEAF,
    PBMT_IO,
    PBMT_NC,
    RAM,
    REFUSED,
    A,
    Bench,
    D,
    Fault,
    G,
    N,
    R,
    U,
    V,
    W,
    X,
)

VA = 0x12_3456_7000 & ((1 << 38) - 1)
PA = RAM + 0x3000
LOAD_PAGE, STORE_PAGE, FETCH_PAGE = 13, 15, 12
LOAD_ACCESS, STORE_ACCESS, FETCH_ACCESS = 5, 7, 1
RESERVED = [1 << bit for bit in range(54, 61)]


def every_access(memory: Bench, va: int) -> tuple[object, object, object]:
    """Outcomes of a load, a store and a fetch: "ok" or the cause."""
    outcomes = []
    for result in (memory.load(va), memory.store(va, 1), memory.fetch(va)):
        outcomes.append(result.cause if isinstance(result, Fault) else "ok")
    return tuple(outcomes)  # type: ignore[return-value]


ALL_PAGE = (LOAD_PAGE, STORE_PAGE, FETCH_PAGE)
ALL_ACCESS = (LOAD_ACCESS, STORE_ACCESS, FETCH_ACCESS)


# --- modes --------------------------------------------------------------------------------------


def test_bare_and_machine_mode_translate_nothing(memory: Bench) -> None:
    memory.allow_all()
    memory.poke(PA, 0x55)
    for priv in (0, 1, 3):
        memory.enter(priv, satp=0)
        assert memory.load(PA) == 0x55
    memory.enter(3, satp=memory.satp())
    assert memory.load(PA) == 0x55


@pytest.mark.parametrize(("mode", "levels"), [(8, 3), (9, 4), (10, 5)])
def test_each_mode_translates(memory: Bench, mode: int, levels: int) -> None:
    top = 1 << (12 + 9 * levels - 2)
    memory.map(top | 0x7000, PA, levels=levels)
    memory.poke(PA + 0x238, 0x77)
    memory.paged(mode=mode)
    assert memory.load(top + 0x7238) == 0x77
    assert memory.debug_translate(top + 0x7238) == DebugTranslation(PA + 0x238, True)


@pytest.mark.parametrize(("mode", "levels"), [(8, 3), (9, 4), (10, 5)])
def test_addresses_are_sign_extended_or_fault(memory: Bench, mode: int, levels: int) -> None:
    bits = 12 + 9 * levels
    high = ((1 << 64) - (1 << (bits - 1))) | 0x5000
    memory.map(high, PA, levels=levels)
    memory.paged(mode=mode)
    assert every_access(memory, high) == ("ok", "ok", "ok")
    for va in (high ^ 1 << 63, high & ~(1 << bits), high & ((1 << bits) - 1), 1 << (bits - 1)):
        assert every_access(memory, va) == ALL_PAGE
        assert memory.load(va) == Fault(LOAD_PAGE, va)


@pytest.mark.parametrize(
    ("mode", "levels", "level"), [(8, 3, 1), (8, 3, 2), (9, 4, 3), (10, 5, 4), (10, 5, 1)]
)
def test_superpages(memory: Bench, mode: int, levels: int, level: int) -> None:
    size = 1 << (12 + 9 * level)
    base = RAM & -size
    va = size + (RAM & (size - 1))
    memory.map(size, base, level=level, levels=levels)
    memory.poke(PA + 8, 0x99)
    memory.paged(mode=mode)
    assert memory.load(va + 0x3008) == 0x99
    assert memory.fetch(va + 0x3008) == 0x99


@pytest.mark.parametrize("level", [1, 2])
def test_misaligned_superpages_fault(memory: Bench, level: int) -> None:
    va = 1 << (12 + 9 * level)
    memory.map(va, RAM & -va | 0x1000, level=level)
    memory.paged()
    assert every_access(memory, va) == ALL_PAGE


# --- page-table entries -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (R, ("ok", STORE_PAGE, FETCH_PAGE)),
        (R | W, ("ok", "ok", FETCH_PAGE)),
        (X, (LOAD_PAGE, STORE_PAGE, "ok")),
        (R | X, ("ok", STORE_PAGE, "ok")),
        (R | W | X, ("ok", "ok", "ok")),
        (W, ALL_PAGE),
        (W | X, ALL_PAGE),
    ],
)
def test_permissions(memory: Bench, flags: int, expected: tuple[object, ...]) -> None:
    memory.map(VA, PA, V | A | D | flags)
    memory.paged()
    assert every_access(memory, VA) == expected


def test_invalid_leaf_and_pointer(memory: Bench) -> None:
    leaf = memory.map(VA, PA, LEAF & ~V)
    memory.paged()
    assert every_access(memory, VA) == ALL_PAGE
    memory.poke(leaf, PA >> 12 << 10 | LEAF)
    assert memory.load(VA) == 0
    root = memory.root + (VA >> 30) * 8
    memory.poke(root, memory.peek(root) & ~V)
    memory.flush_everything()
    assert every_access(memory, VA) == ALL_PAGE


def test_a_pointer_at_the_last_level_faults(memory: Bench) -> None:
    memory.map(VA, PA, V)
    memory.paged()
    assert every_access(memory, VA) == ALL_PAGE


@pytest.mark.parametrize("bit", RESERVED)
def test_reserved_bits_fault_in_leaves_and_pointers(memory: Bench, bit: int) -> None:
    memory.map(VA, PA, LEAF | bit)
    other = VA + (1 << 30)
    memory.map(other, PA)
    root = memory.root + (other >> 30) * 8
    memory.poke(root, memory.peek(root) | bit)
    memory.paged()
    assert every_access(memory, VA) == ALL_PAGE
    assert every_access(memory, other) == ALL_PAGE


@pytest.mark.parametrize("bit", [A, D, U, PBMT_NC, PBMT_IO, N])
def test_pointers_have_no_leaf_bits(memory: Bench, bit: int) -> None:
    memory.map(VA, PA)
    memory.hart.menvcfg = EnvCfg.PBMTE
    root = memory.root + (VA >> 30) * 8
    memory.poke(root, memory.peek(root) | bit)
    memory.paged()
    assert every_access(memory, VA) == ALL_PAGE


def test_software_bits_and_g_are_ignored(memory: Bench) -> None:
    memory.map(VA, PA, LEAF | G | 3 << 8)
    root = memory.root + (VA >> 30) * 8
    memory.poke(root, memory.peek(root) | G | 3 << 8)
    memory.paged()
    assert every_access(memory, VA) == ("ok", "ok", "ok")


# --- U, SUM, MXR --------------------------------------------------------------------------------


def test_user_mode_needs_user_pages(memory: Bench) -> None:
    memory.map(VA, PA, LEAF | U)
    memory.map(VA + 0x1000, PA)
    memory.paged(priv=0)
    assert every_access(memory, VA) == ("ok", "ok", "ok")
    assert every_access(memory, VA + 0x1000) == ALL_PAGE


def test_sum_opens_user_pages_to_loads_and_stores_alone(memory: Bench) -> None:
    memory.map(VA, PA, LEAF | U)
    memory.paged()
    assert every_access(memory, VA) == ALL_PAGE
    memory.enter(1, mstatus=Status.SUM)
    assert every_access(memory, VA) == ("ok", "ok", FETCH_PAGE)
    memory.enter(1)
    assert every_access(memory, VA) == ALL_PAGE


def test_mxr_makes_executable_pages_readable(memory: Bench) -> None:
    memory.map(VA, PA, V | X | A)
    memory.paged()
    assert every_access(memory, VA) == (LOAD_PAGE, STORE_PAGE, "ok")
    memory.enter(1, mstatus=Status.MXR)
    assert every_access(memory, VA) == ("ok", STORE_PAGE, "ok")
    memory.enter(1)
    assert memory.load(VA) == Fault(LOAD_PAGE, VA)


@pytest.mark.parametrize("mpp", [0, 1, 3])
def test_mprv_uses_the_previous_mode_for_data(memory: Bench, mpp: int) -> None:
    memory.map(VA, PA, LEAF | (U if mpp == 0 else 0))
    memory.map(RAM, RAM, V | X | A | D)
    memory.allow_all()
    memory.poke(PA, 0x1234)
    mstatus = Status.MPRV | mpp << Status.MPP_SHIFT
    memory.enter(3, satp=memory.satp(), mstatus=mstatus)
    if mpp == 3:
        assert memory.load(PA) == 0x1234
    else:
        assert memory.load(VA) == 0x1234
    assert memory.fetch(PA) == 0x1234, "fetches are M mode's"


# --- A and D ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (0, ALL_PAGE),
        (A, ("ok", STORE_PAGE, "ok")),
        (D, ALL_PAGE),
        (A | D, ("ok", "ok", "ok")),
    ],
)
def test_svade_faults(memory: Bench, bits: int, expected: tuple[object, ...]) -> None:
    pte = memory.map(VA, PA, V | R | W | X | bits)
    memory.paged()
    before = memory.peek(pte)
    assert every_access(memory, VA) == expected
    assert memory.peek(pte) == before


def test_svadu_sets_a_for_loads_and_d_for_stores(memory: Bench) -> None:
    pte = memory.map(VA, PA, V | R | W | X)
    memory.hart.menvcfg = EnvCfg.ADUE
    memory.paged()
    before = memory.peek(pte)
    assert memory.load(VA) == 0
    assert memory.peek(pte) == before | A
    assert memory.load(VA) == 0
    assert memory.peek(pte) == before | A, "a load that is cached leaves D alone"
    assert memory.store(VA, 3) is None
    assert memory.peek(pte) == before | A | D


def test_svadu_sets_a_for_fetches_and_both_for_a_first_store(memory: Bench) -> None:
    first = memory.map(VA, PA, V | R | W | X)
    second = memory.map(VA + 0x1000, PA, V | R | W)
    memory.hart.menvcfg = EnvCfg.ADUE
    memory.paged()
    memory.fetch(VA)
    memory.store(VA + 0x1000, 1)
    assert memory.peek(first) & (A | D) == A
    assert memory.peek(second) & (A | D) == A | D


def test_svadu_leaves_what_may_not_be_accessed(memory: Bench) -> None:
    pte = memory.map(VA, PA, V | R)
    memory.hart.menvcfg = EnvCfg.ADUE
    memory.paged()
    assert memory.store(VA, 1) == Fault(STORE_PAGE, VA)
    assert memory.peek(pte) & (A | D) == 0


def test_svadu_needs_write_access_to_the_table(memory: Bench) -> None:
    pte = memory.map(VA, PA, V | R | W)
    memory.paged()
    memory.hart.menvcfg = EnvCfg.ADUE
    memory.pmp(1, cfg=0x1F, address=(1 << 54) - 1)
    memory.pmp(0, cfg=0x19, address=(pte & ~0xFFF) >> 2 | 0x1FF)  # its page is read-only
    assert memory.load(VA) == Fault(LOAD_ACCESS, VA)
    assert memory.store(VA, 1) == Fault(STORE_ACCESS, VA)
    assert memory.peek(pte) & (A | D) == 0


# --- access faults on the way -------------------------------------------------------------------


def test_tables_outside_ram_are_access_faults(memory: Bench) -> None:
    memory.allow_all()
    memory.enter(1, satp=8 << 60 | REFUSED >> 12)
    assert every_access(memory, VA) == ALL_ACCESS
    assert memory.device_reads == []


def test_tables_that_pmp_hides_are_access_faults(memory: Bench) -> None:
    memory.map(VA, PA)
    memory.paged()
    memory.pmp(1, cfg=0x1F, address=(1 << 54) - 1)
    memory.pmp(0, cfg=0x18, address=memory.root >> 2 | 0x1FF)
    assert every_access(memory, VA) == ALL_ACCESS
    memory.pmp(0, cfg=0x1C, address=memory.root >> 2 | 0x1FF)  # execute only
    assert every_access(memory, VA) == ALL_ACCESS
    memory.pmp(0, cfg=0x19, address=memory.root >> 2 | 0x1FF)  # read only
    assert every_access(memory, VA) == ("ok", "ok", "ok")


# --- Svnapot ------------------------------------------------------------------------------------


def test_napot_maps_64_kib(memory: Bench) -> None:
    va, pa = 0x40_0000, RAM + 0x2_0000
    for page in range(16):
        memory.map(va + page * 0x1000, pa | 0x8000, LEAF | N)
    memory.paged()
    for page in range(16):
        memory.poke(pa + page * 0x1000 + 8, 0x100 + page)
        assert memory.load(va + page * 0x1000 + 8) == 0x100 + page


@pytest.mark.parametrize("low", [0, 1, 2, 4, 9, 0xC])
def test_other_napot_sizes_are_reserved(memory: Bench, low: int) -> None:
    memory.map(VA, RAM + 0x2_0000 + low * 0x1000, LEAF | N)
    memory.paged()
    assert every_access(memory, VA) == ALL_PAGE


def test_napot_is_for_the_lowest_level(memory: Bench) -> None:
    memory.map(1 << 30, 0x8000_8000, LEAF | N, level=2)
    memory.map(1 << 31, 0x8000_0000, LEAF | N, level=2)
    memory.paged()
    assert every_access(memory, 1 << 30) == ALL_PAGE
    assert every_access(memory, 1 << 31) == ALL_PAGE


def test_without_svnapot_the_bit_is_reserved(make_bench: Callable[..., Bench]) -> None:
    memory = make_bench(without="svnapot")
    memory.map(VA, RAM + 0x2_8000, LEAF | N)
    memory.paged()
    assert every_access(memory, VA) == ALL_PAGE


# --- Svpbmt -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pbmt", [PBMT_NC, PBMT_IO, PBMT_NC | PBMT_IO])
def test_memory_types_need_pbmte_and_three_is_reserved(memory: Bench, pbmt: int) -> None:
    memory.map(VA, PA, LEAF | pbmt)
    memory.paged()
    assert every_access(memory, VA) == ALL_PAGE
    memory.hart.menvcfg = EnvCfg.PBMTE
    works = ("ok", "ok", "ok")
    assert every_access(memory, VA) == (ALL_PAGE if pbmt == PBMT_NC | PBMT_IO else works)


# --- debugging ----------------------------------------------------------------------------------


def test_debug_translation_has_no_permissions_and_no_effects(memory: Bench) -> None:
    pte = memory.map(VA, PA, V | X | U)
    memory.map(VA + 0x1000, PA, V | R)
    memory.hart.menvcfg = EnvCfg.ADUE
    memory.paged()
    memory.pmp(0, cfg=0, address=0)
    before = memory.peek(pte)
    memory.hart.trap_cause = 99
    assert memory.debug_translate(VA + 5) == DebugTranslation(PA + 5, True)
    memory.enter(0)
    assert memory.debug_translate(VA + 0x1005) == DebugTranslation(PA + 5, True)
    assert not memory.debug_translate(VA + 0x2000).mapped
    assert not memory.debug_translate(1 << 50).mapped
    assert memory.peek(pte) == before
    assert memory.hart.trap_cause == 99


# --- satp ---------------------------------------------------------------------------------------


def test_an_unsupported_mode_leaves_satp_alone(make_bench: Callable[..., Bench]) -> None:
    memory = make_bench(without="sv48 sv57")
    good = memory.satp(asid=0xFFFF)
    memory.satp_write(good, 0x180)
    assert memory.hart.satp == good
    for mode in (1, 7, 9, 10, 11, 15):
        memory.satp_write(mode << 60 | 5, 0x180)
        assert memory.hart.satp == good
    memory.satp_write(0, 0x180)
    assert memory.hart.satp == 0
