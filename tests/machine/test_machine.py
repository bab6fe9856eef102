"""`Machine` from Python: registers, CSRs, memory, devices, consoles, steps."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine
from rvplat.errors import BusError, DeviceError
from tests.machine.small_guests import ECHO, HELLO, LOOP, TRAP_LOOP, WAIT, guest

START = 0x8000_0000
NOP = (0x13).to_bytes(4, "little")


def open_at_start(source: str, **settings: object) -> Any:
    """A machine whose harts stand at the program's first instruction."""
    machine = Machine.open("virt", guest(source), settings=settings)
    for hart in machine.harts:
        hart.pc = START
    return machine


@pytest.fixture
def machine() -> Iterator[Any]:
    with open_at_start(LOOP) as found:
        yield found


def test_registers_by_number_and_name(machine: Machine) -> None:
    hart = machine.harts[0]
    hart.x[10] = 5
    hart.x["a1"] = -1
    assert (hart.x["a0"], hart.x[11]) == (5, (1 << 64) - 1)
    hart.x[0] = 9
    assert hart.x[0] == hart.x["zero"] == 0
    hart.f["fa0"] = 1 << 63
    assert hart.f[10] == 1 << 63
    assert len(list(hart.x)) == 32
    with pytest.raises(LookupError, match=r"^no register 'zeros'; did you mean 'zero'\?$"):
        hart.x["zeros"]
    with pytest.raises(IndexError, match="^no register 32: there are 32$"):
        hart.x[32]


def test_csrs_by_name_and_field(machine: Machine) -> None:
    hart = machine.harts[0]
    assert hart.csr("misa.MXL") == 2
    hart.set_csr("mstatus.MPP", 1)
    assert hart.csr("mstatus.MPP") == 1
    hart.set_csr("mscratch", 1 << 63)
    assert hart.csr("mscratch") == 1 << 63
    hart.set_csr("mepc", 3)
    assert hart.csr("mepc") == 2, "as a write by software: bit 0 is zero"
    with pytest.raises(LookupError) as caught:
        hart.csr("mstatuss")
    assert str(caught.value) == "hart 0 has no CSR 'mstatuss'; did you mean 'mstatus'?"
    with pytest.raises(LookupError) as caught:
        hart.csr("mstatus.MPPP")
    assert str(caught.value) == "mstatus has no field 'MPPP'; did you mean 'MPP'?"
    with pytest.raises(ValueError, match="^mhartid is read-only$"):
        hart.set_csr("mhartid", 1)


@pytest.mark.parametrize("name", ["mcycle", "minstret"])
@pytest.mark.parametrize("stopped", [0, 5])
def test_a_counter_is_what_it_was_set_to(machine: Machine, name: str, stopped: int) -> None:
    hart = machine.harts[0]
    machine.step(7)
    hart.set_csr("mcountinhibit", stopped)
    hart.set_csr(name, 1000)
    assert hart.csr(name) == 1000
    machine.step(3)
    assert hart.csr(name) == (1000 if stopped else 1003)


def test_privilege_decides_what_memory_is_seen(machine: Machine) -> None:
    hart = machine.harts[0]
    root, leaf = 0x8020_0000, 0x8030_0000
    machine.memory.write_int(root + 8 * 2, 8, leaf >> 12 << 10 | 1)
    machine.memory.write_int(leaf, 8, 0x8040_0000 >> 12 << 10 | 0xCF)  # 2 MiB, RWX, A and D
    machine.memory.write(0x8040_0000 + 0x1FFE, b"abcd")
    hart.set_csr("satp", 8 << 60 | root >> 12)
    assert hart.translate(0x8000_1000) == 0x8000_1000, "M mode isn't translated"
    hart.priv = 1
    assert hart.translate(0x8000_1FFE) == 0x8040_1FFE
    assert hart.read(0x8000_1FFE, 4) == b"abcd"
    hart.write(0x8000_1FFF, b"XY")
    assert machine.memory.read(0x8040_1FFE, 4) == b"aXYd"
    assert hart.translate(0x8020_0000) is None
    with pytest.raises(BusError, match="^hart 0: virtual address 0x80200000 is not mapped$"):
        hart.read(0x8020_0000, 1)
    with pytest.raises(ValueError, match=r"^privilege 2: expected 0 \(U\), 1 \(S\) or 3 \(M\)$"):
        hart.priv = 2


