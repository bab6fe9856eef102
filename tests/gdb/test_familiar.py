"""Commands of QEMU's monitor and of OpenOCD, QEMU's packets, and lists of mappings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from rvplat.gdb.commands import session_for
from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.framing import frame
from rvplat.gdb.protocol.interfaces import HOST_PID, Thread
from rvplat.guests import hypervisor_elf
from rvplat.machine.machine import Machine

from .conftest import Serve
from .driver import Gdb

HOST, GUEST = Thread(HOST_PID, 1), Thread(2, 1)
Ask = Callable[..., str]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Both guests have run, and hart 0 is in one of them."""
    found = Machine.open("virt", program=hypervisor_elf(), settings={"clock": "virtual"})
    found.run(max_instructions=6_500_000)
    yield found
    found.close()


@pytest.fixture
def target(machine: Machine) -> Iterator[MonitoredTarget]:
    found = MonitoredTarget(machine)
    found.attach()
    found.attach_world(2)
    found.attach_world(3)
    yield found
    found.close()


@pytest.fixture
def ask(target: MonitoredTarget) -> Ask:
    def run(line: str, thread: Thread = HOST) -> str:
        said: list[str] = []
        target.monitor(thread, line, said.append)
        return "".join(said)

    return run


def here(target: MonitoredTarget) -> Thread:
    return target.current()


# --- monitor ------------------------------------------------------------------------------------


def test_registers_in_addresses(ask: Ask, target: MonitoredTarget) -> None:
    thread = here(target)
    pc, sp = (target.read_register(thread, n) for n in (32, 2))
    assert ask("walk $pc fetch", thread).startswith(f"fetch of {pc:#x} in VS mode")
    assert ask("translate $sp+8", thread).startswith(f"{sp + 8:#x}: ")
    assert ask("translate trap_from_guest+4").startswith(
        f"{target.machine.symbols['trap_from_guest'] + 4:#x}: "
    )
    with pytest.raises(GdbError, match="there is no register \\$pcc"):
        ask("walk $pcc")


def test_memory_as_qemu_shows_it(ask: Ask, target: MonitoredTarget) -> None:
    data = target.machine.memory.read(0x8000_0000, 16)
    words = [int.from_bytes(data[n : n + 4], "little") for n in range(0, 16, 4)]
    row = f"0000000080000000: {' '.join(f'{word:#010x}' for word in words)}\n"
    assert ask("xp/4xw 0x80000000") == ask("xp /4xw 0x80000000") == row
    assert ask("xp 0x80000000") == f"0000000080000000: {words[0]:#010x}\n"
    assert ask("xp/2db 0x80000000").split() == [
        "0000000080000000:",
        *(str(int.from_bytes(data[n : n + 1], signed=True)) for n in (0, 1)),
    ]
    assert ask("space", here(target)) == "addresses are virtual\n", "xp leaves it as it was"
    thread = here(target)
    virtual = ask("x/2xg $pc", thread)
    physical = ask("translate $pc", thread).split()[1].rstrip(",")
    assert ask(f"xp/2xg {physical}", thread).partition(":")[2] == virtual.partition(":")[2]


def test_where_device_memory_is_refused(ask: Ask) -> None:
    with pytest.raises(GdbError, match="register of uart0.*monitor devices on"):
        ask("xp/1xb 0x10000005")
    ask("devices on")
    assert ask("xp/1xb 0x10000005").startswith("0000000010000005: 0x")


def test_gdb_says_how_device_memory_is_accessed(gdb: Gdb, serve: Serve) -> None:
    """gdb shows it when it next resumes the board: it shows no reason why memory can't be read."""
    gdb.attach(serve(Machine.open("virt", program=hypervisor_elf())))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="Cannot access memory"):
            gdb.do("output *(char *)0x10000005")
    gdb.go("stepi")
    assert gdb.output.count("monitor devices on allows it") == 1
    gdb.do("monitor devices on")
    gdb.do("output *(char *)0x10000005")


