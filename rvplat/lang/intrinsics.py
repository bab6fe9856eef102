"""The intrinsics of the language: bit counting, signed division, host memory, atomics, host calls.

Each has a body, which is its meaning in CPython, and LLVM text. In CPython atomics are atomic only
because threads hold the GIL; the reference runs one hart.

The order of memory accesses, on every host:

- `read_*` and `write_*` are for memory that no other thread changes, at any alignment.
- `relaxed_load_*` and `relaxed_store_*` (aligned) are single accesses, and other threads may access
  the same memory. They order nothing. A guest's plain loads and stores are these.
- `atomic_load_*` is an acquire: accesses after it stay after it. `atomic_store_*` is a release:
  accesses before it stay before it.
- Atomic operations that change memory, and `fence`, are full fences.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from rvplat.lang.define import Intrinsic
from rvplat.lang.define import intrinsic as _intrinsic
from rvplat.lang.host.processor import FENCE, MACHINE, after_atomic
from rvplat.lang.observation import observations, redirected
from rvplat.lang.record import Record, address_of
from rvplat.lang.types import Integer, s32, s64, u8, u16, u32, u64, u128


class Generic:
    """An intrinsic with a variant for each of several types, selected by the first argument's."""

    def __init__(self, name: str, variants: dict[type[Integer], Intrinsic]) -> None:
        self.name = name
        self.variants = variants

    def __call__(self, *arguments: Any) -> Any:
        variant = self.variants.get(type(arguments[0]))
        if variant is None:
            raise TypeError(f"{self.name} has no form for {type(arguments[0]).__name__}")
        return variant(*arguments)


def _make(
    name: str, types: tuple[Any, ...], returns: Any, body: Any, ir: str, *declares: str,
    writes: bool | None = None,
) -> Any:  # fmt: skip
    """Make an intrinsic from a lambda, with the name and types that a def statement would give."""
    count = len(types)
    names = ["a", "b", "c", "d", "e"][:count]
    scope = {"body": body}
    exec(f"def f({', '.join(names)}): return body({', '.join(names)})", scope)
    function: Any = scope["f"]
    function.__name__ = name
    function.__annotations__ = {**dict(zip(names, types, strict=True)), "return": returns}
    return _intrinsic(ir, declares, writes)(function)


def _count(name: str, llvm: str, body: Any) -> Generic:
    variants: dict[type[Integer], Intrinsic] = {}
    for t in (u8, u16, u32, u64):
        i, flag = f"i{t.bits}", ", i1 false" if llvm != "ctpop" else ""
        extra = ", i1" if llvm != "ctpop" else ""
        variants[t] = _make(
            name, (t,), t, body, f"{{result}} = call {i} @llvm.{llvm}.{i}({i} {{0}}{flag})",
            f"declare {i} @llvm.{llvm}.{i}({i}{extra})",
        )  # fmt: skip
    return Generic(name, variants)


