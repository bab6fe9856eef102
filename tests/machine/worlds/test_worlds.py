"""Memory, variables and call stacks of the host and of guests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.errors import BusError, DebugInfoError
from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from rvplat.machine.open_arguments import PathLike

SORT = 2
VIRTUAL = {"clock": "virtual"}


@pytest.fixture(scope="module")
def hypervisor() -> Iterator[Machine]:
    """The demo hypervisor in its guest `sort`, some calls deep."""
    guests: dict[int | None, PathLike] = {
        SORT: hypervisor_guest_elfs()["sort"],
        1: hypervisor_guest_elfs()["fibonacci"],
    }
    with Machine.open("virt", program=hypervisor_elf(), settings=VIRTUAL, symbols=guests) as found:
        found.backtrace()  # from here on harts keep the registers of the worlds that they leave
        point = found.breakpoints.add("guest_sort", vmid=SORT)
        for _ in range(3):
            assert found.run(timeout_s=60).breakpoint is point
        yield found


@pytest.fixture
def machine(variables_elf: Path) -> Iterator[Machine]:
    """At the first instruction of `leaf`."""
    with Machine.open("virt", program=variables_elf, settings=VIRTUAL) as found:
        found.breakpoints.add("leaf", temporary=True)
        assert found.run(timeout_s=60).reason == "break"
        yield found


def test_the_stack_of_a_guest_and_of_the_host_below(hypervisor: Machine) -> None:
    stack = hypervisor.backtrace()
    names = [(one.world, one.function) for one in stack]
    assert names == [
        (SORT, "guest_sort"), (SORT, "guest_sort"), (SORT, "guest_sort"), (SORT, "guest_main"),
        (SORT, "_start"), ("host", "run_guest"),
    ]  # fmt: skip
    assert stack[0].file == "./hypervisor/sort.c" and stack[0].line > 0
    lines = str(stack).splitlines()
    assert (lines[0], lines[6]) == (f"the guest with VMID {SORT}:", "the host:")
    assert lines[1].startswith("#0  0xffffffc080000100 in guest_sort (./hypervisor/sort.c:")


def test_frames_by_frame_pointers_alone(variables_elf: Path, tmp_path: Path) -> None:
    """Without DWARF there are names by symbols, and callers where compilers keep s0."""
    from tests.debuginfo.conftest import OPTIONS
    from tests.gdb.guest_build import build_guest

    source = Path(__file__).parents[2] / "debuginfo"
    options = ("-g0", *OPTIONS[1:], "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls")
    bare = build_guest(tmp_path, "variables", options, source)
    with Machine.open("virt", program=bare, settings=VIRTUAL) as machine:
        machine.breakpoints.add("leaf")
        machine.run(timeout_s=60)
        for steps in (1, 8):  # on the way in, and past the prologue
            names = [one.function for one in machine.backtrace()]
            assert names[:3] == ["leaf", "middle", "main"]
            machine.step(steps)


def test_memory_of_each_world(hypervisor: Machine) -> None:
    host, guest = hypervisor.host, hypervisor.guest(SORT)
    entry = guest.symbols["guest_sort"]
    code = guest.read(entry, 16)
    assert code == hypervisor.harts[0].read(entry, 16)
    assert guest.read_guest_physical(entry - 0xFFFF_FFC0_0000_0000, 16) == code
    with pytest.raises(BusError, match="^no memory at 0xffffffc080000100, 16 bytes$"):
        host.read(entry, 16)  # the host has no translation
    with pytest.raises(LookupError, match="^the guest with VMID 9 has not run since the reset$"):
        hypervisor.guest(9).read(entry, 1)
    numbers = guest["numbers"]
    guest["numbers[3]"] = 77
    assert guest["numbers[3]"] == 77 and guest["numbers"] == [*numbers[:3], 77, *numbers[4:]]
    guest["numbers[3]"] = numbers[3]
    assert host["guests[1].state"] in range(8) or isinstance(host["guests[1].state"], str)


def test_a_board_without_guests() -> None:
    with (
        Machine.open("virt", program="demo", settings={"harts.isa": "rv64gc"}) as machine,
        pytest.raises(ValueError, match="no H extension, and so no guests"),
    ):
        machine.guest(1)


def test_variables_of_all_kinds(machine: Machine) -> None:
    host = machine.host
    state = host["state"]
    names = ("count", "mode", "name", "raw", "low", "high", "on", "f", "d")
    assert {n: state[n] for n in names} == {
        "count": 7, "mode": "BUSY", "name": b"hello\0\0\0", "raw": 0x2D, "low": 5, "high": 5,
        "on": True, "f": 0.5, "d": 1e10,
    }  # fmt: skip
    assert host["state.at"] == [{"x": 1, "y": 2}, {"x": 3, "y": -4}, {"x": 5, "y": 6}]
    assert host["numbers"] == [1, -2, 3, 4] and host["matrix[1]"] == [4, 5, 6]
    assert host["state.next->at[1].y"] == host["other.at[1].y"] == -4
    assert host["*state.next"]["mode"] == "LOST" and host["leaf::calls"] == 3
    assert host["variables.c:other"] == host["other"] == host["state.next[0]"]
    assert host.variable("matrix[1][2]").address == host.variable("matrix").address + 20


def test_variables_are_written(machine: Machine) -> None:
    host = machine.host
    host["state.high"], host["state.mode"], host["state.f"] = -3, "IDLE", 2.5
    host["state.name"], host["state.at[0]"], host["numbers"] = "bye", {"y": 11}, [4, 3, 2, -1]
    state = host["state"]
    assert (state["low"], state["high"], state["mode"], state["f"]) == (5, -3, "IDLE", 2.5)
    assert (state["name"], state["at"][0]) == (b"bye\0\0\0\0\0", {"x": 1, "y": 11})
    assert host["numbers"] == [4, 3, 2, -1] and state["count"] == 7
    with pytest.raises(ValueError, match=r"doesn't fit into int, which has 32 bits$"):
        host["numbers[0]"] = 1 << 40
    with pytest.raises(TypeError, match="^'x': expected an integer for int$"):
        host["numbers[0]"] = "x"
    with pytest.raises(ValueError, match="^'SOME' is none of enum mode: IDLE, BUSY, LOST$"):
        host["state.mode"] = "SOME"
    with pytest.raises(ValueError, match=r"^1e\+300 is too large for float$"):
        host["state.f"] = 1e300
    assert host["numbers"] == [4, 3, 2, -1]


def test_a_pointer_to_nothing_is_no_damaged_file(machine: Machine) -> None:
    with pytest.raises(BusError, match="no memory at 0x"):
        assert machine.host["other.next->next->next"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("stat", """'stat': the program has no variable 'stat'; did you mean "state"?"""),
        ("state.cnt", """'state.cnt': struct state has no member 'cnt'; did you mean "count"?"""),
        ("numbers[9]", "'numbers[9]': no element 9 of int[4]"),
        ("state[", "'state[': expected .MEMBER, ->MEMBER or [NUMBER] at '['"),
        ("nothing[1]", "'nothing[1]': pointer points to nothing that has a type"),
        ("numbers.x", "'numbers.x': int[4] has no member 'x'"),
        ("3", "'3': expected a path such as state.counts[3] or *pointer"),
    ],
)
def test_wrong_paths(machine: Machine, path: str, message: str) -> None:
    with pytest.raises(LookupError) as raised:
        _ = machine.host[path]
    assert str(raised.value) == message


def test_torn_dwarf_is_named_and_left_out_of_a_stack(variables_elf: Path, tmp_path: Path) -> None:
    from tests.debuginfo.test_files import sections

    torn, data = tmp_path / "torn.elf", bytearray(variables_elf.read_bytes())
    for name, at, size in sections(variables_elf):
        if name == ".debug_abbrev":
            data[at : at + size] = b"\xff" * size
    torn.write_bytes(data)
    with Machine.open("virt", program=torn, settings=VIRTUAL) as machine:
        machine.breakpoints.add("leaf")
        machine.run(timeout_s=60)
        stack = machine.backtrace()
        assert [one.function for one in stack][:1] == ["leaf"]
        assert len(stack.problems) == 1
        assert stack.problems[0].startswith(f"{torn}: .debug_")
        assert str(stack).splitlines()[-1] == f"note: {stack.problems[0]}"
        with pytest.raises(DebugInfoError, match="can't be read, the file is damaged"):
            _ = machine.host["state"]
    with (
        Machine.open("virt", program="demo") as other,
        pytest.raises(DebugInfoError, match="it has no DWARF: build the program with -g$"),
    ):
        _ = other.host["state"]
