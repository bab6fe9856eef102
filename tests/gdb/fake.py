"""A target of dictionaries with two worlds on two harts, and a session that needs no socket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rvplat.gdb.commands import session_for
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.framing import frame
from rvplat.gdb.protocol.interfaces import (
    ALL,
    ANY,
    Action,
    ClientPoint,
    Event,
    Process,
    Region,
    Thread,
)

SIZE = 0x10000
T11, T12, T21, T22 = Thread(1, 1), Thread(1, 2), Thread(2, 1), Thread(2, 2)


class FakeTarget:
    """Memory from 0 to SIZE; hart 1 is in world 2; `log` records the calls."""

    def __init__(self) -> None:
        self.wake: Callable[[], None] = lambda: None
        self.single_process = False
        self.features: frozenset[str] = frozenset()
        self.memory = bytearray(SIZE)
        self.values: dict[tuple[Thread, int], int] = {}
        self.log: list[Any] = []
        self.events: list[Event] = []
        self.client_points: set[ClientPoint] = set()
        self.running: set[Thread] = set()
        self.off = False
        self.physical, self.sstep = False, 1
        self.gone: set[int] = set()  # worlds that a reset ended
        self.told: list[tuple[int, int, int]] = []  # the registers of stop replies

    def attach(self) -> None:
        self.log.append("attach")

    def detach(self, pid: int = ALL) -> None:
        self.log.append(("detach", pid))

    def threads(self, pid: int = ALL) -> Sequence[Thread]:
        every = [Thread(p, t) for p in (1, 2) for t in (1, 2)]
        return [t for t in every if pid in (ALL, ANY, t.pid)]

    def listed_threads(self) -> Sequence[Thread]:
        return self.threads()

    def current(self, pid: int = ANY) -> Thread:
        return Thread(2, 2) if pid == 2 else Thread(1, 1)

    def thread_of_hart(self, tid: int) -> Thread:
        return Thread(tid, tid)

    def describe(self, thread: Thread) -> str:
        return f"hart {thread.tid - 1} <&>"

    def is_running(self, thread: Thread) -> bool:
        return thread in self.running

    def general(self, pid: int) -> Sequence[tuple[int, int]]:
        return [(0, 8), (1, 8), (32, 8)]

    def read_general(self, thread: Thread) -> Sequence[int | None]:
        return [self.read_register(thread, number) for number, _ in self.general(thread.pid)]

    def expedited(self, thread: Thread) -> Sequence[tuple[int, int, int]]:
        return self.told

    def register_size(self, pid: int, number: int) -> int:
        if number not in (0, 1, 32, 4161):
            raise GdbError(f"there is no register {number}")
        return 1 if number == 4161 else 8

    def read_register(self, thread: Thread, number: int) -> int:
        return self.values.get((thread, number), number + thread.pid)

    def write_register(self, thread: Thread, number: int, value: int) -> None:
        self.values[thread, number] = value

    def read_memory(self, thread: Thread, address: int, length: int) -> bytes:
        data = bytes(self.memory[address : address + length])
        if length and not data:
            raise GdbError(f"{address:#x} is not mapped")
        return data

    def write_memory(self, thread: Thread, address: int, data: bytes) -> None:
        if address + len(data) > SIZE:
            raise GdbError(f"{SIZE:#x} is not mapped")
        self.memory[address : address + len(data)] = data

    def resume(self, plan: Sequence[tuple[Thread, Action]]) -> None:
        if self.off:
            raise GdbError("the board is off: use run to start it again")
        self.log.append(("resume", list(plan)))
        self.running = {thread for thread, _ in plan}

    def resume_backwards(self, plan: Sequence[tuple[Thread, Action]]) -> None:
        self.log.append(("back", list(plan)))

    def halt(self, threads: Iterable[Thread] | None = None) -> Sequence[Thread]:
        chosen = self.running if threads is None else self.running & set(threads)
        self.running = self.running - chosen
        return sorted(chosen)

    def take_events(self) -> list[Event]:
        events, self.events = self.events, []
        return events

    def report_again(self, event: Event) -> None:
        self.log.append(("untold", event))

    def insert(self, point: ClientPoint) -> None:
        self.client_points.discard(point)
        self.client_points.add(point)

    def remove(self, point: ClientPoint) -> None:
        self.client_points.discard(point)

    def annexes(self, pid: int) -> dict[str, str]:
        return {"target.xml": f"<target>{pid}}}#$*</target>"}

    def regions(self) -> Sequence[Region]:
        return [Region("ram", 0, SIZE)]

    def region_at(self, thread: Thread, address: int) -> Region:
        if address < SIZE:
            return Region("rw-", 0, SIZE, "ram")
        return Region("", SIZE, (1 << 64) - SIZE)

    def processes(self) -> Sequence[Process]:
        return [Process(1, "host", "", (0,)), Process(2, "guest", "", (1,))]

    def is_gone(self, pid: int) -> bool:
        return pid in self.gone

    def attach_world(self, pid: int) -> None:
        if pid not in (1, 2):
            raise GdbError(f"there is no world {pid}: info os processes lists them")

    def set_features(self, features: frozenset[str]) -> None:
        self.features = features

    def monitor(self, thread: Thread, line: str, say: Callable[[str], None]) -> None:
        if line == "bad":
            raise GdbError("unknown monitor command 'bad'")
        say(f"{thread.pid}: {line}\n")

    def restart(self, new: bool = False) -> None:
        self.off = False
        self.log.append("restart")

    def kill(self, pid: int) -> None:
        self.log.append(("kill", pid))

    def program(self, pid: int) -> str:
        return "/programs/hypervisor" if pid in (0, 1) else ""

    def file(self, path: str) -> bytes | None:
        return bytes(range(256)) if path == "/programs/hypervisor" else None


MODERN = b"qSupported:multiprocess+;swbreak+;hwbreak+;error-message+"


class Client:
    """Sends packets, and returns what comes back."""

    def __init__(self, target: FakeTarget | None = None, hello: bytes = MODERN) -> None:
        self.target = target or FakeTarget()
        self.out = bytearray()
        self.session = session_for(self.target, self.out.extend)
        self.ask(b"QStartNoAckMode")
        self.out.clear()
        self.hello = self.ask(hello)

    def raw(self, data: bytes) -> bytes:
        """Bytes in, bytes out."""
        self.session.feed(data)
        out = bytes(self.out)
        self.out.clear()
        return out

    def ask(self, packet: bytes) -> bytes:
        """A packet's one reply, without its frame."""
        found = self.raw(frame(packet)).lstrip(b"+")
        assert found.startswith(b"$"), found
        return found[1:-3]

    def tell(self, event: Event) -> bytes:
        """What the client is told of an event."""
        self.target.events.append(event)
        self.session.poll()
        out = bytes(self.out)
        self.out.clear()
        return out
