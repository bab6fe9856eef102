"""The process that compiles regions dies, hangs, or can't be started."""

from __future__ import annotations

import os
import resource
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat.engine.architecture import Architecture
from rvplat.engine.native import Core
from rvplat.engine.regions import client as clients
from rvplat.engine.regions.client import FAILURES, STARVED, Client, CompilerGone, niceness
from rvplat.engine.regions.messages import Request
from rvplat.lang.native.processors import processors
from rvplat.machine.boards.catalogue import base_extensions

PAGE = struct.pack("<II", 0x0012_8293, 0xFFDF_F06F).ljust(4096, b"\0")  # addi t0, t0, 1; j back
RAN = b"\1\0\1\0".ljust(2048, b"\0")


def request(number: int = 1) -> Request:
    return Request(number, PAGE, RAN, (0,))


@pytest.fixture(scope="module")
def tables() -> bytes:
    extensions = base_extensions()
    return Core(Architecture(extensions)).region_tables([extensions])


@pytest.fixture
def client(tables: bytes) -> Iterator[Client]:
    found = Client(tables)
    yield found
    found.close()


def process_of(client: Client) -> int:
    assert client._process is not None
    return client._process.pid


def test_a_region_is_compiled(client: Client) -> None:
    answer = client.compile(request(7))
    assert (answer.number, answer.problem, answer.inside) == (7, "", (0, 4))
    assert answer.code


def test_the_current_folder_is_not_searched_for_modules(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit('the wrong module')\n")
    monkeypatch.chdir(tmp_path)
    assert client.compile(request()).problem == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_a_process_that_was_killed_is_replaced(client: Client, number: signal.Signals) -> None:
    client.compile(request())
    os.kill(process_of(client), number)
    problem = f"the compiler of regions was killed by signal {number.value}"
    assert client.compile(request()).problem == problem
    assert client.compile(request()).problem == ""


def test_the_process_is_killed_at_any_moment(client: Client) -> None:
    """Another thread kills each process. Every compile ends, and one succeeds afterwards."""
    ended = threading.Event()

    def kill() -> None:
        while not ended.wait(0.05):
            process = client._process
            if process is not None and process.poll() is None:
                process.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    gone = 0
    for number in range(12):
        try:
            assert client.compile(request(number)).number == number
        except CompilerGone:
            gone += 1
    ended.set()
    thread.join()
    client._failures = 0
    assert client.compile(request(99)).problem == "" or client.compile(request(99)).problem == ""


def test_a_process_that_hangs_is_killed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.compile(request())
    process = process_of(client)
    os.kill(process, signal.SIGSTOP)
    monkeypatch.setattr(clients, "LONGEST_S", 0.5)
    answer = client.compile(request())
    assert answer.problem == "the compiler of regions gave no answer in 0 s"
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_after_several_deaths_in_a_row_there_is_no_other(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_START", "raise SystemExit('no such machine')")
    said = "the compiler of regions ended with status 1: no such machine"
    for _ in range(FAILURES - 1):
        assert client.compile(request()).problem == said
    with pytest.raises(CompilerGone, match=f"^{said}$"):
        client.compile(request())


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"\4\0\0\0abcd", "not a message: unpickling stack underflow"),
        (b"\xff\xff\xff\xff", "a message of 4294967295 bytes"),
    ],
)
def test_a_wrong_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch, answer: bytes, what: str
) -> None:
    script = (
        f"import sys; sys.stdout.buffer.write({answer!r}); sys.stdout.flush(); sys.stdin.read()"
    )
    monkeypatch.setattr(clients, "_START", script)
    assert client.compile(request()).problem == (
        f"the compiler of regions gave a wrong answer: {what}"
    )


def test_no_room_for_temporary_files(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/no/such/folder")
    assert client.compile(request()).problem == ""


def test_too_many_open_files(client: Client) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        with pytest.raises(CompilerGone, match="Too many open files"):
            client.compile(request())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_process_that_cannot_be_started(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(CompilerGone, match="^the compiler of regions can't be started: .*python"):
        client.compile(request())


def test_no_process_is_left_after_close(client: Client) -> None:
    """The thread that compiles may start the process after another thread has closed it."""
    client.compile(request())
    process = process_of(client)
    client.close()
    with pytest.raises(CompilerGone, match="^the machine is closed$"):
        client.compile(request())
    assert client._process is None
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_the_process_gives_way_to_the_harts(client: Client) -> None:
    """With a single core it takes only what the harts leave."""
    client.compile(request())
    own = os.getpriority(os.PRIO_PROCESS, 0)
    session = os.getsid(process_of(client))
    assert session == os.getsid(0), "sessions have equal shares, whatever their priorities are"
    assert os.getpgid(process_of(client)) != os.getpgid(0), "Ctrl-C is not for it"
    assert os.getpriority(os.PRIO_PROCESS, process_of(client)) == min(own + niceness(1), 19)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        assert niceness(1) == 19
    finally:
        os.sched_setaffinity(0, cores)


def test_a_hart_that_wakes_up_need_not_wait(tables: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the harts can use all processors, the scheduler lets everything else go first. If that
    leaves the process no time, another one gets a small share."""
    client = Client(tables, harts=processors())
    monkeypatch.setattr(clients, "STARVED_S", 60)
    try:
        client.compile(request())
        first = process_of(client)
        assert os.sched_getscheduler(first) == os.SCHED_IDLE
        os.kill(first, signal.SIGSTOP)
        monkeypatch.setattr(clients, "STARVED_S", 0.5)
        assert client.compile(request()).problem == ""
        assert os.sched_getscheduler(process_of(client)) == os.SCHED_OTHER
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, process_of(client)) == min(own + STARVED, 19)
        client.rest()
        monkeypatch.setattr(clients, "STARVED_S", 60)
        assert client.compile(request()).problem == ""
        assert os.sched_getscheduler(process_of(client)) == os.SCHED_IDLE
    finally:
        client.close()


def test_a_process_without_work_is_ended(client: Client) -> None:
    client.compile(request())
    process = process_of(client)
    client.rest()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert client.compile(request()).problem == ""


def test_it_gives_way_where_the_harts_can_use_all_cores() -> None:
    assert niceness(os.cpu_count() or 1) == 19
