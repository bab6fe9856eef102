"""The instructions of a region, found from the bytes of a page.

The process that compiles regions gets tables (`Tables`) and bytes. It needs no definitions and not
their compiler.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rvplat.engine.regions.tables import Template
from rvplat.isa.machinery.encoding import Condition, Operand, Pattern, Piece

PAGE = 4096
SINK = 32  # rd, where the instruction has x0
LINKS = (1, 5)  # registers of return addresses (Unprivileged, "Unconditional Jumps")


@dataclass(frozen=True)
class Decoded:
    """An instruction: the name of its form, bytes, and operands by name."""

    form: str
    length: int
    operands: dict[str, int]


class Decoder:
    """Decodes instructions by rows of plain data (`Tables.rows`)."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows: dict[tuple[int, int], list[_Row]] = {}
        for length, mask, match, terms, form, operands in rows:
            conditions = tuple(Condition(*term) for term in terms)
            row = _Row(
                Pattern("", length, mask, match, {}, conditions),
                form,
                {name: _Source(*source) for name, source in operands.items()},
            )
            for key in _keys(length, mask, match):
                self._rows.setdefault((length, key), []).append(row)
        self._known: dict[int, Decoded | None] = {}

    def decode(self, bits: int) -> Decoded | None:
        """The instruction; None if there is none."""
        if bits not in self._known:
            self._known[bits] = self._decode(bits)
        return self._known[bits]

    def _decode(self, bits: int) -> Decoded | None:
        length = 4 if bits & 3 == 3 else 2
        for row in self._rows.get((length, _key(length, bits)), ()):
            if row.pattern.matches(bits):
                found = {name: source.value(bits) for name, source in row.sources.items()}
                return Decoded(row.form, length, found)
        return None


class _Source:
    """Where an operand's value comes from: the pieces of an operand of the pattern, `base` added.
    `sink` replaces the value 0 if it is not 0."""

    def __init__(self, name: str, pieces: Iterable[Any], base: int, sink: int) -> None:
        self._operand = Operand(name, tuple(Piece(*piece) for piece in pieces), base)
        self._sink = sink

    def value(self, bits: int) -> int:
        return self._operand.extract(bits) or self._sink


@dataclass(frozen=True)
class _Row:
    pattern: Pattern
    form: str
    sources: dict[str, _Source]


def _key(length: int, bits: int) -> int:
    return bits & (0x707F if length == 4 else 0xE003)


def _keys(length: int, mask: int, match: int) -> list[int]:
    """The keys of all instructions with these fixed bits."""
    bits = 0x707F if length == 4 else 0xE003
    free = bits & ~mask
    keys, value = [], free
    while True:
        keys.append(match & bits | value)
        if value == 0:
            return keys
        value = (value - 1) & free


@dataclass
class Graph:
    """A region's instructions by offset in the page. `heads` are where it can be entered, `returns`
    where its calls return to, and `targets` where other indirect jumps may lead."""

    instructions: dict[int, Decoded] = field(default_factory=dict)
    heads: set[int] = field(default_factory=set)
    targets: set[int] = field(default_factory=set)
    returns: set[int] = field(default_factory=set)
    left: set[int] = field(default_factory=set)  # reached, and not part of it
    beyond: set[int] = field(default_factory=set)  # those of them for which there was no room

    def jumps(self, offset: int) -> set[int]:
        """Where the indirect jump at an offset may lead in the region. A jump that links to another
        register than calls do is in a procedure linkage table (RISC-V ELF psABI, "Procedure Linkage
        Table"): it leads to another page."""
        operands = self.instructions[offset].operands
        rd, rs1 = operands.get("rd"), operands.get("rs1")
        if rd not in (SINK, *LINKS):
            return set()
        return self.returns if rd == SINK and rs1 in LINKS else self.targets

    @property
    def lines(self) -> int:
        """The lines (64 bytes) of the page whose bytes it depends on, as a mask."""
        mask = 0
        for offset, one in self.instructions.items():
            mask |= 1 << (offset >> 6) | 1 << ((offset + one.length - 1) >> 6)
        return mask


def word_at(page: bytes, offset: int) -> int:
    """The instruction's bits; 0 if it crosses the end of the page."""
    low = int.from_bytes(page[offset : offset + 2], "little")
    if low & 3 != 3:
        return low
    return 0 if offset + 4 > PAGE else int.from_bytes(page[offset : offset + 4], "little")


def discover(
    page: bytes, ran: bytes, heads: Iterable[int], decoder: Decoder,
    templates: Mapping[str, Template], most: int,
) -> Graph:  # fmt: skip
    """Find what can be reached from the heads, up to `most` instructions. `ran` has a byte for each
    halfword: whether tier 0 has run it. Code that never ran is not part of a region."""
    return _Discovery(page, ran, decoder, templates, most).found(heads)


class _Discovery:
    """Follows the flow of a page."""

    def __init__(
        self, page: bytes, ran: bytes, decoder: Decoder, templates: Mapping[str, Template],
        most: int,
    ) -> None:  # fmt: skip
        self.page, self.ran, self.decoder = page, ran, decoder
        self.templates, self.most = templates, most
        self.graph = Graph()
        self.waiting: deque[int] = deque()

    def found(self, heads: Iterable[int]) -> Graph:
        graph = self.graph
        for head in heads:
            self.enter(head, graph.heads, graph.targets)
        while self.waiting:
            self.follow(self.waiting.popleft())
        for offsets in (graph.heads, graph.targets, graph.returns):
            offsets.intersection_update(graph.instructions)
        return graph

    def has_run(self, offset: int) -> bool:
        return 0 <= offset < PAGE and self.ran[offset >> 1] != 0

    def enter(self, offset: int, *kinds: set[int]) -> None:
        """Follow the flow from an offset too, which is of some kinds."""
        if self.has_run(offset):
            self.waiting.append(offset)
            for offsets in kinds:
                offsets.add(offset)

    def follow(self, offset: int) -> None:
        """Add the instructions from an offset to where the flow goes elsewhere."""
        graph = self.graph
        while self.has_run(offset) and offset not in graph.instructions:
            one = self.decoder.decode(word_at(self.page, offset))
            template = self.templates.get(one.form) if one is not None else None
            if one is None or template is None or len(graph.instructions) >= self.most:
                graph.left.add(offset)
                if template is not None:
                    graph.beyond.add(offset)
                if one is not None:  # tier 0 executes it, and then enters the region again
                    self.enter(offset + one.length, graph.heads)
                return
            graph.instructions[offset] = one
            self.branch(offset, one, template)
            if "next" not in template.ways:
                return
            offset += one.length

    def branch(self, offset: int, one: Decoded, template: Template) -> None:
        """Follow the other ways from an instruction."""
        graph, after = self.graph, offset + one.length
        calls = one.operands.get("rd", SINK) != SINK and "next" not in template.ways
        if template.branch:
            target = offset + one.operands[template.branch]
            is_head = calls or target <= offset  # of a function or a loop
            self.enter(target, *([graph.heads] if is_head else []))
        if calls:
            self.enter(after, graph.heads, graph.returns)
