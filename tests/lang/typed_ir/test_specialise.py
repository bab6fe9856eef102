"""Definitions specialised on constants: on parameters, on fields of a record, and on the definition
that implements a word."""

import ctypes
from typing import Annotated, Any

import pytest

from rvplat.lang import (
    FIXED,
    Definition,
    LanguageError,
    Record,
    Struct,
    Unwind,
    declare,
    define,
    implement,
    s32,
    u8,
    u32,
    u64,
)
from rvplat.lang.checking.definitions import Definitions
from rvplat.lang.native.functions import module_text
from rvplat.lang.native.unit import Unit
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.specialise import Constants
from tests.lang.compiled import native

Box = Record("Box")
Box.add("width", u64)
Box.add("count", u64)
Box.add("cells", u64, 4)


class Narrow(Unwind):
    """Raised by `by_width` for a narrow format."""


@define
def by_width(a: u64, width: Annotated[u64, FIXED]) -> u64:
    if width == 32:
        return u64(u32(a))
    if width < 32:
        raise Narrow
    return a + width


@define
def half_of(a: u64, width: Annotated[u64, FIXED]) -> u64:
    return by_width(a, width >> 1)


@define
def both(a: u64) -> u64:
    return by_width(a, 32) * 3 + half_of(a, 128)  # type: ignore[arg-type]


@define
def with_box(box: Box, a: u64) -> u64:  # type: ignore[valid-type]
    if box.width == 64:  # type: ignore[attr-defined]
        return a
    box.count += 1  # type: ignore[attr-defined]
    return a >> box.width  # type: ignore[attr-defined,no-any-return]


@declare
def shown(a: u64) -> u64:  # type: ignore[empty-body]
    """A word."""


@implement(shown)
def shown_plainly(a: u64) -> u64:
    return a


@declare
def shown_twice(a: u64) -> u64:  # type: ignore[empty-body]
    """Another."""


@implement(shown_twice)
def doubled(a: u64) -> u64:
    return a * 2


@define
def speaks(a: u64) -> u64:
    return shown(a) + 1


def definition(of: Any) -> Definition:
    assert isinstance(of, Definition)
    return of


def function_text(text: str, name: str) -> str:
    """The text of one function of a module."""
    start = text.index(f'define internal i64 @"{name}"(')
    return text[start : text.index("\n}", start)]


@pytest.mark.parametrize("a", [0, 1, 2**32 + 5, 2**64 - 1])
def test_fixed_parameters_are_constants_of_native_code(a: int) -> None:
    assert native(definition(both))(a) == both(u64(a))


def test_a_function_is_made_for_each_constant() -> None:
    unit = Unit({})
    unit.export(definition(both), "f")
    text = module_text(unit)
    assert "br" not in function_text(text, "d.by_width.32")
    assert "add i64" not in function_text(text, "d.by_width.32")
    assert 'define internal i64 @"d.by_width.64"(i64 %a0)' in text


def test_a_definition_is_given_its_constants() -> None:
    general: Any = by_width
    word, wide = general.given("word", width=32), general.given("wide", width=64)
    assert word.name == "word" and word.signature.names == ("a",)
    for made in (word, wide):
        assert native(made)(2**40 + 5) == made(2**40 + 5)
    assert word(2**40 + 5) == 5 and wide(1) == 65
    assert Definitions({}).effects(word).raised == set()
    with pytest.raises(TypeError, match="by_width: a is not a fixed parameter"):
        general.given("none", a=1)


def test_effects_are_those_of_the_remaining_branches() -> None:
    known = Definitions({})
    assert known.effects(by_width).raised == {Narrow}
    assert known.effects(by_width, (("width", 64),)).raised == set()
    assert known.effects(by_width, (("width", 16),)).raised == {Narrow}
    assert not known.effects(both).raises


def test_a_fixed_parameter_is_given_by_every_caller() -> None:
    with pytest.raises(LanguageError, match="width is fixed, and not given"):
        Unit({}).export(definition(by_width), "f")


def test_fields_that_are_constant_are_not_read() -> None:
    constants = Constants(fields={(Box, "width"): 64})
    plain = Definitions({})
    body = plain.specialised(constants).body(definition(with_box))
    assert body.statements == (ir.Return(body.statements[0].line, (ir.Local(u64, "a"),)),)
    assert plain.effects(with_box).writes
    assert not plain.specialised(constants).effects(with_box).writes
    other = plain.specialised(Constants(fields={(Box, "width"): 3}))
    reads = [n for n in ir.walk(other.body(definition(with_box)).statements)
             if isinstance(n, ir.Read)]  # fmt: skip
    assert reads == []


def test_native_code_holds_for_the_constant_fields() -> None:
    unit = Unit({}, constants=Constants(fields={(Box, "width"): 3}))
    unit.export(definition(with_box), "f")
    assert "lshr i64 %t" in module_text(unit)
    memory = ctypes.create_string_buffer(Box.size)
    box = Box.view(ctypes.addressof(memory))
    box.width = 3
    assert with_box(box, u64(80)) == 10


def test_a_word_may_mean_another() -> None:
    words: Any = {shown: shown_twice}
    known = Definitions({}).specialised(Constants(words=words))
    calls = [n for n in ir.walk(known.body(definition(speaks)).statements)
             if isinstance(n, ir.Call)]  # fmt: skip
    assert [call.target for call in calls] == [shown_twice]
    assert known.effects(speaks).words == {"shown_twice"}


