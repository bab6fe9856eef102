"""Resumable non-maskable interrupts from devices, from Python and from gdb's monitor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.bus import RNMI, Device, Register, native
from rvplat.errors import BoardError
from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.lang import u32
from tests.machine.small_guests import LOOP, guest

ISA = "rv64imac_zicsr_smrnmi"
BELL, START = 0x1100_0000, 0x8000_0000
#: Rings the bell that a1 names, with interrupts disabled; the handler counts in a0, and returns.
RINGS = """
  la t0, 2f
  csrw mtvec, t0
  csrsi 0x744, 8
  li t0, 0x11000000
  add t0, t0, a1
  li t1, 5
  sw t1, 0(t0)
1: j 1b
  .balign 4
2: addi a0, a0, 1
  csrr a2, 0x742
  csrr a3, 0x741
  sw zero, 0(t0)
  .word 0x70200073
"""


class Bell(Device):
    """Drives RNMIs of hart 0 by their causes, in Python and natively."""

    model = "bell"
    size = 0x1000
    registers = (Register(0x0, "PLAIN", "CAUSE[31:0]"), Register(0x4, "QUICK", "CAUSE[31:0]"))

    plain: int
    quick: u32

    def write_plain(self, value: int) -> None:
        """Raise the RNMI with a cause, or lower it."""
        self.wiring.set_hart_line(0, RNMI + (value or self.plain), value != 0)
        self.plain = value

    @native
    def write_quick(self, value: u32) -> None:
        """The same in the definition language."""
        self.set_hart_line(0, RNMI + 5, value != 0)
        self.quick = value


PLUGIN = f"""
from {__name__} import Bell
from rvplat.hookspecs import hookimpl

@hookimpl
def rvplat_devices():
    return [Bell]
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine with the bell, whose hart loops once it has rung one."""
    plugin = tmp_path / "bell.py"
    plugin.write_text(PLUGIN)
    with Machine.open(
        "spike", guest(RINGS), plugin_paths=[plugin],
        settings={"harts.isa": ISA, "devices.bell.model": "bell", "devices.bell.base": BELL},
    ) as found:  # fmt: skip
        hart = found.harts[0]
        hart.pc, hart.x["a1"] = START, 0
        yield found


@pytest.mark.parametrize("register", [0, 4])
def test_a_device_drives_rnmis(machine: Machine, register: int) -> None:
    hart = machine.harts[0]
    hart.x["a1"] = register
    machine.step(1000)
    assert (hart.x["a0"], hart.x["a2"]) == (1, 1 << 63 | 5)
    assert hart.csr("mnstatus.NMIE") == 1 and hart.pc == hart.x["a3"]


def test_python_raises_one(machine: Machine) -> None:
    hart = machine.harts[0]
    machine.step(1000)
    hart.raise_rnmi(9)
    machine.step(1000)
    assert (hart.x["a0"], hart.x["a2"]) == (2, 1 << 63 | 9)
    with pytest.raises(ValueError, match="cause"):
        hart.raise_rnmi(64)


def test_the_monitor_raises_one(machine: Machine) -> None:
    machine.step(1000)
    target = MonitoredTarget(machine)
    target.monitor(Thread(1, 1), "rnmi 3", print)
    with pytest.raises(GdbError, match="CAUSE is 0 to 63, not 64"):
        target.monitor(Thread(1, 1), "rnmi 64", print)
    target.close()
    machine.step(1000)
    assert machine.harts[0].x["a2"] == 1 << 63 | 3


def test_a_hart_without_it_has_none() -> None:
    none = pytest.raises(LookupError, match="hart 0 has no Smrnmi")
    with Machine.open("virt", guest(LOOP)) as plain, none:
        plain.harts[0].raise_rnmi()


def test_a_board_says_where_the_handlers_are(tmp_path: Path) -> None:
    """An exception before NMIE is set, and then an RNMI."""
    settings = {
        "harts.isa": ISA, "harts.rnmi_handler": 0x8000_0100,
        "harts.rnmi_exception_handler": 0x8000_0200,
    }  # fmt: skip
    source = "  .word 0\n  .org 0x200, 0\n  csrsi 0x744, 8\n1: j 1b\n"
    with Machine.open("spike", guest(source), settings=settings) as found:
        hart = found.harts[0]
        hart.pc = START
        found.step(1)
        assert (hart.pc, hart.csr("mcause")) == (0x8000_0200, 2)
        found.step(1)
        hart.raise_rnmi()
        found.step(1)
        assert hart.csr("mnepc") == 0x8000_0204
        assert hart.pc == 0x8000_0200, "the RNMI's handler has no code: its exception"
        assert (hart.csr("mcause"), hart.csr("mepc")) == (2, 0x8000_0100)


def test_addresses_of_handlers_are_checked(tmp_path: Path) -> None:
    board = tmp_path / "wrong.toml"
    board.write_text(
        f'extends = "spike"\n[harts]\nisa = "{ISA}"\ncount = 2\nrnmi_handler = 0x8000_0002\n'
        '[harts.1]\nisa = "rv64imac_zicsr"\nrnmi_exception_handler = 0x8000_0000\n'
    )
    with pytest.raises(BoardError) as caught:
        Machine.open(board)
    said = str(caught.value)
    assert "5: harts.rnmi_handler: found 0x80000002, expected a multiple of 4" in said
    expected = "expected no rnmi_exception_handler, or smrnmi in harts.isa"
    assert f"8: harts.1.rnmi_exception_handler: found 0x80000000, {expected}" in said