@pytest.mark.parametrize("line", ["reset halt", "reset init", "system_reset", "reset run"])
def test_resets(line: str) -> None:
    with Machine.open("virt", program=hypervisor_elf(), settings={"clock": "virtual"}) as machine:
        machine.run(max_instructions=1000)
        target = MonitoredTarget(machine)
        target.monitor(HOST, line, lambda text: None)
        assert machine.harts[0].pc == 0x1000
        assert target.stands_still
        target.close()


def test_physical_memory_is_there_when_the_selected_guest_has_ended() -> None:
    with Machine.open("virt", program=hypervisor_elf(), settings={"clock": "virtual"}) as machine:
        machine.run(max_instructions=6_500_000)
        target = MonitoredTarget(machine)
        target.attach()
        target.attach_world(GUEST.pid)
        target.monitor(GUEST, "reset halt", lambda text: None)
        said: list[str] = []
        target.monitor(GUEST, "xp/1xw 0x80000000", said.append)
        first = int.from_bytes(machine.memory.read(0x8000_0000, 4), "little")
        assert said == [f"0000000080000000: {first:#010x}\n"]
        with pytest.raises(GdbError, match="has ended"):
            target.monitor(GUEST, "x/1xw 0x80000000", said.append)
        target.close()


def test_halt_and_what_gdb_must_do_itself(ask: Ask, target: MonitoredTarget) -> None:
    assert ask("halt") == ask("stop") == "every hart is stopped\n"
    assert ask("info status") == "VM status: paused\n"
    for line in ("resume", "cont"):
        with pytest.raises(GdbError, match="continue, or detach"):
            ask(line)


def test_targets(ask: Ask, target: MonitoredTarget) -> None:
    assert ask("targets").startswith("hart 0: VS mode in the guest with VMID ")
    assert ask("info cpus") == ask("targets")
    assert "mstatus" in ask("info registers")
    assert "uart0" in ask("info mtree")


def test_quit_powers_the_board_off(gdb: Gdb, serve: Serve) -> None:
    gdb.attach(serve(Machine.open("virt", program=hypervisor_elf())))
    gdb.go("stepi")
    assert gdb.do("monitor quit") == "the board is off\n"
    assert gdb.go()["reason"] == "exited-normally"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("info", "expected info mem|registers|cpus|mtree|status"),
        ("info tlb", "expected info mem|registers|cpus|mtree|status"),
        ("reset hart", "'hart': expected reset, or reset halt, init or run"),
        ("xp", "expected [/COUNT FORMAT SIZE] ADDRESS, as in /4xw 0x80000000"),
        ("xp/9999 0", "9999 words: expected 1 to 4096"),
        ("x 0x40000000", "0x40000000: no memory and no device is there"),
        ("maps 1 2", "expected maps [ADDRESS]"),
    ],
)
def test_what_cant_be_done(ask: Ask, line: str, problem: str) -> None:
    with pytest.raises(GdbError) as error:
        ask(line)
    assert str(error.value) == problem


# --- mappings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pid", [1, 2, 3])
def test_mappings_are_what_walks_find(target: MonitoredTarget, pid: int) -> None:
    """At the ends of each range, and beyond them."""
    thread = Thread(pid, 1)
    found = target.mappings(thread)
    assert found
    for one, after in zip(found, [*found[1:], None], strict=True):
        if not one.flags:
            continue
        assert after is None or one.end <= after.va
        for at in (one.va, one.end - 1):
            pa = None if one.pa is None else one.pa + at - one.va
            assert target.translate_address(thread, at) == pa
        if one.end < 1 << 64 and (after is None or one.end < after.va):
            assert target.translate_address(thread, one.end) is None


def test_a_guests_mappings_show_both_stages(ask: Ask) -> None:
    lines = ask("maps", GUEST).splitlines()
    code = [line for line in lines if line.startswith("0xffffffc080000000-")]
    assert len(code) == 1
    assert re.fullmatch(
        r"0xffffffc080000000-0xffffffc0\w+ 0x\w+ r[w-]x\S* -> guest physical 0x80000000 "
        r"rwxu\S* -> 0x8\w+", code[0],
    )  # fmt: skip
    assert ask("maps 0xffffffc080000010", GUEST) == code[0] + "\n"
    assert ask("maps 0x1234", GUEST) == "0x1234 is not mapped\n"


