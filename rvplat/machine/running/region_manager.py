"""Regions of a running machine: hot pages become native code while the harts run.

Harts report hot code (engine/hot_code.py), and one thread waits for the reports. If the region of a
page is kept from an earlier run, the thread puts it in place. If not, it queues the page. Another
thread takes the hottest page of the queue, lets the worker process compile it, and puts the region
in place. With `regions = "all"` a hart that decodes an instruction waits for its region.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from rvplat.engine.native import Core
from rvplat.hart.acceleration.region_rows import HOT, RegionRow
from rvplat.hart.acceleration.young_pages import AWAY
from rvplat.hart.state import MachineState
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.privileged import OFFSET_MASK, PAGE_BYTES, PAGE_MASK
from rvplat.lang.native.native_code import NativeCode
from rvplat.machine.running.native_records import NativeHart, NativeMachine
from rvplat.machine.running.region_pages import Counts, Fate, GuestCode, HotPage, Page, Placed

if TYPE_CHECKING:  # these take 7 ms to import, and machines without regions don't need them
    from rvplat.engine.regions.client import Client
    from rvplat.engine.regions.messages import Answer
    from rvplat.engine.regions.store import Store

log = logging.getLogger("rvplat.regions")

WAIT_NS = 1_000_000_000
MOST_DROPS = 6  # a page whose regions were dropped so often by stores is not compiled again
SAVE_S = 20.0  # between two writes of the kept regions
_HOST: Any = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)


class Owner(Protocol):
    """The part of a machine that regions need (system.py)."""

    @property
    def core(self) -> Core: ...

    @property
    def extensions(self) -> Sequence[Extension]: ...

    @property
    def native(self) -> NativeMachine: ...

    @property
    def harts(self) -> Sequence[NativeHart]: ...

    def export(self, name: str) -> Callable[..., Any]: ...


class RegionManager:
    """Makes regions for the harts of a machine. `mode` is the board's `harts.regions`; the variable
    RVPLAT_REGIONS overrides it, for tests."""

    def __init__(self, owner: Owner, mode: str) -> None:
        self._owner, self._native, self._harts = owner, owner.native, owner.harts
        self._code = GuestCode(owner.native, owner.harts)
        self._put = owner.export("place_region")
        self._drop_all = owner.export("drop_regions")
        self.mode = mode = os.environ.get("RVPLAT_REGIONS") or mode
        self.counts = Counts()
        self._pages: dict[int, Page] = {}
        self._queue: dict[int, None] = {}
        self._gone: list[Placed] = []
        self._seen = [0] * len(owner.harts)
        self._lock = threading.RLock()
        self._work = threading.Condition(self._lock)
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._store: Store | None = None
        self._client: Client | None = None
        self._saved_at = time.monotonic()
        self._number = 0
        self._calls_at = self._native.address + MachineState.fields["hot_calls"].offset
        self._calls = ctypes.c_uint32.from_address(self._calls_at)
        if mode == "all":
            self._now = _HOST(self._compile_now)
            address = ctypes.cast(self._now, ctypes.c_void_p).value
            self._native.view.compile_now = address or 0
        self._native.view.regions_on = int(mode != "off")

    # --- from other threads ---

    def hot_pages(self) -> list[HotPage]:
        """What became of each page with hot code so far."""
        with self._lock:
            return [self._hot_page(start, page) for start, page in sorted(self._pages.items())]

    def _hot_page(self, start: int, page: Page) -> HotPage:
        placed = page.placed
        if placed is not None and placed.row.placed:
            inside = placed.answer.inside
            return HotPage(start, "compiled", placed.data.raw, inside, page.left)
        fate: Fate = "waiting"
        if page.drops >= MOST_DROPS:
            fate = "rewritten"
        elif page.problem:
            fate = "failed"
        elif page.tried:
            fate = "left"
        return HotPage(start, fate, self._code.bytes_at(start), (), page.left)

    def start(self) -> None:
        """Begin to make regions, when the machine first runs."""
        if self._threads or self._closed or self.mode != "hot":
            return
        for target in (self._watch, self._compile):
            thread = threading.Thread(target=target, name=f"rvplat{target.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """End the threads and the worker, and keep the regions for the next start."""
        with self._work:
            self._closed = True
            self._work.notify_all()
        self._calls.value += 1
        _HOST(int(self._native.view.wake_fn))(self._calls_at, 0, 0, 0)
        client = self._client
        if client is not None:
            client.close()
        for thread in self._threads:
            thread.join(5)
        self._save(0)

    def forget(self) -> None:
        """Forget every page: its memory and the harts' records were replaced."""
        with self._lock:
            for page in self._pages.values():
                if page.placed is not None:
                    page.placed.row.placed = 0
                    self._retire(page)
            self._pages.clear()
            self._free_dropped()

    def breakpoints_changed(self, count: int) -> None:
        """Regions don't look for breakpoints. So none is entered while there are any. The harts
        stand still, or don't meet the breakpoints yet."""
        if self.mode == "off":
            return
        with self._lock:
            self._native.view.regions_on = int(count == 0)
            if count:
                self._drop_all(self._harts[0].address)
                return
            for page in self._pages.values():
                if page.placed is not None and not page.placed.row.placed:
                    self._put_row(page.placed)

    # --- finding hot pages ---

    def _watch(self) -> None:
        wait = _HOST(int(self._native.view.wait_fn))
        while not self._closed:
            calls = self._calls.value
            if not self._take_reports():
                wait(self._calls_at, calls, WAIT_NS, 0)

    def _take_reports(self) -> bool:
        """Handle what harts have reported; returns whether there was anything."""
        found = [pa for n, hart in enumerate(self._harts) for pa in self._reports(n, hart)]
        with self._work:
            for pa in found:
                self._report(pa)
            self._free_dropped()
        if found:
            self._save(SAVE_S)
        return bool(found)

    def _reports(self, n: int, hart: NativeHart) -> list[int]:
        count = int(hart.plain.hot_count)
        first, self._seen[n] = max(self._seen[n], count - HOT), count
        return [int(hart.plain.hot[i % HOT]) for i in range(first, count)]

    def _report(self, pa: int) -> None:
        """Code at a physical address is hot, and no region has it."""
        start, offset = pa & PAGE_MASK, pa & OFFSET_MASK
        page = self._pages.setdefault(start, Page())
        self._note_drop(page)
        if page.placed is not None and offset in page.placed.answer.inside:
            return  # it was reported before the region was put in place
        is_new = offset not in page.heads
        page.heads[offset] = None
        page.reports += 1
        if is_new and self._place_kept(start, offset):
            return
        if page.reports >= page.needed and page.drops < MOST_DROPS:
            self._queue[start] = None
            self._work.notify_all()

    def _place_kept(self, start: int, offset: int) -> bool:
        """Put a kept region with this head in place, unless the page has a larger one."""
        data, page = self._code.bytes_at(start), self._pages[start]
        kept = self._kept.find(offset, data)
        if kept is None:
            return False
        if page.placed is not None and len(page.placed.answer.inside) >= len(kept.inside):
            return False
        if not self._place(start, kept, data):
            return False
        self.counts.kept += 1
        return True

    def _note_drop(self, page: Page) -> None:
        """If stores have dropped the page's region, wait longer before the next."""
        if page.placed is not None and not page.placed.row.placed and self._native.plain.regions_on:
            self._retire(page)
            page.drops += 1
            page.needed *= 4
            self.counts.dropped += 1

    # --- compiling ---

    def _compile(self) -> None:
        from rvplat.engine.regions.client import CompilerGone

        try:
            while True:
                with self._work:
                    while not self._queue and not self._closed:
                        self._work.wait()
                    if self._closed:
                        return
                    start = max(self._queue, key=lambda pa: self._pages[pa].reports)
                    del self._queue[start]
                self._compile_page(start, self._code.ran(start))
        except CompilerGone as error:
            if not self._closed:
                log.warning("%s; no more regions are made", error)

    def _compile_page(self, start: int, ran: bytes) -> None:
        """Compile a page and put its region in place. CompilerGone if there is no worker."""
        from rvplat.engine.regions.client import Client
        from rvplat.engine.regions.messages import Request

        with self._lock:
            page = self._pages[start]
            page.reports, page.needed = 0, page.needed * 4
            self._number += 1
            data = self._code.bytes_at(start)
            request = Request(self._number, data, ran, tuple(page.heads))
            if self._client is None:
                self._client = Client(self._tables)
        answer = self._client.compile(request)
        with self._lock:
            if self._closed:
                return
            page.tried, page.problem = True, answer.problem
            if answer.problem:
                self.counts.failed += 1
                log.warning("code at %#x stays in the interpreter: %s", start, answer.problem)
            page.left = frozenset(answer.left)
            if answer.code is not None:
                self.counts.compiled += 1
                self.counts.instructions += len(answer.inside)
                self.counts.seconds += answer.seconds
                if self._place(start, answer, data) and self.mode == "hot":
                    self._kept.add(answer, data)

    def _compile_now(self, number: int, pa: int, _b: int, _c: int) -> int:
        """A hart has decoded the instruction at a physical address (`regions = "all"`)."""
        try:
            with self._lock:
                start, offset = pa & PAGE_MASK, pa & OFFSET_MASK
                page = self._pages.setdefault(start, Page())
                if page.placed is not None and not page.placed.row.placed:
                    self._retire(page)
                    page.left = frozenset()
                if offset in page.left:
                    return 0
                if page.placed is not None and offset in page.placed.answer.inside:
                    return 0
                page.heads[offset] = None
                self._compile_page(start, b"\1" * (PAGE_BYTES // 2))
        except BaseException as error:  # native code calls this, so nothing can be raised
            log.exception("a region could not be made: %s", error)
        return 0

    # --- placing ---

    def _place(self, start: int, answer: Answer, data: bytes) -> bool:
        """Put a region in place. False if the page has changed meanwhile."""
        held = ctypes.create_string_buffer(data, PAGE_BYTES)
        code = NativeCode(answer.code or b"")
        row = RegionRow.structure()()
        row.entry, row.lines = code.address("region"), answer.lines
        row.bytes = ctypes.addressof(held)
        for offsets, words in ((answer.heads, row.heads.word), (answer.inside, row.inside.word)):
            for offset in offsets:
                words[offset >> 7] |= 1 << (offset >> 1 & 63)
        placed = Placed(start, answer, row, held, code)
        page = self._pages[start]
        if page.placed is not None:
            self._retire(page)
        if not self._put_row(placed):
            return False
        page.placed, page.left = placed, frozenset(answer.left)
        return True

    def _put_row(self, placed: Placed) -> bool:
        return bool(self._put(self._harts[0].address, placed.pa, ctypes.addressof(placed.row)))

    # --- freeing ---

    def _retire(self, page: Page) -> None:
        """A page's region is about to be replaced, or was dropped: free it later."""
        assert page.placed is not None
        self._gone.append(page.placed)
        page.placed = None

    def _free_dropped(self) -> None:
        """Free the regions that were dropped and that every hart has left since."""
        for gone in self._gone:
            if not gone.row.placed and gone.left is None:
                gone.left = self._passes()
        self._gone = [gone for gone in self._gone if not self._is_left(gone)]

    def _passes(self) -> tuple[int, ...]:
        return tuple(int(hart.plain.passes) for hart in self._harts)

    def _is_left(self, gone: Placed) -> bool:
        if gone.left is None:
            return False
        return all(
            int(hart.plain.passes) != count or int(hart.plain.young_passed) == AWAY
            for hart, count in zip(self._harts, gone.left, strict=True)
        )

    # --- memory of the guest, and of earlier runs ---

    @cached_property
    def _tables(self) -> bytes:
        return self._owner.core.region_tables(self._owner.extensions, len(self._harts))

    @property
    def _kept(self) -> Store:
        """The regions of earlier runs, and those of this one. They are loaded at the first use."""
        if self._store is None:
            from rvplat.engine.regions.store import Store

            digest = hashlib.sha256(self._tables).hexdigest()
            self._store = Store(f"regions with what they leave\n{self._owner.core.key}\n{digest}")
        return self._store

    def _save(self, after_s: float) -> None:
        """Write the kept regions, if some are new and the last write is so long ago."""
        store = self._store
        if store is None or not store.changed or time.monotonic() - self._saved_at < after_s:
            return
        self._saved_at = time.monotonic()
        with self._lock:
            problem = store.save()
        if problem is not None:
            log.warning("cannot keep the compiled regions: %s", problem)
