"""Pages that wait for the compiler of regions (region_manager.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rvplat.machine.running.region_pages import Page


class PageQueue:
    """The pages that are hot enough to be compiled. `pages` are all pages with hot code.

    The caller has a lock: its methods are called by one thread at a time."""

    def __init__(self, pages: Mapping[int, Page]) -> None:
        self._pages = pages
        self._waiting: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, start: int) -> None:
        self._waiting.add(start)

    def remove(self, start: int) -> None:
        """Remove a page, if it waits."""
        self._waiting.discard(start)

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, now: float) -> int:
        """Remove the page that is the hottest lately. `now`: of `time.monotonic`."""
        start = max(self._waiting, key=lambda pa: self._pages[pa].heat_at(now))
        self.remove(start)
        return start

    def warm(self) -> list[int]:
        """The pages that are nearly hot, those with most reports first."""
        return self._by_reports(start for start, page in self._pages.items() if page.is_warm)

    def every(self) -> list[int]:
        """The pages that wait, and then those that are nearly hot; most reports first."""
        warm = [start for start in self.warm() if start not in self._waiting]
        return self._by_reports(self._waiting) + warm

    def _by_reports(self, pages: Iterable[int]) -> list[int]:
        return sorted(pages, key=lambda pa: self._pages[pa].reports, reverse=True)
