"""What debugging costs: `python -m tests.gdb.measure`. Figures, not assertions."""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rvplat.gdb.protocol.channels import listen
from rvplat.gdb.protocol.framing import Framer, Kind, frame
from rvplat.gdb.server import Server
from rvplat.guests import BenchProgram, bench_programs
from rvplat.guests.bench import parse
from rvplat.machine.machine import Machine

from .conftest import gdbs
from .driver import Gdb
from .guest_build import build_guest

ROUNDS = 1_000_000
STEPS = 5_000
NEVER = b"Xe,26000a" + b"25" + b"ff" * 8 + b"1327"  # $a0 == -1


class Wire:
    """A raw client."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.framer = Framer()
        self.ask(b"QStartNoAckMode")
        self.ask(b"qSupported:multiprocess+;swbreak+;error-message+")

    def send(self, packet: bytes) -> None:
        self.socket.sendall(frame(packet))

    def reply(self) -> bytes:
        while True:
            for arrival in self.framer.feed(self.socket.recv(1 << 20)):
                if arrival.kind is Kind.PACKET:
                    return arrival.data

    def ask(self, packet: bytes) -> bytes:
        self.send(packet)
        return self.reply()

    def close(self) -> None:
        self.socket.close()


@contextmanager
def served(guest: Path) -> Iterator[tuple[int, dict[str, int]]]:
    """Serve the guest: the port, and its symbols. Afterwards everything is stopped."""
    with (
        Machine.open("virt", program=guest) as machine,
        Server(machine, listen("127.0.0.1:0"), halt=True) as server,
    ):
        thread = threading.Thread(target=server.serve)
        thread.start()
        yield server.port, dict(machine.symbols)
        server.stop()
        thread.join()


def run_rounds(guest: Path, prepare: Callable[[Wire, dict[str, int]], None]) -> float:
    """Seconds for ROUNDS rounds of the guest, from main on."""
    with served(guest) as (port, symbols):
        wire = Wire(port)
        wire.ask(b"Z0,%x,2" % symbols["main"])
        wire.ask(b"vCont;c")
        wire.ask(b"z0,%x,2" % symbols["main"])
        wire.ask(b"M%x,8:%s" % (symbols["limit"], ROUNDS.to_bytes(8, "little").hex().encode()))
        prepare(wire, symbols)
        began = time.perf_counter()
        assert wire.ask(b"vCont;c").startswith(b"W00")
        took = time.perf_counter() - began
        wire.close()
    return took


def costs(guest: Path) -> None:
    """Conditions, many breakpoints, a watchpoint."""

    def nothing(wire: Wire, symbols: dict[str, int]) -> None:
        pass

    def condition(wire: Wire, symbols: dict[str, int]) -> None:
        assert wire.ask(b"Z0,%x,2;%s" % (symbols["work"], NEVER)) == b"OK"

    def many(wire: Wire, symbols: dict[str, int]) -> None:
        began = time.perf_counter()
        for n in range(10_000):
            assert wire.ask(b"Z0,%x,2" % (symbols["never"] + 0x10_0000 + 2 * n)) == b"OK"
        print(f"  10,000 breakpoints set in {time.perf_counter() - began:.2f} s")

    def watch(wire: Wire, symbols: dict[str, int]) -> None:
        assert wire.ask(b"Z2,%x,8" % (symbols["quiet_word"] + 8 * 1024)) == b"OK"
        assert wire.ask(b"z2,%x,8" % (symbols["quiet_word"] + 8 * 1024)) == b"OK"
        where = symbols["busy"] + 8 * 64 + 0x200  # in the page that is written all the time
        assert wire.ask(b"Z2,%x,8" % where) == b"OK"

    base = min(run_rounds(guest, nothing) for _ in range(3))
    print(f"{ROUNDS} calls of a function: {base:.3f} s")
    cases = [
        ("a false condition in it", condition),
        ("10,000 breakpoints", many),
        ("a watch", watch),
    ]
    for name, prepare in cases:
        took = min(run_rounds(guest, prepare) for _ in range(3))
        print(f"  with {name}: {took:.3f} s, {took / base:.2f} times")


def speeds(guest: Path) -> None:
    """Reading memory, steps, stopping, attaching."""
    with served(guest) as (port, _symbols):
        wire = Wire(port)
        began = time.perf_counter()
        for at in range(0, 64 << 20, 0xC000):
            wire.ask(b"x%x,c000" % (0x8100_0000 + at))
        print(f"64 MiB read: {64 / (time.perf_counter() - began) * 1.048576:.0f} MB/s")
        began = time.perf_counter()
        for _ in range(STEPS):
            wire.ask(b"vCont;s:p1.1;c")
        print(f"steps: {STEPS / (time.perf_counter() - began):.0f} a second")
        worst = max(stop_s(wire) for _ in range(50))
        print(f"Ctrl-C: {1000 * worst:.1f} ms at worst of 50")
        wire.ask(b"D")
        wire.close()
        cycle(port)


def stop_s(wire: Wire) -> float:
    """Seconds from Ctrl-C to the stop."""
    wire.send(b"vCont;c")
    time.sleep(0.02)
    began = time.perf_counter()
    wire.socket.sendall(b"\x03")
    wire.reply()
    return time.perf_counter() - began


def cycle(port: int) -> None:
    """1,000 clients, one after the other."""
    import gc

    def state() -> tuple[int, int]:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    def client() -> None:
        wire = Wire(port)
        wire.ask(b"Z0,80000000,2")
        wire.ask(b"g")
        wire.ask(b"D")
        wire.close()

    client()
    time.sleep(0.1)
    before, began = state(), time.perf_counter()
    for _ in range(1000):
        client()
    took = time.perf_counter() - began
    time.sleep(0.1)
    print(f"1,000 attachments in {took:.1f} s; files and threads {before} -> {state()}")


def real(guest: Path, folder: Path) -> None:
    """Reading memory by a real gdb, with the work that gdb does itself."""
    for path in gdbs():
        with served(guest) as (port, _symbols):
            gdb = Gdb(path)
            gdb.do(f"file {guest}")
            gdb.attach(port, extended=True)
            began = time.perf_counter()
            gdb.do(f"dump binary memory {folder / 'dump'} 0x81000000 0x85000000")
            speed = (64 << 20) / (time.perf_counter() - began) / 1e6
            print(f"{path}: dump of 64 MiB: {speed:.0f} MB/s")
            gdb.close()


def steps(guest: Path, what: str) -> None:
    """stepi by gdb from main on; the server has a process of its own, as users have it."""
    for path in gdbs():
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "rvplat", "run", "virt", str(guest), "--gdb", str(port)]
        with subprocess.Popen([*command, "--halt"], stdin=subprocess.DEVNULL) as board:
            gdb = Gdb(path)
            gdb.do(f"file {guest}")
            gdb.attach(port)  # gdb tries for 15 s
            gdb.do("break main")
            gdb.go("continue")
            began = time.perf_counter()
            gdb.go(f"stepi {STEPS}")
            took = time.perf_counter() - began
            gdb.do("kill")
            gdb.close()
            board.wait()
        print(f"{path}: stepi {STEPS}, {what}: {STEPS / took:.0f} a second")


def unattended() -> None:
    """Benchmarks with a server that nobody is attached to, and without, in turn."""
    for name in ("integer", "memcpy", "pages", "syscall"):
        program = next(one for one in bench_programs() if one.name == name)
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(7):
            for served in seconds:
                seconds[served].append(_bench_seconds(program, served))
        without, with_server = (statistics.median(seconds[served]) for served in (False, True))
        print(f"{name} with a server, nobody attached: {with_server / without:.3f} times")


def _bench_seconds(program: BenchProgram, served: bool) -> float:
    with Machine.open("virt", program=program.path) as machine:
        if served:
            with Server(machine, listen("127.0.0.1:0"), halt=False) as server:
                server.serve()
        else:
            machine.run()
        return parse(program, machine.console.output.decode()).seconds


def main() -> None:
    """Measure everything."""
    with tempfile.TemporaryDirectory() as folder:
        elf = build_guest(Path(folder))
        costs(elf)
        speeds(elf)
        real(elf, Path(folder))
        steps(elf, "frames told by debug information")
        bare = ("-g", "-funwind-tables")  # in .eh_frame, which the linker script drops
        steps(build_guest(Path(folder), options=bare), "frames guessed by gdb")
    unattended()


if __name__ == "__main__":
    main()
