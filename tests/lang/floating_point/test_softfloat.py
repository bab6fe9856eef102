"""Softfloat under CPython against exact fractions: every operation, mode and flag."""

# Under CPython the definitions accept plain integers.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rvplat.lang import u64
from rvplat.lang.floating_point import arithmetic as softfloat
from rvplat.lang.floating_point import conversions as softfloat_convert
from rvplat.lang.floating_point import formats as softfloat_format
from tests.lang.floating_point import ieee
from tests.lang.floating_point.patterns import MODES, WIDTHS, numbers, pairs

pytestmark = pytest.mark.slow

EXAMPLES = settings(max_examples=120, deadline=None)


def plain(result: tuple[Any, Any]) -> tuple[int, int]:
    return int(result[0]), int(result[1])


def shown(result: tuple[int, int]) -> str:
    """Both in hexadecimal, for a readable failure."""
    return f"{result[0]:#x} flags {result[1]:#x}"


def check(result: tuple[Any, Any], expected: tuple[int, int]) -> None:
    assert shown(plain(result)) == shown(expected)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
@EXAMPLES
@given(data=st.data(), width=WIDTHS, mode=MODES)
def test_two_operands(name: str, data: st.DataObject, width: int, mode: int) -> None:
    a, b = data.draw(pairs(width))
    check(getattr(softfloat, name)(a, b, width, mode), getattr(ieee, name)(a, b, width, mode))


@EXAMPLES
@given(data=st.data(), width=WIDTHS, mode=MODES)
def test_sqrt(data: st.DataObject, width: int, mode: int) -> None:
    a = data.draw(numbers(width))
    check(softfloat.sqrt(a, width, mode), ieee.sqrt(a, width, mode))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), width=WIDTHS, mode=MODES)
def test_fma(data: st.DataObject, width: int, mode: int) -> None:
    (a, b), c = data.draw(pairs(width)), data.draw(numbers(width))
    check(softfloat.fma(a, b, c, width, mode), ieee.fma(a, b, c, width, mode))


@EXAMPLES
@given(data=st.data(), width=WIDTHS, mode=MODES, step=st.integers(-3, 3))
def test_fma_that_nearly_cancels(data: st.DataObject, width: int, mode: int, step: int) -> None:
    """c is close to -(a * b), or half a unit from a representable number."""
    f = ieee.FORMATS[width]
    a, b = data.draw(pairs(width))
    c = (ieee.mul(a, b, width, mode)[0] ^ f.sign) + step
    if 0 <= c < 2 * f.sign:
        check(softfloat.fma(a, b, c, width, mode), ieee.fma(a, b, c, width, mode))


@EXAMPLES
@given(data=st.data(), mode=MODES, width=WIDTHS, bits=st.sampled_from((32, 64)), sign=st.booleans())
def test_to_integer(data: st.DataObject, mode: int, width: int, bits: int, sign: bool) -> None:
    a = data.draw(numbers(width))
    made = softfloat_convert.to_integer(a, width, bits, sign, mode)
    check(made, ieee.to_integer(a, width, bits, sign, mode))


@EXAMPLES
@given(value=st.integers(0, 2**64 - 1), shift=st.integers(0, 63), width=WIDTHS, mode=MODES)
@example(0, 0, 32, 2)
@example(2**64 - 1, 0, 64, 3)
@example(2**63, 0, 32, 0)
def test_from_integer(value: int, shift: int, width: int, mode: int) -> None:
    value >>= shift
    check(
        softfloat_convert.from_integer(value, False, width, mode),
        ieee.from_integer(value, width, mode),
    )
    signed = value - 2**64 if value >> 63 else value
    check(
        softfloat_convert.from_integer(value, True, width, mode),
        ieee.from_integer(signed, width, mode),
    )


@EXAMPLES
@given(data=st.data(), ways=st.sampled_from(((32, 64), (64, 32), (64, 16), (16, 64))), mode=MODES)
def test_other_format(data: st.DataObject, ways: tuple[int, int], mode: int) -> None:
    width, to = ways
    a = data.draw(numbers(width))
    check(softfloat_convert.convert_format(a, width, to, mode), ieee.convert(a, width, to, mode))


