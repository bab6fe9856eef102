"""The pages of an image that is a part of a tree (image_tree.py)."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from rvplat.bus.fence import barrier
from rvplat.bus.image_engine import ImageEngine
from rvplat.bus.images import Numbering, Region
from rvplat.bus.page_log import PAGE, PageLog

CHUNK = 512  # pages
ZEROS = bytes(CHUNK * PAGE)


class Node:
    """An image in the tree. `log` has the pages in which it differs from its parent; the root has
    neither. `images` counts the `MemoryImage`s that refer to it."""

    def __init__(self) -> None:
        self.parent: Node | None = None
        self.children: set[Node] = set()
        self.log: PageLog | None = None
        self.images = 0

    def way_from_root(self) -> list[Node]:
        """The nodes from the root's child to this one."""
        found: list[Node] = []
        node = self
        while node.parent is not None:
            found.insert(0, node)
            node = node.parent
        return found


class Tree(Protocol):
    """The tree (`ImageTree`)."""

    regions: Sequence[Region]
    numbering: Numbering
    engine: ImageEngine
    live: PageLog | None
    changes: int

    def locked(self) -> AbstractContextManager[None]: ...


class HeldPages:
    """The pages of a node. They are in the logs of the nodes on the way to the root, in the live
    log, and in RAM."""

    def __init__(self, tree: Tree, node: Node) -> None:
        self.tree = tree
        self.node = node
        self._changes = -1
        self._elsewhere: dict[int, int] = {}  # host addresses of pages, 0: zero
        self._crowded: set[int] = set()  # the chunks of these pages

    def pages(self) -> Iterator[tuple[int, bytes]]:
        tree = self.tree
        for ram, first in zip(tree.regions, tree.numbering.firsts, strict=True):
            for start in range(0, ram.size, CHUNK * PAGE):
                with tree.locked():
                    self._find()
                    found = list(self._chunk(ram, start, first + start // PAGE))
                yield from found

    def _find(self) -> None:
        """Find the pages that the logs of nodes have."""
        if self._changes == self.tree.changes:
            return
        self._changes = self.tree.changes
        self._elsewhere = {}
        for node in self.node.way_from_root():
            log = node.log
            assert log is not None
            self._elsewhere.update((number, log.at(slot)) for number, slot in log.entries())
        self._crowded = {number // CHUNK for number in self._elsewhere}

    def _chunk(self, ram: Region, start: int, first: int) -> Iterator[tuple[int, bytes]]:
        """The pages of a piece of a region that aren't zero. `first` is the number of its first
        one."""
        size = min(CHUNK * PAGE, ram.size - start)
        data = ctypes.string_at(ram.address + start, size).ljust(-(-size // PAGE) * PAGE, b"\0")
        live = self._live(first, len(data) // PAGE)
        if not live and data == ZEROS[: len(data)] and not self._is_crowded(first):
            return
        for n in range(len(data) // PAGE):
            at = self._elsewhere.get(first + n, live.get(first + n))
            if at is None:
                page = data[n * PAGE : (n + 1) * PAGE]
            else:
                page = ctypes.string_at(at, PAGE) if at else ZEROS[:PAGE]
            if page != ZEROS[:PAGE]:
                yield ram.base + start + n * PAGE, page

    def _is_crowded(self, first: int) -> bool:
        return not self._crowded.isdisjoint((first // CHUNK, first // CHUNK + 1))

    def _live(self, first: int, count: int) -> dict[int, int]:
        """The pages that were saved from their first write on: their host addresses. A hart that
        runs writes to a page only after it was saved, so RAM was read before this."""
        barrier()
        log, live = self.tree.engine.log, self.tree.live
        words = (ctypes.c_uint32 * count).from_address(log.saved + 4 * first)
        saved = [first + n for n, word in enumerate(list(words)) if word == log.epoch]
        if not saved or live is None:
            return {}
        live.list.count, live.list.slots = log.pages.count, log.pages.slots
        index = live.index()
        return {number: live.at(index[number]) for number in saved}
