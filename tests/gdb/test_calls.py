"""Functions that gdb calls in the host and in a guest, `finish` and `return`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rvplat.cli.build import symbol_files
from rvplat.guests import hypervisor_elf
from rvplat.machine.machine import Machine

from .conftest import Serve
from .driver import Gdb
from .guest_build import build_guest


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("ziglang")
    return build_guest(tmp_path_factory.mktemp("calls"), "calls")


@pytest.fixture
def host(gdb: Gdb, serve: Serve, program: Path) -> Gdb:
    """Stopped in `work`, in S mode, on a stack that isn't executable."""
    gdb.attach(serve(Machine.open("virt", program=program)))
    gdb.do("tbreak work")
    gdb.go()
    return gdb


def test_calls(host: Gdb) -> None:
    before = [host.value(f"${name}") for name in ("pc", "sp", "ra", "mstatus", "priv", "fcsr")]
    assert host.value("f(6)") == "720"
    assert host.value("f(5) + work(1)") == "122"
    assert host.value("half(3.0)") == "1.5"
    after = [host.value(f"${name}") for name in ("pc", "sp", "ra", "mstatus", "priv", "fcsr")]
    assert after == before


def test_a_text_is_allocated(host: Gdb) -> None:
    assert host.value('s = "text"').endswith('"text"')
    assert host.value("s").endswith('"text"')


def test_a_call_leaves_floating_point_off(host: Gdb) -> None:
    host.do("set $mstatus_fields.FS = 0")
    before = host.value("$mstatus")
    assert host.value("f(6)") == "720"
    assert host.value("$mstatus") == before


def test_a_breakpoint_in_what_is_called(host: Gdb) -> None:
    host.do("break f if n == 3")
    with pytest.raises(RuntimeError, match="stopped while in a function called from GDB"):
        host.do("print f(4)")
    assert host.value("n") == "3"
    assert "<function called from gdb>" in host.do("backtrace")
    assert host.go("finish")["gdb-result-var"]
    assert host.value("n") == "4"
    host.do("delete")
    host.go()  # the call ends, and gdb stops silently where it began
    assert "work" in host.do("frame")
    assert host.value("f(3)") == "6"


def test_finish_and_return(host: Gdb) -> None:
    host.do("tbreak f if n == 2")
    with pytest.raises(RuntimeError, match="stopped while in a function called from GDB"):
        host.do("print f(4)")
    host.do("return 5")
    assert host.value("n") == "3"
    stop = host.go("finish")
    assert stop["return-value"] == "15"


def test_a_breakpoint_comes_before_the_fault_of_its_fetch(host: Gdb) -> None:
    """No page table has the address. A condition that loads from such an address is an error, which
    stops the hart."""
    host.do("break *0xc0000000 if *(long *) 0xd0000000 == 0")
    with pytest.raises(RuntimeError, match="stopped while in a function called from GDB"):
        host.do("print ((long (*)(void)) 0xc0000000)()")
    assert host.value("$pc").startswith("(void (*)()) 0xc0000000")
    host.do("delete")
    host.do("tbreak unexpected_trap")
    host.go()
    assert (host.value("cause"), host.value("/x pc")) == ("12", "0xc0000000")


def test_calls_in_a_guest(gdb: Gdb, serve: Serve) -> None:
    machine = Machine.open("virt", program=hypervisor_elf())
    files = symbol_files([], hypervisor_elf())
    machine.software = replace(machine.software, symbol_files=files)
    gdb.attach(serve(machine), extended=True)
    gdb.do("tbreak trap_from_guest")
    gdb.go()
    gdb.do("add-inferior")
    gdb.do("inferior 2")
    gdb.go("attach 2")
    gdb.do("tbreak guest_fibonacci")
    gdb.go()
    before = [gdb.value(f"${name}") for name in ("pc", "sp", "vmid", "satp")]
    assert gdb.value("guest_fibonacci(10)") == "55"
    assert gdb.value("guest_fibonacci(20)") == "6765"
    assert [gdb.value(f"${name}") for name in ("pc", "sp", "vmid", "satp")] == before
    assert gdb.go("finish")["return-value"] == "2880067194370816120"
