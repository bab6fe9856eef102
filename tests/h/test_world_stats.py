"""Statistics of world switches."""

from __future__ import annotations

from typing import Any

from rvplat.machine.inspection.world_statistics import world_statistics
from tests.h.bench import LOAD, NOP, ONES, Bench, word
from tests.h.section import section
from tests.h.stages import GPA, PA, VA, stages


@section("rvplat: statistics")
def test_switches_instructions_walks_and_fences(bench: Bench) -> None:
    native: Any = bench.native
    stages(bench)
    bench.delegate(hideleg=ONES)
    bench["hstatus"], bench["mstatus"] = 1 << 7, 1 << 8
    for bits in (word("ecall"), word("ecall"), word("sfence.w.inval"), 0xFFFF_FFFF):
        bench["sepc"] = bench["vsepc"] = 0x8000_1000
        bench["hstatus"], bench["mstatus"] = 1 << 7, 1 << 8
        bench.step(word("sret"), "HS")
        assert bench.mode == "VS"
        bench.step(bits)
    bench.map_host(GPA, PA, 0)
    bench.access(LOAD, VA)
    bench.step(word("hfence.gvma"), "HS")
    bench.step(word("hfence.vvma"), "HS")
    found = world_statistics(native)
    assert found.entries == 4
    assert found.exits == {
        "illegal instruction": 1, "ecall from vs": 2, "load guest page": 1
    }  # fmt: skip
    assert found.kinds == {
        "hypercall": 2, "guest-page fault": 1, "page fault": 0, "virtual instruction": 0,
        "other exception": 1, "interrupt": 0,
    }  # fmt: skip
    assert found.fences == {"first stage": 1, "second stage": 1}
    assert found.walks["guests' first stage"] > 0
    assert found.walks["second stage"] >= found.walks["guests' first stage"]
    assert "4 entries" in str(found)


@section("rvplat: statistics")
def test_instructions_in_each_world(bench: Bench) -> None:
    native: Any = bench.native
    bench["sepc"] = 0x8000_1000
    bench["hstatus"], bench["mstatus"] = 1 << 7, 1 << 8
    for _ in range(3):
        bench.step(NOP, "HS")
    bench.step(word("sret"), "HS")
    for _ in range(5):
        bench.step(NOP, pa=0x8000_1000)
        bench.hart.pc = 0x8000_1000
    found = world_statistics(native).instructions
    assert found["guests"] == 5 + 1, "sret is counted in the world that it enters"
    assert found["host"] == 3


@section("rvplat: statistics")
def test_instructions_of_each_guest(bench: Bench) -> None:
    """The count of the guest in which the hart is includes the instructions up to now."""
    for vmid, steps in ((3, 5), (7, 2)):
        bench["hgatp"] = vmid << 44
        bench["sepc"] = 0x8000_1000
        bench["hstatus"], bench["mstatus"] = 1 << 7, 1 << 8
        bench.step(word("sret"), "HS")
        for _ in range(steps):
            bench.hart.pc = 0x8000_1000
            bench.step(NOP, pa=0x8000_1000)
        if vmid == 3:
            bench.step(0xFFFF_FFFF)
            assert bench.mode == "M"
    native: Any = bench.native
    found = world_statistics(native)
    assert found.guests == {3: 5 + 1, 7: 2 + 1}
    assert "VMID 3 6, VMID 7 3" in str(found)
