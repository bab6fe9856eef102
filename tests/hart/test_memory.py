"""Loads, stores, atomics, cache blocks, fetches: what a hart does to memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hart.memory_bench import (
    DEVICE,
    DEVICE_VALUE,
    LEAF,
    RAM,
    RAM_BYTES,
    REFUSED,
    ROM,
    A,
    Bench,
    D,
    Fault,
    R,
    V,
    X,
)

LOAD_MISALIGNED, LOAD_ACCESS, STORE_MISALIGNED, STORE_ACCESS = 4, 5, 6, 7
FETCH_ACCESS, FETCH_PAGE, LOAD_PAGE, STORE_PAGE = 1, 12, 13, 15
VALUE = 0x8877_6655_4433_2211
PA = RAM + 0x3000
VA = 0x4000_0000


# --- plain accesses -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_sizes(memory: Bench, size: int) -> None:
    mask = (1 << (8 * size)) - 1
    for _ in range(2):  # by the slow path, then by the TLB
        memory.poke(PA + 8, 0)
        memory.store(PA + 8, VALUE & mask, size)
        assert memory.peek(PA + 8) == VALUE & mask
        memory.poke(PA + 8, VALUE)
        assert memory.load(PA + 8, size) == VALUE & mask


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("offset", [1, 3, 0xFF9, 0xFFD, 0xFFF])
def test_misaligned_accesses_work(memory: Bench, size: int, offset: int) -> None:
    mask = (1 << (8 * size)) - 1
    for _ in range(2):
        memory.poke(PA + offset, 0)
        memory.store(PA + offset, VALUE & mask, size)
        assert memory.peek(PA + offset, 8) == VALUE & mask
        assert memory.load(PA + offset, size) == VALUE & mask


def test_misaligned_accesses_across_pages_that_lie_apart(memory: Bench) -> None:
    memory.map(VA, PA)
    memory.map(VA + 0x1000, PA + 0x5000)
    memory.paged()
    memory.store(VA + 0xFFD, VALUE)
    assert memory.peek(PA + 0xFFD, 3) == VALUE & 0xFF_FFFF
    assert memory.peek(PA + 0x5000, 5) == VALUE >> 24
    assert memory.load(VA + 0xFFD) == VALUE


def test_the_part_that_faults_is_named_and_nothing_is_stored(memory: Bench) -> None:
    memory.map(VA, PA)
    memory.paged()
    assert memory.load(VA + 0xFFC) == Fault(LOAD_PAGE, VA + 0x1000)
    assert memory.store(VA + 0xFFC, VALUE) == Fault(STORE_PAGE, VA + 0x1000)
    assert memory.load(VA - 3) == Fault(LOAD_PAGE, VA - 3)
    assert memory.peek(PA + 0xFFC, 4) == 0
    memory.map(VA + 0x1000, PA + 0x1000, V | R | A | D)
    assert memory.store(VA + 0xFFC, VALUE) == Fault(STORE_PAGE, VA + 0x1000)
    assert memory.peek(PA + 0xFFC, 4) == 0
    assert memory.load(VA + 0xFFC) == 0


def test_without_zicclsm_misaligned_accesses_trap(make_bench: Callable[..., Bench]) -> None:
    memory = make_bench(without="zicclsm zama16b")
    assert memory.load(PA + 1, 2) == Fault(LOAD_MISALIGNED, PA + 1)
    assert memory.store(PA + 6, 0, 4) == Fault(STORE_MISALIGNED, PA + 6)
    assert memory.load(PA + 4, 4) == 0


def test_addresses_outside_everything(memory: Bench) -> None:
    top = (1 << 64) - 8
    assert memory.load(top) == Fault(LOAD_ACCESS, top)
    assert memory.store(top + 4, 0) == Fault(STORE_ACCESS, top + 4)
    end = RAM + RAM_BYTES
    memory.poke(end - 8, 5)
    assert memory.load(end - 8) == 5
    assert memory.load(end - 4) == Fault(LOAD_ACCESS, end), "the second part is no RAM"


# --- ROM and devices ----------------------------------------------------------------------------


def test_rom_is_read_and_not_written(memory: Bench) -> None:
    memory.poke(ROM + 16, VALUE)
    assert memory.load(ROM + 16) == VALUE
    assert memory.fetch(ROM + 16) == VALUE & 0xFFFF
    for _ in range(2):
        assert memory.store(ROM + 16, 1) == Fault(STORE_ACCESS, ROM + 16)
        assert memory.amo_address(ROM + 16, 8) == Fault(STORE_ACCESS, ROM + 16)
        assert memory.zero_block(ROM + 16) == Fault(STORE_ACCESS, ROM + 16)
    assert memory.store(ROM + 0xFFD, 1) == Fault(STORE_ACCESS, ROM + 0xFFD)
    assert memory.peek(ROM + 16) == VALUE


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_devices_are_asked_every_time(memory: Bench, size: int) -> None:
    mask = (1 << (8 * size)) - 1
    for _ in range(2):
        assert memory.load(DEVICE + 8, size) == DEVICE_VALUE & mask
        assert memory.store(DEVICE + 8, VALUE & mask, size) is None
    assert memory.device_reads == [(DEVICE + 8, size)] * 2
    assert memory.device_writes == [(DEVICE + 8, size, VALUE & mask)] * 2


def test_devices_behind_paging(memory: Bench) -> None:
    memory.map(VA, DEVICE)
    memory.paged()
    assert memory.load(VA + 4, 4) == DEVICE_VALUE & 0xFFFF_FFFF
    assert memory.device_reads == [(DEVICE + 4, 4)]
    assert memory.fetch(VA) == Fault(FETCH_ACCESS, VA)


def test_a_device_s_page_is_walked_once(memory: Bench) -> None:
    memory.map(VA, DEVICE)
    memory.paged()
    for _ in range(3):
        assert memory.load(VA, 4) == DEVICE_VALUE & 0xFFFF_FFFF
        assert memory.store(VA, 1, 4) is None
    assert memory.hart.walks[0] == 1
    assert len(memory.device_reads) == len(memory.device_writes) == 3


def test_a_device_s_page_that_may_be_read_only_is_not_written(memory: Bench) -> None:
    memory.map(VA, DEVICE, V | R | A | D)
    memory.paged()
    for _ in range(2):
        assert memory.load(VA, 4) == DEVICE_VALUE & 0xFFFF_FFFF
        assert memory.store(VA, 1, 4) == Fault(STORE_PAGE, VA)
    assert memory.device_writes == []


def test_a_fence_drops_a_device_s_page(memory: Bench) -> None:
    memory.map(VA, DEVICE)
    memory.paged()
    assert memory.load(VA, 4) == DEVICE_VALUE & 0xFFFF_FFFF
    memory.map(VA, PA)
    memory.poke(PA, 7)
    memory.flush_translations(0, 0, False, False)
    assert memory.load(VA, 4) == 7
    memory.map(VA, DEVICE)
    memory.flush_translations(0, 0, False, False)
    assert memory.load(VA, 4) == DEVICE_VALUE & 0xFFFF_FFFF


def test_what_the_bus_refuses_is_an_access_fault(memory: Bench) -> None:
    assert memory.load(REFUSED, 4) == Fault(LOAD_ACCESS, REFUSED)
    assert memory.store(REFUSED, 4, 4) == Fault(STORE_ACCESS, REFUSED)
    assert memory.hart.mmio_error == 0
    assert memory.load(DEVICE, 4) == DEVICE_VALUE & 0xFFFF_FFFF


def test_misaligned_device_accesses_reach_no_device(memory: Bench) -> None:
    assert memory.load(DEVICE + 1, 4) == Fault(LOAD_ACCESS, DEVICE + 1)
    assert memory.store(DEVICE + 2, 0, 4) == Fault(STORE_ACCESS, DEVICE + 2)
    assert memory.load(DEVICE + 0xFFE, 4) == Fault(LOAD_ACCESS, DEVICE + 0xFFE)
    assert memory.device_reads == []
    assert memory.device_writes == []


def test_only_ram_has_atomics_and_zero_blocks(memory: Bench) -> None:
    assert memory.amo_address(DEVICE, 4) == Fault(STORE_ACCESS, DEVICE)
    assert memory.load_reserved_u32(DEVICE) == Fault(LOAD_ACCESS, DEVICE)
    assert memory.store_conditional_u32(DEVICE, 0) == Fault(STORE_ACCESS, DEVICE)
    assert memory.zero_block(DEVICE + 5) == Fault(STORE_ACCESS, DEVICE + 5)


# --- atomics ------------------------------------------------------------------------------------


@pytest.mark.parametrize("zicclsm", [True, False])
@pytest.mark.parametrize(("offset", "size", "inside"), [
    (1, 2, True), (13, 2, True), (15, 2, False), (12, 4, True), (13, 4, False), (8, 8, True),
    (5, 8, True), (9, 8, False), (0xFFC, 4, True), (0xFFD, 4, False),
])  # fmt: skip
def test_zama16b_allows_what_lies_in_16_aligned_bytes(
    make_bench: Callable[..., Bench], offset: int, size: int, inside: bool, zicclsm: bool
) -> None:
    """Loads and stores, and AMOs too; never store-conditionals."""
    memory = make_bench() if zicclsm else make_bench(without="zicclsm")
    va, mask = PA + offset, (1 << 8 * size) - 1
    for _ in range(2):
        memory.store(va, VALUE & mask, size)
        if inside or zicclsm:
            assert memory.load(va, size) == VALUE & mask == memory.peek(va, size)
        else:
            assert memory.load(va, size) == Fault(LOAD_MISALIGNED, va)
        found = memory.amo_address(va, size)
        assert found == (memory.host(va) if inside else Fault(STORE_MISALIGNED, va))
    if size > 2 and offset % size:
        conditional = getattr(memory, f"store_conditional_u{8 * size}")
        assert conditional(va, 0) == Fault(STORE_MISALIGNED, va)


def test_amo_addresses_are_aligned_and_writable(make_bench: Callable[..., Bench]) -> None:
    memory = make_bench(without="zama16b")
    memory.map(VA, PA, V | R | A | D)
    memory.map(VA + 0x1000, PA, V | X | A | D)
    assert memory.amo_address(PA + 4, 4) == memory.host(PA + 4)
    assert memory.amo_address(PA + 4, 4) == memory.host(PA + 4)
    assert memory.amo_address(PA + 4, 8) == Fault(STORE_MISALIGNED, PA + 4)
    assert memory.amo_address(PA + 2, 4) == Fault(STORE_MISALIGNED, PA + 2)
    memory.paged()
    assert memory.amo_address(VA, 8) == Fault(STORE_PAGE, VA)
    assert memory.amo_address(VA + 0x1000, 8) == Fault(STORE_PAGE, VA + 0x1000)
    assert memory.amo_address(VA + 0x2000, 8) == Fault(STORE_PAGE, VA + 0x2000)


@pytest.mark.parametrize("bits", [32, 64])
def test_store_conditional_needs_a_reservation(memory: Bench, bits: int) -> None:
    reserve = getattr(memory, f"load_reserved_u{bits}")
    conditional = getattr(memory, f"store_conditional_u{bits}")
    memory.poke(PA, 5)
    assert conditional(PA, 9) == 0
    assert reserve(PA) == 5
    assert conditional(PA, 6) == 1
    assert memory.peek(PA) == 6
    assert conditional(PA, 7) == 0, "it is gone"
    assert memory.peek(PA) == 6


def test_store_conditional_fails_elsewhere_and_after_a_change(memory: Bench) -> None:
    memory.load_reserved_u64(PA)
    assert memory.store_conditional_u64(PA + 8, 1) == 0
    assert memory.store_conditional_u64(PA, 1) == 0, "any store-conditional ends it"
    memory.load_reserved_u64(PA)
    memory.poke(PA, 3)
    assert memory.store_conditional_u64(PA, 1) == 0
    memory.load_reserved_u32(PA)
    assert memory.store_conditional_u64(PA, 1) == 0, "a word reserves a word"


def test_reservations_are_physical(memory: Bench) -> None:
    memory.map(VA, PA)
    memory.map(VA + 0x1000, PA)
    memory.paged()
    memory.load_reserved_u64(VA)
    assert memory.store_conditional_u64(VA + 0x1000, 4) == 1
    assert memory.peek(PA) == 4


def test_reservation_faults(memory: Bench) -> None:
    memory.map(VA, PA, V | R | A)
    assert memory.load_reserved_u32(PA + 2) == Fault(LOAD_MISALIGNED, PA + 2)
    assert memory.load_reserved_u64(PA + 4) == Fault(LOAD_MISALIGNED, PA + 4)
    assert memory.store_conditional_u64(PA + 4, 0) == Fault(STORE_MISALIGNED, PA + 4)
    memory.paged()
    assert memory.load_reserved_u64(VA) == 0
    assert memory.store_conditional_u64(VA, 0) == Fault(STORE_PAGE, VA), "it has no permission"
    assert memory.load_reserved_u64(VA + 0x1000) == Fault(LOAD_PAGE, VA + 0x1000)


# --- cache blocks -------------------------------------------------------------------------------


def test_zero_block(memory: Bench) -> None:
    for _ in range(2):
        for at in range(0, 192, 8):
            memory.poke(PA + at, VALUE)
        memory.zero_block(PA + 0x41)
        assert [memory.peek(PA + at) for at in range(0, 192, 8)] == [VALUE] * 8 + [0] * 8 + [
            VALUE
        ] * 8


def test_zero_block_reports_the_register(memory: Bench) -> None:
    memory.map(VA, PA, V | R | A | D)
    memory.paged()
    assert memory.zero_block(VA + 0x33) == Fault(STORE_PAGE, VA + 0x33)


def test_block_management_needs_a_load_or_a_store(memory: Bench) -> None:
    memory.map(VA, PA, V | R | A)
    memory.map(VA + 0x1000, PA, V | X | A | D)
    memory.map(VA + 0x2000, PA, LEAF & ~A)
    memory.paged()
    assert memory.cache_block_check(VA + 0x39) is None, "D isn't looked at"
    for page in (0x1000, 0x2000, 0x3000):
        assert memory.cache_block_check(VA + page + 5) == Fault(STORE_PAGE, VA + page + 5)
    memory.pmp(0, cfg=0x1C, address=(1 << 54) - 1)
    memory.enter(1, satp=0)
    assert memory.cache_block_check(PA + 7) == Fault(STORE_ACCESS, PA + 7)


# --- fetches ------------------------------------------------------------------------------------


def test_instructions_of_two_and_four_bytes(memory: Bench) -> None:
    memory.poke(PA, 0x1234_5675, 4)
    memory.poke(PA + 8, 0xABCD_0013, 4)
    assert memory.fetch(PA) == 0x5675
    assert memory.fetch(PA + 8) == 0xABCD_0013
    memory.poke(PA + 14, 0x7777_0013, 4)
    assert memory.fetch(PA + 14) == 0x7777_0013


def test_an_instruction_across_pages(memory: Bench) -> None:
    memory.map(VA, PA)
    memory.paged()
    memory.poke(PA + 0xFFE, 0x0013, 2)
    memory.poke(PA + 0x5000, 0xABCD, 2)
    assert memory.fetch(VA + 0xFFE) == Fault(FETCH_PAGE, VA + 0x1000)
    memory.map(VA + 0x1000, PA + 0x5000)
    assert memory.fetch(VA + 0xFFE) == 0xABCD_0013
    assert memory.translate_fetch(VA + 0x1004) == PA + 0x5004


def test_fetches_from_nowhere(memory: Bench) -> None:
    for pc in (DEVICE, REFUSED, (1 << 64) - 2):
        assert memory.fetch(pc) == Fault(FETCH_ACCESS, pc)
        assert memory.translate_fetch(pc) == Fault(FETCH_ACCESS, pc)
    assert memory.device_reads == []
