"""Flattened device trees: the model and the DTB writer.

Devicetree Specification v0.4: chapter 2 (nodes and properties), chapter 5 (the DTB format).
`fdt_read` parses a DTB into the same nodes, `fdt_text` prints them as DTS.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MAGIC: Final = 0xD00DFEED
VERSION: Final = 17
LAST_COMPATIBLE_VERSION: Final = 16
HEADER: Final = struct.Struct(">10I")
BEGIN_NODE: Final = 1
END_NODE: Final = 2
PROP: Final = 3
NOP: Final = 4
END: Final = 9


class FdtError(ValueError):
    """A device tree cannot be built, or bytes are not a valid DTB."""


class Phandle(int):
    """A phandle that knows the label of its node, for DTS text."""

    label: str

    def __new__(cls, number: int, label: str) -> Phandle:
        made = super().__new__(cls, number)
        made.label = label
        return made


#: A 32-bit cell, a string, or bytes.
Item = int | str | bytes


@dataclass
class Node:
    """A node. A property is a sequence of cells, strings and bytes; an empty one is a flag."""

    name: str
    properties: dict[str, tuple[Item, ...]] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    label: str = ""

    def set(self, name: str, *values: Item) -> None:
        """Set a property of the node, replacing one with the same name."""
        self.properties[name] = values

    def child(self, name: str, label: str = "") -> Node:
        """Add a new child node; FdtError if there is one with the same name."""
        return self.add(Node(name, label=label))

    def add(self, child: Node) -> Node:
        """Add a child node."""
        if self.get(child.name) is not None:
            raise FdtError(f"node {self.name or '/'!r} already has a child {child.name!r}")
        self.children.append(child)
        return child

    def get(self, name: str) -> Node | None:
        """The child with this name, including its unit address."""
        return next((child for child in self.children if child.name == name), None)

    def find(self, path: str) -> Node | None:
        """The node at a path such as `/cpus/cpu@0`, from this one."""
        node: Node | None = self
        for name in (part for part in path.split("/") if part):
            node = node.get(name) if node else None
        return node

    def walk(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """Every node from this one down, parents first, each with its path."""
        yield path or "/", self
        for child in self.children:
            yield from child.walk(f"{path}/{child.name}")


class Phandles:
    """Assign phandles from 1 up, to each node at its first use."""

    def __init__(self) -> None:
        self._last = 0

    def of(self, node: Node) -> Phandle:
        """The node's phandle."""
        known = node.properties.get("phandle")
        if known and isinstance(known[0], Phandle):
            return known[0]
        self._last += 1
        phandle = Phandle(self._last, node.label)
        node.set("phandle", phandle)
        return phandle


def cells64(*values: int) -> list[int]:
    """Each value as two cells, the high one first (for `#address-cells` = 2)."""
    return [half for value in values for half in (value >> 32, value & 0xFFFF_FFFF)]


def check_item(item: object, name: str) -> None:
    """Raise FdtError with the property's name unless an item is a cell, string or bytes."""
    if not isinstance(item, int | str | bytes):
        kind = type(item).__name__
        raise FdtError(
            f"property {name!r}: found {item!r}, a {kind}; expected 32-bit cells, strings or bytes"
        )
    if isinstance(item, int) and not 0 <= item < 1 << 32:
        raise FdtError(
            f"property {name!r}: found {item:#x}, expected cells of 32 bits; a larger number is "
            "two, the high one first"
        )
    if isinstance(item, str) and "\0" in item:
        raise FdtError(f"property {name!r}: found {item!r}, expected a string without a null byte")


def encode(values: tuple[Item, ...]) -> bytes:
    """Encode a property's value for the DTB (Devicetree Specification, section 2.2.4)."""
    return b"".join(_item(value) for value in values)


def _item(item: Item) -> bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        # Bytes of the command line that are not UTF-8 are kept as they are (PEP 383).
        return item.encode("utf-8", "surrogateescape") + b"\0"
    if not 0 <= item < 1 << 32:
        raise FdtError(f"cell {item:#x} does not fit 32 bits")
    return item.to_bytes(4, "big")


class _Strings:
    """The strings block, which has each property name once."""

    def __init__(self) -> None:
        self.block = bytearray()
        self._offsets: dict[str, int] = {}

    def offset(self, name: str) -> int:
        if name not in self._offsets:
            self._offsets[name] = len(self.block)
            self.block += name.encode() + b"\0"
        return self._offsets[name]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _structure(node: Node, strings: _Strings) -> bytes:
    out = bytearray(struct.pack(">I", BEGIN_NODE) + _padded(node.name.encode() + b"\0"))
    for name, values in node.properties.items():
        data = encode(values)
        out += struct.pack(">III", PROP, len(data), strings.offset(name)) + _padded(data)
    for child in node.children:
        out += _structure(child, strings)
    return bytes(out) + struct.pack(">I", END_NODE)


def to_dtb(root: Node, boot_cpu: int = 0) -> bytes:
    """The tree as a DTB, version 17 (Devicetree Specification, section 5.1)."""
    strings = _Strings()
    structure = _structure(root, strings) + struct.pack(">I", END)
    reservations = bytes(16)
    at_reservations = HEADER.size
    at_structure = at_reservations + len(reservations)
    at_strings = at_structure + len(structure)
    block = _padded(bytes(strings.block))
    header = HEADER.pack(
        MAGIC, at_strings + len(block), at_structure, at_strings, at_reservations,
        VERSION, LAST_COMPATIBLE_VERSION, boot_cpu, len(strings.block), len(structure),
    )  # fmt: skip
    return header + reservations + structure + block
