"""Traces that a client begins and ends."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

import pytest

from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.gdb.target.tracing import TraceFile
from rvplat.guests import hypervisor_elf
from rvplat.hart.state import STOP_BREAK
from rvplat.machine.machine import Machine
from tests.gdb.conftest import Serve
from tests.gdb.driver import Gdb
from tests.gdb.target.test_stepping import Wire


class Bench:
    """A board with a client that has no socket."""

    def __init__(self, program: Path, **settings: object) -> None:
        self.machine = Machine.open("virt", program=program, settings=settings)
        self.target = MonitoredTarget(self.machine)
        self.wire = Wire(self.target)

    def monitor(self, line: str) -> str:
        said: list[str] = []
        self.target.monitor(Thread(1, 1), line, said.append)
        return "".join(said)

    def close(self) -> None:
        self.target.close()
        self.machine.close()


@pytest.fixture
def bench(guest: Path) -> Iterator[Bench]:
    found = Bench(guest)
    yield found
    found.close()


def pcs(path: Path) -> list[int]:
    """The pcs of a trace's lines."""
    return [int(line.split()[3], 16) for line in path.read_text().splitlines()]


def test_from_one_stop_to_another(bench: Bench, tmp_path: Path) -> None:
    """The trace has the instructions that steps execute, and no others."""
    at, path = bench.machine.symbols, tmp_path / "trace"
    bench.monitor("break work")
    bench.wire.ask(b"vCont;c")
    assert bench.monitor("trace") == "trace: off\n"
    assert bench.monitor(f"trace on {path}") == f"trace: into {path}\n"
    assert bench.monitor("trace") == f"trace: into {path}\n"
    bench.wire.ask(b"vCont;s:1")
    bench.monitor("break touch")
    assert bench.wire.ask(b"vCont;c").startswith(b"T05thread:1;core:0;")
    assert bench.monitor("trace off") == f"trace: {path} is written\n"
    traced = pcs(path)
    assert traced[0] == at["work"]
    assert at["touch"] not in traced
    assert bench.machine.harts[0].pc == at["touch"]
    size = path.stat().st_size
    bench.wire.ask(b"vCont;c")
    assert path.stat().st_size == size
    bench.monitor("reset")
    bench.monitor("delete all")
    bench.monitor("break work")
    bench.wire.ask(b"vCont;c")
    stepped = []
    for _ in traced:
        stepped.append(bench.machine.harts[0].pc)
        bench.wire.ask(b"vCont;s:1")
    assert stepped == traced


@pytest.mark.parametrize("clock", ["host", "virtual"])
def test_guests_are_traced(tmp_path: Path, clock: str) -> None:
    """Into a guest and back by a trap, at both clocks; then on without a trace, to the end."""
    path = tmp_path / "trace"
    bench = Bench(hypervisor_elf(), clock=clock)
    at = bench.machine.symbols
    bench.monitor("break run_guest")
    bench.wire.ask(b"vCont;c")
    bench.monitor(f"trace on {path}")
    bench.monitor("break trap_from_guest")
    bench.wire.ask(b"vCont;c")
    assert bench.machine.harts[0].pc == at["trap_from_guest"]
    bench.monitor("trace off")
    traced = pcs(path)
    assert traced[0] == at["run_guest"]
    assert at["trap_from_guest"] not in traced
    assert clock == "host" or 0x8000_0000 in traced  # where the guest begins
    bench.monitor("delete all")
    assert bench.wire.ask(b"vCont;c") == b"W00"
    bench.close()


def test_many_harts_in_their_threads(tmp_path: Path) -> None:
    """Each hart writes whole lines, and harts that sleep wake up."""
    path = tmp_path / "trace"
    bench = Bench(hypervisor_elf(), **{"harts.count": 3})
    bench.monitor(f"trace on {path}")
    bench.monitor("break main")
    bench.wire.ask(b"vCont;c")
    bench.target.halt()
    bench.monitor("trace off")
    lines = path.read_text().splitlines()
    assert {int(line[4:8]) for line in lines} == {0, 1, 2}
    assert all(line.startswith("core") and " (0x" in line for line in lines)
    bench.close()