class Split(Struct):
    """Two parts of a number."""

    low: u32
    high: u32


@define
def split(a: u64) -> Split:
    if a == 7:
        raise Narrow
    return Split(u32(a), u32(a >> 32))


@define
def larger(first: Split, second: Split) -> Split:
    return first if first.low > second.low else second


@define
def joined(a: u64, b: u64) -> u64:
    one = split(a)
    if b == 1:
        one = split(b)
    most = larger(one, split(b))
    return u64(most.high) | u64(most.low) << 32


@pytest.mark.parametrize(("a", "b"), [(1 << 40, 5), (2**64 - 1, 2**33), (9, 1), (0, 7)])
def test_structs_are_values(a: int, b: int) -> None:
    try:
        expected: Any = joined(u64(a), u64(b))
    except Narrow:
        expected = "raised"
    assert native(definition(joined))(a, b) == expected


def test_a_struct_converts_and_does_not_change() -> None:
    made = Split(2**33 + 1, u32(2))
    assert repr(made) == "Split(low=u32(0x1), high=u32(0x2))"
    assert made == Split(1, 2) and hash(made) == hash(Split(1, 2)) and made != Split(1, 3)
    with pytest.raises(AttributeError, match="can't be changed"):
        made.low = u32(5)
    with pytest.raises(ValueError, match="zip"):
        Split(1)


class Nested(Struct):
    """A struct in a struct, and numbers that must be extended."""

    first: bool
    parts: Split
    last: s32


@define
def nested(a: u64) -> Nested:
    return Nested(a > 5, split(a), s32(a))


@define
def nested_and_more(a: u64, b: bool) -> tuple[s32, Nested, u8]:
    return s32(a), nested(a), u8(b)


@pytest.mark.parametrize("a", [0, 6, 2**33 - 1, 2**64 - 2])
def test_an_exported_definition_returns_structs(a: int) -> None:
    assert native(definition(split))(a) == split(u64(a))
    assert native(definition(nested))(a) == nested(u64(a))
    both = nested_and_more(u64(a), True)
    assert native(definition(nested_and_more))(a, True) == both


def test_an_exported_definition_that_returns_a_struct_can_raise() -> None:
    assert native(definition(nested))(7) == "raised"


def test_an_exported_definition_takes_no_struct() -> None:
    message = "larger: an exported definition can't take a struct: give its fields"
    with pytest.raises(LanguageError, match=message):
        Unit({}).export(definition(larger), "f")


Head = Record("Head")
Head.add("first", u64)
Head.add("second", u64)
Longer = Record("Longer", base=Head)
Longer.add("third", u64)
Other = Record("Other")
Other.add("first", u64)


@define
def head_of(longer: Longer) -> Head:  # type: ignore[valid-type]
    return longer


@define
def summed(head: Head) -> u64:  # type: ignore[valid-type]
    return head.first + head.second  # type: ignore[attr-defined,no-any-return]


@define
def of_longer(longer: Longer) -> u64:  # type: ignore[valid-type]
    longer.second = longer.third  # type: ignore[attr-defined]
    return summed(longer) + summed(head_of(longer))


@define
def of_other(other: Other) -> u64:  # type: ignore[valid-type]
    return summed(other)


def test_a_record_may_stand_for_what_it_begins_with() -> None:
    memory = ctypes.create_string_buffer(Longer.size)
    longer = Longer.view(ctypes.addressof(memory))
    longer.first, longer.third = 3, 40
    assert native(definition(of_longer))(longer) == of_longer(longer) == 86
    with pytest.raises(LanguageError, match="other is Other, not Head"):
        Definitions({}).body(definition(of_other))


@define
def count(box: Box) -> u64:  # type: ignore[valid-type]
    box.count += 1  # type: ignore[attr-defined]
    return box.count  # type: ignore[attr-defined,no-any-return]


@define
def in_order(box: Box):  # type: ignore[no-untyped-def,valid-type]
    box.cells[count(box) & 3] = count(box) * 16  # type: ignore[attr-defined]
    box.cells[count(box) & 3] += count(box)  # type: ignore[attr-defined]
    box.cells[box.count & 3] = count(box)  # type: ignore[attr-defined]


def test_the_value_of_an_assignment_is_evaluated_before_its_target() -> None:
    """As in Python. The target of an augmented assignment is evaluated once, before the value."""
    found = []
    for run in (in_order, native(definition(in_order))):
        memory = ctypes.create_string_buffer(Box.size)
        run(Box.view(ctypes.addressof(memory)))
        found.append(bytes(memory))
    assert found[0] == found[1]
    cells = [int.from_bytes(found[0][i : i + 8], "little") for i in range(16, 48, 8)]
    assert cells == [0, 5, 16, 4]


@define
def remainder(a: u64) -> u64:
    left = 100 // a
    right = 100 % a
    return (left - 50) * 3 + (right - 60)


@pytest.mark.parametrize("a", [1, 3, 7, 1000])
def test_a_literal_divided_wraps_as_its_divisor(a: int) -> None:
    """Under CPython the result was once an int, which doesn't wrap."""
    assert type(100 // u64(7)) is u64 and type(100 % u64(7)) is u64
    assert native(definition(remainder))(a) == remainder(u64(a))
