"""Floating point on the host's unit: leaves of the language, on bit patterns.

Natively each is a constrained LLVM intrinsic ("round.dynamic", "fpexcept.strict"): one instruction
of the host, in its current rounding mode, which sets its sticky flags. Under CPython the softfloat
definitions compute the same with this thread's simulated unit. What is left open: *which* NaN a
NaN result is, and conversions to integers of what doesn't fit (the caller keeps them away).

Functions that use these need LLVM's `strictfp` attribute: the compiler puts it on every function.
Rounding modes and flags are numbered as in softfloat_format.py, whatever the host has.
"""

from __future__ import annotations

import threading

from rvplat.lang import host
from rvplat.lang import softfloat as soft
from rvplat.lang import softfloat_convert as conversion
from rvplat.lang import softfloat_format as form
from rvplat.lang.define import intrinsic
from rvplat.lang.types import Integer, s64, u32, u64

_DYNAMIC = 'metadata !"round.dynamic", metadata !"fpexcept.strict"'
_STRICT = 'metadata !"fpexcept.strict"'
_NAMESPACE = "@llvm.experimental.constrained"
_FLOAT = {32: "float", 64: "double"}


class _Unit(threading.local):
    """The floating-point unit of a thread that runs definitions under CPython."""

    rounding = 0
    flags = 0


_unit = _Unit()


def _raised(result: tuple[u64, u64]) -> u64:
    """The value of a softfloat result, its flags gone to the unit."""
    _unit.flags |= int(result[1])
    return result[0]


def _compared(answer: bool, a: Integer, b: Integer, fmt: int, signals: bool) -> bool:
    """The answer of a comparison, its flags gone to the unit."""
    _unit.flags |= int(conversion.compare_flags(a, b, fmt, signals))
    return answer


def _at_most(a: Integer, b: Integer, fmt: int) -> bool:
    return conversion.is_less(a, b, fmt) or conversion.is_equal(a, b, fmt)


# --- LLVM text ----------------------------------------------------------------------------------


def _operand(index: int, bits: int) -> str:
    return f"%f{index}{{t}} = bitcast i{bits} {{{index}}} to {_FLOAT[bits]}\n"


def _arithmetic(name: str, bits: int, count: int) -> tuple[str, tuple[str, ...]]:
    """Text and declaration of an operation from floats to a float."""
    kind = _FLOAT[bits]
    operands = ", ".join(f"{kind} %f{i}{{t}}" for i in range(count))
    function = f"{_NAMESPACE}.{name}.f{bits}"
    text = "".join(_operand(i, bits) for i in range(count))
    text += f"%r{{t}} = call {kind} {function}({operands}, {_DYNAMIC}) strictfp\n"
    text += f"{{result}} = bitcast {kind} %r{{t}} to i{bits}"
    parameters = ", ".join([kind] * count)
    return text, (f"declare {kind} {function}({parameters}, metadata, metadata)",)


def _comparison(name: str, relation: str, bits: int) -> tuple[str, tuple[str, ...]]:
    """Text and declaration of a comparison: fcmp is quiet, fcmps signals."""
    kind = _FLOAT[bits]
    function = f"{_NAMESPACE}.{name}.f{bits}"
    text = _operand(0, bits) + _operand(1, bits)
    text += f"{{result}} = call i1 {function}({kind} %f0{{t}}, {kind} %f1{{t}}, "
    text += f'metadata !"{relation}", {_STRICT}) strictfp'
    return text, (f"declare i1 {function}({kind}, {kind}, metadata, metadata)",)


def _from_integer(bits: int) -> tuple[str, tuple[str, ...]]:
    """Text and declaration of a conversion from s64."""
    kind = _FLOAT[bits]
    function = f"{_NAMESPACE}.sitofp.f{bits}.i64"
    text = f"%r{{t}} = call {kind} {function}(i64 {{0}}, {_DYNAMIC}) strictfp\n"
    text += f"{{result}} = bitcast {kind} %r{{t}} to i{bits}"
    return text, (f"declare {kind} {function}(i64, metadata, metadata)",)


def _truncation(bits: int) -> tuple[str, tuple[str, ...]]:
    """Text and declaration of a conversion to s64 towards zero."""
    kind = _FLOAT[bits]
    function = f"{_NAMESPACE}.fptosi.i64.f{bits}"
    text = _operand(0, bits)
    text += f"{{result}} = call i64 {function}({kind} %f0{{t}}, {_STRICT}) strictfp"
    return text, (f"declare i64 {function}({kind}, metadata)",)


