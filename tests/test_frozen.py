"""`frozen` behaves as `dataclass(frozen=True)` does."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, astuple, dataclass, field, fields, replace
from typing import Any, ClassVar

import pytest

from rvplat.frozen import frozen

pytestmark = pytest.mark.quick


def _classes(make: Callable[[type[Any]], type[Any]]) -> tuple[type[Any], type[Any]]:
    """The same two classes, made by `make`."""

    class Base:
        """A class with fields of each kind."""

        kind: ClassVar[str] = "base"
        first: int
        listed: list[int] = field(default_factory=list)
        hidden: str = field(default="h", compare=False, repr=False)
        double: int = field(init=False, repr=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "double", 2 * self.first)

    made = make(Base)

    class Derived(made):  # type: ignore[valid-type, misc]
        """A class with one field more."""

        last: str = "l"

        def __repr__(self) -> str:
            return f"its own {self.first}"

    return made, make(Derived)


OURS = _classes(frozen)
STANDARD = _classes(dataclass(frozen=True))
PAIRS = [
    pytest.param(ours, standard, id=ours.__name__)
    for ours, standard in zip(OURS, STANDARD, strict=True)
]


def _outcome(call: Callable[[], object]) -> object:
    """What a call returns, or the error that it raises."""
    try:
        return call()
    except (TypeError, AttributeError, ValueError) as error:
        return type(error), str(error)


@pytest.mark.parametrize(("ours", "standard"), PAIRS)
@pytest.mark.parametrize(
    "use",
    [
        lambda made: made(1),
        lambda made: made(1, [2], hidden="x"),
        lambda made: made(first=3, listed=[4]).listed,
        lambda made: made(5).double,
        lambda made: made(1).listed is made(1).listed,
        lambda made: made(1) == made(1, hidden="another"),
        lambda made: made(1) == made(2),
        lambda made: made(1) == (1, []),
        lambda made: hash(made(1, (2,))) == hash(made(1, (2,), "another")),
        lambda made: made(1).__hash__(),
        lambda made: made(),
        lambda made: made(1, [], "h", "l", "too many"),
        lambda made: made(1, double=2),
        lambda made: made(1, unknown=2),
        lambda made: setattr(made(1), "first", 2),
        lambda made: setattr(made(1), "unknown", 2),
        lambda made: delattr(made(1), "first"),
        lambda made: [(part.name, part.type, part.init) for part in fields(made)],
        lambda made: asdict(made(1)),
        lambda made: astuple(made(1)),
        lambda made: replace(made(1), first=4).double,
        lambda made: made.__match_args__,
        lambda made: made.kind,
        lambda made: copy.copy(made(1)) == made(1),
        lambda made: repr(copy.deepcopy(made(1, [1]))),
        lambda made: list(inspect.signature(made).parameters),
    ],
)  # fmt: skip
def test_it_does_as_the_standard_library_does(
    ours: type[Any], standard: type[Any], use: Callable[[type[Any]], object]
) -> None:
    assert repr(_outcome(lambda: use(ours))) == repr(_outcome(lambda: use(standard)))


def test_an_assignment_is_refused_with_the_standard_error() -> None:
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'first'"):
        OURS[0](1).first = 2


@frozen
class Kept:
    """A class that pickle can find."""

    value: int


def test_it_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Kept(3))) == Kept(3)


@frozen
class Empty:
    """A class without fields."""


def test_a_class_without_fields() -> None:
    assert repr(Empty()) == "Empty()"
    assert (Empty() == Empty(), hash(Empty()) == hash(Empty())) == (True, True)


def test_a_value_that_holds_itself_has_a_text() -> None:
    made = OURS[0](1)
    made.listed.append(made)
    assert repr(made).endswith("(first=1, listed=[...])")
