"""What a client let run, and so whose stop it can be told of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rvplat.gdb.target.interfaces import Action, Thread


class Going:
    """By hart the processes whose threads the client let run, and the thread that steps."""

    def __init__(self) -> None:
        self._pids: dict[int, set[int]] = {}
        self.stepping: dict[int, Thread] = {}

    def clear(self) -> None:
        """Nothing was let run yet."""
        self._pids.clear()
        self.stepping.clear()

    @property
    def pids(self) -> set[int]:
        """The processes that the client let run, on any hart."""
        return {pid for pids in self._pids.values() for pid in pids}

    def resume(
        self, plan: Sequence[tuple[Thread, Action]], running: Callable[[int], bool]
    ) -> dict[int, tuple[Thread, Action]]:
        """The client lets threads run: what each hart that stands still has to do. Of a hart's
        threads, which are in several worlds, the one that steps goes first."""
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
        """The thread that a hart's stop is told of; `here` is the one of the world that it is in.
        It must be one that the client let run: others end gdb itself by an assertion. Where the
        hart is in another world, its thread there shows what it was when it left."""
        pids = self._pids.get(hart)
        if not pids or here.pid in pids:
            return here
        return self.stepping.get(hart, Thread(min(pids), hart + 1))


def older(pid: int) -> str:
    """What the user must know where a hart stopped in a world that the client did not let run: gdb
    forgets the registers of what it resumes, and a stop can tell it of no other thread."""
    return (
        f"gdb did not resume process {pid}, and shows its registers as they were; as they are: "
        "maintenance flush register-cache; set schedule-multiple on resumes every process\n"
    )
