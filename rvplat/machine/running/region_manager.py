"""Regions of a running machine: hot pages become native code while the harts run.

Harts report hot code (engine/hot_code.py), and one thread waits for the reports. If a region of the
page is kept from an earlier run, the thread puts it in place. If not, it queues the page. Another
thread takes the page of the queue that is the hottest lately, lets the worker process compile it,
and puts the region in place. When the queue is empty for a while, it takes a page that is nearly
hot, for this start and the next ones. With `regions = "all"` a hart that decodes an instruction
waits for its region.

A page with a breakpoint has no region in place; when its code is hot later, the region that was
withheld is put in place again.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rvplat.engine.sources import unchanged
from rvplat.hart.acceleration.region_rows import ASKS, SPLIT, WEIGHT
from rvplat.hart.state import MachineState
from rvplat.isa.privileged import OFFSET_MASK, PAGE_BYTES, PAGE_MASK
from rvplat.lang.native.dumps import dump_folder
from rvplat.machine.running.placed_regions import PlacedRegions
from rvplat.machine.running.region_listing import dump_path, write_listing
from rvplat.machine.running.region_mode import region_mode
from rvplat.machine.running.region_owner import Owner
from rvplat.machine.running.region_pages import (
    FAILURES,
    Counts,
    GuestCode,
    HotPage,
    Page,
    Reports,
)
from rvplat.machine.running.region_queue import PageQueue

if TYPE_CHECKING:  # these take 7 ms to import, and machines without regions don't need them
    from rvplat.engine.regions.client import Client
    from rvplat.engine.regions.messages import Answer, Request
    from rvplat.engine.regions.store import Store
    from rvplat.machine.boards.board import Regions

log = logging.getLogger("rvplat.regions")

WAIT_NS = 1_000_000_000
PAUSE_S = 0.005  # between two looks at reports: each takes processor time from the harts
FIRST = 60  # instructions of a page's first region, ready soon; the next has twice as many
FINISHED = 200  # of the first one that is compiled after the end, for the next start
SAVE_S = 20.0  # between two writes of the kept regions
IDLE_S = 0.1  # when no page was hot for so long, one that is nearly hot is compiled
REST_S = 10.0  # the worker ends when it had nothing to do for so long
ALL_RAN = b"\1" * (PAGE_BYTES // 2)
MOST_BYTES = 64 << 20  # of code in memory; when there is more, all regions are dropped
_HOST: Any = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)


class RegionManager:
    """Makes regions for the harts of a machine. `board_mode` is the board's `harts.regions`.

    Raises:
        HostError: the variable RVPLAT_REGIONS or RVPLAT_DUMP has a value that can't be used.
    """

    def __init__(self, owner: Owner, board_mode: Regions) -> None:
        self._owner, self._native, self._harts = owner, owner.native, owner.harts
        self._code = GuestCode(owner.native, owner.harts)
        self._placed = PlacedRegions(owner.harts, owner.export)
        self.mode = mode = region_mode(board_mode)
        self.counts = Counts()
        self._dump = dump_folder() if mode != "off" else None
        self._pages: dict[int, Page] = {}
        self._queue = PageQueue(self._pages)
        self._reports = Reports(owner.harts)
        self._lock = threading.RLock()
        self._work = threading.Condition(self._lock)
        self._closed = self._ended = False  # ended: no more regions are made
        self.covers = False  # they note what they execute
        self._threads: list[threading.Thread] = []
        self._store: Store | None = None
        self._client: Client | None = None
        self._saved_at = time.monotonic()
        self._number = 0
        self._calls_at = self._native.address + MachineState.fields["hot_calls"].offset
        self._calls = ctypes.c_uint32.from_address(self._calls_at)
        if mode == "all":
            self._now = _HOST(self._compile_now)
            self._native.view.compile_now = ctypes.cast(self._now, ctypes.c_void_p).value or 0
        self._native.view.regions_on = int(mode != "off")

    # --- from other threads ---

    def hot_pages(self) -> list[HotPage]:
        """What became of each page with hot code so far."""
        with self._lock:
            read = self._code.bytes_at
            return [page.result(start, read) for start, page in sorted(self._pages.items())]

    def start(self) -> None:
        """Begin to make regions, when the machine first runs."""
        if self._threads or self._closed or self.mode != "hot":
            return
        for work in (self._watch, self._compile):
            thread = threading.Thread(
                target=self._attempt, args=(work,), name=f"rvplat{work.__name__}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:  # the host has no more threads
                self._end(error)
                return
            self._threads.append(thread)

    def _attempt(self, work: Callable[[], None]) -> None:
        """Do a thread's work. If it fails, the guest goes on without more regions."""
        try:
            work()
        except Exception as error:
            self._end(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)

    def close(self) -> None:
        """End the threads and the worker, and keep the regions for the next start. If the worker is
        compiling, it finishes that, and what waits, for the next start."""
        with self._work:
            self._closed = True
            self._work.notify_all()
        self._calls.value += 1
        _HOST(int(self._native.view.wake_fn))(self._calls_at, 0, 0, 0)
        self._save(0)
        if self._finishes():
            return
        client = self._client
        if client is not None:
            client.close()
        for thread in self._threads:
            thread.join(5)
        self._save(0)

    def _finishes(self) -> bool:
        """Let the worker finish what it compiles now; False if that is nothing."""
        with self._lock:
            if self._client is None or self.mode != "hot" or self._dump or not unchanged():
                return False
            every = self._queue.every()
            more = [self._request(start, self._ran(start), FINISHED) for start in every]
            return self._client.leave(self._kept.key, more)

    def forget(self) -> None:
        """Forget every page: its memory and the harts' records were replaced."""
        with self._lock:
            for page in self._pages.values():
                if page.placed is not None:
                    page.placed.row.placed = 0
                    self._placed.retire(page)
            self._pages.clear()
            self._queue.clear()
            self._placed.free()

    # --- finding hot pages ---

    def _watch(self) -> None:
        wait = _HOST(int(self._native.view.wait_fn))
        while not self._closed:
            calls = self._calls.value
            if self._take_reports():
                time.sleep(PAUSE_S)
            else:
                wait(self._calls_at, calls, WAIT_NS, 0)

    def _take_reports(self) -> bool:
        """Handle what harts have reported; returns whether there was anything."""
        found = self._reports.new()
        with self._work:
            for report in found:
                pa = report & (1 << WEIGHT) - 1
                if report >> ASKS:
                    self._find_kept(pa)
                else:
                    self._report(pa, 1 << (report >> WEIGHT))
            self._placed.free()
        if found:
            self._save(SAVE_S)
        return bool(found)

    def _report(self, pa: int, weight: int) -> None:
        """Code at a physical address is hot, and no region has it."""
        start, offset = pa & PAGE_MASK, pa & OFFSET_MASK
        page = self._pages.setdefault(start, Page())
        self._look_after(page)
        if page.failed or page.is_withheld or page.enters(offset) or page.keeps_out(offset):
            return
        is_new, was_warm = offset not in page.heads, page.is_warm
        page.add_reports(offset, weight, time.monotonic())
        looks = not offset & SPLIT and (is_new or page.placed is None)
        if looks and page.reports >= page.patience and self._place_kept(page, start, offset):
            return
        if page.reports >= page.needed and not self._ended:
            self._queue.add(start)
        if self._queue or page.is_warm > was_warm:
            self._work.notify_all()

    def _find_kept(self, start: int) -> None:
        """A hart has begun to execute a page: put a kept region of it in place."""
        page = self._pages.get(start) or Page()
        is_known = page.placed is not None or page.failures or page.drops
        if not is_known and self._place_kept(page, start):
            self._pages[start] = page

    def _place_kept(self, page: Page, start: int, head: int | None = None) -> bool:
        """Put a kept region in place, one with this head if given, unless the page has one that is
        as large: two of them would replace each other again and again."""
        if self._dump is not None:  # it is compiled, so that every stage can be written
            return False
        data = self._code.bytes_at(start)
        kept = self._kept.find_any(data) if head is None else self._kept.find(head, data)
        if kept is None or page.size >= len(kept.inside):
            return False
        is_placed = self._place(page, start, kept, data)
        self.counts.kept += is_placed
        return is_placed

    def _look_after(self, page: Page) -> None:
        """Put the page's region in place again if it is withheld, or note that a store has dropped
        it."""
        if page.placed is None or (page.is_withheld and self._placed.put_again(page.placed)):
            return
        if page.is_dropped:
            page.note_drop()
            self._placed.retire(page)
            self.counts.dropped += 1

    # --- compiling ---

    def _compile(self) -> None:
        while True:
            if (start := self._next_page()) is None:
                return
            self._compile_page(start, self._ran(start))

    def _next_page(self) -> int | None:
        """Wait for a page to compile; None if no more are compiled."""
        with self._work:
            idle_at = time.monotonic() + IDLE_S
            while not (self._queue or self._closed or self._ended):
                warm, left_s = self._queue.warm(), idle_at - time.monotonic()
                if warm and left_s <= 0:
                    self._queue.add(warm[0])
                elif not self._work.wait(left_s if warm else REST_S) and not warm and self._client:
                    self._client.rest()
            if self._closed or self._ended:
                return None
            return self._queue.take(time.monotonic())

    def _ran(self, start: int) -> bytes:
        """For each halfword of a page, whether an instruction there has run. That includes the
        instructions of the page's region: placing it has made harts decode its heads again."""
        found = bytearray(self._code.ran(start))
        page = self._pages.get(start)
        if page is not None and page.placed is not None and not page.is_dropped:
            for offset in page.placed.answer.inside:
                found[offset >> 1] = 1
        return bytes(found)

    def _compile_page(self, start: int, ran: bytes) -> None:
        """Compile a page and put its region in place."""
        from rvplat.engine.regions.client import Client, CompilerGone

        with self._lock:
            if self._closed:  # `close` has ended the client, and would not end another one
                return
            if (page := self._pages.get(start)) is None:  # it was forgotten
                return
            request = self._request(start, ran)
            page.reports, page.needed = 0, page.needed * (4 if page.reports >= page.needed else 1)
            if self._client is None:
                self._client = Client(self._tables, len(self._harts))
        try:
            answer = self._client.compile(request)
        except CompilerGone as error:
            self._end(error)
            return
        extensions = self._owner.extensions
        answer = write_listing(request.dump, start, answer, request.page, extensions)
        with self._lock:
            if not self._closed:
                self._take_answer(page, start, answer, request.page)
            elif answer.code is not None and self.mode == "hot":
                self._kept.add(answer, request.page)

    def _request(self, start: int, ran: bytes, first: int = FIRST) -> Request:
        """The request to compile a page, `first` instructions if it has no region."""
        from rvplat.engine.regions.messages import MOST, Request

        page = self._pages[start]
        most = MOST if self.mode == "all" else min(max(first, 2 * page.size), MOST)
        self._number += 1
        dump = str(dump_path(self._dump, self._number, start) or "")
        data, split = self._code.bytes_at(start), tuple(page.split)
        heads = page.every_head
        return Request(self._number, data, ran, heads, dump, most, split, self.covers)

    def _take_answer(self, page: Page, start: int, answer: Answer, data: bytes) -> None:
        page.tried = True
        if answer.problem:
            self.counts.failed += 1
            page.failures += 1
            log.warning("code at %#x stays in the interpreter: %s", start, answer.problem)
        page.left = frozenset(answer.left)
        if answer.beyond:  # the next region is larger, so it is worth its cost sooner
            page.needed //= 2
        if answer.code is not None:
            self.counts.compiled += 1
            self.counts.instructions += len(answer.inside)
            self.counts.seconds += answer.seconds
            if self._place(page, start, answer, data) and self.mode == "hot":
                self._kept.add(answer, data)

    def _end(self, why: object) -> None:
        """Make no more regions: there is no compiler, or no memory for them."""
        with self._lock:
            is_new, self._ended = not self._ended, True
            self._native.view.compile_now = 0
        if is_new and not self._closed:
            log.warning("no more regions are made: %s", why)

    def _compile_now(self, number: int, pa: int, _b: int, _c: int) -> int:
        """A hart has decoded the instruction at a physical address (`regions = "all"`)."""
        try:
            with self._lock:
                self._placed.free()
                start, offset = pa & PAGE_MASK, pa & OFFSET_MASK
                page = self._pages.setdefault(start, Page())
                self._look_after(page)
                if page.failed or page.is_withheld or self._ended:
                    return 0
                if offset in page.left or page.has(offset):
                    return 0
                page.heads.setdefault(offset, 1)
                self._compile_page(start, ALL_RAN)
        except Exception as error:  # native code calls this, so nothing can be raised
            log.exception("a region could not be made: %s", error)
        except BaseException as error:  # Ctrl-C
            self._owner.fail(error)
        return 0

    # --- placing ---

    def _place(self, page: Page, start: int, answer: Answer, data: bytes) -> bool:
        """Put a region in place. False if the page has changed meanwhile, or there is no memory."""
        try:
            placed = self._placed.place(page, start, answer, data)
        except OSError as error:
            page.failures = FAILURES
            self._end(f"no memory for their code ({error.strerror})")
            return False
        if self._placed.size > MOST_BYTES:
            self._drop_all()
        return placed

    def _drop_all(self) -> None:
        """Drop every region. Those of hot code come back soon, from the kept ones."""
        self._placed.drop_all()
        for page in self._pages.values():
            self._placed.retire(page)
            page.reports = 0

    # --- regions of earlier runs ---

    @cached_property
    def _tables(self) -> bytes:
        return self._owner.core.region_tables(self._owner.decoded)

    @property
    def _kept(self) -> Store:
        """The regions of earlier runs, and those of this one. They are loaded at the first use."""
        if self._store is None:
            from rvplat.engine.regions.store import Store

            digest = hashlib.sha256(self._tables).hexdigest() + " covering" * self.covers
            self._store = Store(f"regions with what they leave\n{self._owner.core.key}\n{digest}")
        return self._store

    def _save(self, after_s: float) -> None:
        """Write the kept regions, if some are new and the last write is so long ago."""
        store = self._store
        if store is None or not store.changed or time.monotonic() - self._saved_at < after_s:
            return
        self._saved_at = time.monotonic()
        if not unchanged():  # the process that compiled them may have imported other texts
            return
        with self._lock:
            problem = store.save()
        if problem is not None:
            log.warning("cannot keep the compiled regions: %s", problem)
