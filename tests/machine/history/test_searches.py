"""Going back to the last stop, and to the last write of some bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.machine.history.history import MOST_HITS
from tests.machine.history.boards import COUNT, TALKING, TEXT, VIRTUAL, board, close_together
from tests.machine.small_guests import guest


def test_a_search_finds_the_last_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    close_together(monkeypatch)
    with board(TALKING, 2) as (machine, history):
        machine.run(max_instructions=400_000)
        point = machine.breakpoints.add("handler", condition="$mcause == 0x8000000000000003")
        watch = machine.watchpoints.add(0x8010_0008, 8)
        found = []
        for _ in range(6):
            stop = machine.reverse_continue()
            found.append((history.work, stop.reason, stop.hart))
            if stop.reason == "break":
                assert stop.breakpoint is point
                assert machine.harts[stop.hart].pc == machine.symbols["handler"]
            else:
                assert (stop.watchpoint, stop.hart) == (watch, 1)
        assert [one[0] for one in found] == sorted((one[0] for one in found), reverse=True)
        assert {one[1] for one in found} == {"break", "watch"}
        forward = []
        for _ in range(5):
            stop = machine.run(max_instructions=400_000)
            forward.append((history.work, stop.reason, stop.hart))
        assert forward == found[-2::-1]


def test_the_last_write_of_a_value_is_found() -> None:
    """Many other writes to the page don't count, nor one of the same value."""
    with board(TALKING, 2) as (machine, history):
        machine.run(max_instructions=300_000)
        for hart in (0, 1):
            address = 0x8010_0000 + 8 * hart
            value = machine.memory.read_int(address, 8)
            for _ in range(3):
                stop = machine.last_write(address)
                assert stop is not None
                assert (stop.hart, stop.access) == (hart, "write")
                before = machine.memory.read_int(address, 8)
                assert before != value
                assert machine.harts[hart].x["s6"] == value
                machine.step(hart=hart)
                assert machine.memory.read_int(address, 8) == value
                history.go(history.work - 1)
                value = before
            history.go(history.end)
        assert machine.last_write(TEXT) is None
        with pytest.raises(LookupError, match="RAM"):
            machine.last_write(0x1000_0000)


COPIER = """
from rvplat.bus import Device, Register
from rvplat.hookspecs import hookimpl


class Copier(Device):
    model = "copier"
    size = 0x1000
    registers = (Register(0, "COPY", "COPY[31:0]"),)
    copy: int

    def write_copy(self, value: int) -> None:
        self.wiring.memory.write(0x80100040, value.to_bytes(4, "little"))


@hookimpl
def rvplat_devices():
    return [Copier]
"""


def test_a_devices_write_is_found(tmp_path: Path) -> None:
    plugin = tmp_path / "copier.py"
    plugin.write_text(COPIER)
    text = """
  li s1, 0x10010000
1: addi s6, s6, 1
  andi t0, s6, 255
  bnez t0, 1b
store: sw s6, 0(s1)
  j 1b
"""
    added = {"devices.copier.model": "copier", "devices.copier.base": 0x1001_0000}
    with Machine.open(
        "virt", program=guest(text), settings={**VIRTUAL, **added}, plugin_paths=[plugin]
    ) as machine:
        machine.keep_history()
        machine.run(max_instructions=20_000)
        value = machine.memory.read_int(0x8010_0040, 4)
        assert value > 0
        assert machine.last_write(0x8010_0040, 4) is not None
        assert (machine.harts[0].pc, machine.harts[0].x["s6"]) == (machine.symbols["store"], value)
        machine.step()
        assert machine.memory.read_int(0x8010_0040, 4) == value


def test_a_search_with_many_stops_is_quick_and_right() -> None:
    """A piece with too many stops is halved; false conditions don't count."""
    with board(COUNT) as (machine, history):
        machine.run(max_instructions=100 * MOST_HITS)
        machine.breakpoints.add(TEXT + 2)
        machine.breakpoints.add(TEXT, condition="$s6 == 77")
        assert machine.reverse_continue().reason == "break"
        assert history.work >= 100 * MOST_HITS - 2
        machine.breakpoints.clear()
        machine.breakpoints.add(TEXT, condition="$s6 == 77")
        assert machine.reverse_continue().reason == "break"
        assert machine.harts[0].x["s6"] == 77
        assert machine.reverse_continue().reason == "history"
        assert (history.work, machine.harts[0].pc) == (history.begin, 0x1000)
