"""Breakpoints by monitor command, on the demo hypervisor: packets, then real gdbs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Stopped, Thread
from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from rvplat.machine.loading.symbol_files import read_symbols
from rvplat.machine.machine import Machine
from tests.gdb.target.test_stepping import Wire
from tests.machine.debugging.test_guest_breakpoints import OFFSET, symbol

from .conftest import Serve
from .driver import Gdb

WORK = symbol(hypervisor_guest_elfs()["sort"], "guest_sort")  # and guest_fibonacci
SORT = 2  # its VMID


class Bench:
    """The hypervisor before its first instruction, and a client without multiprocess."""

    def __init__(self) -> None:
        self.machine = Machine.open("virt", program=hypervisor_elf(), settings={"clock": "virtual"})
        self.hart = self.machine.harts[0]
        self.target = MonitoredTarget(self.machine)
        self.wire = Wire(self.target)

    def monitor(self, line: str) -> str:
        """Execute a monitor command; its output. GdbError with its error."""
        said: list[str] = []
        self.target.monitor(Thread(1, 1), line, said.append)
        return "".join(said)

    def go(self, packet: bytes = b"vCont;c") -> list[bytes]:
        """Run; what the client hears, up to the stop."""
        self.wire.ask(packet)
        return self.wire.got

    def place(self) -> tuple[int, int]:
        """(pc, VMID), where V=1."""
        assert self.hart.virt == 1
        return self.hart.pc, self.hart.csr("hgatp.VMID")

    def close(self) -> None:
        self.target.close()
        self.machine.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.close()


def text(packet: bytes) -> str:
    """What an O packet says."""
    return bytes.fromhex(packet[1:].decode()).decode()


def test_a_hit_is_told_in_a_line_and_a_plain_stop(bench: Bench) -> None:
    """gdb would go on by itself after a swbreak that it hasn't set."""
    bench.monitor(f"break {WORK - OFFSET:#x} space=guest-physical vmid={SORT}")
    line, stop = bench.go()
    where = f"{WORK - OFFSET:#x} space=guest-physical vmid={SORT}: hart 0, guest with VMID 2"
    assert re.fullmatch(rf"monitor breakpoint 1, {re.escape(where)} \(process \d\)\n", text(line))
    assert stop.startswith(b"T05thread:1;core:0;")
    assert bench.place() == (WORK, SORT)
    assert bench.target.describe(bench.target.thread_of_hart(1)) == (
        "hart 0: VS mode, at monitor breakpoint 1"
    )


def test_going_on_goes_past_it(bench: Bench) -> None:
    bench.monitor(f"break {WORK:#x} vmid={SORT}")
    before = 0
    for hits in range(1, 5):
        assert len(bench.go()) == 2
        assert bench.place() == (WORK, SORT)
        assert bench.hart.instret > before
        before = bench.hart.instret
        assert bench.monitor("breaks").endswith(f": {hits} hit{'s' if hits > 1 else ''}\n")


def test_what_was_not_told_is_met_again(bench: Bench) -> None:
    bench.monitor(f"break {WORK:#x}")
    bench.go()
    before = bench.hart.instret
    bench.target.report_again(Stopped(Thread(1, 1)))
    bench.go()
    assert bench.hart.instret == before
    assert "1 hit\n" in bench.monitor("breaks")


def test_by_address_space(bench: Bench) -> None:
    bench.monitor(f"break {WORK:#x} mode=VS vmid={SORT} asid=0")
    bench.go()
    bench.hart.set_csr("vsatp.ASID", 5)
    bench.monitor("delete all")
    bench.monitor(f"break {WORK:#x} asid=5")
    bench.monitor(f"break {WORK:#x} asid=6")
    for _ in range(3):
        line, _ = bench.go()
        assert "breakpoint 2," in text(line)
        assert bench.place() == (WORK, SORT)
    assert "asid=6: 0 hits" in bench.monitor("breaks")


def test_by_mode_and_condition(bench: Bench) -> None:
    bench.monitor("break run_guest mode=U,M")
    bench.monitor(f"break {WORK:#x} if $vmid == {SORT} && $vsatp.MODE == 8 && $a0 < $a1")
    bench.monitor(f"break {WORK:#x} if {{u32}} $pc == 0")
    line, _ = bench.go()
    assert "breakpoint 2," in text(line)
    assert bench.place() == (WORK, SORT)
    assert bench.hart.x["a0"] < bench.hart.x["a1"]


