"""`explain` predicts what the hart does: the same fault, or the same physical address."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from rvplat.bus.map import AddressMap
from rvplat.bus.ram import Memory
from rvplat.machine.inspection.explain import Explanation, explain
from tests.h.bench import LEAF, LEVELS, NC, NO_DEVICE, ONES, Bench, D, R, U, V, X, word
from tests.h.conftest import MakeBench
from tests.h.section import section
from tests.h.stages import GPA, KINDS, PA, SCHEMES, VA, stages, start

Spoil = Callable[[Bench], object]


def told(bench: Bench, va: int, access: Any, **where: Any) -> Explanation:
    memory = Memory()
    memory.add(bench.ram)
    harts = [SimpleNamespace(view=bench.hart)]
    core = SimpleNamespace(architecture=SimpleNamespace(xlen=64))
    machine: Any = SimpleNamespace(harts=harts, memory=memory, bus=AddressMap(memory), core=core)
    return explain(machine, va, access, **where)


def no_table(bench: Bench) -> None:
    entry = bench.map_guest(VA, GPA)
    bench.map_host(entry & ~0xFFF, entry & ~0xFFF, 0)


def read_only_table(bench: Bench) -> None:
    """The hart must set A or D (Svadu) in a table that the second stage maps read-only."""
    bench["menvcfg"] = bench["henvcfg"] = 1 << 61
    table = bench.map_guest(VA, GPA, LEAF & ~0xC0) & ~0xFFF
    bench.map_host(table, table, LEAF & ~4 | U)


def hidden(bench: Bench) -> None:
    """PMP forbids every mode to read the page."""
    bench["pmpaddr1"], bench["pmpcfg0"] = ONES >> 10, 0x1F << 8
    bench["pmpaddr0"], bench["pmpcfg0"] = PA >> 2 | 0x1FF, 0x1F << 8 | 0x18


SPOILS: dict[str, Spoil] = {
    "nothing": lambda bench: None,
    "first stage not mapped": lambda bench: bench.map_guest(VA, GPA, 0),
    "first stage read-only": lambda bench: bench.map_guest(VA, GPA, LEAF & ~(4 | 8)),
    "first stage U": lambda bench: bench.map_guest(VA, GPA, LEAF | U),
    "first stage D clear": lambda bench: bench.map_guest(VA, GPA, LEAF & ~D),
    "first stage reserved": lambda bench: bench.map_guest(VA, GPA, LEAF | 1 << 60),
    "first stage PBMT": lambda bench: bench.map_guest(VA, GPA, LEAF | NC),
    "second stage not mapped": lambda bench: bench.map_host(GPA, PA, 0),
    "second stage without U": lambda bench: bench.map_host(GPA, PA),
    "second stage no U": lambda bench: bench.map_host(GPA, PA, LEAF),
    "second stage X": lambda bench: bench.map_host(GPA, PA, V | X | U | 0xC0),
    "second stage A clear": lambda bench: bench.map_host(GPA, PA, V | R | X | U),
    "nowhere": lambda bench: bench.map_host(GPA, NO_DEVICE),
    "table not mapped": no_table,
    "table read-only": read_only_table,
    "PMP": hidden,
}


@section("rvplat: explain")
@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("delegated", [False, True])
@pytest.mark.parametrize("tinst", ["transformed", "zero"])
def test_explained_faults_are_those_of_the_access(
    make: MakeBench, spoil: str, kind: str, delegated: bool, tinst: str
) -> None:
    bench = make(tinst=tinst)
    stages(bench)
    if delegated:
        bench.delegate(hedeleg=ONES)
    SPOILS[spoil](bench)
    found = told(bench, VA + 8, kind, mode="VS")
    trap = bench.access(kind, VA + 8)
    if trap is None:
        assert found.fault is None
        assert (found.gpa, found.pa) == (GPA + 8, PA + 8)
    else:
        fault = found.fault
        assert fault is not None
        assert (fault.handler, fault.cause, fault.tval) == (trap.mode, trap.cause, trap.tval)
        if trap.mode != "VS":
            assert fault.tval2 == trap.tval2
            assert fault.tinst in ((trap.tinst,) if tinst == "zero" else (trap.tinst, None))


@section("rvplat: explain")
@pytest.mark.parametrize("guest_mode", SCHEMES)
@pytest.mark.parametrize("host_mode", SCHEMES)
def test_every_entry_is_shown(bench: Bench, guest_mode: int, host_mode: int) -> None:
    """With n levels of the first stage and m of the second, (n + 1) * (m + 1) - 1 entries."""
    stages(bench, guest_mode, host_mode)
    found = told(bench, start(guest_mode, host_mode), "load", mode="VS")
    first, second = LEVELS[guest_mode], LEVELS[host_mode]
    assert len(found.entries) == (first + 1) * (second + 1) - 1
    assert found.pa == PA


@section("rvplat: explain")
def test_the_host_and_other_guests(bench: Bench) -> None:
    stages(bench)
    bench.enter("VS")
    bench.step(word("ecall"), "VS")
    bench["hgatp"] = 9 << 44
    assert told(bench, PA, "load").pa == PA
    assert told(bench, PA, "load").world == "host"
    found = told(bench, VA, "load", world=1)
    assert (found.mode, found.world, found.pa) == ("VS", "guest with VMID 1", PA)
    with pytest.raises(LookupError, match="no guest with VMID 77 has run; those that have: 1, 9$"):
        told(bench, VA, "load", world=77)
    with pytest.raises(LookupError, match="HS is no mode of a guest"):
        told(bench, VA, "load", mode="HS", world=1)
    with pytest.raises(LookupError, match="VU is no mode of the host"):
        told(bench, VA, "load", mode="VU", world="host")


@section("rvplat: explain")
def test_explain_changes_nothing(bench: Bench) -> None:
    stages(bench)
    bench["menvcfg"] = bench["henvcfg"] = 1 << 61
    entry = bench.map_guest(VA, GPA, V | R)
    before, walks = bench.peek(entry), [int(n) for n in bench.hart.walks]
    assert told(bench, VA, "load", mode="VS").fault is None
    assert bench.peek(entry) == before
    assert [int(n) for n in bench.hart.walks] == walks


@section("rvplat: explain")
def test_the_text(bench: Bench) -> None:
    bench["menvcfg"] = bench["henvcfg"] = 1 << 62
    stages(bench, guest_mode=0, host_mode=8)
    bench.map_host(GPA, PA, LEAF & ~4 | U | NC)
    text = str(told(bench, GPA + 8, "load", mode="VS"))
    lines = text.splitlines()
    assert lines[0] == f"load of {GPA + 8:#x} in VS mode, guest with VMID 1"
    assert lines[1].startswith("G Sv39x4 level 2: entry ")
    assert lines[1].endswith("-------V, PMP rwx: pointer")
    assert lines[3].endswith("DA-UX-RV PBMT=NC, PMP rwx: leaf")
    assert lines[4] == f"guest physical address {GPA + 8:#x}"
    assert lines[5] == f"physical address {PA + 8:#x}, PMP rwx, memory type NC"
    assert lines[6] == "allowed"
    text = str(told(bench, GPA + 8, "store", mode="VS"))
    assert text.endswith(
        f"fault: store guest page (23), taken in M mode: mtval {GPA + 8:#x}, "
        f"mtval2 {GPA + 8 >> 2:#x}, mtinst the transformed instruction, GVA 1"
    )


VERDICTS = {
    "nothing": "leaf",
    "first stage not mapped": "not valid",
    "first stage read-only": "not permitted",
    "first stage D clear": "A or D is clear",
    "first stage reserved": "reserved",
    "second stage not mapped": "not valid",
    "second stage no U": "not permitted",
    "table not mapped": "not valid",
    "table read-only": "not permitted",
}


@section("rvplat: explain")
@pytest.mark.parametrize("spoil", VERDICTS)
def test_the_last_entry_says_why(make: MakeBench, spoil: str) -> None:
    bench = make()
    stages(bench)
    SPOILS[spoil](bench)
    assert told(bench, VA + 8, "store", mode="VS").entries[-1].verdict == VERDICTS[spoil]


@section("rvplat: explain")
def test_a_pointer_of_the_lowest_level(bench: Bench) -> None:
    stages(bench)
    bench.map_guest(VA, GPA, V)
    found = told(bench, VA, "load", mode="VS")
    assert (found.entries[-1].level, found.entries[-1].verdict) == (
        0,
        "an invalid pointer",
    )


@section("rvplat: explain")
def test_an_entry_whose_bits_are_set_is_told_once(bench: Bench) -> None:
    """Also where the walk for the update goes through the second stage once more."""
    stages(bench)
    bench["menvcfg"] = bench["henvcfg"] = 1 << 61
    before = told(bench, VA, "store", mode="VS")
    bench.map_guest(VA, GPA, LEAF & ~0xC0)
    found = told(bench, VA, "store", mode="VS")
    assert len(found.entries) == len(before.entries)
    assert [one.verdict for one in found.entries].count("leaf, A or D to be set") == 1
    assert found.fault is None


@section("rvplat: explain")
def test_pointer_masking_is_said(bench: Bench) -> None:
    stages(bench)
    bench["henvcfg"] = 2 << 32
    bench.enter("VS")
    tagged = VA + 8 | 5 << 57
    found = told(bench, tagged, "load")
    assert (found.pa, found.transformed) == (PA + 8, VA + 8)
    assert f"\npointer masking makes it {VA + 8:#x}\n" in str(found)
    assert told(bench, tagged, "fetch").fault is not None
    assert told(bench, VA + 8, "load").transformed is None
    bench.map_guest(VA, GPA, 0)
    fault = told(bench, tagged, "load").fault
    assert fault is not None
    assert fault.tval == VA + 8
