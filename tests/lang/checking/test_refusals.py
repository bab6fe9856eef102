"""Constructs that the language lacks are refused with file, line and the construct's name."""

import re
from pathlib import Path
from typing import Annotated

import pytest

from rvplat.lang import FIXED, LanguageError, Record, Struct, Unwind, define, s64, u32, u64
from rvplat.lang.native.functions import module_text
from rvplat.lang.native.unit import Unit

HERE = str(Path(__file__))
Thing = Record("Thing")
Thing.add("field", u64)
Thing.add("items", u64, 4)
XLEN = 64


@define
def mixed(a: u64, b: u32) -> u64:
    return a + b


@define
def truthy(a: u64) -> u64:
    if a:
        return a
    return u64(0)


@define
def listed(a: u64) -> u64:
    values = [a]
    return a


@define
def keyword(a: u64) -> u64:
    return mixed(a, b=a)


@define
def asserted(a: u64) -> u64:
    assert a == 1
    return a


@define
def untyped(a: u64) -> u64:
    b = 5
    return a


@define
def unknown_field(thing, a: u64) -> u64:
    return thing.missing


@define
def ends(a: u64) -> u64:  # type: ignore[return]
    if a == 1:
        return a


@define
def chained(a: u64) -> bool:
    return 1 < a < 5


@define
def outside(a: u64) -> u64:
    return len(HERE)


@define
def signed_division(a: s64) -> s64:
    return a // 2


@define
def text(a: u64) -> u64:
    b = "text"
    return a


@define
def retyped(a: u64) -> u64:
    b = a
    b = u32(1)
    return b


class Loud(Unwind):
    """An exception."""


class Quiet(Unwind):
    """Another exception."""


@define
def unassigned(a: u64) -> u64:
    if a == 1:
        b = a
    return b


@define
def unassigned_after_loop(a: u64) -> u64:
    for i in range(a):
        b = u64(i)
    return b


@define
def unassigned_after_break(a: u64) -> u64:
    while True:
        if a == 3:
            break
        b = a
        a += 1
    return b


later = 5  # a global that locals below hide


@define
def unassigned_before(a: u64) -> u64:
    b = a + later  # type: ignore[used-before-def]
    later = b
    return later


@define
def unassigned_before_in_loop(a: u64) -> u64:
    while a < 9:
        a += b  # type: ignore[has-type]
        b = a
    return a


@define
def unassigned_counter(a: u64) -> u64:
    later += 1
    return a


@define
def unassigned_in_index(a: u64, thing) -> u64:
    if a == 1:
        b = a
    thing.items[b & 3] = a
    return a


@define
def unassigned_in_except(a: u64) -> u64:
    try:
        if a == 1:
            raise Loud
        b = a
    except Loud:
        b += 1
    return b


@define
def speaks(a: u64):
    if a == 1:
        raise Loud
    if a == 2:
        raise Quiet


@define
def caught_too_narrowly(a: u64) -> u64:
    try:
        speaks(a)
    except Quiet:
        return u64(1)
    return u64(0)


@define
def caught_by_anything(a: u64) -> u64:
    try:
        speaks(a)
    except:  # noqa: E722
        return u64(1)
    return u64(0)


@define
def divided_by_nothing(a: u64) -> u64:
    return a + 1 // 0


@define
def power(a: u64) -> u64:
    return a + 2**3


@define
def shifted_far(a: u64) -> u64:
    return a + (1 << 5000)


@define
def with_default(a: u64 = u64(1)) -> u64:
    return a


@define
def by_name(*, a: u64) -> u64:
    return a


@define
def any_number(*a: u64) -> u64:
    return u64(0)


@define
def either_literal(a: u64) -> u64:
    b = 1 if a == 1 else 2
    return a


@define
def either_of_two_types(a: u64, b: u32) -> u64:
    return a if a == 1 else b


@define
def literal_to_local(a: u64) -> u64:
    b = a
    b = 5
    return b


@define
def literal_with_annotation(a: u64) -> u64:
    b: u32 = 5
    return u64(b)


@define
def divided_by_zero(a: u64) -> u64:
    return a // 0


@define
def beyond_the_array(thing: Thing) -> u64:
    return thing.items[4]


@define
def from_the_end(thing: Thing) -> u64:
    return thing.items[-1]


@define
def whole_array(thing: Thing):
    thing.items = u64(1)


class Both(Struct):
    """Two values."""

    one: u64
    two: u32


