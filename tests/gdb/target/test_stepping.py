"""Steps execute the same instructions as a run, through traps, returns and worlds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rvplat.gdb.commands import session_for
from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.framing import Framer, Kind, frame
from rvplat.guests import hypervisor_elf
from rvplat.machine.machine import Machine

STEPS = 10_000
BEFORE = 4_396_000  # instructions: then the guests begin, and trap for each character


def opened() -> Machine:
    return Machine.open("virt", program=hypervisor_elf(), settings={"clock": "virtual"})


def reference() -> list[tuple[int, int]]:
    """(pc, mode) after each instruction of a run."""
    with opened() as machine:
        machine.step(BEFORE)
        hart = machine.harts[0]
        found = []
        for _ in range(STEPS):
            machine.step(1)
            found.append((hart.pc, hart.priv | hart.virt << 2))
        return found


def is_console_text(packet: bytes) -> bool:
    """Whether a packet is what gdb prints meanwhile: its answer may come a poll later."""
    return packet.startswith(b"O") and packet != b"OK"


class Wire:
    """A session without a socket, in which steps end before they are asked about."""

    def __init__(self, target: MonitoredTarget) -> None:
        self.got: list[bytes] = []
        self.framer = Framer()
        self.session = session_for(target, self.take)
        self.ask(b"QStartNoAckMode")
        self.ask(b"qSupported:swbreak+")  # no multiprocess: a thread is a hart, wherever it is

    def take(self, data: bytes) -> None:
        self.got += [a.data for a in self.framer.feed(data) if a.kind is Kind.PACKET]

    def ask(self, packet: bytes) -> bytes:
        self.got.clear()
        self.session.feed(frame(packet))
        while not self.got or is_console_text(self.got[-1]):
            self.session.poll()
        return self.got[-1]


@pytest.fixture
def wire() -> Iterator[Wire]:
    machine = opened()
    machine.step(BEFORE)
    target = MonitoredTarget(machine)
    yield Wire(target)
    target.close()
    machine.close()


def test_a_trace_of_steps_is_the_run(wire: Wire) -> None:
    expected = reference()
    modes = {mode for _, mode in expected}
    assert {1, 5} <= modes  # the host's and a guest's
    for n, (pc, mode) in enumerate(expected):
        assert wire.ask(b"vCont;s:1;c").startswith(b"T05")
        got = int.from_bytes(bytes.fromhex(wire.ask(b"p20").decode()), "little")
        assert (n, got, int(wire.ask(b"p1041")[:2], 16)) == (n, pc, mode)


def test_a_virtual_clock_runs_to_its_end(wire: Wire) -> None:
    assert wire.ask(b"vCont;c") == b"W00"
