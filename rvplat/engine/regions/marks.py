"""The text with which a region notes what it executes, for coverage (engine/coverage_marks.py).

The page's slots have the address of a map, a byte for each halfword. At the end of a block, a few
stores note all its instructions; where the region is left within a block, they note those before.
Halfwords within an instruction get 0. If an instruction of the region begins in another one, each
gets a store of its own.
"""

from __future__ import annotations

from rvplat.engine.regions.flow import Flow
from rvplat.engine.regions.lines import Lines

WIDTHS = (8, 4, 2, 1)  # bytes of a store


class Marks:
    """Adds the stores to a text, if it `covers`. `%marks` is the map's address."""

    def __init__(self, out: Lines, flow: Flow, covers: bool) -> None:
        self._out, self._covers = out, covers
        self._instructions = flow.graph.instructions
        self._blocks: dict[int, list[int]] = {}
        for leader in flow.leaders if covers else ():
            block, offset = [leader], flow.after(leader)
            while offset in self._instructions and offset not in flow.leaders:
                block.append(offset)
                offset = flow.after(offset)
            for one in block:
                self._blocks.setdefault(one, block)
        self._overlap = any(
            one.length > 2 and offset + 2 in self._instructions
            for offset, one in self._instructions.items()
        )

    def through(self, offset: int) -> None:
        """An instruction has been executed, the last one of its block on this way."""
        if self._covers:
            block = self._blocks[offset]
            self._note(block[: block.index(offset) + 1])

    def before(self, offset: int) -> None:
        """The region is left before an instruction: those of its block before it were executed."""
        if self._covers:
            block = self._blocks[offset]
            self._note(block[: block.index(offset)])

    def enter(self, header: str) -> None:
        """Read the map's address. `header`: where the page's slots have it."""
        if self._covers:
            self._out.put(f"  %marks = load ptr, ptr {header}")

    def _note(self, offsets: list[int]) -> None:
        if self._overlap:
            for one in offsets:
                self._store(one // 2, b"\1")
            return
        if not offsets:
            return
        first = offsets[0] // 2
        held = bytearray(offsets[-1] // 2 + 1 - first)
        for one in offsets:
            held[one // 2 - first] = 1
        at = 0
        while at < len(held):
            width = next(width for width in WIDTHS if width <= len(held) - at)
            self._store(first + at, bytes(held[at : at + width]))
            at += width

    def _store(self, at: int, data: bytes) -> None:
        place = self._out.value(f"getelementptr inbounds i8, ptr %marks, i64 {at}")
        value = int.from_bytes(data, "little")
        self._out.put(f"  store i{8 * len(data)} {value}, ptr {place}, align 1")
