"""IEEE 754 arithmetic with exact fractions: an oracle that is independent of softfloat.

A number is given as a bit pattern and the width of its format, or BFLOAT16. Results include the
flags that RISC-V raises (NX 1, UF 2, OF 4, DZ 8, NV 16). Rounding modes are 0 to 4 (RNE RTZ RDN RUP
RMM).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor, isqrt

NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16
RNE, RTZ, RDN, RUP, RMM = range(5)
Result = tuple[int, int]


@dataclass(frozen=True)
class Format:
    """The significand has `digits` bits, with the implicit one; exponents go up to `top`."""

    width: int
    digits: int
    top: int

    @property
    def bottom(self) -> int:
        return 1 - self.top

    @property
    def sign(self) -> int:
        return 1 << (self.width - 1)

    @property
    def infinity(self) -> int:
        return self.sign - (1 << (self.digits - 1))

    @property
    def nan(self) -> int:
        return self.infinity + (1 << (self.digits - 2))


BFLOAT16 = 116  # as a key of FORMATS
FORMATS = {
    16: Format(16, 11, 15), 32: Format(32, 24, 127), 64: Format(64, 53, 1023),
    BFLOAT16: Format(16, 8, 127),
}  # fmt: skip


@dataclass(frozen=True)
class Number:
    """The value of a pattern."""

    negative: bool
    nan: bool = False
    signaling: bool = False
    infinite: bool = False
    value: Fraction = Fraction(0)

    @property
    def zero(self) -> bool:
        return not self.nan and not self.infinite and self.value == 0


def read(bits: int, width: int) -> Number:
    """The value of a pattern (3.4)."""
    f = FORMATS[width]
    negative, rest = bits >= f.sign, bits % f.sign
    if rest > f.infinity:
        return Number(negative, nan=True, signaling=rest < f.nan)
    if rest == f.infinity:
        return Number(negative, infinite=True)
    scale = 1 << (f.digits - 1)
    exponent, fraction = divmod(rest, scale)
    magnitude = Fraction(fraction if exponent == 0 else fraction + scale, scale)
    power = max(exponent, 1) - f.top
    value = magnitude * (Fraction(2) ** power)
    return Number(negative, value=-value if negative else value)


def to_integral(value: Fraction, mode: int) -> int:
    """The value rounded to an integer (4.3)."""
    below = floor(value)
    rest = value - below
    if rest == 0:
        return below
    if mode == RTZ:
        return below if value > 0 else below + 1
    if mode in (RDN, RUP):
        return below + (mode == RUP)
    if rest != Fraction(1, 2):
        return below + (rest > Fraction(1, 2))
    if mode == RNE:
        return below + below % 2
    return below + 1 if value > 0 else below


def power_of(value: Fraction) -> int:
    """The e for which 2**e <= |value| < 2**(e + 1)."""
    size = abs(value)
    e = size.numerator.bit_length() - size.denominator.bit_length()
    return e if Fraction(2) ** e <= size else e - 1


def rounded(value: Fraction, lowest: int | None, digits: int, mode: int) -> Fraction:
    """The value rounded to `digits` bits. `lowest` is the least exponent; None means no bound."""
    e = power_of(value)
    if lowest is not None:
        e = max(e, lowest)
    unit = Fraction(2) ** (e - digits + 1)
    return to_integral(value / unit, mode) * unit


def pack(value: Fraction, width: int, mode: int, negative_zero: bool = False) -> Result:
    """The pattern of a value after rounding, and the flags (7.4, 7.5, 7.6)."""
    f = FORMATS[width]
    if value == 0:
        return (f.sign if negative_zero else 0), 0
    sign = f.sign if value < 0 else 0
    result = rounded(value, f.bottom, f.digits, mode)
    if power_of(result or Fraction(1)) > f.top:
        away = mode in (RNE, RMM) or mode == (RDN if value < 0 else RUP)
        return sign + (f.infinity if away else f.infinity - 1), OF | NX
    flags = NX if result != value else 0
    tiny = abs(rounded(value, None, f.digits, mode)) < Fraction(2) ** f.bottom
    if tiny and flags:
        flags |= UF
    return sign + _pattern(abs(result), f), flags


def _pattern(value: Fraction, f: Format) -> int:
    """The pattern of a magnitude that the format can represent."""
    scale = 1 << (f.digits - 1)
    e = max(power_of(value), f.bottom) if value else f.bottom
    units = value / Fraction(2) ** e * scale
    assert units.denominator == 1
    return int(units) + (e - f.bottom) * scale


def _nan(width: int, *operands: Number) -> Result:
    return FORMATS[width].nan, NV if any(n.signaling for n in operands) else 0


def _infinity(width: int, negative: bool) -> Result:
    f = FORMATS[width]
    return (f.sign if negative else 0) + f.infinity, 0


def _invalid(width: int) -> Result:
    return FORMATS[width].nan, NV


def _sum(a: Number, b: Number, width: int, mode: int) -> Result:
    """a + b, for exact numbers and infinities."""
    if a.infinite or b.infinite:
        if a.infinite and b.infinite and a.negative != b.negative:
            return _invalid(width)
        return _infinity(width, a.negative if a.infinite else b.negative)
    both = a.negative and b.negative
    either = a.negative or b.negative
    return pack(a.value + b.value, width, mode, both or (either and mode == RDN))


def add(a: int, b: int, width: int, mode: int) -> Result:
    x, y = read(a, width), read(b, width)
    return _nan(width, x, y) if x.nan or y.nan else _sum(x, y, width, mode)


def sub(a: int, b: int, width: int, mode: int) -> Result:
    return add(a, b ^ FORMATS[width].sign, width, mode)


def _product(x: Number, y: Number) -> Number | None:
    """x * y, exact; None for infinity times zero."""
    negative = x.negative != y.negative
    if x.infinite or y.infinite:
        return None if x.zero or y.zero else Number(negative, infinite=True)
    return Number(negative, value=x.value * y.value)


def mul(a: int, b: int, width: int, mode: int) -> Result:
    x, y = read(a, width), read(b, width)
    if x.nan or y.nan:
        return _nan(width, x, y)
    product = _product(x, y)
    if product is None:
        return _invalid(width)
    if product.infinite:
        return _infinity(width, product.negative)
    return pack(product.value, width, mode, product.negative)


def fma(a: int, b: int, c: int, width: int, mode: int) -> Result:
    x, y, z = read(a, width), read(b, width), read(c, width)
    product = None if x.nan or y.nan else _product(x, y)
    if x.nan or y.nan or z.nan:
        flags = NV if product is None and not x.nan and not y.nan else 0
        pattern, raised = _nan(width, x, y, z)
        return pattern, raised | flags
    return _invalid(width) if product is None else _sum(product, z, width, mode)


def div(a: int, b: int, width: int, mode: int) -> Result:
    x, y = read(a, width), read(b, width)
    negative = x.negative != y.negative
    if x.nan or y.nan:
        return _nan(width, x, y)
    if (x.infinite and y.infinite) or (x.zero and y.zero):
        return _invalid(width)
    if x.infinite:
        return _infinity(width, negative)
    if y.zero:
        return _infinity(width, negative)[0], DZ
    if y.infinite:
        return pack(Fraction(0), width, mode, negative)
    return pack(x.value / y.value, width, mode, negative)


def sqrt(a: int, width: int, mode: int) -> Result:
    x = read(a, width)
    if x.nan:
        return _nan(width, x)
    if x.zero or (x.infinite and not x.negative):
        return a, 0
    if x.negative:
        return _invalid(width)
    return pack(_root(x.value), width, mode)


def _root(value: Fraction) -> Fraction:
    """The square root, or a fraction that rounds to the same number."""
    bits = 2200  # so that value * 4**bits is an integer
    scaled = value * 4**bits
    assert scaled.denominator == 1
    root = isqrt(scaled.numerator)
    if root * root == scaled:
        return Fraction(root, 1 << bits)
    return Fraction(2 * root + 1, 2 << bits)


def to_integer(a: int, width: int, bits: int, signed: bool, mode: int) -> Result:
    """The result of RISC-V's conversions ("Domains of float-to-integer conversions")."""
    x = read(a, width)
    low = -(1 << (bits - 1)) if signed else 0
    high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
    if x.nan:
        return high, NV
    if x.infinite:
        return (low if x.negative else high) % 2**64, NV
    n = to_integral(x.value, mode)
    if not low <= n <= high:
        return (low if n < low else high) % 2**64, NV
    return n % 2**64, NX if n != x.value else 0


def from_integer(n: int, width: int, mode: int) -> Result:
    return pack(Fraction(n), width, mode)


def convert(a: int, width: int, to: int, mode: int) -> Result:
    x = read(a, width)
    if x.nan:
        return _nan(to, x)
    if x.infinite:
        return _infinity(to, x.negative)
    return pack(x.value, to, mode, x.negative)


def round_to_integral(a: int, width: int, mode: int) -> Result:
    x = read(a, width)
    if x.nan:
        return _nan(width, x)
    if x.infinite:
        return a, 0
    n = Fraction(to_integral(x.value, mode))
    return pack(n, width, mode, x.negative)[0], NX if n != x.value else 0


def less(a: int, b: int, width: int) -> bool:
    x, y = read(a, width), read(b, width)
    if x.nan or y.nan:
        return False
    infinite = [0 if not n.infinite else (-1 if n.negative else 1) for n in (x, y)]
    return infinite[0] < infinite[1] or (infinite == [0, 0] and x.value < y.value)


def equal(a: int, b: int, width: int) -> bool:
    x, y = read(a, width), read(b, width)
    return not x.nan and not y.nan and not less(a, b, width) and not less(b, a, width)
