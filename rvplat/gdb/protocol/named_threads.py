"""Which thread a client means by a packet that does not name one.

Before `bs` gdb names only the processes that it resumes (`Hc`), and not the thread that its user
has selected. That is most likely the one that these packets named last:

- a stop reply, or `T`: the user selects a thread, or gdb goes on with a step;
- `Hg` and then a read of registers, which gdb reads once: the user selects a process. But if gdb
  has just read the list of threads, it shows all of them (`info threads`);
- `Hg` and then a read of memory: gdb knows the registers already. But if a breakpoint follows, gdb
  looked at the instruction there, in whichever process it is.
"""

from __future__ import annotations

from rvplat.gdb.protocol.interfaces import Thread

REGISTERS, MEMORY, BREAKPOINTS = b"gpGP", b"mxMX", b"Zz"


class NamedThreads:
    """The threads that packets named, the last one at the end."""

    def __init__(self) -> None:
        self._threads: list[Thread] = []
        self._general: Thread | None = None  # named by Hg; nothing was read yet
        self._reads_memory = False  # another one was named by Hg, and then memory was read
        self._lists = 0  # of threads, since the last stop; gdb reads one at each stop

    def stopped(self, thread: Thread) -> None:
        """A stop reply named a thread."""
        self._lists = 0
        self.note(thread)

    def note(self, thread: Thread) -> None:
        """A thread was named."""
        self._general, self._reads_memory = None, False
        if thread in self._threads:
            self._threads.remove(thread)
        self._threads.append(thread)

    def general(self, thread: Thread) -> None:
        """Hg named a thread."""
        self._general = thread

    def listed(self) -> None:
        """The client has read the list of threads."""
        self._lists += 1

    def saw(self, packet: bytes) -> None:
        """A packet has come."""
        name, thread = packet[:1], self._general
        if name in REGISTERS and thread is not None and self._lists < 2:
            self.note(thread)
        elif name in MEMORY and thread is not None:
            is_other = self._threads[-1:] != [thread]
            self.note(thread)
            self._reads_memory = is_other
        elif name in BREAKPOINTS and self._reads_memory:
            self._take_back()
        if name in REGISTERS + MEMORY + BREAKPOINTS:
            self._general = None

    def _take_back(self) -> None:
        """Memory was read for a breakpoint. If gdb had to name another process for it, that one is
        not selected."""
        self._reads_memory = False
        if len(self._threads) > 1 and self._threads[-1].pid != self._threads[-2].pid:
            self._threads[-2:] = [self._threads[-1], self._threads[-2]]

    def last(self, among: Thread) -> Thread | None:
        """The one that was named last, among those that an id with wildcards covers."""
        return next((t for t in reversed(self._threads) if among.covers(t)), None)
