"""Real gdbs, with nothing configured, on one world."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rvplat.machine.machine import Machine

from .conftest import Serve
from .driver import Gdb


@pytest.fixture
def attached(gdb: Gdb, serve: Serve, guest: Path) -> Gdb:
    gdb.attach(serve(Machine.open("virt", program=guest)))
    return gdb


def function(stop: dict[str, object]) -> object:
    """The function in which it stopped."""
    frame = stop["frame"]
    assert isinstance(frame, dict)
    return frame["func"]


def test_symbols_come_by_themselves(attached: Gdb) -> None:
    assert "work" in attached.do("info address work")
    assert attached.value("$pc") == "(void (*)()) 0x1000"


def test_breakpoint_by_symbol(attached: Gdb) -> None:
    attached.do("break work")
    assert function(attached.go()) == "work"
    assert attached.value("n") == "1"
    assert function(attached.go()) == "work"
    assert attached.value("n") == "2"
    assert "main" in attached.do("backtrace")
    assert function(attached.go("finish")) == "main"


def test_steps_over_a_trap_and_its_return(attached: Gdb) -> None:
    """A stub that lets gdb predict the next pc loses the hart at mret."""
    attached.do("break handler")
    assert function(attached.go()) == "handler"
    seen = []
    for _ in range(12):
        attached.go("stepi")
        seen.append(attached.value("$pc"))
    assert any("<handler" in place for place in seen)
    assert any("<main" in place or "<trap" in place for place in seen)


def test_stepping_into_a_trap(attached: Gdb) -> None:
    attached.do("break handler")
    attached.go()
    address = int(attached.value("/x $mepc"), 16)
    attached.do("delete")
    attached.do(f"tbreak *{address:#x}")
    attached.go()
    attached.go("stepi")
    assert "<handler" in attached.value("$pc")


def test_lines(attached: Gdb) -> None:
    attached.do("tbreak touch")
    attached.go()
    assert attached.go("next")["reason"] == "end-stepping-range"
    assert attached.go("step")["reason"] == "end-stepping-range"


def test_condition_in_the_stub(attached: Gdb) -> None:
    attached.do("break work if n == 30000")
    began = time.monotonic()
    attached.go()
    assert time.monotonic() - began < 5
    assert (attached.value("n"), attached.value("calls")) == ("30000", "29999")


def test_registers_and_fields(attached: Gdb) -> None:
    attached.do("tbreak main")
    attached.go()
    assert attached.value("$mode") == "M"
    assert attached.value("$mstatus_fields.FS") in ("1", "3")
    attached.do("set var $a0 = 0x1234")
    assert attached.value("$a0") == "4660"
    attached.do("set var $mscratch = 77")
    assert attached.value("$mscratch") == "77"
    assert "mcause" in attached.do("info registers mcause")
    shown = attached.do("info registers")
    assert "mstatus " in shown
    assert "_fields" not in shown


def test_a_csr_is_a_number(attached: Gdb) -> None:
    attached.do("tbreak work")
    attached.go()
    attached.do("set $mstatus = $mstatus | 8")
    assert attached.value("$mstatus & 8") == "8"
    assert attached.value("$mcause == 0") == "1"
    assert attached.value("$mstatus >> 63") == "1", "a CSR has no sign"
    attached.do("set $satp = 8")
    attached.do("set $satp = 0")
    assert attached.value("$satp") == "0"
    attached.do("set $mcause = $mepc + 1")
    assert attached.value("$mcause - 1 == $mepc") == "1"
    attached.do("break work if $mcause == 0 && $mstatus & 8 && $mcause_fields.Code == 0")
    attached.do("set $mcause = 0")
    assert function(attached.go()) == "work"


def test_a_csrs_fields(attached: Gdb) -> None:
    attached.do("tbreak work")
    attached.go()
    attached.do("set $mcause = 0x8000000000000007")
    assert attached.value("$mcause_fields") == "{Code = 7, Interrupt = true}"
    attached.do("set $mcause_fields.Code = 5")
    assert attached.value("/x $mcause") == "0x8000000000000005"
    listed = attached.do("info registers csr")
    assert "mcause         0x8000000000000005\t9223372036854775813\n" in listed
    assert listed.count("\nmcause ") == 1
    assert "mstatus_fields" in attached.do("info registers fields")


def test_fields_in_the_machine_interface(attached: Gdb) -> None:
    attached.do("-var-create csr * $mcause")
    attached.do("-var-create fields * $mcause_fields")
    assert attached.machine("-var-evaluate-expression csr")["value"] == "0"
    children = attached.machine("-var-list-children --all-values fields")["children"]
    assert [(c["exp"], c["value"]) for c in children] == [("Code", "0"), ("Interrupt", "false")]
    names = attached.machine("-data-list-register-names")["register-names"]
    numbers = f"{names.index('mcause')} {names.index('mcause_fields')}"
    values = attached.machine(f"-data-list-register-values x {numbers}")["register-values"]
    assert [v["value"] for v in values] == ["0x0", "{Code = 0x0, Interrupt = 0x0}"]


def test_why_a_register_cant_be_written(attached: Gdb) -> None:
    with pytest.raises(RuntimeError, match="mhartid is read-only"):
        attached.do("set var $mhartid = 4")


def test_reset_by_monitor(attached: Gdb) -> None:
    """gdb isn't told of the reset, so the command says how to make gdb look."""
    attached.do("break work")
    attached.go()
    attached.do("monitor reset")
    attached.do(attached.output.strip().rpartition(": ")[2])
    assert attached.value("$pc") == "(void (*)()) 0x1000"
    assert function(attached.go()) == "work"
    assert attached.value("n") == "1"