def test_a_physical_address_and_memory_as_it_was(bench: Bench) -> None:
    bench.monitor(f"break {WORK:#x} vmid={SORT}")
    bench.go()
    pa = bench.hart.translate(WORK)
    assert pa is not None
    before = bench.machine.memory.read(pa, 64)
    bench.monitor("delete 1")
    bench.monitor(f"break {pa:#x} space=physical")
    for _ in range(3):
        bench.go()
        assert bench.place() == (WORK, SORT)
        assert bench.machine.memory.read(pa, 64) == before


def test_symbols_of_the_guest_that_is_named(bench: Bench) -> None:
    """The symbols that `--symbols` names for a VMID, as address and in an expression."""
    software = bench.machine.software
    bench.machine.software = replace(software, symbol_files={2: hypervisor_guest_elfs()["sort"]})
    said = bench.monitor("break guest_sort vmid=2 if $pc == guest_sort")
    at = read_symbols(hypervisor_guest_elfs()["sort"])["guest_sort"]
    assert said.startswith(f"monitor breakpoint 1: {at:#x} vmid=2 if")
    bench.go()
    assert bench.hart.pc == at
    with pytest.raises(GdbError, match="'guest_sort' is no number and no known symbol"):
        bench.monitor("break guest_sort vmid=1")


def test_one_that_gdb_has_set_too(bench: Bench) -> None:
    """Both are met: the client is told of its own, and the line tells of the other."""
    bench.monitor(f"break {WORK - OFFSET:#x} space=guest-physical vmid=1")
    bench.monitor("break run_guest if $a0 != 0")
    at = bench.machine.symbols["run_guest"]
    assert bench.wire.ask(b"Z0,%x,4" % at) == b"OK"
    line, stop = bench.go()
    assert "breakpoint 2," in text(line)
    assert stop.startswith(b"T05swbreak:;thread:1;core:0;")


def test_detaching_takes_them_away(bench: Bench) -> None:
    bench.monitor(f"break {WORK:#x}")
    bench.monitor(f"break {WORK - OFFSET:#x} space=guest-physical")
    bench.target.detach(2)
    assert int(bench.machine.native.view.break_count) == 2
    bench.target.detach()
    assert int(bench.machine.native.view.break_count) == 0
    bench.target.attach()
    assert bench.monitor("breaks") == "no monitor breakpoints\n"
    assert bench.monitor("break 0x100").startswith("monitor breakpoint 3:")


def test_deleting(bench: Bench) -> None:
    for n in range(3):
        bench.monitor(f"break {WORK + 4 * n:#x}")
    bench.monitor("delete 1 3")
    assert bench.monitor("breaks") == f"2: {WORK + 4:#x}: 0 hits\n"
    bench.monitor("delete all")
    assert bench.go() == [b"W00"]


def test_in_the_middle_of_a_range_that_is_stepped(bench: Bench) -> None:
    """A step over a line stops at a client's breakpoint and at the machine's."""
    at = bench.machine.symbols["run_guest"]
    bench.monitor("break run_guest")
    bench.go()
    bench.wire.ask(b"vCont;s:1")
    inside = bench.hart.pc
    bench.monitor("reset")
    bench.go()
    stepping = b"vCont;r%x,%x:1" % (at, at + 0x40)
    bench.monitor(f"break {inside:#x}")
    line, _ = bench.go(stepping)
    assert text(line).startswith("monitor breakpoint 2,")
    assert bench.hart.pc == inside
    bench.monitor("reset")
    bench.monitor("delete 2")
    bench.go()
    assert bench.wire.ask(b"Z0,%x,2" % inside) == b"OK"
    assert bench.wire.ask(stepping).startswith(b"T05swbreak:;")
    assert bench.hart.pc == inside


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("break", "expected break ADDRESS"),
        ("break if $a0", "expected break ADDRESS"),
        ("break run_gest", "'run_gest' is no number and no known symbol; did you"),
        ("break 0x1x", "'0x1x' is not a number: write 4096 or 0x1000"),
        ("break 0x1001", "a breakpoint at 0x1001: instructions begin at even addresses"),
        ("break 0x10000000000000000", "0x10000000000000000 has more than 64 bits"),
        ("break 0x1000 hard", "'hard': expected break ADDRESS"),
        ("break 0x1000 color=red", "'color=red': expected break ADDRESS"),
        ("break 0x1000 asid=1 asid=1", "'asid=1': asid is there twice"),
        ("break 0x1000 asid=65536", "asid=65536: expected 0 to 65535"),
        ("break 0x1000 vmid=-1", "vmid=-1: expected 0 to 16383"),
        ("break 0x1000 vmid=x", "'x' is not a number"),
        ("break 0x1000 mode=X", "mode=X: expected some of HS, U, S, M, VU, VS"),
        ("break 0x1000 space=disk", "space=disk: expected virtual, guest-physical, physical"),
        ("break 0x1000 mode=S vmid=1", "none of these modes is a guest's: VS and VU are"),
        ("break 0x1000 mode=M space=guest-physical", "none of these modes is a guest's"),
        ("break 0x1000 mode=M asid=1", "M mode has no address space: asid is for the others"),
        ("break 0x1000 if", "'': expected a value, found its end"),
        ("break 0x1000 if $a77", "there is no register $a77"),
        ("delete", "expected delete NUMBER..., or delete all"),
        ("delete 9", "there is no monitor breakpoint 9: there are none"),
        ("delete x", "'x' is not a number: write 4096 or 0x1000"),
    ],
)
def test_what_cant_be_done(bench: Bench, line: str, problem: str) -> None:
    with pytest.raises(GdbError, match="^" + re.escape(problem)):
        bench.monitor(line)
    assert int(bench.machine.native.view.break_count) == 0


