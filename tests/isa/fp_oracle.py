"""The results of F, D, Zfh and Zfa, by the manual and exact fractions (ieee.py).

    expected("fadd.s", (a, b, c), mode)  ->  (register, flags)

a, b and c are f registers; for conversions from integers and moves, a is an x register.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from tests.lang.floating_point import ieee
from tests.lang.floating_point.ieee import BFLOAT16, FORMATS, NV, NX

BOX = 0xFFFF_FFFF << 32
Row = tuple[int, ...]
Result = tuple[int, int]
BOXES = {16: 0xFFFF_FFFF_FFFF_0000, 32: BOX, 64: 0, BFLOAT16: 0xFFFF_FFFF_FFFF_0000}
WIDTHS = {"h": 16, "s": 32, "d": 64, "bf16": BFLOAT16}
INTEGERS = {"w": (32, True), "wu": (32, False), "l": (64, True), "lu": (64, False)}
FLI = [
    -1.0, None, 2.0**-16, 2.0**-15, 2.0**-8, 2.0**-7, 0.0625, 0.125, 0.25, 0.3125, 0.375, 0.4375,
    0.5, 0.625, 0.75, 0.875, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 8.0, 16.0, 128.0, 256.0,
    2.0**15, 2.0**16, None, None,
]  # fmt: skip


def operand(register: int, width: int) -> int:
    """The number in an f register ("NaN Boxing of Narrower Values")."""
    box = BOXES[width]
    return register - box if register >= box else FORMATS[width].nan


def boxed(pattern: int, width: int) -> int:
    return pattern | BOXES[width]


def sign_extended(value: int, width: int = 32) -> int:
    """The low bits, sign-extended as in an x register of RV64."""
    value %= 1 << width
    return value | BOXES[width] if value >> width - 1 else value


def negated(pattern: int, width: int) -> int:
    return pattern ^ FORMATS[width].sign


def expected(name: str, row: Row, mode: int) -> Result:
    """The value of the register that is written, and the flags that are raised."""
    parts = name.split(".")
    if parts[0] == "fcvt":
        return _fcvt(parts[1], parts[2], row[0], mode)
    if parts[0] in ("fmv", "fcvtmod"):
        return _MOVES[name](row[0])
    width = WIDTHS[parts[1]]
    values = tuple(operand(r, width) for r in row)
    if parts[0] in _TO_INTEGER:
        return _TO_INTEGER[parts[0]](values, width)
    result, flags = _TO_FLOAT[parts[0]](values, width, mode)
    return boxed(result, width), flags


def _fcvt(to: str, source: str, register: int, mode: int) -> Result:
    if to in WIDTHS and source in WIDTHS:
        value = operand(register, WIDTHS[source])
        result, flags = ieee.convert(value, WIDTHS[source], WIDTHS[to], mode)
        return boxed(result, WIDTHS[to]), flags
    if to in WIDTHS:
        bits, signed = INTEGERS[source]
        n = register % (1 << bits)
        n -= (1 << bits) if signed and n >> (bits - 1) else 0
        result, flags = ieee.from_integer(n, WIDTHS[to], mode)
        return boxed(result, WIDTHS[to]), flags
    bits, signed = INTEGERS[to]
    width = WIDTHS[source]
    result, flags = ieee.to_integer(operand(register, width), width, bits, signed, mode)
    return (sign_extended(result) if bits == 32 else result), flags


def _modular(register: int) -> Result:
    flags = ieee.to_integer(register, 64, 32, True, 1)[1]
    x = ieee.read(register, 64)
    return (0 if x.nan or x.infinite else sign_extended(ieee.to_integral(x.value, 1))), flags


_MOVES: dict[str, Callable[[int], Result]] = {
    "fmv.x.w": lambda r: (sign_extended(r), 0),
    "fmv.w.x": lambda r: (r & 0xFFFF_FFFF | BOX, 0),
    "fmv.x.h": lambda r: (sign_extended(r, 16), 0),
    "fmv.h.x": lambda r: (r & 0xFFFF | BOXES[16], 0),
    "fmv.x.d": lambda r: (r, 0),
    "fmv.d.x": lambda r: (r, 0),
    "fcvtmod.w.d": _modular,
}


def _signaling(values: Row, width: int) -> int:
    return NV if any(ieee.read(v, width).signaling for v in values[:2]) else 0


def _any_nan(values: Row, width: int) -> bool:
    return any(ieee.read(v, width).nan for v in values[:2])


def _compare(test: Callable[[int, int, int], bool], quiet: bool) -> Callable[[Row, int], Result]:
    def compare(v: Row, width: int) -> Result:
        loud = NV if not quiet and _any_nan(v, width) else 0
        return int(test(v[0], v[1], width)), loud | _signaling(v, width)

    return compare


def _at_most(a: int, b: int, width: int) -> bool:
    return ieee.less(a, b, width) or ieee.equal(a, b, width)


def _class(v: Row, width: int) -> Result:
    x = ieee.read(v[0], width)
    if x.nan:
        return 1 << (8 if x.signaling else 9), 0
    least = Fraction(2) ** FORMATS[width].bottom
    size = 3 if x.infinite else 0 if x.value == 0 else 1 if abs(x.value) < least else 2
    return 1 << (3 - size if x.negative else 4 + size), 0


_TO_INTEGER: dict[str, Callable[[Row, int], Result]] = {
    "feq": _compare(ieee.equal, quiet=True),
    "flt": _compare(ieee.less, quiet=False),
    "fle": _compare(_at_most, quiet=False),
    "fltq": _compare(ieee.less, quiet=True),
    "fleq": _compare(_at_most, quiet=True),
    "fclass": _class,
}


def _fused(flip_product: bool, flip_addend: bool) -> Callable[[Row, int, int], Result]:
    def fused(v: Row, width: int, mode: int) -> Result:
        a = negated(v[0], width) if flip_product else v[0]
        c = negated(v[2], width) if flip_addend else v[2]
        return ieee.fma(a, v[1], c, width, mode)

    return fused


def _choose(least: bool, nan_wins: bool) -> Callable[[Row, int, int], Result]:
    def choose(v: Row, width: int, mode: int) -> Result:
        flags = _signaling(v, width)
        nans = [ieee.read(p, width).nan for p in v[:2]]
        if all(nans) or (nan_wins and any(nans)):
            return FORMATS[width].nan, flags
        if any(nans):
            return v[0] if nans[1] else v[1], flags
        a_first = ieee.less(v[0], v[1], width) or (
            not ieee.less(v[1], v[0], width) and ieee.read(v[0], width).negative
        )
        return v[0] if a_first == least else v[1], flags

    return choose


def _inject(sign: Callable[[int, int], int]) -> Callable[[Row, int, int], Result]:
    def inject(v: Row, width: int, mode: int) -> Result:
        top = FORMATS[width].sign
        return v[0] % top + (top if sign(v[0] // top, v[1] // top) else 0), 0

    return inject


def _round(v: Row, width: int, mode: int) -> Result:
    result, flags = ieee.round_to_integral(v[0], width, mode)
    return result, flags & ~NX


_TO_FLOAT: dict[str, Callable[[Row, int, int], Result]] = {
    "fadd": lambda v, w, m: ieee.add(v[0], v[1], w, m),
    "fsub": lambda v, w, m: ieee.sub(v[0], v[1], w, m),
    "fmul": lambda v, w, m: ieee.mul(v[0], v[1], w, m),
    "fdiv": lambda v, w, m: ieee.div(v[0], v[1], w, m),
    "fsqrt": lambda v, w, m: ieee.sqrt(v[0], w, m),
    "fmadd": _fused(False, False),
    "fmsub": _fused(False, True),
    "fnmsub": _fused(True, False),
    "fnmadd": _fused(True, True),
    "fmin": _choose(True, False),
    "fmax": _choose(False, False),
    "fminm": _choose(True, True),
    "fmaxm": _choose(False, True),
    "fsgnj": _inject(lambda a, b: b),
    "fsgnjn": _inject(lambda a, b: 1 - b),
    "fsgnjx": _inject(lambda a, b: a ^ b),
    "fround": _round,
    "froundnx": lambda v, w, m: ieee.round_to_integral(v[0], w, m),
}


def computed(name: str, values: Row, width: int, mode: int) -> Result:
    """The number that an operation such as "fmin" gives, and the flags."""
    return _TO_FLOAT[name](values, width, mode)


def compared(name: str, values: Row, width: int) -> Result:
    """The integer that "feq", "flt", "fle" or "fclass" gives, and the flags."""
    return _TO_INTEGER[name](values, width)


def immediate(index: int, width: int) -> int:
    """The value that fli loads (Zfa, "Immediate values loaded by the FLI.S instruction")."""
    f = FORMATS[width]
    special = {1: 1 << (f.digits - 1), 30: f.infinity, 31: f.nan}
    if index in special:
        return special[index]
    return ieee.pack(Fraction(FLI[index] or 0), width, 0)[0]