clz = _count("clz", "ctlz", lambda x: x.bits - int(x).bit_length())
ctz = _count("ctz", "cttz", lambda x: x.bits if x == 0 else (int(x) & -int(x)).bit_length() - 1)
popcount = _count("popcount", "ctpop", lambda x: int(x).bit_count())
bswap = Generic("bswap", {
    t: _make("bswap", (t,), t, lambda x: int.from_bytes(int(x).to_bytes(x.bits // 8, "little")),
             f"{{result}} = call i{t.bits} @llvm.bswap.i{t.bits}(i{t.bits} {{0}})",
             f"declare i{t.bits} @llvm.bswap.i{t.bits}(i{t.bits})")
    for t in (u16, u32, u64)
})  # fmt: skip


def _rotate(name: str, llvm: str, body: Any) -> Generic:
    return Generic(name, {
        t: _make(name, (t, t), t, body,
                 f"{{result}} = call i{t.bits} @llvm.{llvm}.i{t.bits}"
                 f"(i{t.bits} {{0}}, i{t.bits} {{0}}, i{t.bits} {{1}})",
                 f"declare i{t.bits} @llvm.{llvm}.i{t.bits}(i{t.bits}, i{t.bits}, i{t.bits})")
        for t in (u8, u16, u32, u64)
    })  # fmt: skip


rotl = _rotate("rotl", "fshl", lambda x, n: (x << n) | (x >> (-n)) if n % x.bits != 0 else x)
rotr = _rotate("rotr", "fshr", lambda x, n: (x >> n) | (x << (-n)) if n % x.bits != 0 else x)


def _truncating(a: Integer, b: Integer) -> int:
    quotient = abs(int(a)) // abs(int(b))
    return -quotient if (a < 0) != (b < 0) else quotient


sdiv = Generic("sdiv", {
    t: _make("sdiv", (t, t), t, _truncating, f"{{result}} = sdiv i{t.bits} {{0}}, {{1}}")
    for t in (s32, s64)
})  # fmt: skip
srem = Generic("srem", {
    t: _make("srem", (t, t), t, lambda a, b: int(a) - int(b) * _truncating(a, b),
             f"{{result}} = srem i{t.bits} {{0}}, {{1}}")
    for t in (s32, s64)
})  # fmt: skip


@_intrinsic("{result} = ptrtoint ptr {0} to i64")
def host_address(record: Record) -> u64:
    """The host address of any record."""
    return u64(address_of(record))


def record_at(record: Record) -> Any:
    """An intrinsic that gives the record of a kind at a host address, as `host_address` gives the
    address of a record."""

    def at(address: u64) -> Any:
        return record.view(int(address))

    at.__annotations__ = {"address": u64, "return": record}
    at.__name__ = f"{record.name}_at"
    return _intrinsic("{result} = inttoptr i64 {0} to ptr")(at)


_CELL: dict[int, Any] = {
    8: ctypes.c_uint8, 16: ctypes.c_uint16, 32: ctypes.c_uint32, 64: ctypes.c_uint64
}  # fmt: skip
_TO_PTR = "%p{t} = inttoptr i64 {0} to ptr\n"
_AFTER = after_atomic(MACHINE)


def _load(address: int, bits: int) -> int:
    if bits == 128:
        return _load(address, 64) | _load(int(address) + 8, 64) << 64
    if observations:
        address = redirected(int(address), bits // 8, writes=False)
    return int(_CELL[bits].from_address(int(address)).value)


def _save(address: int, bits: int, value: int) -> None:
    if bits == 128:
        _save(int(address) + 8, 64, int(value) >> 64)
        bits, value = 64, int(value) & (1 << 64) - 1
    if observations:
        address = redirected(int(address), bits // 8, writes=True)
    _CELL[bits].from_address(int(address)).value = int(value)


def _fill(address: int, value: int, count: int) -> None:
    if observations:
        for n in range(int(count)):
            _save(int(address) + n, 8, value)
    else:
        ctypes.memset(int(address), int(value), int(count))


def _copy(to: int, source: int, count: int) -> None:
    if observations:
        for n in range(int(count)):
            _save(int(to) + n, 8, _load(int(source) + n, 8))
    else:
        ctypes.memmove(int(to), int(source), int(count))


def _load_as(name: str, t: type[Integer], how: str = "", order: str = "") -> Any:
    """A load. `how` ("volatile", "atomic") makes it a single access; `order` is its order."""
    align = t.bits // 8 if how else 1
    return _make(
        f"{name}_{t.__name__}", (u64,), t, lambda a: _load(a, t.bits),
        _TO_PTR + f"{{result}} = load{how} i{t.bits}, ptr %p{{t}}{order}, align {align}",
    )  # fmt: skip


def _store_as(name: str, t: type[Integer], how: str = "", order: str = "") -> Any:
    """A store, as `_load_as`."""
    align = t.bits // 8 if how else 1
    return _make(
        f"{name}_{t.__name__}", (u64, t), None, lambda a, v: _save(a, t.bits, v),
        _TO_PTR + f"store{how} i{t.bits} {{1}}, ptr %p{{t}}{order}, align {align}",
    )  # fmt: skip


def _relaxed_load(t: type[Integer]) -> Any:
    """On x86-64 a narrow load is volatile, which is also a single access. LLVM makes one
    instruction of it and the extension that follows; it would make two of an atomic load."""
    if MACHINE == "x86_64" and t.bits < 64:
        return _load_as("relaxed_load", t, " volatile")
    return _load_as("relaxed_load", t, " atomic", " monotonic")


_NARROW_TO_WIDE = (u8, u16, u32, u64)
read_u8, read_u16, read_u32, read_u64 = (_load_as("read", t) for t in _NARROW_TO_WIDE)
write_u8, write_u16, write_u32, write_u64 = (_store_as("write", t) for t in _NARROW_TO_WIDE)

relaxed_load_u8, relaxed_load_u16, relaxed_load_u32, relaxed_load_u64 = (
    _relaxed_load(t) for t in _NARROW_TO_WIDE
)
relaxed_store_u8, relaxed_store_u16, relaxed_store_u32, relaxed_store_u64 = (
    _store_as("relaxed_store", t, " atomic", " monotonic") for t in _NARROW_TO_WIDE
)


def _atomic(operation: str, t: type[Integer], body: Any) -> Any:
    def apply(address: u64, value: Integer) -> int:
        old = t(_load(address, t.bits))
        _save(address, t.bits, t(body(old, value)))
        return old

    text = f"{{result}} = atomicrmw {_RMW[operation]} ptr %p{{t}}, i{t.bits} {{1}} seq_cst"
    return _make(
        f"atomic_{operation}_{t.__name__}", (u64, t), t, apply, _TO_PTR + text + _AFTER,
        writes=True,
    )  # fmt: skip


_RMW = {"swap": "xchg", "add": "add", "and": "and", "or": "or", "xor": "xor",
        "max": "max", "min": "min", "maxu": "umax", "minu": "umin"}  # fmt: skip


def _signed(x: Integer) -> int:
    return int(x) - (int(x) >> (x.bits - 1) << x.bits)


_MEANING: dict[str, Any] = {
    "swap": lambda old, v: v, "add": lambda old, v: old + v, "and": lambda old, v: old & v,
    "or": lambda old, v: old | v, "xor": lambda old, v: old ^ v,
    "max": lambda old, v: old if _signed(old) >= _signed(v) else v,
    "min": lambda old, v: old if _signed(old) <= _signed(v) else v,
    "maxu": lambda old, v: old if old >= v else v, "minu": lambda old, v: old if old <= v else v,
}  # fmt: skip


def _atomics(operation: str) -> Iterator[Any]:
    """The operation on each width."""
    return (_atomic(operation, t, _MEANING[operation]) for t in _NARROW_TO_WIDE)


atomic_swap_u8, atomic_swap_u16, atomic_swap_u32, atomic_swap_u64 = _atomics("swap")
atomic_add_u8, atomic_add_u16, atomic_add_u32, atomic_add_u64 = _atomics("add")
atomic_and_u8, atomic_and_u16, atomic_and_u32, atomic_and_u64 = _atomics("and")
atomic_or_u8, atomic_or_u16, atomic_or_u32, atomic_or_u64 = _atomics("or")
atomic_xor_u8, atomic_xor_u16, atomic_xor_u32, atomic_xor_u64 = _atomics("xor")
atomic_max_u8, atomic_max_u16, atomic_max_u32, atomic_max_u64 = _atomics("max")
atomic_min_u8, atomic_min_u16, atomic_min_u32, atomic_min_u64 = _atomics("min")
atomic_maxu_u8, atomic_maxu_u16, atomic_maxu_u32, atomic_maxu_u64 = _atomics("maxu")
atomic_minu_u8, atomic_minu_u16, atomic_minu_u32, atomic_minu_u64 = _atomics("minu")


atomic_load_u32, atomic_load_u64 = (
    _load_as("atomic_load", t, " atomic", " seq_cst") for t in (u32, u64)
)
atomic_store_u32, atomic_store_u64 = (
    _store_as("atomic_store", t, " atomic", " release") for t in (u32, u64)
)


def _exchange(t: type[Integer]) -> Any:
    def apply(address: u64, expected: Integer, new: Integer) -> bool:
        if _load(address, t.bits) != int(expected):
            return False
        _save(address, t.bits, new)
        return True

    i = f"i{t.bits}"
    return _make(
        f"compare_exchange_{t.__name__}", (u64, t, t), bool, apply,
        _TO_PTR
        + f"%x{{t}} = cmpxchg ptr %p{{t}}, {i} {{1}}, {i} {{2}} seq_cst seq_cst\n"
        + f"{{result}} = extractvalue {{{{ {i}, i1 }}}} %x{{t}}, 1" + _AFTER,
        writes=True,
    )  # fmt: skip


compare_exchange_u8, compare_exchange_u16, compare_exchange_u32, compare_exchange_u64 = (
    _exchange(t) for t in (u8, u16, u32, u64)
)


def _compare_and_swap(t: type[Integer]) -> Any:
    def apply(address: u64, expected: Integer, new: Integer) -> int:
        old = t(_load(address, t.bits))
        if old == expected:
            _save(address, t.bits, new)
        return old

    i = f"i{t.bits}"
    return _make(
        f"atomic_cas_{t.__name__}", (u64, t, t), t, apply,
        _TO_PTR
        + f"%x{{t}} = cmpxchg ptr %p{{t}}, {i} {{1}}, {i} {{2}} seq_cst seq_cst\n"
        + f"{{result}} = extractvalue {{{{ {i}, i1 }}}} %x{{t}}, 0" + _AFTER,
        writes=True,
    )  # fmt: skip


# They store the new value if they find the expected one, and return what they find.
atomic_cas_u8, atomic_cas_u16, atomic_cas_u32, atomic_cas_u64, atomic_cas_u128 = (
    _compare_and_swap(t) for t in (*_NARROW_TO_WIDE, u128)
)
# writes=False: an instruction may begin anew after a fence.
fence = _make("fence", (), None, lambda: None, FENCE, writes=False)

_HOST_FUNCTION = ctypes.CFUNCTYPE(
    ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64
)
call_host = _make(
    "call_host", (u64, u64, u64, u64, u64), u64,
    lambda f, a, b, c, d: _HOST_FUNCTION(int(f))(int(a), int(b), int(c), int(d)),
    _TO_PTR + "{result} = call i64 %p{t}(i64 {1}, i64 {2}, i64 {3}, i64 {4})",
    writes=True,
)  # fmt: skip
copy_memory = _make(
    "copy_memory", (u64, u64, u64), None,
    _copy,
    _TO_PTR + "%q{t} = inttoptr i64 {1} to ptr\n"
    "call void @llvm.memcpy.p0.p0.i64(ptr %p{t}, ptr %q{t}, i64 {2}, i1 false)",
    "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
)  # fmt: skip
fill_memory = _make(
    "fill_memory", (u64, u8, u64), None,
    _fill,
    _TO_PTR + "call void @llvm.memset.p0.i64(ptr %p{t}, i8 {1}, i64 {2}, i1 false)",
    "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)",
)  # fmt: skip
