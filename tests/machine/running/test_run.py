"""Runs: why they end, harts that sleep and wake, time, resets, traces, signatures."""

import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine, Stop
from rvplat.bus import Device, Power
from rvplat.errors import HostError, LoaderError, RunFailed
from tests.dtc import environment
from tests.lockstep.spike import executable
from tests.machine.small_guests import (
    ECHO_ASLEEP,
    FAIL,
    HELLO,
    LOOP,
    PING,
    POWER_OFF,
    RESET,
    TICKS,
    TOHOST,
    WAIT,
    WFI_ROUNDS,
    guest,
)

VIRTUAL = {"clock": "virtual"}
HARTS_2: dict[str, Any] = {"harts.count": 2}


def open_guest(source: str, board: str = "virt", /, **settings: object) -> Machine:
    return Machine.open(board, guest(source), settings=settings)


def run(
    source: str,
    board: str = "virt",
    timeout_s: float = 60,
    settings: Mapping[str, object] | None = None,
) -> Stop:
    with Machine.open(board, guest(source), settings=settings or {}) as machine:
        return machine.run(timeout_s=timeout_s)


# --- ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, VIRTUAL])
def test_the_guest_ends_it(settings: dict[str, Any]) -> None:
    assert run(HELLO, settings=settings).status == 0
    stop = run(FAIL, settings=settings)
    assert (stop.reason, stop.code, stop.status) == ("fail", 7, 7)
    assert str(stop) == "the guest says that it failed, code 7"


@pytest.mark.parametrize("code", [0, 1, 42, 256])
def test_tohost_ends_it(code: int) -> None:
    stop = run(TOHOST.format(value=code << 1 | 1), "spike")
    assert (stop.reason, stop.code) == ("off", code)
    assert stop.status == (code if code < 256 else 1), "a failure stays one"


@pytest.mark.parametrize("settings", [{}, VIRTUAL, {"harts.count": 4}])
def test_the_time_is_up(settings: dict[str, Any]) -> None:
    began = time.monotonic()
    stop = run(LOOP, timeout_s=0.3, settings=settings)
    assert (stop.reason, stop.status) == ("timeout", 124)
    assert 0.3 <= time.monotonic() - began < 10


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, VIRTUAL, {"harts.count": 3}])
def test_a_machine_that_nothing_can_wake_says_so(settings: dict[str, Any]) -> None:
    stop = run(WAIT, settings=settings)
    assert (stop.reason, stop.status) == ("idle", 124)
    assert str(stop) == "every hart waits for an interrupt, and nothing can raise one"


@pytest.mark.slow
def test_a_machine_that_input_may_wake_is_not_given_up() -> None:
    with open_guest(ECHO_ASLEEP) as machine:
        machine.start()
        machine.console.wait_for(b">", timeout_s=30)
        with pytest.raises(TimeoutError):
            machine.wait(timeout_s=1.5)
        began = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - began < 0.2, "asleep, it uses no host processor"
        machine.console.feed(b"z")
        machine.console.wait_for(b"z", timeout_s=30)
        time.sleep(0.5)  # until it sleeps again
        machine.pause()
        assert machine.harts[0].state == "waiting"
        machine.start()
        machine.console.feed(b"q")
        assert machine.wait(timeout_s=30).reason == "off"


def test_a_reset_by_the_guest_begins_anew() -> None:
    with open_guest(RESET) as machine:
        assert machine.run(timeout_s=60).reason == "off"
        assert machine.memory.read_int(0x8010_0000, 4) == 2
        assert machine.statistics().instructions > machine.harts[0].instret
    with open_guest(RESET) as machine:
        assert machine.run(timeout_s=60, restart=False).reason == "reset"


def test_instructions_count_across_a_reset() -> None:
    with open_guest(RESET) as machine:
        assert machine.run(timeout_s=60, max_instructions=30).reason in ("limit", "off")
        assert machine.statistics().instructions <= 30


def test_nothing_runs_on_after_the_power_is_off() -> None:
    after = "  li t0, TEST\n  li t1, 0x5555\n  sw t1, 0(t0)\n  li x31, 1\n1: j 1b\n"
    with open_guest(after) as machine:
        machine.run(timeout_s=60)
        assert machine.harts[0].x[31] == 0


