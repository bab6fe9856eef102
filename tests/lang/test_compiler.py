"""Native code of a definition does what CPython does with the same source."""

import ctypes
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rvplat.lang import (
    Dispatch,
    NoReturn,
    Record,
    Unwind,
    atomic_max_u64,
    bswap,
    clz,
    compare_exchange_u32,
    ctz,
    declare,
    define,
    implement,
    popcount,
    read_u32,
    rotl,
    rotr,
    s8,
    s32,
    s64,
    sdiv,
    srem,
    u8,
    u16,
    u32,
    u64,
    u128,
    write_u16,
)
from rvplat.lang.define import Definition
from tests.lang.compiled import native

CORNERS = [0, 1, 2, 0x7F, 0x80, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]
WORDS = st.one_of(st.sampled_from(CORNERS), st.integers(0, 2**64 - 1))
LIMIT = 40


class Fault(Unwind):
    """Raised by the definitions here."""


State = Record("State")
State.add("x", u64, 8)
State.add("count", u32)
State.add("flag", u8)


def state() -> Any:
    memory = ctypes.create_string_buffer(State.size)
    view = State.view(ctypes.addressof(memory))
    return memory, view


@define
def mixture(a: u64, b: u64) -> u64:
    low = u32(a) * u32(b) + 7
    high = u64(u128(a) * u128(b) >> 64)
    narrow = s64(s8(a)) >> 3
    return (u64(low) ^ high) + u64(narrow) - (a << b) + (~b >> a) + u64(s64(a) >> b)


@define
def counting(a: u64, b: u64) -> u64:
    turned = rotl(a, b) ^ rotr(u64(u32(a)), 5) ^ bswap(b)
    return clz(a) + ctz(b) * 100 + popcount(a ^ b) * 10_000 + turned


@define
def dividing(a: u64, b: u64) -> u64:
    if b == 0:
        return u64(0)
    signed = s64(b)
    if signed == -1:
        return a // b
    return a // b + a % b * 3 + u64(sdiv(s64(a), signed)) + u64(srem(s64(a), signed))


@define
def loops(a: u64, b: u64) -> u64:
    total = u64(0)
    for i in range(a & 15):
        if i == 3:
            continue
        for j in range(5, 0, -2):
            total += i * j
        if total > 200:
            break
    n = b & 31
    while True:
        n += 1
        if n > LIMIT or n == 17:
            break
    return total * 1000 + n


@define
def logic(a: u64, b: u64) -> bool:
    return not (a < b or s64(a) < s64(b)) and (a & 1 == b & 1) != (a == 5)


@define
def pair(a: u64, b: u64) -> tuple[u64, bool]:
    return a + b, a + b < a


@define
def unpacked(a: u64, b: u64) -> u64:
    total, carry = pair(a, b)
    return total + 1 if carry else total * 2


@pytest.mark.parametrize(
    "definition", [mixture, counting, dividing, loops, logic, pair, unpacked], ids=lambda d: d.name
)
def test_native_equals_cpython(definition: Definition) -> None:
    compiled = native(definition)

    @given(WORDS, WORDS)
    @example(2**63, 2**64 - 1)
    @example(7, 0)
    def compare(a: int, b: int) -> None:
        assert compiled(a, b) == definition(a, b)

    compare()


@define
def fail(hart, a: u64) -> NoReturn:
    hart.count += 1
    raise Fault


@define
def checked(hart, a: u64) -> u64:
    if a > 100:
        fail(hart, a)
    hart.x[a & 7] = a
    return a + 1


@define
def caught(hart, a: u64) -> u64:
    hart.flag = u8(a)
    try:
        return checked(hart, a)
    except Fault:
        hart.x[7] = u64(hart.count)
    return u64(0)


@pytest.mark.parametrize("definition", [checked, caught], ids=lambda d: d.name)
@pytest.mark.parametrize("argument", [3, 100, 101, 2**40])
def test_a_raise_unwinds_to_the_nearest_try(definition: Definition, argument: int) -> None:
    compiled = native(definition, {"hart": State})
    ours, native_state = state()
    theirs, view = state()
    try:
        expected = definition(view, argument)
    except Fault:
        expected = "raised"
    found = compiled(ctypes.addressof(ours), argument)
    assert found == expected
    assert ours.raw == theirs.raw


@declare
def word(hart, a: u64) -> u64:
    """Declared here, implemented below."""


@implement(word)
def meaning(hart, a: u64) -> u64:
    return a + u64(hart.count)


table = Dispatch("table", args=("hart", u64, u32), returns=u64)


@define
def row_one(hart, a: u64, key: u32) -> u64:
    return word(hart, a)


@define
def row_two(hart, a: u64, key: u32) -> u64:
    if a == 9:
        fail(hart, a)
    return a * u64(key)


@define
def otherwise(hart, a: u64, key: u32) -> u64:
    return u64(0)


table.default = otherwise
State.tables[table] = {1: row_one, 2: row_two, 0x300: row_two}


@define
def dispatched(hart, a: u64, key: u32) -> u64:
    hart.count = 5
    return table(hart, a, key)


@pytest.mark.parametrize("key", [0, 1, 2, 0x300])
@pytest.mark.parametrize("argument", [4, 9])
def test_a_dispatch_table_finds_its_row(key: int, argument: int) -> None:
    compiled = native(dispatched, {"hart": State})
    _, view = state()
    try:
        expected = dispatched(view, argument, key)
    except Fault:
        expected = "raised"
    memory, _ = state()
    assert compiled(ctypes.addressof(memory), argument, key) == expected


def test_the_rows_are_those_of_the_record_that_is_given():
    """A longer record of the same kind has other rows, and fields that definitions can name."""
    longer = State.extended()
    longer.add("more", u64)
    longer.tables[table] = {1: row_of_longer}
    memory = ctypes.create_string_buffer(longer.size)
    view = longer.view(ctypes.addressof(memory))
    view.more = 77
    compiled = native(dispatched, {"hart": longer})
    assert (dispatched(view, 4, 1), dispatched(view, 4, 2)) == (77, 0)
    assert (compiled(view, 4, 1), compiled(view, 4, 2)) == (77, 0)
    assert native(dispatched, {"hart": State})(view, 4, 2) == dispatched(state()[1], 4, 2) == 8


@define
def row_of_longer(hart, a: u64, key: u32) -> u64:
    return hart.more


@define
def touches_memory(address: u64, a: u64) -> u64:
    write_u16(address + 2, u16(a))
    old = atomic_max_u64(address, a)
    swapped = compare_exchange_u32(address, u32(a), u32(5))
    return old + u64(read_u32(address)) + u64(swapped)


def test_host_memory_is_read_and_written() -> None:
    compiled = native(touches_memory)
    for argument in (1, 2**40, 2**63 + 9):
        ours, theirs = ctypes.create_string_buffer(16), ctypes.create_string_buffer(16)
        expected = touches_memory(ctypes.addressof(theirs), argument)
        assert compiled(ctypes.addressof(ours), argument) == expected
        assert ours.raw == theirs.raw


@define
def shifts_narrow(a: s32, n: u64) -> s32:
    return (a >> n) + (a << 33)


def test_narrow_types_keep_their_width() -> None:
    compiled = native(shifts_narrow)
    for a in (-5, 7, -(2**31)):
        for n in (0, 1, 31, 32, 33):
            assert compiled(a & 0xFFFFFFFF, n) == shifts_narrow(a, n)