def _resize(name: str, source: int, target: int, modes: str) -> tuple[str, tuple[str, ...]]:
    """Text and declaration of fptrunc or fpext."""
    kind, wanted = _FLOAT[source], _FLOAT[target]
    function = f"{_NAMESPACE}.{name}.f{target}.f{source}"
    text = _operand(0, source)
    text += f"%r{{t}} = call {wanted} {function}({kind} %f0{{t}}, {modes}) strictfp\n"
    text += f"{{result}} = bitcast {wanted} %r{{t}} to i{target}"
    parameters = ", ".join([kind] + ["metadata"] * (modes.count(",") + 1))
    return text, (f"declare {wanted} {function}({parameters})",)


# --- binary32 -----------------------------------------------------------------------------------


@intrinsic(*_arithmetic("fadd", 32, 2))
def f32_add(a: u32, b: u32) -> u32:
    return u32(_raised(soft.add(a, b, 32, _unit.rounding)))


@intrinsic(*_arithmetic("fsub", 32, 2))
def f32_sub(a: u32, b: u32) -> u32:
    return u32(_raised(soft.sub(a, b, 32, _unit.rounding)))


@intrinsic(*_arithmetic("fmul", 32, 2))
def f32_mul(a: u32, b: u32) -> u32:
    return u32(_raised(soft.mul(a, b, 32, _unit.rounding)))


@intrinsic(*_arithmetic("fdiv", 32, 2))
def f32_div(a: u32, b: u32) -> u32:
    return u32(_raised(soft.div(a, b, 32, _unit.rounding)))


@intrinsic(*_arithmetic("sqrt", 32, 1))
def f32_sqrt(a: u32) -> u32:
    return u32(_raised(soft.sqrt(a, 32, _unit.rounding)))


@intrinsic(*_arithmetic("fma", 32, 3))
def f32_fma(a: u32, b: u32, c: u32) -> u32:
    return u32(_raised(soft.fma(a, b, c, 32, _unit.rounding)))


@intrinsic(*_comparison("fcmp", "uno", 32))
def f32_unordered(a: u32, b: u32) -> bool:
    """Whether one of them is a NaN; quiet."""
    return _compared(form.is_nan(a, 32) or form.is_nan(b, 32), a, b, 32, False)


@intrinsic(*_comparison("fcmp", "oeq", 32))
def f32_eq(a: u32, b: u32) -> bool:
    """a == b; quiet."""
    return _compared(conversion.is_equal(a, b, 32), a, b, 32, False)


@intrinsic(*_comparison("fcmps", "olt", 32))
def f32_lt(a: u32, b: u32) -> bool:
    """a < b; any NaN raises NV."""
    return _compared(conversion.is_less(a, b, 32), a, b, 32, True)


@intrinsic(*_comparison("fcmps", "ole", 32))
def f32_le(a: u32, b: u32) -> bool:
    """a <= b; any NaN raises NV."""
    return _compared(_at_most(a, b, 32), a, b, 32, True)


@intrinsic(*_comparison("fcmp", "olt", 32))
def f32_lt_quiet(a: u32, b: u32) -> bool:
    """a < b; quiet."""
    return _compared(conversion.is_less(a, b, 32), a, b, 32, False)


@intrinsic(*_comparison("fcmp", "ole", 32))
def f32_le_quiet(a: u32, b: u32) -> bool:
    """a <= b; quiet."""
    return _compared(_at_most(a, b, 32), a, b, 32, False)


@intrinsic(*_from_integer(32))
def f32_from_s64(a: s64) -> u32:
    return u32(_raised(conversion.from_integer(a, True, 32, _unit.rounding)))


@intrinsic(*_truncation(32))
def f32_to_s64_towards_zero(a: u32) -> s64:
    """|a| < 2**63."""
    return s64(_raised(conversion.to_integer(a, 32, 64, True, 1)))


@intrinsic(*host.to_s64(32))
def f32_to_s64(a: u32) -> s64:
    """In the rounding mode; |a| < 2**63 - 2**39."""
    return s64(_raised(conversion.to_integer(a, 32, 64, True, _unit.rounding)))


@intrinsic(*_resize("fpext", 32, 64, _STRICT))
def f32_to_f64(a: u32) -> u64:
    return _raised(conversion.convert_format(a, 32, 64, 0))


# --- binary64 -----------------------------------------------------------------------------------


@intrinsic(*_arithmetic("fadd", 64, 2))
def f64_add(a: u64, b: u64) -> u64:
    return _raised(soft.add(a, b, 64, _unit.rounding))


