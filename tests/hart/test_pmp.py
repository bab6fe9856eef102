"""Physical memory protection (Privileged, "Physical Memory Protection")."""

from __future__ import annotations

import pytest

from tests.hart.memory_bench import DEVICE, RAM, Bench, Fault

LOAD_ACCESS, STORE_ACCESS, FETCH_ACCESS = 5, 7, 1
OFF, TOR, NA4, NAPOT, LOCKED = 0, 0x08, 0x10, 0x18, 0x80
R, W, X = 1, 2, 4
PA = RAM + 0x3000


def napot(base: int, size: int) -> int:
    """pmpaddr of a naturally aligned range."""
    return base >> 2 | (size >> 3) - 1


def outcomes(memory: Bench, pa: int, size: int = 8) -> str:
    """Which of r, w, x work at an address."""
    loaded = memory.load(pa, size)
    stored = memory.store(pa, 0, size)
    fetched = memory.fetch(pa)
    assert not isinstance(loaded, Fault) or loaded == Fault(LOAD_ACCESS, pa)
    assert not isinstance(stored, Fault) or stored == Fault(STORE_ACCESS, pa)
    assert not isinstance(fetched, Fault) or fetched == Fault(FETCH_ACCESS, pa)
    marks = zip("rwx", (loaded, stored, fetched), strict=True)
    return "".join(mark for mark, result in marks if not isinstance(result, Fault))


# --- what nothing matches -----------------------------------------------------------------------


def test_without_a_match_machine_mode_alone_gets_through(memory: Bench) -> None:
    assert outcomes(memory, PA) == "rwx"
    for priv in (0, 1):
        memory.enter(priv)
        assert outcomes(memory, PA) == ""


def test_mprv_is_checked_as_the_previous_mode(memory: Bench) -> None:
    memory.enter(3, mstatus=1 << 17 | 1 << 11)
    assert outcomes(memory, PA) == "x"


def test_a_hart_without_pmp_protects_nothing(make_bench) -> None:  # type: ignore[no-untyped-def]
    memory = make_bench(without="smpmp")
    memory.enter(0)
    assert outcomes(memory, PA) == "rwx"


# --- permissions and locking --------------------------------------------------------------------


@pytest.mark.parametrize("granted", [0, R, R | W, X, R | X, R | W | X])
def test_permissions(memory: Bench, granted: int) -> None:
    expected = "".join(mark for mark, bit in zip("rwx", (R, W, X), strict=True) if granted & bit)
    memory.pmp(0, cfg=NAPOT | granted, address=napot(PA, 0x1000))
    assert outcomes(memory, PA) == "rwx", "M mode isn't bound by an entry that isn't locked"
    for priv in (0, 1):
        memory.enter(priv)
        assert outcomes(memory, PA) == expected
    memory.enter(3)
    memory.pmp(0, cfg=LOCKED | NAPOT | granted, address=napot(PA, 0x1000))
    assert outcomes(memory, PA) == expected
    assert outcomes(memory, PA + 0x1000) == "rwx"


def test_the_first_entry_that_matches_decides(memory: Bench) -> None:
    memory.pmp(3, cfg=NAPOT | R, address=napot(PA, 64))
    memory.pmp(5, cfg=NAPOT | R | W | X, address=napot(PA, 0x1000))
    memory.pmp(9, cfg=NAPOT, address=napot(PA, 0x1000))
    memory.enter(1)
    assert outcomes(memory, PA + 56) == "r"
    assert outcomes(memory, PA + 64) == "rwx"


# --- address matching ---------------------------------------------------------------------------


def test_na4_is_four_bytes(memory: Bench) -> None:
    memory.pmp(0, cfg=NA4 | R | W, address=(PA + 8) >> 2)
    memory.enter(1)
    assert outcomes(memory, PA + 4, 4) == ""
    assert outcomes(memory, PA + 8, 4) == "rw"
    assert outcomes(memory, PA + 12, 4) == ""
    assert outcomes(memory, PA + 10, 2) == "rw"


@pytest.mark.parametrize("size", [8, 16, 0x100, 0x1000, 0x8000])
def test_napot_sizes(memory: Bench, size: int) -> None:
    base = RAM + 0x8000
    memory.pmp(0, cfg=NAPOT | R, address=napot(base, size))
    memory.enter(1)
    assert outcomes(memory, base) == "r"
    assert outcomes(memory, base + size - 8) == "r"
    assert outcomes(memory, base - 8) == ""
    assert outcomes(memory, base + size) == ""


def test_napot_of_all_ones_is_everything(memory: Bench) -> None:
    memory.pmp(0, cfg=NAPOT | R | W | X, address=(1 << 54) - 1)
    memory.enter(0)
    assert outcomes(memory, PA) == "rwx"
    assert memory.load(DEVICE, 4) == 0x5566_7788


def test_tor_is_from_the_address_before(memory: Bench) -> None:
    memory.pmp(0, cfg=OFF, address=(PA + 0x100) >> 2)
    memory.pmp(1, cfg=TOR | R, address=(PA + 0x180) >> 2)
    memory.enter(1)
    assert outcomes(memory, PA + 0xF8) == ""
    assert outcomes(memory, PA + 0x100) == "r"
    assert outcomes(memory, PA + 0x178) == "r"
    assert outcomes(memory, PA + 0x180) == ""


