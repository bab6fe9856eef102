"""Registers as rows of a table: offset, name, every bit named or reserved, access, widths.

    Register(0x3, "LCR", "DLAB[7] BC[6] SP[5] EPS[4] PEN[3] STB[2] WLS[1:0]", width=1)

`-[7:4]` says that bits are reserved: they read as zero and writes to them are dropped. The device's
class may have methods `read_lcr(self) -> int` and `write_lcr(self, value)`; without them the
register is a plain one, kept in `self.lcr`. A row with `count` is an array: its methods take the
index first and its storage is a list.

A device answers these accesses. They are naturally aligned and have 1, 2, 4 or 8 bytes.

- An access at a register, of one of its `widths`, reads or writes only that register. If it is
  narrower than the register, it reads or writes that part. If it is wider, the bytes beyond the
  register read as zero, and writes to them are dropped.
- A store to a register that is "ro" has no effect, and a load of one that is "wo" gives zero.
- An access in a `Hole`, of one of its widths, that touches no register: a load gives zero, a store
  has no effect.
- Every other access raises an access fault: a width that the row does not list, an access to two
  registers, an access beyond the window.

Accesses without effect and refused accesses are logged once each (`rvplat.bus`, level DEBUG).
QEMU's `valid` and `impl` sizes allow and refuse the same accesses, except that some of its devices
split an access to several registers. In Spike each device has its own rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import field
from functools import partial
from typing import Literal

from rvplat.bus.natives import FieldProperty
from rvplat.errors import DeviceError
from rvplat.frozen import frozen

BIT = re.compile(r"(?P<name>-|\w+)\[(?P<high>\d+)(?::(?P<low>\d+))?\]")
RESERVED = "-"
#: Tables of `Device.read` and `Device.write`; the key is offset and size in one number.
SIZE_BITS = 4

Readers = dict[int, Callable[[], int]]
Writers = dict[int, Callable[[int], None]]


@frozen
class Field:
    """Bits `high` to `low` of a register."""

    name: str
    high: int
    low: int

    @property
    def mask(self) -> int:
        """Its bits at their place in the register."""
        return (1 << self.high + 1) - (1 << self.low)


@frozen
class Register:
    """A row: a register of `width` bytes. `widths` are the sizes of accesses (default: `width`)."""

    offset: int
    name: str
    bits: str
    access: Literal["rw", "ro", "wo"] = "rw"
    width: int = 4
    widths: tuple[int, ...] = ()
    #: Registers in an array, `stride` bytes apart; 0 for a single register.
    count: int = 0
    stride: int = 0
    reset: int = 0
    #: The condition under which it is at its offset instead of another register. Such a row is
    #: only a description: the other register's methods answer the accesses.
    behind: str = ""
    fields: tuple[Field, ...] = field(init=False, repr=False)
    mask: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        fields = tuple(parse_bits(self.name, self.bits, self.width * 8))
        mask = sum(entry.mask for entry in fields if entry.name != RESERVED)
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "widths", self.widths or (self.width,))
        object.__setattr__(self, "stride", self.stride or self.width)

    @property
    def attribute(self) -> str:
        """The name of its storage and, after `read_` or `write_`, of its methods."""
        return self.name.lower()

    @property
    def readable(self) -> bool:
        """Whether this row answers loads."""
        return self.access != "wo" and not self.behind

    @property
    def writable(self) -> bool:
        """Whether this row takes stores."""
        return self.access != "ro" and not self.behind

    def initial(self) -> int | list[int]:
        """The value of its storage after a reset."""
        return [self.reset] * self.count if self.count else self.reset

    @property
    def offsets(self) -> range:
        """The offset of the register, or the offsets of the array's registers."""
        return range(self.offset, self.offset + max(self.count, 1) * self.stride, self.stride)


@frozen
class Hole:
    """Offsets that the manual reserves: aligned loads give zero, aligned stores do nothing.
    Registers may lie inside it; it does not answer accesses that touch one."""

    offset: int
    size: int
    widths: tuple[int, ...] = (1, 2, 4, 8)

    def holds(self, offset: int, size: int) -> bool:
        """Whether it answers this access, provided that no register is touched."""
        inside = self.offset <= offset and offset + size <= self.offset + self.size
        return inside and size in self.widths and offset % size == 0


def parse_bits(name: str, bits: str, width: int) -> list[Field]:
    """The fields of a row. Every bit must be named or reserved exactly once."""
    fields = []
    for token in bits.split():
        match = BIT.fullmatch(token)
        if match is None:
            raise DeviceError(f"register {name}: {token!r} is not NAME[bit] or NAME[high:low]")
        high = int(match["high"])
        fields.append(Field(match["name"], high, int(match["low"] or high)))
    covered = [bit for entry in fields for bit in range(entry.low, entry.high + 1)]
    for bit in range(width):
        if covered.count(bit) != 1:
            word = "missing" if bit not in covered else "named twice"
            raise DeviceError(f"register {name}: bit {bit} is {word} (reserved: -[high:low])")
    if len(covered) != width:
        raise DeviceError(f"register {name}: a bit beyond its {width} bits")
    return fields