# --- harts that sleep ---------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, VIRTUAL])
def test_timers_wake_at_their_time(settings: dict[str, Any]) -> None:
    assert run(TICKS.format(count=300, ticks=1000), settings=settings).status == 0


@pytest.mark.parametrize("settings", [{}, VIRTUAL, {"harts.count": 2}])
def test_no_instruction_runs_between_wfi_and_the_trap(settings: dict[str, Any]) -> None:
    assert run(WFI_ROUNDS.format(count=2000), settings=settings).reason == "off"


@pytest.mark.parametrize("settings", [{}, VIRTUAL])
def test_no_wake_up_between_harts_is_lost(settings: dict[str, Any]) -> None:
    stop = run(PING.format(count=1000), settings={"harts.count": 2, **settings})
    assert stop.reason == "off"


def test_a_sleeping_machine_can_be_stopped_at_once() -> None:
    with open_guest(WAIT, **HARTS_2) as machine:
        machine.start()
        time.sleep(0.2)
        began = time.monotonic()
        machine.pause()
        assert time.monotonic() - began < 5


# --- the virtual clock --------------------------------------------------------------------------


def test_virtual_time_jumps_when_all_wait() -> None:
    began = time.monotonic()
    hour = 36_000_000_000
    assert run(TICKS.format(count=3, ticks=hour), settings=VIRTUAL).status == 0
    assert time.monotonic() - began < 30


def test_virtual_time_is_one_however_it_is_read() -> None:
    source = (
        """
      li s0, MTIME
      li s1, 2000
    1: rdtime t0
      ld t1, 0(s0)
      rdtime t2
      bltu t1, t0, 2f
      bltu t2, t1, 2f
      addi s1, s1, -1
      bnez s1, 1b
    """
        + POWER_OFF
        + "2: j 2b\n"
    )
    assert run(source, settings=VIRTUAL).status == 0
    assert run(source).status == 0
    for hz in (32_768, 1_000_000, 24_000_000):
        assert run(source, settings={"timebase_hz": hz}).status == 0


def trace_of(
    folder: Path,
    name: str,
    source: str,
    settings: Mapping[str, object],
    board: str = "virt",
    **options: Any,
) -> str:
    path = folder / name
    with Machine.open(board, guest(source), settings=settings) as machine:
        machine.run(timeout_s=120, trace=path, **options)
    return path.read_text()


def test_the_same_run_gives_the_same_trace(tmp_path: Path) -> None:
    settings = {**VIRTUAL, "harts.count": 3}
    source = PING.format(count=40)
    first, second = (trace_of(tmp_path, n, source, settings) for n in ("a", "b"))
    assert first == second
    assert len(first.splitlines()) > 700
    assert "core   2: 3 " in first


def test_untraced_runs_are_the_same_too() -> None:
    ends = set()
    for _ in range(3):
        with open_guest(PING.format(count=100), clock="virtual", **HARTS_2) as machine:
            machine.run(timeout_s=60)
            ends.add(tuple((hart.instret, hart.csr("mcycle"), hart.pc) for hart in machine.harts))
    assert len(ends) == 1


# --- traces and signatures ----------------------------------------------------------------------

TRACED = """
  la t1, buffer
  li t2, 0x1122334455667788
  sd t2, 0(t1)
  lw t3, 0(t1)
  lbu zero, 3(t1)
  sh t2, 8(t1)
  amoadd.w t4, t2, (t1)
  lr.d t5, (t1)
  sc.d t6, t2, (t1)
  sc.d t6, t2, (t1)
  li a0, 0x2000
  csrs mstatus, a0
  fld fa0, 0(t1)
  fmv.d.x fa1, t2
  fsd fa1, 16(t1)
  fsw fa1, 24(t1)
  fcvt.d.l fa2, a0
  fdiv.d fa3, fa2, fa1
  csrw fcsr, zero
  csrrwi a1, fflags, 3
  csrr a2, mstatus
  la a3, 1f
  csrw mtvec, a3
  csrw mepc, a3
  csrw mscratch, a0
  csrsi mscratch, 5
  c.addi a0, 1
  csrw pmpaddr0, a0
  ecall
.align 2
1: csrr a4, mcause
  la a5, 2f
  csrw mepc, a5
  mret
2:
"""


