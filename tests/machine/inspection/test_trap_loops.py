"""Harts whose trap handler only raises the next trap: the warning, and what is no such loop."""

from __future__ import annotations

import logging
import threading

import pytest

from rvplat import Machine
from rvplat.machine.inspection.trap_loops import MANY, trap_loop
from tests.machine.small_guests import LOOP, TRAP_LOOP, guest

AFTER_ILLEGAL = (
    "hart 0 loops in traps: after illegal instruction at 0x80000000 its handler at 0x0 (mtvec) "
    "raises fetch access itself"
)
LACKS = "which the harts lack: --set harts.isa=rv64imafdc"
#: Enter another mode at 1:, with all exceptions delegated to it.
LEAVE_M = """
  la t0, 1f
  csrw mepc, t0
  li t0, -1
  csrw medeleg, t0
  csrw hedeleg, t0
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
  li t0, {status}
  csrw mstatus, t0
  mret
1: {text}
"""
S_MODE, VS_MODE = "1 << 11", "1 << 39 | 1 << 11"
#: The handler pushes registers to a stack that is no memory.
BAD_STACK = """
  la t0, handler
  csrw mtvec, t0
  li sp, 0x100000000
  sd ra, -16(sp)
  .balign 4
handler: addi sp, sp, -16
  sd ra, 0(sp)
"""
#: Each load of the loop faults; the handler goes on behind it, without mret.
PROBE = """
  la t0, 2f
  csrw mtvec, t0
  li a0, 3000
1: ld t1, 0(zero)
  .balign 4
2: addi a0, a0, -1
  bnez a0, 1b
3: j 3b
"""
#: M mode calls itself, and goes on.
CALLS = """
  la t0, 2f
  csrw mtvec, t0
1: ecall
  j 1b
  .balign 4
2: csrr t0, mepc
  addi t0, t0, 4
  csrw mepc, t0
  mret
"""


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def run(source: str, board: str = "virt", count: int = 1000, pmp_entries: int = 16) -> Machine:
    """A machine after a run of `count` instructions."""
    machine = Machine.open(board, guest(source), settings={"harts.pmp_entries": pmp_entries})
    machine.run(max_instructions=count)
    return machine


@pytest.mark.parametrize(
    ("board", "text", "hint"),
    [
        (
            "minimal", ".4byte 0x20b54533",
            f"0x20b54533 is `sh2add a0, a0, a1` of Zba, {LACKS}_zicntr_zicsr_zifencei_zba "
            "enables it",
        ),
        (
            "minimal", ".4byte 0x62000073",
            f"0x62000073 is `hfence.gvma zero, zero` of H, {LACKS}h_zicntr_zicsr_zifencei "
            "enables it",
        ),
        (
            "minimal", "csrr a0, 0x14d",
            f"0x14d02573 is `csrrs a0, stimecmp, zero`, a CSR of Sstc, {LACKS}_zicntr_zicsr_"
            "zifencei_sstc enables it",
        ),
        (
            "virt", "csrr a0, 0x5c0",
            "0x5c002573 is `csrrs a0, 0x5c0, zero`: rvplat has no CSR 0x5c0",
        ),
        (
            "virt", "csrw mhartid, a0",
            "0xf1451073 is `csrrw zero, mhartid, a0`: the CSR is read-only, or not accessible in "
            "this mode or state",
        ),
        (
            "virt", ".4byte 0x02b57553",
            "0x02b57553 is `fadd.d fa0, fa0, fa1`: floating point is off: software has to set "
            "mstatus.FS first",
        ),
        (
            "virt", ".4byte 0x0d007057",
            "0x0d007057 is `vsetvli zero, zero, e32, m1, ta, ma`: vectors are off: software has to "
            "set mstatus.VS first",
        ),
        (
            "virt", ".4byte 0xac007057",
            "0xac007057 is no instruction that rvplat knows; its opcode is OP-V",
        ),
        (
            "virt", ".4byte 0",
            "0x0000 is all zeros, which is never an instruction: no code is there",
        ),
    ],
)  # fmt: skip
def test_an_illegal_instruction_without_a_handler(
    caplog: pytest.LogCaptureFixture, board: str, text: str, hint: str
) -> None:
    with run(text, board):
        assert warnings(caplog) == [f"{AFTER_ILLEGAL}\n  {hint}"]


