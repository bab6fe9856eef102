"""Which worlds a client sees, and what it has not been told of them yet."""

from __future__ import annotations

from collections.abc import Iterable, Set

from rvplat.gdb.protocol.interfaces import HOST_PID, Thread


class ClientView:
    """The worlds that a client sees. A new client sees the host. `keeps`: the client makes
    inferiors of new guests (set detach-on-fork off)."""

    def __init__(self) -> None:
        self.begin(())

    def begin(self, guests: Iterable[int]) -> None:
        """A new client, which sees the host and these guests."""
        self.keeps = False
        self.shown = {HOST_PID, *guests}
        self._copies: set[int] = set()  # worlds that gdb takes for forked copies of the host
        self._fresh: dict[int, Thread] = {}  # such worlds, while the forking thread stands still
        self._unfollowed: set[int] = set()  # attached to before gdb detached from the copy
        self._ended: set[int] = set()  # shown, and ended; the client is not told yet
        self.gone: set[int] = set()  # ended by a reset of the client's

    def reset(self) -> None:
        """The client has reset the board. The guests that it saw have ended. It is told so when it
        names one, and not before the new host runs."""
        gone = (self.gone | self.shown) - {HOST_PID}
        self.begin(())
        self.gone = gone

    def __contains__(self, pid: int) -> bool:
        return pid in self.shown

    def fork(self, pid: int, parent: Thread) -> None:
        """The client is told of a world as of a process that a thread has forked."""
        self.shown.add(pid)
        self._copies.add(pid)
        self._fresh[pid] = parent

    def go_on(self, threads: Iterable[Thread]) -> None:
        """The client resumes threads: it has attached to or detached from what they forked."""
        running = set(threads)
        self.keeps |= not running.isdisjoint(self._fresh.values())  # else it has detached
        followed = {t.pid for t in running}
        self._fresh = {
            pid: t for pid, t in self._fresh.items() if t not in running and pid not in followed
        }

    def listed_pids(self) -> set[int]:
        """The worlds whose threads are listed. A forked world isn't until gdb resumes the parent:
        several threads of it would end gdb by an assertion."""
        return self.shown - set(self._fresh)

    def has(self, pid: int) -> bool:
        """Whether the client has a process for a world. For a world that it was just told of as of
        a fork, it makes a process, or detaches, when it resumes the parent."""
        return pid in self.shown and pid not in self._fresh

    def is_fresh(self, pid: int) -> bool:
        """Whether the client was told of a world as of a fork, and the parent stands still."""
        return pid in self._fresh

    def attach(self, pid: int) -> None:
        """The client attaches to a world. If it was just told of the world as of a fork, it will
        still detach from the copy of the host when it resumes that."""
        self.shown.add(pid)
        self._fresh.pop(pid, None)
        if pid in self._copies:
            self._copies.discard(pid)
            self._unfollowed.add(pid)

    def leave(self, pid: int) -> bool:
        """The client detaches from a world. False: only from the copy of the host (`attach`)."""
        if pid in self._unfollowed:
            self._unfollowed.discard(pid)
            return False
        self.forget(pid)
        return True

    def forget(self, pid: int) -> None:
        """The client no longer sees a world."""
        for kind in (self.shown, self._copies, self._unfollowed, self.gone):
            kind.discard(pid)
        self._fresh.pop(pid, None)

    def end(self, pids: Iterable[int]) -> None:
        """Worlds have ended."""
        self._ended |= self.shown & set(pids)

    def next_copy(self, running: Set[int]) -> int | None:
        """A world among those that are resumed whose program the client is to be told of."""
        found = min(self._copies & running, default=None)
        if found is not None:
            self._copies.discard(found)
        return found

    def next_end(self, running: Set[int]) -> int | None:
        """A world among those that are resumed whose end the client is to be told of."""
        found = min(self._ended & running, default=None)
        if found is not None:
            self._ended.discard(found)
            self.forget(found)
        return found
