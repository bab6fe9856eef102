"""What a client sees of the worlds: which it attached to, and what it has not been told of them."""

from __future__ import annotations

from collections.abc import Iterable, Set

from rvplat.gdb.target import HOST_PID


class Seen:
    """It begins anew with each client, with the host."""

    def __init__(self) -> None:
        self.begin(())

    def begin(self, guests: Iterable[int]) -> None:
        """A client that sees the host, and these guests from the start."""
        self.shown = {HOST_PID, *guests}
        self._copies: set[int] = set()  # gdb takes them for what fork makes: copies of the host
        self._ended: set[int] = set()  # shown, and gone

    def __contains__(self, pid: int) -> bool:
        return pid in self.shown

    def show(self, pid: int, copy: bool = False) -> None:
        """The client attaches to a world; or hears of it as of a process that was forked."""
        self.shown.add(pid)
        if copy:
            self._copies.add(pid)

    def leave(self, pid: int) -> None:
        """The client lets a world go."""
        self.shown.discard(pid)
        self._copies.discard(pid)

    def end(self, pids: Iterable[int]) -> None:
        """Worlds have come to their end."""
        self._ended |= self.shown & set(pids)

    def next_copy(self, running: Set[int]) -> int | None:
        """A world whose own program the client is to be told now, if it lets that run."""
        found = min(self._copies & running, default=None)
        if found is not None:
            self._copies.discard(found)
        return found

    def next_end(self, running: Set[int]) -> int | None:
        """A world whose end the client is to be told now. It can only be one that it let run."""
        found = min(self._ended & running, default=None)
        if found is not None:
            self._ended.discard(found)
            self.leave(found)
        return found
