"""Hypothesis strategies for floating-point patterns: corner cases, neighbours, any bits."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from tests.lang.floating_point.ieee import FORMATS

MODES = st.integers(0, 4)
WIDTHS = st.sampled_from((32, 64))


def _corners(width: int) -> list[int]:
    """Magnitudes of corner cases."""
    f = FORMATS[width]
    one = f.top << (f.digits - 1)
    unit = 1 << (f.digits - 1)
    edges = [0, unit, f.infinity, f.nan, one, one + unit, one - unit, 2 * unit, f.infinity - unit]
    for bits in (31, 32, 63, 64, f.digits - 1, f.digits):
        edges.append(one + bits * unit)
    found = {edge + step for edge in edges for step in (-2, -1, 0, 1, 2)}
    found |= {one + unit // 2, one + unit // 2 + 1, one - unit // 2, unit // 2, f.nan + 0x123}
    return sorted(m for m in found if 0 <= m < f.sign)


def numbers(width: int) -> st.SearchStrategy[int]:
    """Patterns of the format."""
    f = FORMATS[width]
    corner = st.sampled_from(_corners(width))
    unit = 1 << (f.digits - 1)
    reach = min(70, f.top - 1)
    few_bits = st.builds(
        lambda e, i, j: (e * unit) | (1 << i) | (1 << j),
        st.integers(0, 2 * f.top), st.integers(0, f.digits - 2), st.integers(0, f.digits - 2),
    )  # fmt: skip
    near_one = st.builds(
        lambda e, m: (f.top + e) * unit + m, st.integers(-reach, reach), st.integers(0, unit - 1)
    )
    anything = st.integers(0, f.sign - 1)
    magnitude = st.one_of(corner, few_bits, near_one, anything)
    return st.builds(lambda m, s: m | (f.sign if s else 0), magnitude, st.booleans())


def pairs(width: int) -> st.SearchStrategy[tuple[int, int]]:
    """Two numbers, often close to each other or to each other's negative."""
    f = FORMATS[width]
    unit = 1 << (f.digits - 1)
    beside = st.builds(
        lambda a, e, m, s: (a, (a + e * unit + m) % f.sign | (f.sign if s else 0)),
        numbers(width), st.integers(-3, 3), st.integers(-3, 3), st.booleans(),
    )  # fmt: skip
    return st.one_of(st.tuples(numbers(width), numbers(width)), beside)


def corners(width: int) -> list[int]:
    """Magnitudes of corner cases, with both signs."""
    sign = FORMATS[width].sign
    return [m + s for m in _corners(width) for s in (0, sign)]


def some_number(chance: random.Random, width: int) -> int:
    """A pattern, drawn like those of `numbers`, but faster."""
    f = FORMATS[width]
    unit = 1 << (f.digits - 1)
    kind = chance.randrange(4)
    if kind == 0:
        return chance.choice(_corners(width)) | chance.choice((0, f.sign))
    magnitude = chance.randrange(f.sign)
    if kind == 1:
        exponent = chance.randrange(2 * f.top + 1)
        magnitude = exponent * unit | 1 << chance.randrange(f.digits - 1)
    elif kind == 2:
        reach = min(70, f.top)
        magnitude = (f.top + chance.randrange(-reach, reach)) * unit + chance.randrange(unit)
    return magnitude | chance.choice((0, f.sign))


def some_numbers(chance: random.Random, width: int) -> tuple[int, int, int]:
    """Three patterns, often close to each other."""
    f = FORMATS[width]
    a, b, c = (some_number(chance, width) for _ in range(3))
    if chance.random() < 0.3:
        b = (a + chance.randrange(-3, 4) * (1 << f.digits - 1) + chance.randrange(-3, 4)) % f.sign
        b |= chance.choice((0, f.sign))
    return a, b, c
