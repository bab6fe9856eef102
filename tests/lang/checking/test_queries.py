"""What a definition says to its words and assigns, asked of its typed IR; expressions evaluated."""

from typing import Annotated, Any

from rvplat.lang import FIXED, Definition, Record, declare, define, s64, u8, u32, u64
from rvplat.lang.checking.definitions import Definitions
from rvplat.lang.checking.queries import Assigned, Elements, Spoken, Taken, elements, reached
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.evaluate import evaluate

Box = Record("Box")
Box.add("count", u64)
Box.add("cells", u64, 4)


@declare
def look(at: u64) -> u64:  # type: ignore[empty-body]
    """A word."""


@define
def through(box: Box, at: u64, by: Annotated[u64, FIXED]) -> u64:  # type: ignore[valid-type]
    if by == 4:
        box.count = at  # type: ignore[attr-defined]
    return look(at * by)


@define
def asks(box: Box, a: u64, b: u64) -> u64:  # type: ignore[valid-type]
    place = a + box.cells[b]  # type: ignore[attr-defined]
    first = look(place & ~7)
    if b == 1:
        place = first
        box.cells[b] = first  # type: ignore[attr-defined]
    second = look(place)
    return second + through(box, b, 4) + through(box, a, 8)  # type: ignore[arg-type]


@define
def moves(box: Box, to: u64, a: u64, b: u64):  # type: ignore[no-untyped-def,valid-type]
    box.cells[to] = box.cells[a] + 1  # type: ignore[attr-defined]
    if a == 1:
        box.cells[b] += adds(box, a)  # type: ignore[attr-defined]


@define
def adds(box: Box, at: u64) -> u64:  # type: ignore[valid-type]
    return box.cells[at] + box.count  # type: ignore[attr-defined,no-any-return]


@define
def wanders(box: Box, a: u64) -> u64:  # type: ignore[valid-type]
    for i in range(4):
        if box.cells[i] == a:  # type: ignore[attr-defined]
            return u64(i)
    return box.cells[a & 3]  # type: ignore[attr-defined,no-any-return]


def test_which_elements_are_read_and_assigned() -> None:
    known = Definitions({})
    assert isinstance(moves, Definition) and isinstance(wanders, Definition)
    assert elements(known, moves, Box, "cells") == Elements(
        frozenset({"a", "b"}), frozenset({"to", "b"}), False
    )
    assert elements(known, wanders, Box, "cells") == Elements(frozenset(), frozenset(), True)
    taken = [(one.field.name, one.depth) for one in reached(known, moves) if isinstance(one, Taken)]
    assert taken == [("cells", 0), ("cells", 1), ("count", 1), ("cells", 0)]


def found() -> list[Spoken | Taken | Assigned]:
    assert isinstance(asks, Definition)
    return list(reached(Definitions({}), asks))


def value(expression: ir.Expr) -> int | None:
    """With a = 13, b = 2 and cells of ten times their index."""
    return evaluate(expression, {"a": 13, "b": 2}, lambda place, index: index * 10)


def test_words_are_found_with_their_arguments() -> None:
    spoken = [one for one in found() if isinstance(one, Spoken)]
    assert all(one.word is look for one in spoken)
    assert [value(one.arguments[0]) for one in spoken] == [32, None, 8, 13 * 8]


def test_assignments_are_found_with_their_depth() -> None:
    assigned = [one for one in found() if isinstance(one, Assigned)]
    assert [(one.record, one.field.name, one.depth) for one in assigned] == [
        (Box, "cells", 0),
        (Box, "count", 1),
    ]


@define
def mixed(a: u64, b: u64) -> bool:
    low = s64(u8(a)) - 200
    high = (u32(b) << 31 | 5) >> 3
    return (low < 0 and high // 2 > 7) or not (a % 5 == 1 if b > 1 else False)


def test_expressions_are_evaluated_as_the_text_is() -> None:
    assert isinstance(mixed, Definition)
    body = Definitions({}).body(mixed)
    texts: Any = body.statements
    for a in (0, 3, 1, 199, 201, 2**64 - 1):
        for b in (0, 1, 2, 7, 2**33 + 1):
            names = {"a": a, "b": b}
            for one in texts[:-1]:
                found = evaluate(one.value, names, lambda place, index: None)
                assert found is not None
                names[one.names[0]] = found
            answer = evaluate(texts[-1].values[0], names, lambda place, index: None)
            assert bool(answer) == mixed(u64(a), u64(b)), (a, b)
