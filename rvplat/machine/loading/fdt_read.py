"""Parse a DTB into nodes, for `--dtb FILE`, for DTS text and for the tests.

Devicetree Specification v0.4, chapter 5. Values stay bytes: a DTB does not record their types.
"""

from __future__ import annotations

from dataclasses import dataclass

from rvplat.machine.loading.fdt import (
    BEGIN_NODE,
    END,
    END_NODE,
    HEADER,
    MAGIC,
    NOP,
    PROP,
    FdtError,
    Node,
)


@dataclass
class _Cursor:
    data: bytes
    at: int
    end: int

    def word(self) -> int:
        if self.at + 4 > self.end:
            raise FdtError("the structure block ends in the middle")
        value = int.from_bytes(self.data[self.at : self.at + 4], "big")
        self.at += 4
        return value

    def take(self, size: int) -> bytes:
        if self.at + size > self.end:
            raise FdtError("the structure block ends in the middle")
        found = self.data[self.at : self.at + size]
        self.at += size + (-size % 4)
        return found

    def name(self) -> str:
        stop = self.data.find(b"\0", self.at, self.end)
        if stop < 0:
            raise FdtError("a node's name has no end")
        return self.take(stop + 1 - self.at)[:-1].decode(errors="replace")


def from_dtb(data: bytes) -> Node:
    """The root node of a DTB.

    Raises:
        FdtError: the bytes are not a complete device tree.
    """
    if len(data) < HEADER.size or int.from_bytes(data[:4], "big") != MAGIC:
        raise FdtError(f"not a device tree: it does not begin with {MAGIC:#x}")
    header = HEADER.unpack_from(data)
    total, structure, strings, strings_size, size = (header[i] for i in (1, 2, 3, 8, 9))
    if total > len(data) or structure + size > total or strings + strings_size > total:
        raise FdtError(f"truncated: the header says {total} bytes, there are {len(data)}")
    cursor = _Cursor(data, structure, structure + size)
    token = cursor.word()
    while token == NOP:
        token = cursor.word()
    if token != BEGIN_NODE:
        raise FdtError("the structure block does not begin with a node")
    return _node(cursor, data[strings : strings + strings_size])


def _node(cursor: _Cursor, strings: bytes) -> Node:
    root = Node(cursor.name())
    stack = [root]
    while stack:
        token = cursor.word()
        if token == BEGIN_NODE:
            stack.append(stack[-1].add(Node(cursor.name())))
        elif token == END_NODE:
            stack.pop()
        elif token == PROP:
            size, offset = cursor.word(), cursor.word()
            name = strings[offset:].split(b"\0", 1)[0].decode(errors="replace")
            stack[-1].set(name, *_nonempty(cursor.take(size)))
        elif token != NOP:
            what = "ends before its nodes do" if token == END else f"has an unknown token {token}"
            raise FdtError(f"the structure block {what}")
    return root


def _nonempty(data: bytes) -> tuple[bytes, ...]:
    return (data,) if data else ()
