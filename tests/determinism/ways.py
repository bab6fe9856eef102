"""Ways to run a machine to its end. None of them may change what the guest does."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from rvplat import Machine, serve_gdb
from tests.determinism.gdb_client import GdbClient
from tests.determinism.trace import Trace

TIMEOUT_S = 900.0
PIECE = 30_000_000  # instructions of a hart between two snapshots, at most
Way = Callable[[Machine, Trace, Random], None]


def at_once(machine: Machine, trace: Trace, numbers: Random) -> None:
    """Nothing interrupts the run."""
    assert machine.run(timeout_s=TIMEOUT_S).reason == "off"


def in_pieces(machine: Machine, trace: Trace, numbers: Random) -> None:
    """The run stops all the time, by the host's clock and by the number of instructions."""
    reason = "limit"
    while reason in ("limit", "timeout"):
        pieces = numbers.randrange(1, PIECE)
        reason = machine.run(timeout_s=numbers.uniform(0.01, 0.1), max_instructions=pieces).reason
    assert reason == "off"


def in_real_time(machine: Machine, trace: Trace, numbers: Random) -> None:
    """In the background: the guest waits in real time."""
    machine.start()
    assert machine.wait(TIMEOUT_S).reason == "off"


def profiled(machine: Machine, trace: Trace, numbers: Random) -> None:
    """With a profile and a timeline."""
    stop = machine.run(timeout_s=TIMEOUT_S, profile="/dev/null", timeline="/dev/null")
    assert stop.reason == "off"


def saved_and_loaded(machine: Machine, trace: Trace, numbers: Random) -> None:
    """The run is saved at random places, in memory and in a file, and goes back to them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "snapshot"
        reason = "limit"
        while reason == "limit":
            snapshot, then = machine.save(), trace.next
            if numbers.randrange(4) == 0:
                machine.save(file)
            reason = machine.run(max_instructions=numbers.randrange(1, PIECE)).reason
            if numbers.randrange(2):
                machine.load(file if file.exists() else snapshot)
                file.unlink(missing_ok=True)
                trace.next = then
                reason = machine.run(max_instructions=numbers.randrange(1, 2 * PIECE)).reason
            file.unlink(missing_ok=True)
        assert reason == "off"


def with_a_client(machine: Machine, trace: Trace, numbers: Random) -> None:
    """A client of the gdb server stops the harts again and again, reads registers and memory, and
    sets breakpoints that are met."""
    with serve_gdb(machine, halt=True) as server:
        client = GdbClient(server.place)
        point = ""
        while client.go(numbers.uniform(0.02, 0.3)):
            client.ask("g")
            pc = client.pc()
            client.ask(f"m{pc:x},40")
            if point:
                assert client.ask(f"z0,{point}") == "OK"
            point = f"{pc:x},2" if numbers.randrange(2) else ""
            if point:
                assert client.ask(f"Z0,{point}") == "OK"
        client.close()
        assert server.wait(TIMEOUT_S).reason == "off"


def with_gdb(machine: Machine, trace: Trace, numbers: Random) -> None:
    """A real gdb is attached before the first instruction."""
    gdb = shutil.which("gdb-multiarch")
    assert gdb is not None, "no gdb-multiarch"
    with serve_gdb(machine, halt=True) as server:
        commands = ["-ex", f"target remote {server.place}", "-ex", "continue"]
        subprocess.run(
            [gdb, "--nx", "--batch", *commands],
            check=True, capture_output=True, timeout=TIMEOUT_S,
        )  # fmt: skip
        assert server.wait(TIMEOUT_S).reason == "off"


#: Ways, and what becomes regions.
WAYS: list[tuple[Way, str]] = [
    (at_once, "hot"), (in_real_time, "hot"), (at_once, "off"), (in_pieces, "hot"),
    (saved_and_loaded, "hot"), (with_a_client, "hot"), (in_real_time, "off"), (with_gdb, "hot"),
    (profiled, "off"),
]  # fmt: skip
