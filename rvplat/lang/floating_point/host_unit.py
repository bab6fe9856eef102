"""Floating point on the host's unit: intrinsics on bit patterns in u64.

`fmt` is the format's width, 32 or 64; the bits of a pattern above it are zero.

In native code each is a constrained LLVM intrinsic ("round.dynamic", "fpexcept.strict"): one host
instruction, which uses the unit's rounding mode and sets its sticky flags. In CPython the softfloat
definitions compute the same with a simulated unit for each thread. Two things are not specified:
the bits of a NaN result, and conversions to integers that overflow (callers must exclude them).

Functions that use these need LLVM's `strictfp` attribute; the compiler gives it to every function.
Rounding modes and flags are numbered as in formats.py, on every host.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from rvplat.lang.define import intrinsic, intrinsic_for
from rvplat.lang.floating_point import arithmetic as soft
from rvplat.lang.floating_point import conversions as conversion
from rvplat.lang.floating_point import formats as form
from rvplat.lang.floating_point.formats import Format
from rvplat.lang.host import floating_point as host
from rvplat.lang.host.processor import IrText
from rvplat.lang.types import Integer, s64, u64

_DYNAMIC = 'metadata !"round.dynamic", metadata !"fpexcept.strict"'
_STRICT = 'metadata !"fpexcept.strict"'
_NAMESPACE = "@llvm.experimental.constrained"
_FLOAT = {32: "float", 64: "double"}

F = TypeVar("F", bound=Callable[..., Any])


class _Unit(threading.local):
    """The floating-point unit of a thread that runs definitions under CPython."""

    rounding = 0
    flags = 0


_unit = _Unit()


def _raised(result: tuple[u64, u64]) -> u64:
    """The value of a softfloat result. Its flags are set in the unit."""
    _unit.flags |= int(result[1])
    return result[0]


def _compared(answer: bool, a: Integer, b: Integer, fmt: int, signals: bool) -> bool:
    """The answer of a comparison. Its flags are set in the unit."""
    _unit.flags |= int(conversion.compare_flags(a, b, fmt, signals))
    return answer


def _at_most(a: Integer, b: Integer, fmt: int) -> bool:
    return conversion.is_less(a, b, fmt) or conversion.is_equal(a, b, fmt)


# --- LLVM text ----------------------------------------------------------------------------------


def _result(bits: int) -> str:
    """The float %r as a bit pattern in 64 bits."""
    if bits == 64:
        return "{result} = bitcast double %r{t} to i64"
    cut = f"%i{{t}} = bitcast {_FLOAT[bits]} %r{{t}} to i{bits}\n"
    return cut + f"{{result}} = zext i{bits} %i{{t}} to i64"


def _variants(text: Callable[[int], IrText]) -> dict[int, IrText]:
    """The text for each format."""
    return {bits: text(bits) for bits in _FLOAT}


def _arithmetic(name: str, count: int) -> Callable[[F], F]:
    """An operation from floats to a float."""

    def text(bits: int) -> IrText:
        kind, function = _FLOAT[bits], f"{_NAMESPACE}.{name}.f{bits}"
        operands = ", ".join(f"{kind} %f{i}{{t}}" for i in range(count))
        lines = "".join(host.float_operand(i, bits) for i in range(count))
        lines += f"%r{{t}} = call {kind} {function}({operands}, {_DYNAMIC}) strictfp\n"
        parameters = ", ".join([kind] * count)
        declaration = f"declare {kind} {function}({parameters}, metadata, metadata)"
        return lines + _result(bits), (declaration,)

    return intrinsic_for(_variants(text))


def _comparison(name: str, relation: str) -> Callable[[F], F]:
    """A comparison: fcmp is quiet, fcmps signals."""

    def text(bits: int) -> IrText:
        kind, function = _FLOAT[bits], f"{_NAMESPACE}.{name}.f{bits}"
        lines = host.float_operand(0, bits) + host.float_operand(1, bits)
        lines += f"{{result}} = call i1 {function}({kind} %f0{{t}}, {kind} %f1{{t}}, "
        lines += f'metadata !"{relation}", {_STRICT}) strictfp'
        return lines, (f"declare i1 {function}({kind}, {kind}, metadata, metadata)",)

    return intrinsic_for(_variants(text))


def _from_integer(bits: int) -> IrText:
    """A conversion from s64."""
    kind, function = _FLOAT[bits], f"{_NAMESPACE}.sitofp.f{bits}.i64"
    text = f"%r{{t}} = call {kind} {function}(i64 {{0}}, {_DYNAMIC}) strictfp\n"
    return text + _result(bits), (f"declare {kind} {function}(i64, metadata, metadata)",)


def _truncation(bits: int) -> IrText:
    """A conversion to s64 towards zero."""
    kind, function = _FLOAT[bits], f"{_NAMESPACE}.fptosi.i64.f{bits}"
    text = host.float_operand(0, bits)
    text += f"{{result}} = call i64 {function}({kind} %f0{{t}}, {_STRICT}) strictfp"
    return text, (f"declare i64 {function}({kind}, metadata)",)


def _resize(name: str, source: int, target: int, modes: str) -> IrText:
    """fptrunc or fpext."""
    kind, wanted = _FLOAT[source], _FLOAT[target]
    function = f"{_NAMESPACE}.{name}.f{target}.f{source}"
    text = host.float_operand(0, source)
    text += f"%r{{t}} = call {wanted} {function}({kind} %f0{{t}}, {modes}) strictfp\n"
    parameters = ", ".join([kind] + ["metadata"] * (modes.count(",") + 1))
    return text + _result(target), (f"declare {wanted} {function}({parameters})",)


# --- operations ---------------------------------------------------------------------------------


@_arithmetic("fadd", 2)
def fp_add(a: u64, b: u64, fmt: Format) -> u64:
    return _raised(soft.add(a, b, fmt, _unit.rounding))


@_arithmetic("fsub", 2)
def fp_sub(a: u64, b: u64, fmt: Format) -> u64:
    return _raised(soft.sub(a, b, fmt, _unit.rounding))


@_arithmetic("fmul", 2)
def fp_mul(a: u64, b: u64, fmt: Format) -> u64:
    return _raised(soft.mul(a, b, fmt, _unit.rounding))


@_arithmetic("fdiv", 2)
def fp_div(a: u64, b: u64, fmt: Format) -> u64:
    return _raised(soft.div(a, b, fmt, _unit.rounding))


@_arithmetic("sqrt", 1)
def fp_sqrt(a: u64, fmt: Format) -> u64:
    return _raised(soft.sqrt(a, fmt, _unit.rounding))


@_arithmetic("fma", 3)
def fp_fma(a: u64, b: u64, c: u64, fmt: Format) -> u64:
    return _raised(soft.fma(a, b, c, fmt, _unit.rounding))


@_comparison("fcmp", "uno")
def fp_unordered(a: u64, b: u64, fmt: Format) -> bool:
    """Whether a or b is a NaN; quiet."""
    return _compared(form.is_nan(a, fmt) or form.is_nan(b, fmt), a, b, fmt, False)


@_comparison("fcmp", "oeq")
def fp_eq(a: u64, b: u64, fmt: Format) -> bool:
    """a == b; quiet."""
    return _compared(conversion.is_equal(a, b, fmt), a, b, fmt, False)


@_comparison("fcmps", "olt")
def fp_lt(a: u64, b: u64, fmt: Format) -> bool:
    """a < b; any NaN raises NV."""
    return _compared(conversion.is_less(a, b, fmt), a, b, fmt, True)


@_comparison("fcmps", "ole")
def fp_le(a: u64, b: u64, fmt: Format) -> bool:
    """a <= b; any NaN raises NV."""
    return _compared(_at_most(a, b, fmt), a, b, fmt, True)


@_comparison("fcmp", "olt")
def fp_lt_quiet(a: u64, b: u64, fmt: Format) -> bool:
    """a < b; quiet."""
    return _compared(conversion.is_less(a, b, fmt), a, b, fmt, False)


@_comparison("fcmp", "ole")
def fp_le_quiet(a: u64, b: u64, fmt: Format) -> bool:
    """a <= b; quiet."""
    return _compared(_at_most(a, b, fmt), a, b, fmt, False)


@intrinsic_for(_variants(_from_integer))
def fp_from_s64(a: s64, fmt: Format) -> u64:
    return _raised(conversion.from_integer(u64(a), True, fmt, _unit.rounding))


@intrinsic_for(_variants(_truncation))
def fp_to_s64_towards_zero(a: u64, fmt: Format) -> s64:
    """|a| < 2**63."""
    return s64(_raised(conversion.to_integer(a, fmt, 64, True, 1)))


@intrinsic_for(_variants(host.to_s64))
def fp_to_s64(a: u64, fmt: Format) -> s64:
    """In the rounding mode; |a| rounded is less than 2**63."""
    return s64(_raised(conversion.to_integer(a, fmt, 64, True, _unit.rounding)))


@intrinsic(*_resize("fpext", 32, 64, _STRICT))
def fp_widened(a: u64) -> u64:
    """A single as a double."""
    return _raised(conversion.convert_format(a, 32, 64, 0))


@intrinsic(*_resize("fptrunc", 64, 32, _DYNAMIC))
def fp_narrowed(a: u64) -> u64:
    """A double as a single."""
    return _raised(conversion.convert_format(a, 64, 32, _unit.rounding))


# --- the unit's control -------------------------------------------------------------------------


@intrinsic(*host.FP_CONTROL)
def host_fp_control() -> u64:
    """The unit's whole control word, for host_fp_restore."""
    return u64(_unit.rounding | _unit.flags << 8)


@intrinsic(*host.FP_RESTORE)
def host_fp_restore(control: u64) -> None:
    """Set the unit's control word, flags included, to one that host_fp_control returned."""
    _unit.rounding = int(control) & 0xFF
    _unit.flags = int(control) >> 8


@intrinsic(*host.FP_START)
def host_fp_start(rounding: u64) -> None:
    """Set the rounding mode (RNE, RTZ, RDN or RUP), no traps, no flushing to zero, no flags."""
    _unit.rounding = int(rounding)
    _unit.flags = 0


@intrinsic(*host.FP_FLAGS)
def host_fp_flags() -> u64:
    """The flags raised since host_fp_start or host_fp_restore."""
    return u64(_unit.flags)


@intrinsic(*host.FP_LATE_TININESS)
def host_underflows_late() -> bool:
    """Whether the unit detects tininess after rounding. If not, its UF flag is not usable."""
    return True


@intrinsic(*host.FP_HAS_FMA)
def host_has_fma() -> bool:
    """Whether fp_fma is an instruction of the host."""
    return True