@intrinsic(*_arithmetic("fsub", 64, 2))
def f64_sub(a: u64, b: u64) -> u64:
    return _raised(soft.sub(a, b, 64, _unit.rounding))


@intrinsic(*_arithmetic("fmul", 64, 2))
def f64_mul(a: u64, b: u64) -> u64:
    return _raised(soft.mul(a, b, 64, _unit.rounding))


@intrinsic(*_arithmetic("fdiv", 64, 2))
def f64_div(a: u64, b: u64) -> u64:
    return _raised(soft.div(a, b, 64, _unit.rounding))


@intrinsic(*_arithmetic("sqrt", 64, 1))
def f64_sqrt(a: u64) -> u64:
    return _raised(soft.sqrt(a, 64, _unit.rounding))


@intrinsic(*_arithmetic("fma", 64, 3))
def f64_fma(a: u64, b: u64, c: u64) -> u64:
    return _raised(soft.fma(a, b, c, 64, _unit.rounding))


@intrinsic(*_comparison("fcmp", "uno", 64))
def f64_unordered(a: u64, b: u64) -> bool:
    """Whether one of them is a NaN; quiet."""
    return _compared(form.is_nan(a, 64) or form.is_nan(b, 64), a, b, 64, False)


@intrinsic(*_comparison("fcmp", "oeq", 64))
def f64_eq(a: u64, b: u64) -> bool:
    """a == b; quiet."""
    return _compared(conversion.is_equal(a, b, 64), a, b, 64, False)


@intrinsic(*_comparison("fcmps", "olt", 64))
def f64_lt(a: u64, b: u64) -> bool:
    """a < b; any NaN raises NV."""
    return _compared(conversion.is_less(a, b, 64), a, b, 64, True)


@intrinsic(*_comparison("fcmps", "ole", 64))
def f64_le(a: u64, b: u64) -> bool:
    """a <= b; any NaN raises NV."""
    return _compared(_at_most(a, b, 64), a, b, 64, True)


@intrinsic(*_comparison("fcmp", "olt", 64))
def f64_lt_quiet(a: u64, b: u64) -> bool:
    """a < b; quiet."""
    return _compared(conversion.is_less(a, b, 64), a, b, 64, False)


@intrinsic(*_comparison("fcmp", "ole", 64))
def f64_le_quiet(a: u64, b: u64) -> bool:
    """a <= b; quiet."""
    return _compared(_at_most(a, b, 64), a, b, 64, False)


@intrinsic(*_from_integer(64))
def f64_from_s64(a: s64) -> u64:
    return _raised(conversion.from_integer(a, True, 64, _unit.rounding))


@intrinsic(*_truncation(64))
def f64_to_s64_towards_zero(a: u64) -> s64:
    """|a| < 2**63."""
    return s64(_raised(conversion.to_integer(a, 64, 64, True, 1)))


@intrinsic(*host.to_s64(64))
def f64_to_s64(a: u64) -> s64:
    """In the rounding mode; |a| < 2**63."""
    return s64(_raised(conversion.to_integer(a, 64, 64, True, _unit.rounding)))


@intrinsic(*_resize("fptrunc", 64, 32, _DYNAMIC))
def f64_to_f32(a: u64) -> u32:
    return u32(_raised(conversion.convert_format(a, 64, 32, _unit.rounding)))


# --- the unit's control -------------------------------------------------------------------------


@intrinsic(*host.FP_CONTROL)
def host_fp_control() -> u64:
    """The unit's whole control word, to be put back with host_fp_restore."""
    return u64(_unit.rounding | _unit.flags << 8)


@intrinsic(*host.FP_RESTORE)
def host_fp_restore(control: u64) -> None:
    """Give the unit a control word that host_fp_control returned, flags included."""
    _unit.rounding = int(control) & 0xFF
    _unit.flags = int(control) >> 8


@intrinsic(*host.FP_START)
def host_fp_start(rounding: u64) -> None:
    """Round so (RNE, RTZ, RDN or RUP), trap nothing, keep subnormals, all flags clear."""
    _unit.rounding = int(rounding)
    _unit.flags = 0


@intrinsic(*host.FP_FLAGS)
def host_fp_flags() -> u64:
    """The flags raised since host_fp_start or host_fp_restore."""
    return u64(_unit.flags)


@intrinsic(*host.FP_LATE_TININESS)
def host_underflows_late() -> bool:
    """Whether the unit tells tininess after rounding. If not, its UF flag means nothing."""
    return True


@intrinsic(*host.FP_HAS_FMA)
def host_has_fma() -> bool:
    """Whether f32_fma and f64_fma are instructions of the host."""
    return True