def test_an_extension_that_another_key_enables(caplog: pytest.LogCaptureFixture) -> None:
    with run("csrw pmpaddr0, a0", pmp_entries=0):
        assert warnings(caplog)[0].endswith(
            "is `csrrw zero, pmpaddr0, a0`, a CSR of Smpmp, which the harts lack: "
            "harts.pmp_entries enables it"
        )


def test_a_fault_without_a_handler(caplog: pytest.LogCaptureFixture) -> None:
    with run(TRAP_LOOP):
        assert warnings(caplog)[0].endswith(
            "(mtvec) raises fetch access itself\n  mtvec is 0: the software has set no trap handler"
        )


@pytest.mark.parametrize(("status", "csr"), [(S_MODE, "stvec"), (VS_MODE, "vstvec")])
def test_other_modes(caplog: pytest.LogCaptureFixture, status: str, csr: str) -> None:
    with run(LEAVE_M.format(status=status, text=".4byte 0")) as machine:
        first = machine.harts[0].csr("mepc")
        assert warnings(caplog) == [
            f"hart 0 loops in traps: after illegal instruction at {first:#x} its handler at 0x0 "
            f"({csr}) raises fetch access itself\n"
            "  0x0000 is all zeros, which is never an instruction: no code is there"
        ]


def test_an_instruction_of_another_mode(caplog: pytest.LogCaptureFixture) -> None:
    source = LEAVE_M.replace("csrw medeleg, t0", "").format(status=S_MODE, text="mret")
    with run(source):
        assert warnings(caplog)[0].endswith(
            "\n  0x30200073 is `mret`: it is illegal in this mode or state"
        )


def test_a_handler_with_a_bad_stack(caplog: pytest.LogCaptureFixture) -> None:
    with run(BAD_STACK, count=3 * MANY) as machine:
        handler = machine.harts[0].csr("mtvec")
        assert warnings(caplog) == [
            f"hart 0 loops in traps: after store access at {handler - 4:#x} its handler at "
            f"{handler:#x} (mtvec) raises store access itself at {handler + 2:#x}"
        ]


def test_the_warning_comes_once_and_while_the_machine_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    came = threading.Event()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            came.set()

    handler = Handler()
    logging.getLogger("rvplat.machine").addHandler(handler)
    try:
        with Machine.open("virt", guest(".4byte 0"), harts=2) as machine:
            machine.start()
            assert came.wait(60)
            assert machine.running
            machine.pause()
            machine.run(max_instructions=1000)
            machine.reset()
            machine.run(max_instructions=1000)
            assert len(warnings(caplog)) == 1
    finally:
        logging.getLogger("rvplat.machine").removeHandler(handler)


def test_a_run_ends_after_its_warning() -> None:
    """The command printed that the time is up before the warning that came first."""
    began, ended, order = threading.Event(), threading.Event(), []

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            began.set()
            ended.wait(1)
            order.append("warning")

    handler = Slow()
    logging.getLogger("rvplat.machine").addHandler(handler)
    try:
        with Machine.open("virt", guest(".4byte 0")) as machine:
            machine.start()
            assert began.wait(60)
            machine.pause()
            order.append("end")
            ended.set()
        assert order == ["warning", "end"]
    finally:
        logging.getLogger("rvplat.machine").removeHandler(handler)


@pytest.mark.parametrize("source", [LOOP, CALLS, PROBE])
def test_what_is_no_loop(caplog: pytest.LogCaptureFixture, source: str) -> None:
    with run(source, count=1_000_000) as machine:
        assert trap_loop(machine.harts[0]) is None
        assert warnings(caplog) == []


def test_a_loop_that_was_left(caplog: pytest.LogCaptureFixture) -> None:
    with run(".4byte 0\n1: j 1b") as machine:
        hart = machine.harts[0]
        assert trap_loop(hart) is not None
        hart.pc = 0x8000_0004
        machine.run(max_instructions=1_000_000)
        assert trap_loop(hart) is None
        assert "loops" not in machine.dump()
