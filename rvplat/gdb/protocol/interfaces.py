"""What a target must offer. Each target implements `Target`. Each further protocol that it
implements adds the packets of a group (packets.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from rvplat.frozen import frozen

ALL = -1  # of a pid or tid: every one
ANY = 0  # one that the target chooses
HOST_PID = 1  # the process that is the host


@dataclass(frozen=True, order=True)
class Thread:
    """A hart in a world: process `pid`, thread `tid`, both from 1."""

    pid: int
    tid: int

    def covers(self, other: Thread) -> bool:
        """Whether this id, which may have wildcards, stands for a thread."""
        return self.pid in (ALL, ANY, other.pid) and self.tid in (ALL, ANY, other.tid)


@frozen
class Process:
    """A world, as `info os processes` shows it."""

    pid: int
    name: str
    detail: str = ""
    cores: tuple[int, ...] = ()


@frozen
class Event:
    """Something that a client is told."""


@frozen
class Stopped(Event):
    """A thread stopped. `reason` is a key of stop replies: swbreak, hwbreak, watch, ... `value` is
    its value: for watchpoints an address in hexadecimal."""

    thread: Thread
    signal: int = 5
    reason: str = ""
    value: str = ""


@frozen
class Exited(Event):
    """A world ended: the board was powered off, or a reset ended a guest."""

    pid: int
    code: int = 0


@frozen
class ConsoleText(Event):
    """Text for the client's user."""

    text: str


@frozen
class Action:
    """What a thread is to do: "c" run, "s" one instruction, "r" step while the pc is in start..end.

    `alone`: no other thread is resumed, because gdb steps over a breakpoint.
    """

    kind: str
    start: int = 0
    end: int = 0
    alone: bool = field(default=False, compare=False)


@frozen
class ClientPoint:
    """A breakpoint or watchpoint. kind: 0 software, 1 hardware, 2 write, 3 read, 4 access."""

    kind: int
    pid: int
    address: int
    size: int
    conditions: tuple[bytes, ...] = field(default=(), compare=False)  # agent bytecode
    commands: tuple[bytes, ...] = field(default=(), compare=False)
    persist: bool = field(default=False, compare=False)  # commands run without a client too


@frozen
class Region:
    """A range of addresses. `kind` is "ram" or "rom" in the memory map. Elsewhere it is what may be
    done there, some of r, w and x; "" where nothing is."""

    kind: str
    start: int
    length: int
    name: str = ""


class Target(Protocol):
    """Threads, registers, memory, running and stopping. Methods raise GdbError with a text.

    `wake` is called from any thread when `take_events` has something new.
    """

    wake: Callable[[], None]
    single_process: bool  # the client knows one process: a thread is a hart, wherever it is

    def attach(self) -> None:
        """A client has come: stop every thread."""
        ...

    def detach(self, pid: int = ALL) -> None:
        """A client leaves a world, or all: forget its breakpoints, and run."""
        ...

    def threads(self, pid: int = ALL) -> Sequence[Thread]: ...

    def listed_threads(self) -> Sequence[Thread]:
        """The threads for a client that asks for a list."""
        ...

    def current(self, pid: int = ANY) -> Thread:
        """The thread to show first."""
        ...

    def thread_of_hart(self, tid: int) -> Thread:
        """The thread of a hart in its world; the host's for a world that the client doesn't see."""
        ...

    def describe(self, thread: Thread) -> str:
        """A line about a thread: what it is and where it is."""
        ...

    def is_running(self, thread: Thread) -> bool: ...

    def general(self, pid: int) -> Sequence[tuple[int, int]]:
        """(number, bytes) of the registers that `g` has, in order."""
        ...

    def read_general(self, thread: Thread) -> Sequence[int | None]:
        """The values of those registers; None for unknown ones."""
        ...

    def expedited(self, thread: Thread) -> Sequence[tuple[int, int, int]]:
        """(number, bytes, value) of the registers that clients ask for after every stop."""
        ...

    def register_size(self, pid: int, number: int) -> int:
        """Bytes of a register; GdbError if there is none of this number."""
        ...

    def read_register(self, thread: Thread, number: int) -> int: ...

    def write_register(self, thread: Thread, number: int, value: int) -> None: ...

    def read_memory(self, thread: Thread, address: int, length: int) -> bytes:
        """As many bytes as can be read. GdbError if none can."""
        ...

    def write_memory(self, thread: Thread, address: int, data: bytes) -> None: ...

    def resume(self, plan: Sequence[tuple[Thread, Action]]) -> None:
        """Let each thread do its action."""
        ...

    def halt(self, threads: Iterable[Thread] | None = None) -> Sequence[Thread]:
        """Stop threads (or all); returns those that ran. This gives no events."""
        ...

    def take_events(self) -> list[Event]:
        """What happened since the last call."""
        ...

    def report_again(self, event: Event) -> None:
        """A client that hears of one stop at a time was not told of this event, because another one
        came first. It is to happen again."""
        ...


