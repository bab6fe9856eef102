"""Without a compiler, or without memory for its code, the interpreter goes on."""

from __future__ import annotations

import errno
import logging
import os
import signal
import threading
from pathlib import Path
from typing import IO, cast

import pytest

from rvplat.engine.regions import client as clients
from rvplat.engine.regions.messages import receive
from rvplat.isa.privileged import PAGE_MASK
from rvplat.machine.running.region_manager import ALL_RAN, RegionManager
from rvplat.machine.running.region_pages import Page
from tests.machine.regions.forced import End, inside, machine_of, run_to_end
from tests.machine.small_guests import POWER_OFF

LOOPS = (
    """
  li s0, 200000
1: addi s1, s1, 3
  xor s2, s2, s1
  addi s0, s0, -1
  bnez s0, 1b
  call far
"""
    + POWER_OFF
    + """
.balign 4096
far:
  li t1, 30000
2: addi s2, s2, 1
  addi t1, t1, -1
  bnez t1, 2b
  ret
"""
)


@pytest.fixture
def expected() -> End:
    with machine_of(LOOPS, "off") as machine:
        return run_to_end(machine)


def test_a_compiler_that_is_gone_is_logged_once(
    expected: End, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clients, "_START", "raise SystemExit('broken')")
    with caplog.at_level(logging.WARNING), machine_of(LOOPS) as machine:
        assert run_to_end(machine) == expected
        assert inside(machine) == 0
    line = "no more regions are made: the compiler of regions ended with status 1: broken"
    assert caplog.messages.count(line) == 1
    assert caplog.messages[-1] == line


def test_no_memory_for_code_is_logged_once(
    expected: End, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(data: bytes) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr("rvplat.machine.running.placed_regions.NativeCode", refuse)
    with caplog.at_level(logging.WARNING), machine_of(LOOPS) as machine:
        assert run_to_end(machine) == expected
        assert inside(machine) == 0
    assert caplog.messages == [
        "no more regions are made: no memory for their code (Cannot allocate memory)"
    ]


def test_a_cache_that_cannot_be_written_is_logged(
    expected: End, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Regions are made and run, but they are not kept."""
    program = LOOPS.replace("200000", "60000000")
    with caplog.at_level(logging.WARNING), machine_of(program, "hot") as machine:
        machine.run(max_instructions=1000)
        (tmp_path / "file").touch()
        monkeypatch.setenv("RVPLAT_CACHE", str(tmp_path / "file" / "folder"))
        assert run_to_end(machine).reason == "off"
        made = machine.regions.counts.compiled
    cannot = [one for one in caplog.messages if one.startswith("cannot keep the compiled regions:")]
    assert len(cannot) == (1 if made else 0)


def test_a_thread_that_fails_is_logged(
    expected: End, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The guest goes on when the host has no memory for what regions need."""

    def fail(manager: RegionManager) -> bool:
        raise MemoryError

    monkeypatch.setattr(RegionManager, "_take_reports", fail)
    with caplog.at_level(logging.WARNING), machine_of(LOOPS, "hot") as machine:
        assert run_to_end(machine) == expected
        for thread in cast(RegionManager, machine.regions)._threads:
            thread.join(60)
            assert not thread.is_alive()
    assert caplog.messages == ["no more regions are made: MemoryError"]


def test_a_host_without_threads_is_logged(
    expected: End, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "rvplat_compile":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with caplog.at_level(logging.WARNING), machine_of(LOOPS, "hot") as machine:
        assert run_to_end(machine) == expected
    assert caplog.messages == ["no more regions are made: can't start new thread"]


def workers() -> set[str]:
    """The processes of this one that compile regions. Those of earlier tests may still finish."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            status = (process / "status").read_text()
            command = (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):  # another process has just ended
            continue
        is_child = f"\nPPid:\t{os.getpid()}\n" in status
        if is_child and b"rvplat.engine.regions.worker" in command:
            found.add(process.name)
    return found


@pytest.mark.parametrize("instructions", [100_000, 2_000_000, 10_000_000, 100_000_000])
def test_a_machine_that_is_closed_leaves_no_compiler(instructions: int) -> None:
    """However far the compiler is: not asked, just started, at work, or done. It may finish what it
    compiles."""
    earlier = workers()
    with machine_of(LOOPS.replace("200000", "60000000"), "hot") as machine:
        machine.run(max_instructions=instructions)
    for thread in cast(RegionManager, machine.regions)._threads:
        thread.join()
    assert workers() <= earlier


def test_a_compile_that_begins_after_the_end_starts_no_compiler() -> None:
    """The thread that compiles may be slow to notice that the machine is closed."""
    earlier = workers()
    with machine_of(LOOPS, "hot") as machine:
        machine.run(max_instructions=1000)
        start = machine.harts[0].pc & PAGE_MASK
        regions = cast(RegionManager, machine.regions)
        regions._pages.setdefault(start, Page()).heads[0] = 1
        regions.close()
        regions._compile_page(start, ALL_RAN)
        assert workers() <= earlier
        assert regions._client is None or regions._client._process is None


def test_ctrl_c_ends_a_step_that_waits_for_the_compiler(
    expected: End, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The step ends, and the answer that nobody waits for any more is not the next one's."""
    waits: list[IO[bytes]] = []

    def interrupted(stream: IO[bytes]) -> object:
        waits.append(stream)
        if len(waits) == 1:
            signal.raise_signal(signal.SIGINT)
        return receive(stream)

    monkeypatch.setattr(clients, "receive", interrupted)
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with caplog.at_level(logging.WARNING), machine_of(LOOPS, "all") as machine:
            with pytest.raises(KeyboardInterrupt):
                machine.step(1 << 40)
            assert run_to_end(machine) == expected
            assert inside(machine) > 0
    finally:
        signal.signal(signal.SIGINT, old)
    assert not caplog.messages
