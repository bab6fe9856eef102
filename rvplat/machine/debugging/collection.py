"""What `machine.breakpoints` and `machine.watchpoints` have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from rvplat.machine.debugging.arguments import Arguments
from rvplat.machine.running.public_names import PublicNames
from rvplat.machine.running.stop import StopPoint
from rvplat.machine.running.system import System

P = TypeVar("P", bound=StopPoint)


class Collection(Generic[P], metaclass=PublicNames):
    """Breakpoints or watchpoints of a machine, by number. Iterating gives them in order.

    They may be added and removed while the machine stands still: RuntimeError while it runs, while
    a gdb server runs it, or when it is closed.
    """

    public = ("add", "remove", "clear")
    kind = "breakpoint"

    def __init__(
        self, machine: System, arguments: Arguments, numbers: Iterator[int],
        spent: dict[int, StopPoint],
    ) -> None:  # fmt: skip
        self._machine = machine
        self._arguments = arguments
        self._numbers = numbers
        self._points: dict[int, P] = {}
        self._by_row: dict[int, P] = {}
        self._spent = spent  # temporary ones that were hit, of both collections

    def __dir__(self) -> list[str]:
        return [*self.public]

    def __iter__(self) -> Iterator[P]:
        return iter([p for n, p in self._points.items() if n not in self._spent])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, point: object) -> bool:
        return any(point is one for one in self)

    def __repr__(self) -> str:
        return f"<{len(self)} {self.kind}{'' if len(self) == 1 else 's'}>"

    def remove(self, point: P) -> None:
        """Remove one.

        Raises:
            TypeError: it is something else.
            LookupError: it is not set, or another machine's.
        """
        if not isinstance(point, StopPoint):
            raise TypeError(f"{point!r}: expected a {self.kind}, as `add` returned it")
        if point not in self:
            raise LookupError(f"{self.kind} {point.number} is not set")
        self._machine.must_be_free()
        self.delete(point)

    def clear(self) -> None:
        """Remove all of them."""
        self._machine.must_be_free()
        for point in self:
            self.delete(point)

    # --- for a debugger, which keeps the harts still ---

    def delete(self, point: P) -> None:
        """As `remove`, for a debugger that keeps the harts still."""
        del self._points[point.number]
        self._spent.pop(point.number, None)
        self._take_away(point)

    def _take_away(self, point: P) -> None:
        """Remove the rows of one."""
        raise NotImplementedError

    def spend(self, hits: Any) -> None:
        """These were hit, perhaps while other harts run: the temporary ones count no more."""
        for point in hits:
            if point.temporary and point.number not in self._spent:
                self._spent[point.number] = point
                self._disarm(point)

    def _disarm(self, point: P) -> None:
        raise NotImplementedError
