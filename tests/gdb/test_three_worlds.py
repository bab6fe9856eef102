"""A breakpoint by symbol in one of three worlds that run the same function at the same address."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from rvplat.machine.machine import Machine

from .conftest import Serve
from .driver import Gdb
from .guest_build import build_guest

STOPS = 20
PASSES = 100  # of the host and the first guest, for one of the second


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("ziglang")
    return build_guest(tmp_path_factory.mktemp("three"), "three_worlds")


@pytest.fixture
def settings() -> dict[str, object]:
    """Changes to the board."""
    return {}


@pytest.fixture
def machine(program: Path, settings: dict[str, object]) -> Machine:
    """The guests' files are copies of the host's with another name of the function."""
    files: dict[int | None, Path] = {}
    for vmid, name in ((1, b"gst1_work"), (2, b"gst2_work")):
        files[vmid] = program.with_name(f"guest{vmid}.elf")
        files[vmid].write_bytes(program.read_bytes().replace(b"host_work\0", name + b"\0"))
    found = Machine.open("virt", program=program, settings=settings)
    found.software = replace(found.software, symbol_files=files)
    return found


def passes(gdb: Gdb) -> list[int]:
    """How often each world ran the function to its end."""
    return [int(number) for number in re.findall(r"\d+", gdb.value("passes"))]


def test_one_guest_stops_the_others_pass(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    gdb.attach(serve(machine), extended=True)
    gdb.do("catch fork")
    gdb.go()
    gdb.go()
    gdb.do("delete")
    gdb.do("add-inferior")
    gdb.do("inferior 2")
    gdb.go("attach 3")
    where = gdb.do("break gst2_work")
    assert "locations" not in where
    assert gdb.value("&gst2_work").split()[-2] == hex(machine.symbols["host_work"])
    for number in range(STOPS):
        stop = gdb.go()
        assert (stop["reason"], stop["frame"]["func"]) == ("breakpoint-hit", "gst2_work")
        assert gdb.value("$vmid") == "2"
        assert gdb.value("world") == "2"
        assert passes(gdb) == [(number + 1) * PASSES, (number + 1) * PASSES, number]
    assert min(passes(gdb)[:2]) >= 1000


def test_each_world_has_its_own(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    """Three breakpoints, one address: each stop is in the world whose breakpoint it is."""
    gdb.do("set detach-on-fork off")
    gdb.do("set schedule-multiple on")
    gdb.do("set breakpoint pending on")
    gdb.attach(serve(machine), extended=True)
    for name, ignored in (("host_work", PASSES), ("gst1_work", PASSES), ("gst2_work", 1)):
        gdb.do(f"break {name}")
        number = gdb.value("$bpnum")
        gdb.do(f"ignore {number} {ignored - 1}")
    seen = []
    for _ in range(3):
        stop = gdb.go()
        seen.append((stop["frame"]["func"], gdb.value("world"), gdb.value("/d $virt")))
    assert seen == [("host_work", "0", "0"), ("gst1_work", "1", "1"), ("gst2_work", "2", "1")]
    assert passes(gdb) == [PASSES, PASSES, 0]