def test_twice_on_and_off_without_on(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(GdbError, match="^nothing is traced: monitor trace on FILE begins$"):
        bench.monitor("trace off")
    bench.monitor(f"trace on {tmp_path}/a")
    with pytest.raises(GdbError, match=f"^{tmp_path}/a is being written: monitor trace off ends"):
        bench.monitor(f"trace on {tmp_path}/b")
    assert not (tmp_path / "b").exists()
    bench.monitor("trace off")
    with pytest.raises(GdbError, match="nothing is traced"):
        bench.monitor("trace off")


@pytest.mark.parametrize("words", ["maybe", "on", "off now", "on  "])
def test_words_that_mean_nothing(bench: Bench, words: str) -> None:
    with pytest.raises(GdbError, match="expected trace on FILE, or trace off$"):
        bench.monitor(f"trace {words}")


def test_a_file_that_cant_be_opened(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(GdbError, match=f"^{tmp_path}/no/trace: No such file or directory$"):
        bench.monitor(f"trace on {tmp_path}/no/trace")
    (tmp_path / "precious").write_text("precious")
    with pytest.raises(GdbError, match="precious: File exists$"):
        bench.monitor(f"trace on {tmp_path}/precious")
    assert (tmp_path / "precious").read_text() == "precious"
    assert bench.monitor("trace") == "trace: off\n"


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    class Full:
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        close = write

    said: list[str] = []
    sink = TraceFile(tmp_path / "x", Full(), said.append)  # type: ignore[arg-type]
    for _ in range(3):
        assert sink.write("core") == 4
    assert said == [f"{tmp_path}/x: No space left on device: the trace is not complete\n"]
    assert sink.problem == said[0].rstrip()


def test_the_board_runs_on_where_the_disk_is_full(bench: Bench, tmp_path: Path) -> None:
    bench.monitor(f"trace on {tmp_path}/trace")
    trace = bench.target.control.trace
    assert trace is not None
    trace._sink._file.close()  # type: ignore[attr-defined]
    bench.monitor("break work")
    with Path("/dev/full").open("wb", buffering=0) as full:
        trace._sink._file = TextIOWrapper(full, write_through=True)  # type: ignore[attr-defined]
        assert bench.wire.ask(b"vCont;c").startswith(b"T05thread:1;core:0;")
    assert "No space left on device" in bench.monitor("trace")
    assert "No space left on device" in bench.monitor("trace off")
    bench.wire.ask(b"vCont;c")
    assert bench.machine.harts[0].pc == bench.machine.symbols["work"]


def test_it_ends_with_its_client(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "trace"
    bench.monitor(f"trace on {path}")
    for _ in range(100):
        bench.wire.ask(b"vCont;s:1")
    bench.target.detach()
    bench.target.attach()
    assert bench.monitor("trace") == "trace: off\n"
    assert len(pcs(path)) == 100


def test_with_gdb(gdb: Gdb, serve: Serve, guest: Path, tmp_path: Path) -> None:
    gdb.attach(serve(Machine.open("virt", program=guest)))
    gdb.do("break work")
    gdb.go()
    gdb.do(f"monitor trace on {tmp_path}/trace")
    assert gdb.go()["reason"] == "breakpoint-hit"
    gdb.do("monitor trace off")
    traced = pcs(tmp_path / "trace")
    assert traced.count(traced[0]) == 1
    assert len(traced) > 20
    gdb.do(f"tbreak *{traced[-1]:#x}")
    assert gdb.go()["reason"] == "breakpoint-hit"


def test_an_interrupt_that_is_due_where_the_hart_has_stopped(bench: Bench) -> None:
    bench.monitor("break work")
    bench.wire.ask(b"vCont;c")
    hart = bench.machine.harts[0]
    assert int(hart.view.stop) == STOP_BREAK
    for name, value in (("mip", 2), ("mie", 2), ("mideleg", 0), ("mstatus.MIE", 1)):
        hart.set_csr(name, value)
    bench.machine.export("take_interrupts")(hart.address)
    assert hart.pc == hart.csr("mtvec")
    assert hart.csr("mcause") == 1 << 63 | 1
