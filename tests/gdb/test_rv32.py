"""gdb on a board whose harts are RV32."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat.machine.machine import Machine
from tests.machine.test_rv32 import ARITHMETIC, BASE, TOHOST, store, write

from .conftest import Serve
from .driver import Gdb


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    program = write(tmp_path, [*ARITHMETIC, *store(TOHOST, 1)])
    settings = {"harts.isa": "rv32imafdch_zicsr_zicntr"}
    return Machine.open("spike", program=program, settings=settings)


def test_the_architecture_and_its_registers(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    gdb.attach(serve(machine))
    assert "riscv:rv32" in gdb.do("show architecture")
    assert gdb.value("sizeof($a0)") == gdb.value("sizeof($pc)") == "4"
    assert gdb.value("sizeof($fa0)") == "8"
    gdb.do("set $a5 = -2")
    assert machine.harts[0].x["a5"] == 0xFFFF_FFFE
    assert gdb.value("$a5") == "-2"
    gdb.do(f"set $pc = {BASE + 8}")
    assert machine.harts[0].pc == BASE + 8


def test_steps_and_breakpoints(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    gdb.attach(serve(machine))
    gdb.go("stepi")
    assert gdb.value("/x $a0") == "0xffffffff"
    gdb.do(f"break *{BASE + 16} if $a2 == -2")
    gdb.go()
    assert gdb.value("/x $pc") == hex(BASE + 16)
    assert "csrr" in gdb.do("x/i $pc")


def test_csrs_have_32_bits_and_high_halves(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    gdb.attach(serve(machine))
    assert gdb.value("sizeof($misa)") == "4"
    assert gdb.value("$misa_fields.MXL") == "1"
    gdb.do("set $mstatush = 0x80")
    assert gdb.value("$mstatush_fields.MPV") == "true"
    gdb.do("set $satp = 0x80080002")
    assert gdb.value("/x $satp") == "0x80080002"
    assert gdb.value("$satp_fields.MODE") == "true"
    assert gdb.value("/x $satp_fields.PPN") == "0x80002"
    gdb.do("set $htimedeltah = 7")
    assert machine.harts[0].csr("htimedeltah") == 7


def test_the_report_of_a_hart_has_eight_digits(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    gdb.attach(serve(machine))
    gdb.go("stepi")
    text = gdb.do("monitor info registers")
    assert "a0   ffffffff" in text


def test_vector_registers(gdb: Gdb, serve: Serve, tmp_path: Path) -> None:
    program = write(tmp_path, [*ARITHMETIC, *store(TOHOST, 1)])
    machine = Machine.open("spike", program=program, settings={"harts.isa": "rv32gcv"})
    machine.harts[0].v[8] = int.from_bytes(bytes(range(16)), "little")
    gdb.attach(serve(machine))
    assert gdb.value("/x $v8.w[3]") == "0xf0e0d0c"
    assert gdb.value("sizeof($v8)") == "16"
    assert gdb.value("/x $vtype") == "0x80000000"