def test_steps_are_exact(machine: Machine) -> None:
    hart = machine.harts[0]
    for expected in range(1, 6):
        assert machine.step().reason == "step"
        assert hart.instret == expected
    assert hart.x[5] == 3
    machine.step(10_001)
    assert hart.instret == 10_006
    assert hart.x[5] == 3 + 5_000


def test_a_step_may_trap_or_wait() -> None:
    with open_at_start(TRAP_LOOP) as machine:
        hart = machine.harts[0]
        hart.set_csr("mtvec", START + 0x100)
        machine.step(2)
        assert (hart.pc, hart.csr("mcause")) == (0x4000_0000, 0)
        machine.step()
        assert (hart.pc, hart.csr("mcause"), hart.csr("mepc")) == (START + 0x100, 1, 0x4000_0000)
        assert hart.instret == 2, "what traps isn't retired"
    with open_at_start(WAIT) as machine:
        assert machine.step(5).reason == "step"
        assert machine.harts[0].instret == 5


def test_one_hart_steps_and_the_others_stand_still() -> None:
    with open_at_start(LOOP, **{"harts.count": 3}) as machine:
        machine.step(7, hart=1)
        assert [hart.instret for hart in machine.harts] == [0, 7, 0]


@pytest.mark.parametrize("count", [1, 2, 3, 2111, 2112, 2113, 100_000])
def test_the_limit_of_instructions_is_exact(machine: Machine, count: int) -> None:
    stop = machine.run(max_instructions=count)
    assert (stop.reason, stop.hart, stop.status) == ("limit", 0, 124)
    assert machine.harts[0].instret == count
    machine.run(max_instructions=count)
    assert machine.harts[0].instret == 2 * count


def test_code_that_is_written_takes_effect(machine: Machine) -> None:
    machine.run(max_instructions=10_000)
    before = machine.harts[0].x[5]
    machine.memory.write(START, NOP)
    machine.run(max_instructions=10_000)
    assert machine.harts[0].x[5] == before


def test_devices_are_reached_over_the_bus(machine: Machine) -> None:
    assert machine.bus.read(0x1000_0005, 1) == 0x60
    machine.bus.write(0x1000_0007, 1, 0x5A)
    assert machine.devices["uart0"].read(7, 1) == 0x5A
    with pytest.raises(BusError):
        machine.bus.read(0x2000_0000, 4)


def test_reset_is_power_on(machine: Machine) -> None:
    machine.run(max_instructions=100)
    machine.memory.write(START, b"\0" * 8)
    machine.harts[0].set_csr("mscratch", 5)
    machine.reset()
    hart = machine.harts[0]
    assert (hart.csr("mscratch"), hart.instret, hart.x[5], hart.priv) == (0, 0, 0, 3)
    machine.run(max_instructions=1_000)
    assert hart.x[5] > 400


def test_a_console_is_fed_and_waited_for() -> None:
    with Machine.open("virt", guest(ECHO)) as machine:
        machine.start(timeout_s=60)
        machine.console.wait_for(b">", timeout_s=30)
        for text in (b"abc", b"x" * 500 + b"y"):
            machine.console.feed(text)
            assert machine.console.wait_for(text, timeout_s=30) == text
        with pytest.raises(TimeoutError) as caught:
            machine.console.wait_for("never", timeout_s=0.05)
        message, where = str(caught.value).splitlines()
        assert message == (
            "no b'never' from the guest: 0.05 s have passed; it wrote nothing more after "
            f"{machine.console.output[-200:]!r}"
        )
        assert where.startswith("hart 0: M mode, pc 0x800000"), "the machine goes on"
        assert machine.running
        machine.console.feed(b"q")
        assert machine.wait(timeout_s=30).reason == "off"
        assert machine.console.output == b">abc" + b"x" * 500 + b"y"
        with pytest.raises(TimeoutError, match="the machine stopped"):
            machine.console.wait_for(b"never")


