"""gdb's vector registers (`org.gnu.gdb.riscv.vector`), with named element types."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat.machine.machine import Machine

from .conftest import Serve
from .driver import Gdb


@pytest.fixture
def machine(guest: Path) -> Machine:
    return with_vectors(guest, "rv64gcvh", 256, int.from_bytes(bytes(range(32)), "little"))


def test_elements_of_every_type(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    gdb.attach(serve(machine))
    assert gdb.value("$v8.b[31]") == "31"
    assert gdb.value("/x $v8.s[1]") == "0x302"
    assert gdb.value("/x $v8.w[7]") == "0x1f1e1d1c"
    assert gdb.value("/x $v8.l[0]") == "0x706050403020100"
    assert gdb.value("/x $v8.q[1]") == "0x1f1e1d1c1b1a19181716151413121110"
    assert gdb.value("sizeof($v8)") == "32"
    assert gdb.value("sizeof($v8.f) / sizeof($v8.f[0])") == "8"


def with_vectors(guest: Path, isa: str, vlen: int, v8: int) -> Machine:
    """A machine whose v8 has a value."""
    machine = Machine.open("virt", guest, settings={"harts.isa": isa, "harts.vlen": vlen})
    machine.harts[0].v[8] = v8
    return machine


def test_halves_are_elements_if_vectors_have_them(gdb: Gdb, serve: Serve, guest: Path) -> None:
    machine = with_vectors(guest, "rv64gcv_zvfhmin", 256, 0xC100 << 32 | 0x3E00 << 16)
    gdb.attach(serve(machine))
    assert gdb.value("$v8.h[1]") == "1.5"
    assert gdb.value("$v8.h[2]") == "-2.5"
    assert gdb.value("sizeof($v8.h) / sizeof($v8.h[0])") == "16"
    gdb.do("set $v9.h[15] = 3.0")
    assert machine.harts[0].v["v9"] == 0x4200 << 240


def test_bfloats_are_elements_if_vectors_have_them(gdb: Gdb, serve: Serve, guest: Path) -> None:
    machine = with_vectors(guest, "rv64gcv_zvfbfmin", 128, 0xC020 << 32 | 0x3FC0 << 16)
    gdb.attach(serve(machine))
    assert gdb.value("$v8.bf[1]") == "1.5"
    assert gdb.value("$v8.bf[2]") == "-2.5"
    assert gdb.value("sizeof($v8.bf) / sizeof($v8.bf[0])") == "8"


def test_without_zvfhmin_there_are_no_halves(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    gdb.attach(serve(machine))
    with pytest.raises(RuntimeError, match="no member named h"):
        gdb.value("$v8.h[1]")


def test_an_element_is_written(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    gdb.attach(serve(machine))
    gdb.do("set $v9.d[1] = 1.5")
    assert machine.harts[0].v["v9"] == 0x3FF8_0000_0000_0000 << 64
    assert gdb.value("$v9.d[1]") == "1.5"
    assert "v9" in gdb.do("info registers vector")


def test_vector_csrs(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    machine.harts[0].set_csr("mstatus.VS", 3)
    gdb.attach(serve(machine))
    assert gdb.value("$vlenb") == "32"
    assert gdb.value("/x $vtype") == "0x8000000000000000"


def test_a_hart_without_vectors_has_no_vector_registers(
    gdb: Gdb, serve: Serve, guest: Path
) -> None:
    without = Machine.open("virt", program=guest, settings={"harts.isa": "rv64gch"})
    gdb.attach(serve(without))
    assert gdb.value("$v8") == "void"
