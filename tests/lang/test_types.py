"""Under CPython, the language's integers wrap and combine by the rules of the language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvplat.lang import s8, s32, s64, u8, u32, u64, u128

WORDS = st.integers(0, 2**64 - 1)


@given(WORDS, WORDS)
def test_arithmetic_wraps_at_the_width(a: int, b: int) -> None:
    assert int(u64(a) + u64(b)) == (a + b) % 2**64
    assert int(u64(a) * u64(b)) == a * b % 2**64
    assert int(s64(a) - s64(b)) == (a - b + 2**63) % 2**64 - 2**63


@given(WORDS, st.integers(0, 300))
def test_shift_amounts_are_taken_modulo_the_width(a: int, n: int) -> None:
    assert int(u64(a) << n) == (a << n % 64) % 2**64
    assert int(s32(a) >> n) == int(s32(a)) >> n % 32


def test_conversions_extend_by_the_signedness_of_the_source() -> None:
    assert u64(s32(-1)) == 0xFFFF_FFFF_FFFF_FFFF
    assert u64(u32(0xFFFF_FFFF)) == 0xFFFF_FFFF
    assert s8(u8(0x80)) == -128
    assert int(u128(u64(2**64 - 1)) * u128(u64(2**64 - 1)) >> 64) == 2**64 - 2


def test_literals_adapt_and_must_fit() -> None:
    assert 5 - u64(7) == u64(-2)
    assert u64(0xFFF) & ~0xF == 0xFF0
    with pytest.raises(OverflowError, match="^the literal 0x100 does not fit u8$"):
        u8(1) + 256


def test_types_never_mix() -> None:
    with pytest.raises(TypeError, match="^u64 with u32: convert one of them first$"):
        u64(1) + u32(1)
    with pytest.raises(TypeError, match="^u64 with s64: convert one of them first$"):
        u64(1) < s64(1)  # noqa: B015
    with pytest.raises(TypeError, match="^u64 with bool: convert one of them first$"):
        u64(1) + True


def test_an_integer_is_no_condition() -> None:
    with pytest.raises(TypeError, match="^u64 is not a condition: compare it with 0$"):
        bool(u64(1))


def test_division_is_for_unsigned() -> None:
    assert u64(7) // 2 == 3
    with pytest.raises(TypeError, match="^// is for unsigned types: use sdiv$"):
        s64(7) // 2