def test_memory(attached: Gdb) -> None:
    attached.do("tbreak work if n == 200")
    attached.go()
    assert attached.value("rounds") == "199"
    attached.do("set var rounds = 5")
    assert attached.value("rounds") == "5"
    assert attached.value("busy[3]") == "195"
    with pytest.raises(RuntimeError, match="Cannot access memory"):
        attached.do("x/x 0x10000000")
    attached.do("monitor devices on")
    assert attached.do("x/1xb 0x10000005")


def test_watchpoint(attached: Gdb) -> None:
    attached.do("watch quiet_word")
    assert attached.go()["reason"] == "watchpoint-trigger"
    assert attached.value("quiet_word") == "1000"
    attached.go()
    assert attached.value("quiet_word") == "2000"


@pytest.mark.parametrize("step", ["next", "stepi"])
def test_watchpoint_while_stepping(attached: Gdb, step: str) -> None:
    """gdb is told before the store, and removes the watchpoint to step over it."""
    attached.do("tbreak touch if n == 1000")
    attached.go()
    attached.do("watch quiet_word")
    for _ in range(30):
        reason = attached.go(step)["reason"]
        if reason != "end-stepping-range":
            break
        assert attached.value("quiet_word") == "0"
    assert (reason, attached.value("quiet_word")) == ("watchpoint-trigger", "1000")


def test_read_watchpoint(attached: Gdb) -> None:
    attached.do("rwatch calls")
    assert attached.go()["reason"] == "read-watchpoint-trigger"


def test_agent_dprintf(attached: Gdb) -> None:
    attached.do("set dprintf-style agent")
    attached.do(r'dprintf work,"work(%ld)\n", n')
    attached.do("tbreak touch if n == 3")
    attached.stops.clear()
    attached.do("continue")
    attached.wait()
    assert attached.value("n") == "3"


def test_write_to_code_takes_effect(attached: Gdb) -> None:
    attached.do("tbreak work if n == 10")
    attached.go()
    attached.go("finish")
    attached.do("set var *(unsigned short *) work = 0x8082")  # ret
    attached.do("break touch")
    before = attached.value("calls")
    attached.go()
    attached.go()
    assert attached.value("calls") == before


def test_breakpoint_where_nothing_is(attached: Gdb) -> None:
    attached.do("break *0x4000")
    attached.do("tbreak work")
    assert function(attached.go()) == "work"


def test_interrupt(attached: Gdb) -> None:
    attached.do("continue &")
    time.sleep(0.3)
    began = time.monotonic()
    attached.stops.clear()
    attached.do("-exec-interrupt")
    assert attached.wait()["signal-name"] in ("SIGINT", "0")
    assert time.monotonic() - began < 1


def test_detach_and_attach_again(gdb: Gdb, serve: Serve, guest: Path) -> None:
    port = serve(Machine.open("virt", program=guest))
    gdb.attach(port)
    gdb.do("break work")
    gdb.go()
    gdb.do("detach")
    time.sleep(0.2)
    gdb.attach(port)
    assert int(gdb.value("rounds")) > 100
    gdb.do("delete")


def test_attaching_to_what_was_let_go(gdb: Gdb, serve: Serve, guest: Path) -> None:
    """By the same connection: the board has run meanwhile, and stops."""
    gdb.attach(serve(Machine.open("virt", program=guest)), extended=True)
    gdb.do("tbreak work")
    gdb.go()
    gdb.do("detach")
    time.sleep(0.2)
    gdb.go("attach 1")
    assert int(gdb.value("rounds")) > 100
    gdb.do("tbreak work")
    assert function(gdb.go()) == "work"


def test_run_again(gdb: Gdb, serve: Serve, guest: Path) -> None:
    gdb.attach(serve(Machine.open("virt", program=guest)), extended=True)
    gdb.do("tbreak work")
    gdb.go()
    gdb.do("break main")
    assert function(gdb.go("run")) == "main"
    assert gdb.value("rounds") == "0"


def test_the_guest_ends(attached: Gdb) -> None:
    attached.do("tbreak main")
    attached.go()
    attached.do("set var limit = 3")
    assert attached.go()["reason"] == "exited-normally"


def test_monitor(attached: Gdb) -> None:
    assert "worlds" in attached.do("monitor help")
    assert "1: host: hart 0" in attached.do("monitor worlds")
    with pytest.raises(RuntimeError, match='did you mean "reset"|Protocol error'):
        attached.do("monitor rest")


def test_searching(attached: Gdb) -> None:
    attached.do("tbreak work if n == 70")
    attached.go()
    assert "1 pattern found" in attached.do("find /g1 &busy[0], &busy[63], 65")
