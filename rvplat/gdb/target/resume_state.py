"""Which threads a client has resumed: it can be told of stops of these only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rvplat.gdb.protocol.interfaces import Action, Thread


class ResumeState:
    """By hart: the processes whose threads the client has resumed, and the thread that steps."""

    def __init__(self) -> None:
        self._pids: dict[int, set[int]] = {}
        self.stepping: dict[int, Thread] = {}

    def clear(self) -> None:
        """Nothing was resumed yet."""
        self._pids.clear()
        self.stepping.clear()

    @property
    def pids(self) -> set[int]:
        """The processes that the client has resumed, on any hart."""
        return {pid for pids in self._pids.values() for pid in pids}

    def resume(
        self, plan: Sequence[tuple[Thread, Action]], running: Callable[[int], bool]
    ) -> dict[int, tuple[Thread, Action]]:
        """The client resumes threads: what each hart that stands still has to do. A hart has a
        thread in each world; the one that steps takes precedence."""
        chosen: dict[int, tuple[Thread, Action]] = {}
        for thread, action in plan:
            hart = thread.tid - 1
            if running(hart):
                self._pids.setdefault(hart, set()).add(thread.pid)
                continue
            if hart not in chosen:
                self._pids[hart] = set()
            self._pids[hart].add(thread.pid)
            if hart not in chosen or (action.kind != "c" and chosen[hart][1].kind == "c"):
                chosen[hart] = thread, action
        for hart, (thread, action) in chosen.items():
            self.stepping.pop(hart, None)
            if action.kind != "c":
                self.stepping[hart] = thread
        return chosen

    def thread(self, hart: int, here: Thread) -> Thread:
        """The thread whose stop the client is told of; `here` is the hart's thread in its world.

        It must be a thread that the client has resumed: gdb ends by an assertion if another one
        stops. If the hart is in another world, that thread shows the registers at its leaving.
        """
        pids = self._pids.get(hart)
        if not pids or here.pid in pids:
            return here
        return self.stepping.get(hart, Thread(min(pids), hart + 1))


def outdated(pid: int) -> str:
    """The text for a hart that stopped in a world that the client has not resumed. gdb drops the
    registers only of what it resumes, and a stop can name no other thread."""
    return (
        f"gdb did not resume process {pid}, so it still shows the old registers of it. To see the "
        "present ones: maintenance flush register-cache. To resume every process: "
        "set schedule-multiple on\n"
    )
