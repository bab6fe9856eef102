"""Threads at the same time: the clock while it is set, lines before harts, stops, signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from rvplat import Machine
from rvplat.bus import Device, MipBit
from rvplat.hart.counters import read_time
from rvplat.machine.running.run import Runner
from rvplat.machine.running.stop import Stop
from tests.machine.small_guests import LOOP, POWER_OFF, guest


def at_each_line(look: Callable[[], None], work: Callable[[], None]) -> None:
    """Call `look` before each line of `work`, as another thread might."""

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        sys.settrace(None)
        look()
        sys.settrace(trace)
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)


def test_a_clock_that_is_set_is_never_seen_half_set() -> None:
    """Harts and devices' threads read the time while another hart sets it. They get the old or the
    new time, and none in between."""
    with Machine.open("virt") as machine:
        clock = machine.assembly.clock
        clock.set(clock.elapsed())
        began, ticks, near = clock.elapsed(), 19 * clock.frequency // 10, clock.frequency // 10
        seen: list[int] = []

        def look() -> None:
            """The time is ahead by 0, or by `ticks` less the time that passed before it was set."""
            reads: tuple[Callable[[], int], ...] = (
                lambda: int(read_time(machine.harts[0].view)),
                clock.now,
            )
            for read in reads:
                before = clock.elapsed()
                ahead = read() - before
                passed = clock.elapsed() - began
                seen.append(ahead)
                is_old = -near <= ahead <= passed + near
                assert is_old or ticks - began - passed - near <= ahead <= ticks + near, seen

        at_each_line(look, lambda: clock.set(ticks))
        assert len(seen) > 10


# --- stops --------------------------------------------------------------------------------------

RUNNING = "  li t0, UART\n  li t1, '>'\n  sb t1, 0(t0)\n1: j 1b\n"


#: A reset keeps the RAM outside the program.
RESETS_ONCE = """
  li s0, 0x80100000
  lw t0, 0(s0)
  bnez t0, 1f
  li t1, 0x7777
  sw t1, 0(s0)
  li t0, TEST
  sw t1, 0(t0)
1: j 1b
"""


@pytest.mark.parametrize("restart", [True, False])
def test_harts_that_leave_though_nobody_asked_run_on(restart: bool) -> None:
    """The run took a request although there was none: it raised IndexError, or reset the machine
    if `restarts` was set."""
    with Machine.open("virt", guest(RUNNING)) as machine:
        run = Runner(machine, restarts=restart)
        run.start()
        machine.console.wait_for(b">", timeout_s=60)
        machine.harts[0].request_stop()
        while machine.harts[0].stop_request.value and machine.running:
            time.sleep(0.001)
        run.cancel("pause")
        assert run.wait().reason == "pause"
        assert machine.harts[0].retired_before == 0, "it was not reset"


class Gong(Device):
    """A device that requests a stop during its reset, as a user may. Its line is high."""

    model = "gong"
    size = 0x1000
    interrupts = ("irq",)
    asked: Callable[[], None] | None = None

    def setup(self) -> None:
        self.wiring.set_hart_line(0, MipBit.SSIP, True)
        self.wiring.set_timer(0, 0x1234)

    def reset(self) -> None:
        super().reset()
        self.lines["irq"].set(True)
        if self.asked is not None:
            self.asked()


PLUGIN = f"""
from {__name__} import Gong
from rvplat.hookspecs import hookimpl

@hookimpl
def rvplat_devices():
    return [Gong]
"""


def with_gong(folder: Path, source: str) -> Machine:
    plugin = folder / "gong.py"
    plugin.write_text(PLUGIN)
    settings = {"devices.rtc.model": "gong"}  # replaces a device that is reset before the PLIC
    return Machine.open("virt", guest(source), plugin_paths=[plugin], settings=settings)


def test_a_stop_that_is_asked_for_during_a_reset_is_not_lost(tmp_path: Path) -> None:
    """The reset cleared the harts' stop requests, and they continued."""
    with with_gong(tmp_path, RESETS_ONCE) as machine:
        gong = machine.devices["rtc"]
        assert isinstance(gong, Gong)
        gong.asked = lambda: machine.request_stop(Stop("leave"))
        machine.start()
        assert machine.wait(timeout_s=30).reason == "leave"


SIGNALLED = """
import signal, sys
from rvplat import Machine
from rvplat.cli.terminal import Terminal
from rvplat.machine.running.run import Runner

machine = Machine.open("virt", sys.argv[1])
with machine, Terminal(machine, None, machine.console) as terminal:
    if sys.argv[2] == "early":
        signal.raise_signal(signal.SIGTERM)
    run = Runner(machine)
    run.start()
    terminal.read_for(run)
    if sys.argv[2] == "late":
        with machine._lock, machine.turns.wake._cond:
            signal.raise_signal(signal.SIGTERM)
    print(run.wait().reason, terminal.signal)
"""


