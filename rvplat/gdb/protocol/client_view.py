"""What a client sees of the worlds: which it attached to, and what it has not been told of them."""

from __future__ import annotations

from collections.abc import Iterable, Set

from rvplat.gdb.target.interfaces import HOST_PID, Thread


class Seen:
    """It begins anew with each client, with the host. `keeps`: the client makes inferiors of guests
    that begin (set detach-on-fork off)."""

    def __init__(self) -> None:
        self.begin(())

    def begin(self, guests: Iterable[int]) -> None:
        """A client that sees the host, and these guests from the start."""
        self.keeps = False
        self.shown = {HOST_PID, *guests}
        self._copies: set[int] = set()  # gdb takes them for what fork makes: copies of the host
        self._fresh: dict[int, Thread] = {}  # of these, those whose host's thread stands still
        self._unfollowed: set[int] = set()  # attached to before gdb let go of that copy
        self._ended: set[int] = set()  # shown, and gone
        self.gone: set[int] = set()  # since the client itself had the board begin anew

    def reset(self) -> None:
        """The client has the board begin anew. The guests that it saw have ended, and it is to be
        told so where it names one, not before the new host runs."""
        gone = (self.gone | self.shown) - {HOST_PID}
        self.begin(())
        self.gone = gone

    def __contains__(self, pid: int) -> bool:
        return pid in self.shown

    def fork(self, pid: int, parent: Thread) -> None:
        """The client hears of a world as of a process that a thread forked."""
        self.shown.add(pid)
        self._copies.add(pid)
        self._fresh[pid] = parent

    def go_on(self, threads: Iterable[Thread]) -> None:
        """The client lets threads run: it has made what it wants of what they forked."""
        running = set(threads)
        self.keeps |= not running.isdisjoint(self._fresh.values())  # else it has detached
        followed = {t.pid for t in running}
        self._fresh = {
            pid: t for pid, t in self._fresh.items() if t not in running and pid not in followed
        }

    def listed(self) -> set[int]:
        """The worlds whose threads are listed. gdb lets them wait that are forked until it lets
        the parent go on; several threads of such a world end it by an assertion."""
        return self.shown - set(self._fresh)

    def has(self, pid: int) -> bool:
        """Whether the client has a process for a world. Of a world that it was just told of as of
        a fork it makes one, or lets it go, when the parent goes on."""
        return pid in self.shown and pid not in self._fresh

    def is_fresh(self, pid: int) -> bool:
        """Whether the client was just told of a world as of a fork."""
        return pid in self._fresh

    def attach(self, pid: int) -> None:
        """The client attaches to a world. Where it does so at a stop for the world's beginning, it
        still lets go of what it takes for a copy of the host, when that next runs."""
        self.shown.add(pid)
        self._fresh.pop(pid, None)
        if pid in self._copies:
            self._copies.discard(pid)
            self._unfollowed.add(pid)

    def leave(self, pid: int) -> bool:
        """The client lets a world go, or, False, only a copy of the host that it was told of."""
        if pid in self._unfollowed:
            self._unfollowed.discard(pid)
            return False
        self.forget(pid)
        return True

    def forget(self, pid: int) -> None:
        """The client doesn't see a world any more."""
        for kind in (self.shown, self._copies, self._unfollowed, self.gone):
            kind.discard(pid)
        self._fresh.pop(pid, None)

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
            self.forget(found)
        return found
