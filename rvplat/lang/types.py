"""The integer types of the definition language, as CPython runs them.

`u64(5) + u64(7)` wraps at 64 bits, as hardware does. An `int` literal adapts to the other operand.
Two different types can't be mixed. Native code behaves in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

T = TypeVar("T", bound="Integer")


def _wrap(value: int, bits: int, signed: bool) -> int:
    value &= (1 << bits) - 1
    if signed and value >> (bits - 1):
        value -= 1 << bits
    return value


class Integer(int):
    """Base of the fixed-width integers `u8` to `u128` and `s8` to `s128`."""

    bits: ClassVar[int] = 0
    signed: ClassVar[bool] = False
    __slots__ = ()

    def __new__(cls, value: int = 0) -> Self:
        """Convert a value: extend it (by its sign if its type is signed), truncate, reinterpret."""
        return int.__new__(cls, _wrap(int(value), cls.bits, cls.signed))

    @classmethod
    def adapt(cls, other: object) -> int:
        """`other` as an operand beside this type: it has the type, or is a literal that fits."""
        if type(other) is cls:
            return int(other)
        if type(other) is int:
            if -(1 << (cls.bits - 1)) <= other < (1 << cls.bits):
                return _wrap(other, cls.bits, cls.signed)
            raise OverflowError(f"the literal {other:#x} does not fit {cls.__name__}")
        raise TypeError(f"{cls.__name__} with {type(other).__name__}: convert one of them first")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self):#x})"

    __hash__ = int.__hash__

    def __bool__(self) -> bool:
        raise TypeError(f"{type(self).__name__} is not a condition: compare it with 0")

    def __neg__(self) -> Self:
        return type(self)(-int(self))

    def __invert__(self) -> Self:
        return type(self)(~int(self))

    def __lshift__(self, amount: int) -> Self:
        return type(self)(int(self) << (int(amount) % self.bits))

    def __rshift__(self, amount: int) -> Self:
        return type(self)(int(self) >> (int(amount) % self.bits))

    def __floordiv__(self, other: int) -> Self:
        if self.signed:
            raise TypeError("// is for unsigned types: use sdiv")
        return type(self)(int(self) // self.adapt(other))

    def __mod__(self, other: int) -> Self:
        if self.signed:
            raise TypeError("% is for unsigned types: use srem")
        return type(self)(int(self) % self.adapt(other))

    def __rfloordiv__(self, other: int) -> Self:
        return type(self)(self.adapt(other)) // self

    def __rmod__(self, other: int) -> Self:
        return type(self)(self.adapt(other)) % self

    if TYPE_CHECKING:  # the operators that `_binary` adds below

        def __add__(self, other: int) -> Self: ...
        def __radd__(self, other: int) -> Self: ...
        def __sub__(self, other: int) -> Self: ...
        def __rsub__(self, other: int) -> Self: ...
        def __mul__(self, other: int) -> Self: ...
        def __rmul__(self, other: int) -> Self: ...
        def __and__(self, other: int) -> Self: ...
        def __rand__(self, other: int) -> Self: ...
        def __or__(self, other: int) -> Self: ...
        def __ror__(self, other: int) -> Self: ...
        def __xor__(self, other: int) -> Self: ...
        def __rxor__(self, other: int) -> Self: ...


def _binary(name: str) -> None:
    """Give `Integer` the wrapping operator `name` and its reflected form."""
    operation: Callable[[int, int], int] = getattr(int, name)

    def forward(self: Integer, other: object) -> Integer:
        return type(self)(operation(int(self), self.adapt(other)))

    def reflected(self: Integer, other: object) -> Integer:
        return type(self)(operation(self.adapt(other), int(self)))

    setattr(Integer, name, forward)
    setattr(Integer, name.replace("__", "__r", 1), reflected)


def _comparison(name: str) -> None:
    operation: Callable[[int, int], bool] = getattr(int, name)

    def compare(self: Integer, other: object) -> bool:
        if other is None:
            return name == "__ne__"
        return operation(int(self), self.adapt(other))

    setattr(Integer, name, compare)


for _name in ("__add__", "__sub__", "__mul__", "__and__", "__or__", "__xor__"):
    _binary(_name)
for _name in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
    _comparison(_name)


class u8(Integer):
    bits = 8


class u16(Integer):
    bits = 16


class u32(Integer):
    bits = 32


class u64(Integer):
    bits = 64


class u128(Integer):
    bits = 128


class s8(Integer):
    bits, signed = 8, True


class s16(Integer):
    bits, signed = 16, True


class s32(Integer):
    bits, signed = 32, True


class s64(Integer):
    bits, signed = 64, True


class s128(Integer):
    bits, signed = 128, True


class Standing(type):
    """The class of types that stand for another integer type, which differs between machines.

        class ux(u64, metaclass=Standing):
            "A register's value."

    A compilation says which types they stand for (`Definitions`). In CPython it is the base class,
    and inside `standing_for` what that says. `ux(5)` is then an object of that type. In records
    such a type always has the size of its base class, of which narrower types use the low bytes.
    """

    @property
    def usual(cls) -> type[Integer]:
        """What it stands for unless something else is said."""
        found: type[Integer] = cls.__mro__[1]
        return found

    @property
    def now(cls) -> type[Integer]:
        """What it stands for in CPython now."""
        found: type[Integer] = _stands_for.get().get(cls) or cls.usual
        return found

    @property
    def bits(cls) -> int:
        """The width in bits. Texts read it as they read a constant."""
        return cls.now.bits

    def __call__(cls, value: int = 0) -> Any:
        return cls.now(value)

    @property
    def adapt(cls) -> Callable[[object], int]:
        """As `Integer.adapt`, which the class itself has too: only a property comes before that."""
        return cls.now.adapt


_stands_for: ContextVar[Mapping[type, type[Integer]]] = ContextVar("stands_for", default={})  # noqa: B039


@contextmanager
def standing_for(types: Mapping[type, type[Integer]]) -> Iterator[None]:
    """Run definitions in CPython with other meanings of types that stand for others."""
    before = _stands_for.set(types)
    try:
        yield
    finally:
        _stands_for.reset(before)


INTEGERS: dict[str, type[Integer]] = {
    t.__name__: t for t in (u8, u16, u32, u64, u128, s8, s16, s32, s64, s128)
}


def convert(value: Any, annotation: object) -> Any:
    """Convert an argument or result to its annotated type. Only integers change: they wrap."""
    if isinstance(annotation, type) and issubclass(annotation, Integer):
        if type(annotation) is Standing:
            annotation = annotation.now
        return value if type(value) is annotation else annotation(value)
    return value