def test_a_board_without_guests() -> None:
    machine = Machine.open("virt", settings={"harts.isa": "rv64gc"})
    target = MonitoredTarget(machine)
    for line in ("break 0x1000 vmid=1", "break 0x1000 mode=VS", "break 0 space=guest-physical"):
        with pytest.raises(GdbError, match="no H extension, and so no guests"):
            target.monitor(Thread(1, 1), line, print)
    target.monitor(Thread(1, 1), "break 0x1000 mode=S", print)
    target.close()
    machine.close()


# --- real gdbs ----------------------------------------------------------------------------------


@pytest.fixture
def attached(gdb: Gdb, serve: Serve) -> Gdb:
    gdb.attach(serve(Machine.open("virt", program=hypervisor_elf())), extended=True)
    return gdb


def test_gdb_stops_where_it_has_set_nothing(attached: Gdb) -> None:
    """gdb attaches to the guest when it begins; the guest's thread then has the stop."""
    attached.do(f"monitor break {WORK - OFFSET:#x} space=guest-physical vmid={SORT}")
    assert attached.go()["signal-name"] == "SIGTRAP"
    assert "monitor breakpoint 1," in attached.output
    pid = re.search(r"VMID 2 \(process (\d+)\)", attached.output)
    assert pid is not None
    attached.do("add-inferior")
    attached.do("inferior 2")
    attached.go(f"attach {pid[1]}")
    assert "at monitor breakpoint 1" in attached.do("info threads")
    for hits in (2, 3):
        assert attached.go()["signal-name"] == "SIGTRAP"
        assert int(attached.value("/x $pc"), 16) == WORK
        assert attached.value("$vmid") == str(SORT)
        assert f"{hits} hits" in attached.do("monitor breaks")
    attached.do("monitor delete 1")
    attached.do("inferior 1")
    assert attached.go()["reason"] == "exited-normally"


def test_gdb_is_told_what_is_wrong(attached: Gdb) -> None:
    with pytest.raises(RuntimeError, match="mode=X: expected some of|Protocol error"):
        attached.do("monitor break 0x1000 mode=X")
    assert "EXPRESSION" in attached.do("monitor help break")


def test_gdb_switches_to_the_world_that_met_it(gdb: Gdb, serve: Serve) -> None:
    """The guests are inferiors, and every inferior is resumed."""
    machine = Machine.open("virt", program=hypervisor_elf())
    gdb.do("set detach-on-fork off")
    gdb.do("set schedule-multiple on")
    gdb.attach(serve(machine), extended=True)
    gdb.do(f"monitor break {WORK - OFFSET:#x} space=guest-physical vmid={SORT}")
    for hits in range(1, 4):
        assert gdb.go()["signal-name"] == "SIGTRAP"
        assert f"{hits} hit" in gdb.do("monitor breaks")
        assert gdb.value("$mode") == "VS"
        assert gdb.value("$vmid") == str(SORT)
        assert int(gdb.value("/x $pc"), 16) == WORK
    assert "at monitor breakpoint 1" in gdb.do("info threads")


def test_non_stop(gdb: Gdb, serve: Serve) -> None:
    """The host's thread stops by itself; info threads says why."""
    machine = Machine.open("virt", program=hypervisor_elf())
    gdb.do("set non-stop on")
    gdb.attach(serve(machine), extended=True)
    gdb.do("monitor break run_guest mode=S")
    for hits in range(1, 4):
        assert gdb.go("continue")["signal-name"] == "SIGTRAP"
        assert "at monitor breakpoint 1" in gdb.do("info threads")
        assert f"{hits} hit" in gdb.do("monitor breaks")
