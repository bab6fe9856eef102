"""Types of variables, and their values in bytes (DWARF 5, chapter 5). Little-endian, as RISC-V is.

A value is a bool, int or float for a base type (a char is a number), the name of an enumerator or a
number that has none, an address for a pointer, a list for an array (bytes for one of `char`), and a
dict for a structure or union.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

FLOATS = {2: "<e", 4: "<f", 8: "<d"}


class Type:
    """A type. `name` is as in C, `size` in bytes."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size

    def __repr__(self) -> str:
        return f"<{self.name}, {self.size} bytes>"

    def decode(self, data: bytes) -> Any:
        """The value of these bytes, of which there are `size`."""
        raise TypeError(f"a value of type {self.name} can't be read")

    def encode(self, value: Any, old: bytes) -> bytes:
        """The bytes of a value that replaces these.

        Raises:
            TypeError: the value doesn't fit the type.
            ValueError: it is out of the type's range.
        """
        raise TypeError(f"a value of type {self.name} can't be written: write one of its parts")


class Integer(Type):
    """An integer, or a pointer."""

    def __init__(self, name: str, size: int, signed: bool) -> None:
        super().__init__(name, size)
        self.signed = signed

    def decode(self, data: bytes) -> Any:
        return int.from_bytes(data, "little", signed=self.signed)

    def encode(self, value: Any, old: bytes) -> bytes:
        if isinstance(value, str | float) or not hasattr(value, "__index__"):
            raise TypeError(f"{value!r}: expected an integer for {self.name}")
        bits, number = 8 * self.size, int(value)
        if not -(1 << bits - 1) <= number < 1 << bits:
            raise ValueError(f"{number:#x} doesn't fit into {self.name}, which has {bits} bits")
        return (number & (1 << bits) - 1).to_bytes(self.size, "little")


class Boolean(Integer):
    """A bool."""

    def decode(self, data: bytes) -> Any:
        return any(data)


class Pointer(Integer):
    """A pointer; `target` is what it points to, None for void and functions."""

    def __init__(self, name: str, size: int, target: Callable[[], Type | None]) -> None:
        super().__init__(name, size, False)
        self._target = target

    @cached_property
    def target(self) -> Type | None:
        return self._target()


class Float(Type):
    """A floating-point number of 2, 4 or 8 bytes; others can't be read."""

    def decode(self, data: bytes) -> Any:
        if self.size not in FLOATS:
            return super().decode(data)
        return struct.unpack(FLOATS[self.size], data)[0]

    def encode(self, value: Any, old: bytes) -> bytes:
        if self.size not in FLOATS:
            return super().encode(value, old)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{value!r}: expected a number for {self.name}")
        try:
            return struct.pack(FLOATS[self.size], value)
        except OverflowError:
            raise ValueError(f"{value!r} is too large for {self.name}") from None


class Enumeration(Integer):
    """An enumeration: `values` by name."""

    def __init__(self, name: str, size: int, values: Mapping[str, int]) -> None:
        super().__init__(name, size, any(value < 0 for value in values.values()))
        self.values = values

    def decode(self, data: bytes) -> Any:
        number = super().decode(data)
        return next((name for name, value in self.values.items() if value == number), number)

    def encode(self, value: Any, old: bytes) -> bytes:
        if isinstance(value, str):
            if value not in self.values:
                known = ", ".join(self.values)
                raise ValueError(f"{value!r} is none of {self.name}: {known}")
            value = self.values[value]
        return super().encode(value, old)


class Array(Type):
    """An array; `count` is 0 if it isn't known."""

    def __init__(self, element: Type, count: int) -> None:
        super().__init__(f"{element.name}[{count or ''}]", element.size * count)
        self.element = element
        self.count = count

    def decode(self, data: bytes) -> Any:
        if self.element.name == "char":
            return bytes(data)
        size = self.element.size
        return [self.element.decode(data[n * size : (n + 1) * size]) for n in range(self.count)]

    def encode(self, value: Any, old: bytes) -> bytes:
        if self.element.name == "char" and isinstance(value, str | bytes):
            text = value.encode() if isinstance(value, str) else value
            if len(text) > self.size:
                raise ValueError(f"{value!r} is longer than {self.name}")
            return text.ljust(self.size, b"\0")
        if not isinstance(value, list | tuple) or len(value) != self.count:
            raise TypeError(f"{value!r}: expected a list of {self.count} values for {self.name}")
        size = self.element.size
        parts = (
            self.element.encode(one, old[n * size : (n + 1) * size]) for n, one in enumerate(value)
        )
        return b"".join(parts)


class BitField(Type):
    """Some bits of the bytes of a member."""

    def __init__(self, base: Type, shift: int, bits: int) -> None:
        super().__init__(f"{base.name}:{bits}", -(-(shift + bits) // 8))
        self._base = base
        self._shift = shift
        self._bits = bits

    def decode(self, data: bytes) -> Any:
        number = int.from_bytes(data, "little") >> self._shift & (1 << self._bits) - 1
        if getattr(self._base, "signed", False) and number >> self._bits - 1:
            number |= -1 << self._bits & (1 << 8 * self._base.size) - 1
        return self._base.decode(number.to_bytes(self._base.size, "little"))

    def encode(self, value: Any, old: bytes) -> bytes:
        number = int.from_bytes(self._base.encode(value, bytes(self._base.size)), "little")
        mask = (1 << self._bits) - 1
        if number > mask and number >> self._bits - 1 != (1 << 8 * self._base.size) - 1 >> (
            self._bits - 1
        ):
            raise ValueError(f"{value!r} doesn't fit into {self._bits} bits")
        whole = int.from_bytes(old, "little") & ~(mask << self._shift)
        return (whole | (number & mask) << self._shift).to_bytes(self.size, "little")


class Member:
    """A member of a structure: its offset in bytes, and its type."""

    def __init__(self, offset: int, kind: Type) -> None:
        self.offset = offset
        self.type = kind


class Structure(Type):
    """A structure, class or union: `members` by name, those of unnamed members among them."""

    def __init__(self, name: str, size: int, members: Callable[[], Mapping[str, Member]]) -> None:
        super().__init__(name, size)
        self._members = members

    @cached_property
    def members(self) -> Mapping[str, Member]:
        return self._members()

    def decode(self, data: bytes) -> Any:
        return {
            name: one.type.decode(data[one.offset : one.offset + one.type.size])
            for name, one in self.members.items()
        }

    def encode(self, value: Any, old: bytes) -> bytes:
        if not isinstance(value, Mapping):
            raise TypeError(f"{value!r}: expected a dict of members for {self.name}")
        new = bytearray(old)
        for name, part in value.items():
            if name not in self.members:
                raise ValueError(f"{self.name} has no member {name!r}")
            one = self.members[name]
            end = one.offset + one.type.size
            new[one.offset : end] = one.type.encode(part, bytes(new[one.offset : end]))
        return bytes(new)