def check_table(owner: type, rows: Sequence[Register | Hole], size: int) -> None:
    """DeviceError if rows overlap, a row is beyond the window, a register's name hides an
    attribute, or a method has no row."""
    if not size:  # an abstract base
        return
    seen: dict[tuple[str, int], str] = {}
    for row in rows:
        if isinstance(row, Hole) or row.behind:
            continue
        for way, wanted in (("read", row.readable), ("written", row.writable)):
            for offset in bytes_of(row) if wanted else ():
                other = seen.setdefault((way, offset), row.name)
                if other != row.name:
                    both = f"{row.name} and {other} are both {way} at {offset:#x}"
                    raise DeviceError(f"{owner.__qualname__}: {both}")
                if offset >= size:
                    raise DeviceError(f"{owner.__qualname__}: {row.name} lies beyond the window")
    names = {row.attribute for row in rows if isinstance(row, Register)}
    for name in names:
        if hasattr(owner, name) and not isinstance(getattr(owner, name), FieldProperty):
            hides = f"a register called {name.upper()} would hide {owner.__qualname__}.{name}"
            raise DeviceError(f"{owner.__qualname__}: {hides}; give it another name")
    inherited = {name for base in owner.__mro__[1:] for name in vars(base)}
    for method in vars(owner):
        kind, _, name = method.partition("_")
        if kind in ("read", "write") and name and name not in names and method not in inherited:
            raise DeviceError(f"{owner.__qualname__}.{method}: no register has this name")


def bytes_of(row: Register) -> list[int]:
    """The offsets of all bytes of a register, or of an array."""
    return [start + byte for start in row.offsets for byte in range(row.width)]


def build_tables(device: object, rows: Sequence[Register | Hole]) -> tuple[Readers, Writers]:
    """The bound functions that answer each offset and size."""
    readers: Readers = {}
    writers: Writers = {}
    registers = [row for row in rows if isinstance(row, Register)]
    for row in registers:
        mask = writable_mask(registers, row)
        for index, offset in enumerate(row.offsets):
            read, write = bind(device, row, index, mask)
            for width in row.widths:
                _add(readers, writers, row, offset, width, read, write)
    return readers, writers


def writable_mask(registers: Sequence[Register], row: Register) -> int:
    """The bits of a register that stores reach: its own, and those of a register behind it."""
    behind = [one.mask for one in registers if one.behind and one.offset == row.offset]
    return row.mask | behind[0] if behind else row.mask


def _add(
    readers: Readers, writers: Writers, row: Register, offset: int, width: int,
    read: Callable[[], int], write: Callable[[int], None],
) -> None:  # fmt: skip
    """Add the accesses of `width` bytes to the register at `offset`, or to each part of it."""
    for part in range(0, row.width, width):
        if (offset + part) % width:
            continue  # such an access would not be aligned
        key = offset + part << SIZE_BITS | width
        whole = width >= row.width
        if row.readable:
            readers[key] = read if whole else partial(_read_part, read, part * 8, width * 8)
        if row.writable:
            writers[key] = (
                write if whole else partial(_write_part, read, write, part * 8, width * 8)
            )


def _read_part(read: Callable[[], int], shift: int, bits: int) -> int:
    return read() >> shift & (1 << bits) - 1


def _write_part(
    read: Callable[[], int], write: Callable[[int], None], shift: int, bits: int, value: int
) -> None:
    mask = (1 << bits) - 1 << shift
    write(read() & ~mask | value << shift & mask)


def bind(
    device: object, row: Register, index: int, mask: int
) -> tuple[Callable[[], int], Callable[[int], None]]:
    """The functions that read and write one register of `device`: its methods, or plain storage."""
    name = row.attribute
    read = getattr(device, f"read_{name}", None)
    write = getattr(device, f"write_{name}", None)
    if row.count:
        reader = partial(read, index) if read else partial(_get_item, device, name, index)
        writer = partial(write, index) if write else partial(_set_item, device, name, index)
    else:
        reader = read or partial(getattr, device, name)
        writer = write or partial(setattr, device, name)
    return reader, partial(_write_masked, writer, mask)


def _write_masked(write: Callable[[int], None], mask: int, value: int) -> None:
    write(value & mask)


def _get_item(device: object, name: str, index: int) -> int:
    values: list[int] = getattr(device, name)
    return values[index]


def _set_item(device: object, name: str, index: int, value: int) -> None:
    getattr(device, name)[index] = value