@runtime_checkable
class Breaking(Protocol):
    """Breakpoints and watchpoints."""

    def insert(self, point: ClientPoint) -> None: ...

    def remove(self, point: ClientPoint) -> None: ...


@runtime_checkable
class Reversing(Protocol):
    """Going back in time."""

    def resume_backwards(self, plan: Sequence[tuple[Thread, Action]]) -> None:
        """Go back by one instruction of the first thread (action "s"), or to the last stop ("c");
        every other thread goes back too. The plan has the threads that the client resumes. At the
        begin of the history the first thread is Stopped with the reason replaylog. GdbError if
        there is no history."""
        ...


@runtime_checkable
class Described(Protocol):
    """Target descriptions: the texts of target.xml and what it includes."""

    def annexes(self, pid: int) -> dict[str, str]: ...


@runtime_checkable
class Mapped(Protocol):
    """A memory map."""

    def regions(self) -> Sequence[Region]: ...

    def region_at(self, thread: Thread, address: int) -> Region:
        """The range that contains an address of a thread's world."""
        ...


@runtime_checkable
class Worlds(Protocol):
    """Several processes."""

    def processes(self) -> Sequence[Process]: ...

    def set_features(self, features: frozenset[str]) -> None:
        """The features that the client has announced. With fork-events it is told of a world that
        begins: Stopped, with the reason fork and the new thread's id. It then sees the world or
        detaches from it. With exec-events it is told of the program."""
        ...

    def is_gone(self, pid: int) -> bool:
        """Whether a world has ended that the client still sees."""
        ...

    def attach_world(self, pid: int) -> None:
        """A client attaches to another world. GdbError if there is none, or the client has it."""
        ...


@runtime_checkable
class Monitored(Protocol):
    """monitor commands."""

    def monitor(self, thread: Thread, line: str, say: Callable[[str], None]) -> None: ...


@runtime_checkable
class Restarting(Protocol):
    """Power-on reset, and the end of the board."""

    def restart(self, new: bool = False) -> None:
        """Power on again. `new`: GdbError if the client has the host's process already."""
        ...

    def kill(self, pid: int) -> None: ...


@runtime_checkable
class Programmed(Protocol):
    """The files of the programs that run."""

    def program(self, pid: int) -> str:
        """The path of a world's program, or ""."""
        ...

    def file(self, path: str) -> bytes | None:
        """The contents of a file that the board was started with; None for other files."""
        ...


#: NOIRQ: a step takes no interrupt; NOTIMER: it takes no time.
STEP_BITS = {"ENABLE": 1, "NOIRQ": 2, "NOTIMER": 4}


@runtime_checkable
class QemuLike(Protocol):
    """What QEMU's own packets set."""

    physical: bool  # clients give physical addresses
    sstep: int  # STEP_BITS