def test_a_trace_is_spikes(tmp_path: Path) -> None:
    source = TRACED + TOHOST.format(value=1) + "\n.data\n.align 4\nbuffer: .zero 64\n"
    ours = trace_of(tmp_path, "trace", source, {}, "spike").splitlines()
    log = tmp_path / "spike.log"
    isa = "--isa=rv64imafdc_zicsr_zifencei"
    command = [executable(), "--log-commits", f"--log={log}", isa, str(guest(source))]
    subprocess.run(command, timeout=60, check=True, env=environment())
    theirs = [line for line in log.read_text().splitlines() if " 0x0000000080" in line]
    start = next(n for n, line in enumerate(theirs) if re.match(r"core   0: 3 0x00000000800", line))
    theirs = theirs[start:]
    assert ours == theirs[: len(ours)]


def test_a_trace_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with open_guest(LOOP) as machine, pytest.raises(HostError) as caught:
        machine.run(trace=tmp_path / "no" / "trace")
    assert str(caught.value) == f"{tmp_path}/no/trace: No such file or directory"


def test_the_signature_is_words_of_hex() -> None:
    with open_guest(TOHOST.format(value=1), "spike") as machine:
        machine.run(timeout_s=60)
        assert machine.signature() == "55667788\n11223344\n0000cafe\n"
    with open_guest(LOOP) as machine, pytest.raises(LoaderError) as caught:
        machine.signature()
    message = "no symbol begin_signature and no end_signature, no signature"
    assert str(caught.value) == f"{guest(LOOP)}: {message}"


# --- faulty plugins -----------------------------------------------------------------------------


class Odd(Device):
    """A device whose read returns a string and whose write raises."""

    model = "odd"
    size = 0x1000

    def read(self, offset: int, size: int) -> Any:
        return "text" if offset == 0 else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        raise ZeroDivisionError


class Spent(Device):
    """A device that powers the machine off when it is read."""

    model = "spent"
    size = 0x1000

    def read(self, offset: int, size: int) -> int:
        self.wiring.power(Power.OFF, 3)
        return 0


PLUGIN = f"""
from {__name__} import Odd, Spent
from rvplat.hookspecs import hookimpl

@hookimpl
def rvplat_devices():
    return [Odd, Spent]
"""


def test_a_device_that_is_broken_is_an_access_fault(tmp_path: Path) -> None:
    plugin = tmp_path / "odd.py"
    plugin.write_text(PLUGIN)
    settings = {"devices.odd.model": "odd", "devices.odd.base": 0x3000_0000}
    program = guest("  li t0, 0x30000000\n  lw t1, 0(t0)\n  sw t1, 0(t0)\n" + POWER_OFF)
    with Machine.open("virt", program, plugin_paths=[plugin], settings=settings) as machine:
        hart = machine.harts[0]
        hart.pc = 0x8000_0000
        hart.set_csr("mtvec", 0x8000_0008)
        for cause in (5, 7):
            with pytest.raises(RunFailed):
                machine.step(2 if cause == 5 else 1)
            assert hart.csr("mcause") == cause
        assert machine.run(max_instructions=1000).reason in ("off", "limit")
        assert "it answered 'text', expected a number" in str(machine.failures[0])


def test_a_device_can_switch_off_in_the_middle_of_a_step(tmp_path: Path) -> None:
    plugin = tmp_path / "spent.py"
    plugin.write_text(PLUGIN)
    settings = {"devices.spent.model": "spent", "devices.spent.base": 0x3000_0000}
    program = guest("  li t0, 0x30000000\n  lw t1, 0(t0)\n" + LOOP)
    with Machine.open("virt", program, plugin_paths=[plugin], settings=settings) as machine:
        machine.harts[0].pc = 0x8000_0000
        stop = machine.step(1000)
        assert (stop.reason, stop.code) == ("off", 3)
        assert machine.harts[0].instret < 10
