"""The images of a memory.

Nothing is copied when an image is captured. From then on, a page is saved before its first write
(`ImageEngine.save`), to the live log. So RAM with the live log put back is the image that was
captured or restored last, the `root`. Every other image has a log too: the pages in which it
differs from its `parent`, which is nearer to the root. `restore` goes from the root to an image and
exchanges the pages of each log on the way with those of RAM; the log then belongs to the image
before.

An image that was dropped is needed as long as it is the parent of others. When it has one child
only, its log becomes a part of the child's.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from weakref import WeakKeyDictionary, finalize

from rvplat.bus.held_pages import HeldPages, Node
from rvplat.bus.image_engine import ImageEngine
from rvplat.bus.images import (
    Block,
    MadePages,
    MemoryImage,
    Numbering,
    Region,
    check_layout,
    layout_of,
    most_threads,
)
from rvplat.bus.page_log import PAGE, PRIVATE, PageLog

ZERO_PAGE = bytes(PAGE)


class ImageTree:
    """All images of a memory's regions. No hart may run during `capture` and `restore`."""

    def __init__(
        self,
        regions: Sequence[Region],
        engine: ImageEngine,
        lent: Callable[[], Iterable[tuple[int, int]]],
    ) -> None:
        self.regions = regions
        self._lent = lent  # gives address and size of what may be written at any time
        self.layout = layout_of(regions)
        self.numbering = Numbering(self.layout)
        self.engine = engine
        self.root: Node | None = None
        self.live: PageLog | None = None
        self.changes = 0  # of the tree, so far
        self._saved = mmap.mmap(-1, max(4 * self.numbering.count, PAGE), flags=PRIVATE)
        engine.log.saved = ctypes.addressof(ctypes.c_char.from_buffer(self._saved))
        self._epoch = 0
        self._lock = threading.Lock()
        self._dropped: deque[Node] = deque()
        self._adopted: WeakKeyDictionary[MemoryImage, MemoryImage] = WeakKeyDictionary()

    @property
    def bytes_used(self) -> int:
        """The host memory that the images take."""
        with self.locked():
            logs = [node.log for node in self._nodes() if node.log is not None]
            live = int(self.engine.log.pages.slots) * PAGE if self.live is not None else 0
            return live + sum(log.bytes_used for log in logs)

    def capture(self) -> MemoryImage:
        """What RAM holds now."""
        with self.locked():
            root = self.root
            if root is None or self.engine.log.pages.count:
                self._begin(Node())
                if root is not None:
                    self._prune(root)
            assert self.root is not None
            return self._image(self.root)

    def restore(self, image: MemoryImage) -> None:
        """Let RAM hold that again."""
        check_layout(image, self.layout)
        held = self._adopted.get(image, image)
        if not isinstance(held.source, HeldPages) or held.source.tree is not self:
            self._take_over(image)
            return
        with self.locked():
            assert self.live is not None
            before = self.root
            self.engine.switch(self.live, None, 0)
            self.engine.put(self.live, False)
            for node in held.source.node.way_from_root():
                self._move_root(node)
            self.live.clear()
            self._next_epoch(None, self.live)
            self.engine.replaced(False)
            if before is not None:
                self._prune(before)

    def written(self) -> list[int]:
        """The physical addresses of the pages that were written since the last capture or restore;
        none before the first one. No hart may run."""
        with self.locked():
            if self.live is None:
                return []
            self.live.list.count = self.engine.log.pages.count
            self.live.list.slots = self.engine.log.pages.slots
            return [self.numbering.address(number) for number, _ in self.live.entries()]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other threads out, and afterwards remove what was dropped meanwhile."""
        with self._lock:
            yield
        self._tidy()

    # --- the tree ---

    def _begin(self, node: Node) -> None:
        """Make a node for what RAM holds, the new root."""
        old, log = self.root, self.live
        self.live = PageLog(self.numbering.count)
        self._next_epoch(log, self.live)
        if old is not None:
            old.log, old.parent = log, node
            node.children.add(old)
        self.root = node

    def _next_epoch(self, old: PageLog | None, new: PageLog) -> None:
        self._epoch += 1
        self.changes += 1
        self.engine.switch(old, new, self._epoch)
        for pa, size in self._lent():
            self.engine.save(pa, size)

    def _move_root(self, node: Node) -> None:
        """Let RAM hold the image of the root's child."""
        old, log = self.root, node.log
        assert old is not None and log is not None
        self.engine.put(log, True)
        log.changed()
        old.children.remove(node)
        node.children.add(old)
        old.log, old.parent = log, node
        node.log = node.parent = None
        self.root = node

    def _nodes(self) -> Iterator[Node]:
        """All nodes."""
        left = [self.root] if self.root is not None else []
        while left:
            node = left.pop()
            left += node.children
            yield node

    # --- dropping ---

    def _image(self, node: Node) -> MemoryImage:
        image = MemoryImage(self.layout, HeldPages(self, node))
        node.images += 1
        finalize(image, self._drop, node).atexit = False
        return image

    def _drop(self, node: Node) -> None:
        """An image is not referred to any more. The garbage collector may call this anywhere, also
        while this thread has the lock."""
        self._dropped.append(node)
        self._tidy()

    def _tidy(self) -> None:
        while self._dropped and self._lock.acquire(blocking=False):
            try:
                while self._dropped:
                    node = self._dropped.popleft()
                    node.images -= 1
                    self._prune(node)
            finally:
                self._lock.release()

    def _prune(self, node: Node) -> None:
        """Remove a node, if nothing needs it any more."""
        if node.images or len(node.children) > 1:
            return
        parent = node.parent
        if parent is None:
            if not node.children:
                self.engine.switch(None, None, 0)
                self.root = self.live = None
            return
        parent.children.remove(node)
        for child in node.children:
            self._merge(node, child)
            child.parent = parent
            parent.children.add(child)
        self.changes += 1
        self._prune(parent)

    def _merge(self, node: Node, child: Node) -> None:
        """Make one log of both, the child's: where both have a page, the child's counts."""
        assert node.log is not None and child.log is not None
        if node.log.list.count > child.log.list.count:
            node.log.absorb(child.log, True)
            child.log = node.log
        else:
            child.log.absorb(node.log, False)

    # --- images of other memories ---

    def _take_over(self, image: MemoryImage) -> None:
        """Let RAM hold an image that isn't one of this tree's, and make it one. No other thread
        restores meanwhile; the lock is free, because the image may need that of its own tree."""
        if self.root is None:
            for ram in self.regions:
                ram.clear()
            if isinstance(image.source, MadePages):
                with ThreadPoolExecutor(most_threads()) as pool:
                    list(pool.map(self._fill, image.source.blocks))
            else:
                for pa, data in image.pages():
                    self._write(pa, data)
        else:
            self._write_differences(image)
        self.engine.replaced(True)
        self._adopted[image] = self.capture()

    def _fill(self, block: Block) -> None:
        """Write the pages of a block."""
        data = block.contents()
        for number, host, count in block.runs(data):
            self._fill_run(number, host, count)

    def _fill_run(self, number: int, host: int, count: int) -> None:
        """Write pages that follow each other, from a host address."""
        while count:
            n = self.numbering.region(number)
            ram, at = self.regions[n], (number - self.numbering.firsts[n]) * PAGE
            room = min(count * PAGE, ram.size - at)
            ctypes.memmove(ram.address + at, host, room)
            done = -(-room // PAGE)
            number, host, count = number + done, host + done * PAGE, count - done

    def _write(self, pa: int, data: bytes) -> None:
        number = self.numbering.number(pa)
        ram = self.regions[self.numbering.region(number)]
        room = min(PAGE, ram.base + ram.size - pa)
        ctypes.memmove(ram.address + pa - ram.base, data, room)

    def _write_differences(self, image: MemoryImage) -> None:
        """Write the pages that are others, and save them before."""
        pages = image.pages()
        pa, data = next(pages, (-1, b""))
        for ram in self.regions:
            for at in range(ram.base, ram.base + ram.size, PAGE):
                wanted = ZERO_PAGE
                if at == pa:
                    wanted = data
                    pa, data = next(pages, (-1, b""))
                if ctypes.string_at(ram.address + at - ram.base, PAGE) != wanted:
                    self.engine.save(at, 1)
                    self._write(at, wanted)
