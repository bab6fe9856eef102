"""Processes that gdb has already, kills or runs: we refuse what would end gdb by an assertion."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rvplat.guests import hypervisor_elf
from rvplat.machine.machine import Machine

from .conftest import Serve
from .driver import Gdb

TWICE = r"is an inferior already: info inferiors shows which|Attaching to .* failed$"
RUNS = r"the board is process 1, an inferior already|Running the default executable .* failed"


@pytest.fixture
def plain(gdb: Gdb, serve: Serve, guest: Path) -> Gdb:
    gdb.attach(serve(Machine.open("virt", program=guest)), extended=True)
    return gdb


@pytest.fixture
def forked(gdb: Gdb, serve: Serve) -> Gdb:
    """Stopped at the beginning of the second guest."""
    gdb.attach(serve(Machine.open("virt", program=hypervisor_elf())), extended=True)
    gdb.do("catch fork")
    gdb.go()
    gdb.go()
    return gdb


def processes(gdb: Gdb) -> list[int]:
    return sorted(map(int, re.findall(r"process (\d+)", gdb.do("info inferiors"))))


def works(gdb: Gdb) -> None:
    """Check that gdb is alive, and that inferior 1 can step."""
    gdb.do("inferior 1")
    before = gdb.value("$pc")
    gdb.go("stepi")
    assert gdb.value("$pc") != before


def test_attaching_twice(plain: Gdb) -> None:
    plain.do("add-inferior")
    plain.do("inferior 2")
    with pytest.raises(RuntimeError, match=TWICE):
        plain.do("attach 1")
    assert processes(plain) == [1]
    works(plain)


def test_attaching_twice_to_a_guest(forked: Gdb) -> None:
    for n in (2, 3):
        forked.do("add-inferior")
        forked.do(f"inferior {n}")
        forked.go(f"attach {n}")
    forked.do("add-inferior")
    forked.do("inferior 4")
    for pid in (1, 2, 3):
        with pytest.raises(RuntimeError, match=TWICE):
            forked.do(f"attach {pid}")
    forked.do("detach inferior 2")
    forked.go("attach 2")
    assert processes(forked) == [1, 2, 3]
    works(forked)


def test_attaching_to_nobody(plain: Gdb) -> None:
    plain.do("add-inferior")
    plain.do("inferior 2")
    for pid in ("0", "2", "99999999"):
        with pytest.raises(RuntimeError):
            plain.do(f"attach {pid}")
    works(plain)


def test_a_second_run(plain: Gdb, guest: Path) -> None:
    plain.do(f"add-inferior -exec {guest}")
    plain.do("inferior 2")
    with pytest.raises(RuntimeError, match=RUNS):
        plain.do("run")
    works(plain)
    plain.do("kill")
    plain.do("inferior 2")
    plain.do("tbreak work")
    assert plain.go("run")["frame"]["func"] == "work"
    assert processes(plain) == [1]


def test_a_clone(plain: Gdb) -> None:
    plain.do("clone-inferior")
    plain.do("inferior 2")
    with pytest.raises(RuntimeError, match=RUNS):
        plain.do("run")
    with pytest.raises(RuntimeError, match=TWICE):
        plain.do("attach 1")
    works(plain)


def test_a_client_of_one_process(gdb: Gdb, serve: Serve, guest: Path) -> None:
    gdb.do("set remote multiprocess-feature-packet off")
    gdb.attach(serve(Machine.open("virt", program=guest)), extended=True)
    gdb.do(f"add-inferior -exec {guest}")
    gdb.do("inferior 2")
    with pytest.raises(RuntimeError, match=TWICE):
        gdb.do("attach 1")
    with pytest.raises(RuntimeError, match=RUNS):
        gdb.do("run")
    works(gdb)
    gdb.do("kill")
    gdb.do("tbreak work")
    assert gdb.go("run")["frame"]["func"] == "work"


def test_kill_and_run_at_the_beginning_of_a_guest(forked: Gdb) -> None:
    """gdb kills forked processes first."""
    forked.do("kill")
    stop = forked.go("run")
    assert stop["reason"] == "fork"
    stop = forked.go("run")
    assert stop["reason"] == "fork"
    assert processes(forked) == [1]
    works(forked)


def test_attaching_to_what_gdb_will_follow(gdb: Gdb, serve: Serve) -> None:
    gdb.do("set detach-on-fork off")
    gdb.do("set schedule-multiple on")
    gdb.attach(serve(Machine.open("virt", program=hypervisor_elf())), extended=True)
    gdb.do("catch fork")
    gdb.go()
    gdb.go()
    gdb.do("add-inferior")
    gdb.do("inferior 3")
    with pytest.raises(RuntimeError, match=r"becomes an inferior by itself when|failed$"):
        gdb.do("attach 3")
    gdb.do("inferior 1")
    gdb.do("break trap_from_guest")
    assert gdb.go()["reason"] == "breakpoint-hit"
    assert processes(gdb) == [1, 2, 3]


@pytest.mark.parametrize("detach", ["on", "off"])
def test_following_the_child(gdb: Gdb, serve: Serve, detach: str) -> None:
    gdb.do("set follow-fork-mode child")
    gdb.do(f"set detach-on-fork {detach}")
    gdb.attach(serve(Machine.open("virt", program=hypervisor_elf())), extended=True)
    gdb.do("catch fork")
    gdb.go()
    gdb.go("stepi")
    assert 2 in processes(gdb)
    gdb.do("add-inferior")
    gdb.do("inferior 3")
    with pytest.raises(RuntimeError, match=TWICE):
        gdb.do("attach 2")
    assert 2 in processes(gdb)