def test_sinks_get_the_output_in_order() -> None:
    output = bytearray()
    with Machine.open("virt", guest(HELLO)) as machine:
        machine.console.sinks.append(output.extend)
        assert machine.run(timeout_s=60).status == 0
    assert output == b"hello\r\n"


def test_an_error_of_a_sink_ends_the_run_and_is_raised() -> None:
    def broken(data: bytes) -> None:
        raise RuntimeError("no room")

    with Machine.open("virt", guest(HELLO)) as machine:
        machine.console.sinks.append(broken)
        with pytest.raises(RuntimeError, match="^no room$"):
            machine.run(timeout_s=60)
        assert not machine.running
        machine.console.sinks.clear()
        machine.reset()
        assert machine.run(timeout_s=60).reason == "off"


def test_a_running_machine_is_paused_and_goes_on(machine: Machine) -> None:
    machine.start()
    hart = machine.harts[0]
    assert (machine.running, hart.state, repr(hart)) == (True, "running", "<hart 0, running>")
    with pytest.raises(RuntimeError, match="^hart 0 runs: pause the machine first$"):
        _ = hart.pc
    for call in (machine.start, machine.run, machine.reset, machine.step, machine.dump):
        with pytest.raises(RuntimeError, match="^the machine runs: pause it first$"):
            call()
    with pytest.raises(TimeoutError) as caught:
        machine.wait(timeout_s=0.01)
    message, where = str(caught.value).splitlines()
    assert message == "the machine still runs after 0.01 s"
    assert where.startswith("hart 0: M mode, pc 0x8000000")
    with pytest.raises(TimeoutError, match=r"^the machine still runs after 0 s$"):
        machine.wait(timeout_s=0)
    assert machine.pause().reason == "pause"
    first = hart.instret
    assert (hart.state, hart.x[5] > 0) == ("stopped", True)
    machine.start()
    threading.Event().wait(0.05)
    machine.pause()
    assert hart.instret > first


def test_closing_stops_it() -> None:
    machine = open_at_start(LOOP)
    machine.start()
    machine.close()
    assert not machine.running
    with pytest.raises(RuntimeError, match="^the machine was not started$"):
        open_at_start(LOOP).wait()


def test_statistics_and_dump_say_what_happened() -> None:
    with open_at_start(TRAP_LOOP) as machine:
        hart = machine.harts[0]
        hart.set_csr("mtvec", 0x4000_0000)
        machine.run(max_instructions=1_000)
        found = machine.statistics()
        assert (found.instructions, found.harts[0].traps) == (2, {"fetch access": 998})
        assert found.seconds > 0
        assert "traps of hart 0: fetch access 998\n" in found.table()
        lines = machine.dump().splitlines()
        assert lines[0] == "hart 0: M mode, pc 0x40000000: no memory is there"
        assert lines[1] == (
            "  it loops in traps: its handler at 0x40000000 (mtvec) raises fetch access itself"
        )


def test_a_dump_names_symbols_and_instructions(machine: Machine) -> None:
    machine.harts[0].x["s11"] = 0xABC
    text = machine.dump()
    assert text.startswith("hart 0: M mode, pc 0x80000000 <_start>: c.addi t0, 1\n")
    assert "s11  0000000000000abc" in text


def test_devices_that_divide_ram_too_often_are_an_error_of_one_line(tmp_path: Path) -> None:
    board = tmp_path / "carved.toml"
    devices = [
        f'[devices.h{n}]\nmodel = "htif"\nbase = {0x8010_0000 + n * 0x10000:#x}' for n in range(5)
    ]
    board.write_text("\n".join(['extends = "minimal"', *devices]))
    with pytest.raises(DeviceError) as error:
        Machine.open(str(board))
    assert str(error.value) == (
        "ram: memories, and the devices that are carved out of them, divide memory into more than "
        "8 regions: put such devices on pages side by side"
    )
