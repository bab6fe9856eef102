"""What commands need of a machine. `Target` is the least; each further protocol that a target
implements adds the packets of a group (packets.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

ALL = -1  # of a pid or tid: every one
ANY = 0  # whichever the target likes
HOST_PID = 1  # the process that is the host


@dataclass(frozen=True, order=True)
class Thread:
    """A hart in a world: process `pid`, thread `tid`, both from 1."""

    pid: int
    tid: int

    def covers(self, other: Thread) -> bool:
        """Whether this id, with its wildcards, means that thread."""
        return self.pid in (ALL, ANY, other.pid) and self.tid in (ALL, ANY, other.tid)


@dataclass(frozen=True)
class Process:
    """A world, as `info os processes` shows it."""

    pid: int
    name: str
    detail: str = ""
    cores: tuple[int, ...] = ()


@dataclass(frozen=True)
class Event:
    """Something that a client is told of."""


@dataclass(frozen=True)
class Stopped(Event):
    """A thread stopped. `reason` is a stop reply's key: swbreak, hwbreak, watch, ...; `value` its
    value (an address in hexadecimal for watchpoints)."""

    thread: Thread
    signal: int = 5
    reason: str = ""
    value: str = ""


@dataclass(frozen=True)
class Exited(Event):
    """A world ended: the board was powered off, or a guest is gone."""

    pid: int
    code: int = 0


@dataclass(frozen=True)
class Said(Event):
    """Text for the client's user, from a command of a breakpoint."""

    text: str


@dataclass(frozen=True)
class Action:
    """What a thread shall do: "c" run, "s" one instruction, "r" step while in start..end.

    `alone`: nobody else may report: gdb steps over a breakpoint.
    """

    kind: str
    start: int = 0
    end: int = 0
    alone: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Break:
    """A breakpoint or watchpoint. kind: 0 software, 1 hardware, 2 write, 3 read, 4 access."""

    kind: int
    pid: int
    address: int
    size: int
    conditions: tuple[bytes, ...] = field(default=(), compare=False)  # agent bytecode
    commands: tuple[bytes, ...] = field(default=(), compare=False)
    persist: bool = field(default=False, compare=False)  # commands run without a client too


@dataclass(frozen=True)
class Region:
    """A range of addresses: "ram" or "rom" in the memory map; else what may be done there, of r, w
    and x, or "": nothing is there."""

    kind: str
    start: int
    length: int
    name: str = ""


class Target(Protocol):
    """Threads, registers, memory, running and stopping. Methods raise GdbError with a text.

    `wake` is called from any thread when `take_events` has something new.
    """

    wake: Callable[[], None]
    merged: bool  # the client knows one process: a thread is a hart, wherever it is

    def attach(self) -> None:
        """A client is here: stop."""
        ...

    def detach(self, pid: int = ALL) -> None:
        """A client let go of a world, or of all: forget its breakpoints, and run."""
        ...

    def threads(self, pid: int = ALL) -> Sequence[Thread]: ...

    def listed(self) -> Sequence[Thread]:
        """The threads that a client that asks for a list is to see now."""
        ...

    def current(self, pid: int = ANY) -> Thread:
        """The thread to show first."""
        ...

    def where(self, tid: int) -> Thread:
        """A hart's thread in the world that it is in, or as whose it is shown."""
        ...

    def describe(self, thread: Thread) -> str:
        """A line about what the thread is and does."""
        ...

    def is_running(self, thread: Thread) -> bool: ...

    def general(self, pid: int) -> Sequence[tuple[int, int]]:
        """(number, bytes) of the registers that `g` has, in order."""
        ...

    def read_general(self, thread: Thread) -> Sequence[int | None]:
        """The values of those registers; None for what is unknown."""
        ...

    def expedited(self, thread: Thread) -> Sequence[tuple[int, int, int]]:
        """(number, bytes, value) of registers that a client asks for after every stop."""
        ...

    def register_size(self, pid: int, number: int) -> int:
        """Bytes of a register; GdbError if there is none of this number."""
        ...

    def read_register(self, thread: Thread, number: int) -> int: ...

    def write_register(self, thread: Thread, number: int, value: int) -> None: ...

    def read_memory(self, thread: Thread, address: int, length: int) -> bytes:
        """As many bytes as can be read, GdbError if it is none."""
        ...

    def write_memory(self, thread: Thread, address: int, data: bytes) -> None: ...

    def resume(self, plan: Sequence[tuple[Thread, Action]]) -> None:
        """Let each thread do its action."""
        ...

    def halt(self, threads: Iterable[Thread] | None = None) -> Sequence[Thread]:
        """Stop threads (or all); returns those that ran. They give no events."""
        ...

    def take_events(self) -> list[Event]:
        """What happened since the last call."""
        ...

    def untold(self, event: Event) -> None:
        """A client that hears of one stop at a time was not told of this one, which came with
        another: it is to happen again."""
        ...


@runtime_checkable
class Breaking(Protocol):
    """Breakpoints and watchpoints."""

    def insert(self, point: Break) -> None: ...

    def remove(self, point: Break) -> None: ...


@runtime_checkable
class Described(Protocol):
    """Target descriptions: the texts of target.xml and what it includes."""

    def annexes(self, pid: int) -> dict[str, str]: ...


@runtime_checkable
class Mapped(Protocol):
    """A memory map."""

    def regions(self) -> Sequence[Region]: ...

    def region_at(self, thread: Thread, address: int) -> Region:
        """The range that an address of a thread's world is in."""
        ...


@runtime_checkable
class Worlds(Protocol):
    """Several processes."""

    def processes(self) -> Sequence[Process]: ...

    def greet(self, features: frozenset[str]) -> None:
        """What the client said that it knows. With fork-events it is told of a world that begins:
        Stopped, with the reason fork and the new thread's id. It then sees the world, or lets it
        go; and with exec-events it is told of the program."""
        ...

    def is_gone(self, pid: int) -> bool:
        """Whether a world has ended that the client still sees."""
        ...

    def adopt(self, pid: int) -> None:
        """A client attaches to one more world. GdbError if there is none, or the client has it."""
        ...


@runtime_checkable
class Monitored(Protocol):
    """monitor commands."""

    def monitor(self, thread: Thread, line: str, say: Callable[[str], None]) -> None: ...


@runtime_checkable
class Restarting(Protocol):
    """Power-on reset, and the end of the board."""

    def restart(self, new: bool = False) -> None:
        """Power on again. `new`: as a process that the client doesn't have. GdbError if it has."""
        ...

    def kill(self, pid: int) -> None: ...


@runtime_checkable
class Programmed(Protocol):
    """The files of the programs that run."""

    def program(self, pid: int) -> str:
        """The path of a world's program, or ""."""
        ...

    def file(self, path: str) -> bytes | None:
        """What a file holds that the board was started with; None for any other."""
        ...


STEP_BITS = {"ENABLE": 1, "NOIRQ": 2, "NOTIMER": 4}


@runtime_checkable
class QemuLike(Protocol):
    """What QEMU's own packets set."""

    physical: bool  # clients give physical addresses
    sstep: int  # STEP_BITS: no interrupt is taken in a step, and it takes no time