@define
def struct_changed(a: u64) -> u64:
    both = Both(a, 1)
    both.one = a
    return both.one


@define
def struct_without(a: u64) -> u64:
    both = Both(a, 1)
    return both.three


@define
def struct_of_one(a: u64) -> u64:
    both = Both(a)
    return both.one


@define
def scaled(a: u64, by: Annotated[u64, FIXED]) -> u64:
    return a * by


@define
def open_where_fixed(a: u64) -> u64:
    return scaled(a, a)


@define
def fixed_changed(a: u64, by: Annotated[u64, FIXED]) -> u64:
    by += 1
    return a * by


@define
def named_exception(a: u64) -> u64:
    try:
        speaks(a)
    except Unwind as reason:
        return u64(1)
    return u64(0)


@define
def in_an_untaken_branch(a: u64) -> u64:
    if XLEN == 32:
        return a + u32(1)
    return a


REFUSED = [
    (literal_to_local, 2, "the literal 5 needs a type, as in u64(5)"),
    (literal_with_annotation, 1, "the literal 5 needs a type, as in u32(5)"),
    (divided_by_zero, 1, "a // 0 divides by zero"),
    (beyond_the_array, 1, "thing.items[4]: items has 4 elements"),
    (from_the_end, 1, "thing.items[-1]: items has 4 elements"),
    (whole_array, 1, "items is an array: assign to its elements"),
    (struct_changed, 2, "a Both can't be changed: make another"),
    (struct_without, 2, "Both has no field three"),
    (struct_of_one, 1, "Both takes 2 arguments"),
    (open_where_fixed, 1, "by is fixed: give it a constant, or a fixed parameter"),
    (fixed_changed, 1, "by is fixed: it can't be assigned to"),
    (named_exception, 3, "an exception has no arguments: give it no name"),
    (in_an_untaken_branch, 2, "u64 with u32: convert one of them first"),
    (either_literal, 1, "the literal 1 needs a type, as in u64(1)"),
    (either_of_two_types, 1, "b is u32, not u64"),
    (unassigned, 3, "b may have no value here: assign it on every path"),
    (unassigned_after_loop, 3, "b may have no value here: assign it on every path"),
    (unassigned_after_break, 6, "b may have no value here: assign it on every path"),
    (unassigned_before, 1, "later may have no value here: assign it on every path"),
    (unassigned_before_in_loop, 2, "b may have no value here: assign it on every path"),
    (unassigned_counter, 1, "later may have no value here: assign it on every path"),
    (unassigned_in_index, 3, "b may have no value here: assign it on every path"),
    (unassigned_in_except, 6, "b may have no value here: assign it on every path"),
    (
        caught_too_narrowly,
        3,
        "the try can raise Loud, which except Quiet doesn't catch: catch a class above both",
    ),
    (caught_by_anything, 3, "except takes one Unwind class"),
    (divided_by_nothing, 1, "1 // 0 divides by zero"),
    (power, 1, "the operator Pow is not in the language"),
    (shifted_far, 1, "1 << 5000: a shift amount is 0 to 127"),
    (with_default, 0, "default values are not in the language: give the argument"),
    (by_name, 0, "a is keyword-only: arguments are given by position"),
    (any_number, 0, "* and ** parameters are not in the language: name them all"),
    (mixed, 1, "u64 with u32: convert one of them first"),
    (truthy, 1, "a is not a condition: compare it with 0"),
    (listed, 1, "List is not in the language"),
    (keyword, 1, "keyword arguments are not in the language"),
    (asserted, 1, "Assert statements are not in the language"),
    (untyped, 1, "the literal 5 needs a type, as in u64(5)"),
    (unknown_field, 1, "Thing has no field missing"),
    (ends, 0, "ends can end without a value"),
    (chained, 1, "chained comparisons are not in the language"),
    (outside, 1, "len is not a definition or intrinsic"),
    (signed_division, 1, "// and % are for unsigned types: use sdiv, srem"),
    (text, 1, "str literals are not in the language"),
    (retyped, 2, "u32(1) is u32, not u64"),
]


@pytest.mark.parametrize(("definition", "line", "message"), REFUSED, ids=lambda x: str(x)[:20])
def test_refused_with_its_place(definition, line, message):
    at = definition.tree.lineno + line
    unit = Unit({"thing": Thing})
    with pytest.raises(LanguageError, match=f"^{re.escape(f'{HERE}:{at}: {message}')}$"):
        unit.export(definition, "f")
        module_text(unit)