def test_the_first_tor_begins_at_zero_and_an_empty_one_matches_nothing(memory: Bench) -> None:
    memory.pmp(0, cfg=TOR | R, address=(PA + 0x100) >> 2)
    memory.enter(1)
    assert outcomes(memory, RAM) == "r"
    assert outcomes(memory, PA + 0x100) == ""
    memory.pmp(1, cfg=TOR | R | W, address=(PA + 0x80) >> 2)
    assert outcomes(memory, PA + 0x88) == "r"
    assert outcomes(memory, PA + 0x100) == ""


# --- partial matches ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0, 3])
def test_an_access_that_an_entry_matches_in_part_fails(memory: Bench, mode: int) -> None:
    memory.pmp(0, cfg=NA4 | R | W | X, address=(PA + 0xC) >> 2)
    memory.pmp(1, cfg=NAPOT | R | W | X, address=(1 << 54) - 1)
    memory.enter(mode)
    assert memory.load(PA + 8) == Fault(LOAD_ACCESS, PA + 8)
    assert memory.store(PA + 8, 0) == Fault(STORE_ACCESS, PA + 8)
    assert memory.load(PA + 8, 4) == 0
    assert memory.load(PA + 0xC, 4) == 0
    assert memory.load(PA + 0xA, 4) == Fault(LOAD_ACCESS, PA + 0xA), "misaligned, in part"


def test_fetches_are_checked_by_halfwords(memory: Bench) -> None:
    memory.poke(PA + 6, 0x0000_0013, 4)
    memory.pmp(0, cfg=NAPOT | X, address=napot(PA, 8))
    memory.enter(1)
    assert memory.fetch(PA + 6) == Fault(FETCH_ACCESS, PA + 8)
    memory.poke(PA + 6, 0x0001, 2)
    assert memory.fetch(PA + 6) == 1


def test_a_page_that_is_divided_is_never_cached(memory: Bench) -> None:
    memory.pmp(0, cfg=NAPOT | R | W, address=napot(PA, 64))
    memory.pmp(1, cfg=NAPOT | R | X, address=napot(PA, 0x1000))
    memory.enter(1)
    for _ in range(2):
        assert outcomes(memory, PA + 8) == "rw"
        assert outcomes(memory, PA + 0x48) == "rx"
    assert memory.translate_fetch(PA + 0x48) == (1 << 64) - 1
    assert memory.translate_fetch(PA + 8) == Fault(FETCH_ACCESS, PA + 8)


def test_a_new_setting_counts_at_once(memory: Bench) -> None:
    memory.allow_all()
    memory.enter(1)
    assert outcomes(memory, PA) == "rwx"
    memory.pmp(0, cfg=NAPOT | R, address=(1 << 54) - 1)
    assert outcomes(memory, PA) == "r"


# --- the CSRs -----------------------------------------------------------------------------------


def cfg(memory: Bench, number: int = 0) -> int:
    return int(memory.csr_read(0x3A0 + number))


def address(memory: Bench, number: int) -> int:
    return int(memory.csr_read(0x3B0 + number))


def test_eight_entries_a_register(memory: Bench) -> None:
    memory.csr_write(0x3A0, 0x0F_0D_0C_0A_09_1F_18_01)
    memory.csr_write(0x3A2, 0x11)
    assert cfg(memory) == 0x0F_0D_0C_08_09_1F_18_01, "W without R becomes neither"
    assert cfg(memory, 2) == 0x11
    assert memory.hart.pmp_cfg[8] == 0x11


def test_reserved_bits_are_zero(memory: Bench) -> None:
    memory.csr_write(0x3A0, 0x67)
    assert cfg(memory) == 0x07
    memory.csr_write(0x3B5, (1 << 64) - 1)
    assert address(memory, 5) == (1 << 54) - 1


def test_a_locked_entry_keeps_everything(memory: Bench) -> None:
    memory.csr_write(0x3B1, 0x1000)
    memory.csr_write(0x3A0, 0x99 << 8)
    memory.csr_write(0x3B1, 0x2000)
    memory.csr_write(0x3A0, 0x1F << 8 | 0x1F)
    assert address(memory, 1) == 0x1000
    assert cfg(memory) == 0x99 << 8 | 0x1F
    memory.csr_write(0x3B0, 0x77)
    assert address(memory, 0) == 0x77, "only TOR locks the address before it"


def test_a_locked_tor_entry_locks_the_address_before_it(memory: Bench) -> None:
    memory.csr_write(0x3B7, 0x40)
    memory.csr_write(0x3B8, 0x80)
    memory.csr_write(0x3A2, LOCKED | TOR)
    memory.csr_write(0x3B7, 0x41)
    memory.csr_write(0x3B8, 0x81)
    assert (address(memory, 7), address(memory, 8)) == (0x40, 0x80)
    memory.csr_write(0x3A0, 0x1F << 56)
    assert cfg(memory) == 0x1F << 56, "its configuration isn't locked"


def test_writes_of_the_csrs_take_effect(memory: Bench) -> None:
    memory.csr_write(0x3BF, (1 << 54) - 1)
    memory.csr_write(0x3A2, 0x1F << 56)
    memory.enter(1)
    assert outcomes(memory, PA) == "rwx"