def test_what_pwndbg_and_gef_read(ask: Ask) -> None:
    """Both parse lines by these expressions; another line ends pwndbg's command."""
    lines = ask("info mem", GUEST).splitlines()
    assert lines
    for line in lines:
        start, end, size, flags = re.fullmatch(
            r"([0-9a-f]{16})-([0-9a-f]{16}) ([0-9a-f]{16}) ([u-][r-][w-][x-])", line
        ).groups()  # type: ignore[union-attr]
        assert int(end, 16) - int(start, 16) == int(size, 16)
        assert flags[1] == "r"
    assert ask("info mem", HOST) == "PG disabled\n"


# --- packets ------------------------------------------------------------------------------------


@pytest.fixture
def packet(target: MonitoredTarget) -> Callable[[str], str]:
    out = bytearray()
    session = session_for(target, out.extend)

    def ask(text: str) -> str:
        out.clear()
        session.feed(frame(text.encode()))
        return bytes(out).decode().lstrip("+")[1:-3]

    ask("QStartNoAckMode")
    ask("qSupported:multiprocess+;multi-wp-addr+;error-message+")
    return ask


def test_qemus_packets(packet: Callable[[str], str], target: MonitoredTarget) -> None:
    assert packet("qqemu.sstepbits") == packet("Qqemu.sstepbits") == "ENABLE=1,NOIRQ=2,NOTIMER=4"
    assert packet("qqemu.sstep") == "0x1"
    assert packet("Qqemu.sstep=7") == "OK"
    assert packet("qqemu.sstep") == "0x7"
    assert target.masks_interrupts
    assert packet("Qqemu.sstep=8").startswith("E.sstep 0x8")
    assert packet("Qqemu.sstep=1") == "OK"
    assert packet("qqemu.Supported") == "sstepbits;sstep;PhyMemMode"
    assert packet("qqemu.what") == ""


def test_physical_memory_mode(packet: Callable[[str], str], target: MonitoredTarget) -> None:
    assert packet("qqemu.PhyMemMode") == "0"
    assert packet("Qqemu.PhyMemMode:1") == "OK"
    assert packet("qqemu.PhyMemMode") == "1"
    data = target.machine.memory.read(0x8000_0000, 8)
    assert packet("m80000000,8") == data.hex()
    assert packet("qMemoryRegionInfo:80000000").endswith(f"name:{b'ram'.hex()};")
    assert packet("Qqemu.PhyMemMode:0") == "OK"
    assert packet("qqemu.PhyMemMode") == "0"


def test_regions_for_lldb(packet: Callable[[str], str], target: MonitoredTarget) -> None:
    assert packet("Hgp2.1") == "OK"
    code = packet("qMemoryRegionInfo:ffffffc080000010")
    assert re.fullmatch(r"start:ffffffc080000000;size:\w+;permissions:rw?x;", code)
    assert re.fullmatch(r"start:0;size:ffffffc0\w+;", packet("qMemoryRegionInfo:1234"))
    packet("Hgp1.1")
    uart = packet("qMemoryRegionInfo:10000005")
    assert uart == f"start:10000000;size:100;permissions:rw;name:{b'uart0'.hex()};"
    assert packet("qMemoryRegionInfo:ffffffffffffffff").startswith("start:")


def test_a_step_without_time(packet: Callable[[str], str]) -> None:
    """NOTIMER, on the host's clock."""
    with Machine.open("virt", program=hypervisor_elf()) as machine:
        target = MonitoredTarget(machine)
        target.attach()
        target.sstep = 7
        before = machine.assembly.clock.now()
        target.control.step(0, [])
        assert machine.assembly.clock.now() == before
        target.sstep = 1
        while machine.assembly.clock.now() == before:
            target.control.step(0, [])
        target.close()