@pytest.mark.parametrize("when", ["late", "early"])
def test_a_signal_takes_no_lock_and_is_not_lost(when: str) -> None:
    """The signal's handler runs in the main thread, which may hold the locks that a stop takes. A
    signal before the run was forgotten at the start of the run."""
    words = [sys.executable, "-c", SIGNALLED, str(guest(LOOP)), when]
    ran = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == "interrupt 15\n"


# --- lines --------------------------------------------------------------------------------------


def test_lines_that_devices_drive_before_there_are_harts_reach_them(tmp_path: Path) -> None:
    with with_gong(tmp_path, LOOP) as machine:
        hart = machine.harts[0]
        assert hart.csr("mip") & 1 << MipBit.SSIP
        assert int(hart.view.mtimecmp) == (1 << 64) - 1, "the CLINT was reset afterwards"


def test_a_line_that_a_device_raises_in_its_reset_reaches_the_controller(tmp_path: Path) -> None:
    """Also on a board where the controller was reset later than the device."""
    with with_gong(tmp_path, LOOP) as machine:
        for _ in range(2):
            assert machine.bus.read(0xC00_1000, 4) == 1 << 11, "PENDING"
            machine.devices["rtc"].lines["irq"].set(False)
            machine.reset()


# --- the host's I/O -----------------------------------------------------------------------------

#: Hart 0 prints and powers off. Hart 1 sets an alarm of the RTC 1 ms ahead and waits for it, again
#: and again, and counts.
PRINT_AND_COUNT = (
    """
  csrr t0, mhartid
  bnez t0, 9f
  li t0, UART
  li t1, 'x'
  sb t1, 0(t0)
"""
    + POWER_OFF
    + """
9: li s0, 0x101000        # RTC
  li s1, 0x80100000
  li s3, 1000000
2: lwu t0, 0(s0)
  lwu t1, 4(s0)
  slli t1, t1, 32
  add t0, t0, t1
  add t0, t0, s3
  srli t1, t0, 32
  sw t1, 12(s0)
  sw t0, 8(s0)
3: lw t0, 24(s0)          # ALARM_STATUS
  bnez t0, 3b
  lw t0, 0(s1)
  addi t0, t0, 1
  sw t0, 0(s1)
  j 2b
"""
)


class Stuck:
    """A reader of a console that reads nothing until `go_on` is set."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.got = bytearray()

    def __call__(self, data: bytes) -> None:
        self.reached.set()
        assert self.go_on.wait(60)
        self.got += data


def test_a_reader_that_takes_nothing_holds_up_only_who_prints() -> None:
    stuck = Stuck()
    with Machine.open("virt", guest(PRINT_AND_COUNT), settings={"harts.count": 2}) as machine:
        machine.console.sinks.append(stuck)
        machine.start()
        assert stuck.reached.wait(60)
        first = machine.memory.read_int(0x8010_0000, 4)
        deadline = time.monotonic() + 30
        while machine.memory.read_int(0x8010_0000, 4) < first + 3:
            assert time.monotonic() < deadline, "devices and alarms stand still"
            time.sleep(0.005)
        assert machine.running, "hart 0 is held up"
        stuck.go_on.set()
        assert machine.wait(timeout_s=60).reason == "off"
        assert stuck.got == b"x"


class _Interrupted(threading.Thread):
    """Raise KeyboardInterrupt in the wait for the start of the thread, where a real Ctrl-C cannot
    be timed."""

    def start(self) -> None:
        super().start()
        raise KeyboardInterrupt


@pytest.mark.parametrize("when", ["began", "watchdog.begin", "regions.start", "time_begins"])
def test_an_interrupt_before_the_thread_of_a_run_starts(
    monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    with Machine.open("virt", program=guest(LOOP)) as machine:
        owner, _, name = f"machine.{when}".rpartition(".")
        part = machine if owner == "machine" else getattr(machine, owner.removeprefix("machine."))
        ordinary = getattr(part, name)

        def interrupted(*given: object) -> None:
            signal.raise_signal(signal.SIGINT)
            ordinary(*given)
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(part, name, interrupted)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                machine.run()
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        finally:
            signal.signal(signal.SIGINT, before)
        assert not machine.running
        monkeypatch.undo()
        assert machine.run(max_instructions=1000).reason == "limit"


def test_a_host_without_threads_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with Machine.open("virt", program=guest(LOOP)) as machine:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            machine.run()
        assert not machine.running
        monkeypatch.undo()
        assert machine.run(max_instructions=1000).reason == "limit"


def test_an_interrupt_while_a_run_begins_ends_it() -> None:
    with Machine.open("virt", program=guest(LOOP)) as machine:
        run = Runner(machine)
        run._thread = _Interrupted(target=run._coordinate, daemon=True)
        with pytest.raises(KeyboardInterrupt):
            run.start()
        assert not machine.running
        assert run.stop == Stop("interrupt"), "every hart has stopped"
        assert machine.run(max_instructions=1000).reason == "limit"