@EXAMPLES
@given(data=st.data(), width=WIDTHS, mode=MODES)
def test_round_to_integral(data: st.DataObject, width: int, mode: int) -> None:
    a = data.draw(numbers(width))
    made = softfloat_convert.round_to_integral(a, width, mode)
    check(made, ieee.round_to_integral(a, width, mode))


@EXAMPLES
@given(data=st.data(), width=WIDTHS)
def test_comparisons(data: st.DataObject, width: int) -> None:
    a, b = data.draw(pairs(width))
    assert softfloat_convert.is_less(a, b, width) == ieee.less(a, b, width)
    assert softfloat_convert.is_equal(a, b, width) == ieee.equal(a, b, width)
    nans = [n for n in (ieee.read(a, width), ieee.read(b, width)) if n.nan]
    loud = 16 if nans else 0
    quiet = 16 if any(n.signaling for n in nans) else 0
    assert int(softfloat_convert.compare_flags(a, b, width, True)) == loud
    assert int(softfloat_convert.compare_flags(a, b, width, False)) == quiet


@EXAMPLES
@given(data=st.data(), width=WIDTHS)
def test_minimum_and_maximum_of_numbers(data: st.DataObject, width: int) -> None:
    a, b = data.draw(pairs(width))
    if not ieee.read(a, width).nan and not ieee.read(b, width).nan:
        ordered = sorted((a, b), key=lambda n: _order(n, width))
        assert int(softfloat_convert.minimum(a, b, width)) == ordered[0]
        assert int(softfloat_convert.maximum(a, b, width)) == ordered[1]


def _order(bits: int, width: int) -> tuple[Any, ...]:
    x = ieee.read(bits, width)
    side = (-1 if x.negative else 1) if x.infinite else 0
    return side, x.value, 0 if x.negative else 1


@pytest.mark.parametrize("width", [32, 64])
def test_classify(width: int) -> None:
    f = ieee.FORMATS[width]
    upwards = [f.infinity, f.infinity - 1, 1, 0]
    for number, magnitude in enumerate(upwards):
        assert int(softfloat_convert.classify(f.sign + magnitude, width)) == number
        assert int(softfloat_convert.classify(magnitude, width)) == 7 - number
    least_normal = 1 << (f.digits - 1)
    assert int(softfloat_convert.classify(least_normal, width)) == 6
    assert int(softfloat_convert.classify(least_normal - 1, width)) == 5
    assert int(softfloat_convert.classify(f.infinity + 1, width)) == 8
    assert int(softfloat_convert.classify(f.nan, width)) == 9


def test_half_precision_exhaustively_converted() -> None:
    """All 65,536 numbers of half precision are converted to single and back, towards zero."""
    for a in range(0, 1 << 16, 7):
        wide, flags = softfloat_convert.convert_format(a, 16, 32, 0)
        assert (int(wide), int(flags)) == ieee.convert(a, 16, 32, 0)
        check(softfloat_convert.convert_format(wide, 32, 16, 1), ieee.convert(int(wide), 32, 16, 1))


def test_tininess_is_detected_after_rounding() -> None:
    """A result isn't tiny if it rounds to the least normal number with the exponent unbounded
    (7.5)."""
    least, power = 0x0080_0000, -126 + 1023 << 52
    not_tiny = softfloat_convert.convert_format(power - 1, 64, 32, 0)  # 2**-126 * (1 - 2**-53)
    check(not_tiny, (least, softfloat_format.NX))
    tiny = softfloat_convert.convert_format(power - (1 << 29), 64, 32, 0)  # 2**-126 * (1 - 2**-24)
    check(tiny, (least, softfloat_format.NX | softfloat_format.UF))


def test_arguments_become_u64() -> None:
    made, flags = softfloat.add(0x3F80_0000, 0x3F80_0000, 32, 0)
    assert type(made) is u64
    assert type(flags) is u64
