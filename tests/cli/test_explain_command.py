"""`rvplat explain`: stops at the right place, and shows the walk and the fault of an access."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rvplat.cli.main import main
from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from rvplat.machine.loading.images import read_program
from rvplat.machine.machine import Machine
from tests.machine.programs import elf
from tests.machine.small_guests import HELLO, LOOP, guest

CODE = 0xFFFFFFC080000100  # guest_fibonacci in guest 1, guest_sort in guest 2
OUTSIDE = 0xFFFFFFC0C0000128  # mapped by guest 2 to where it has no memory
SORT = hypervisor_guest_elfs()["sort"]
Said = tuple[list[str], str]
Explain = Callable[..., Said]


@pytest.fixture
def explain(capsys: pytest.CaptureFixture[str]) -> Explain:
    """Run `rvplat explain`, which must succeed; return the lines of stdout, and stderr."""

    def run(*words: object) -> Said:
        status = main(["explain", *map(str, words)])
        said = capsys.readouterr()
        assert status == 0, said.err
        return said.out.splitlines(), said.err

    return run


@pytest.mark.parametrize(
    ("vmid", "root", "place", "clock"),
    [
        (1, 0x80010010, "guest_fibonacci", "host"),
        (2, 0x80014010, "guest_sort", "virtual"),
        (2, 0x80014010, hex(CODE), "host"),
    ],
)
def test_it_stops_in_the_guest_that_is_named(
    explain: Explain, vmid: int, root: int, place: str, clock: str
) -> None:
    lines, console = explain(
        "hypervisor", f"{CODE:#x}", "--until", f"{place}@vmid:{vmid}", "--access", "fetch",
        "--set", f"clock={clock}",
    )  # fmt: skip
    assert lines[0] == f"breakpoint 1 at {CODE:#x}: hart 0, guest with VMID {vmid}"
    work = {1: "guest_fibonacci", 2: "guest_sort"}[vmid]  # not work_start, which is no function
    assert lines[1].startswith(
        f"hart 0: VS mode in the guest with VMID {vmid}, pc {CODE:#x} <{work}>: "
    )
    assert lines[2:4] == ["", f"fetch of {CODE:#x} in VS mode, guest with VMID {vmid}"]
    assert lines[4].startswith(f"    G Sv39x4 level 2: entry {root:#x} = ")
    assert len(lines[4:-3]) == (3 + 1) * (3 + 1) - 1
    assert lines[-3:-1] == [
        "guest physical address 0x80000100",
        f"physical address {0x8001D100 if vmid == 1 else 0x8001E100:#x}, PMP rwx, memory type PMA",
    ]
    assert lines[-1] == "allowed"
    assert "rvplat hypervisor: in HS mode" in console


def test_a_guest_is_explained_from_the_host_with_its_fault(explain: Explain) -> None:
    """The hypervisor reports the fault of the same access."""
    lines, console = explain("hypervisor", OUTSIDE, hex(CODE), "--world", "vmid:2")
    assert lines[0] == "the guest powered the machine off"
    assert lines[1].startswith("hart 0: S mode, pc ")
    at = lines.index("guest physical address 0xc0000128")
    assert lines[at + 1] == (
        f"fault: load guest page (21), taken in HS mode: stval {OUTSIDE:#x}, "
        "htval 0x3000004a, htinst the transformed instruction, GVA 1"
    )
    assert "sort: a load from 0xc0000128, which isn't its memory" in console
    assert f"load of {CODE:#x} in VS mode, guest with VMID 2" in lines


def test_settings_of_the_board_apply(explain: Explain) -> None:
    lines, _ = explain(
        "hypervisor", OUTSIDE, "--world", "vmid:2", "--access", "store",
        "--set", 'harts.tinst="zero"',
    )  # fmt: skip
    assert lines[-1].endswith(f"stval {OUTSIDE:#x}, htval 0x3000004a, htinst 0x0, GVA 1")


def test_the_host_is_explained_while_a_guest_runs(explain: Explain) -> None:
    """On the host's clock, a slow host's first time slice could end before guest 1 gets there."""
    lines, _ = explain(
        "virt", "hypervisor", "0x8000_0000", "0x40", "--world", "host", "--until", hex(CODE),
        "--set", "clock=virtual",
    )  # fmt: skip
    assert lines[1].startswith("hart 0: VS mode in the guest with VMID 1, pc ")
    assert lines[3:6] == [
        "load of 0x80000000 in HS mode, host",
        "physical address 0x80000000, PMP rwx, memory type PMA",
        "allowed",
    ]
    assert lines[-1].startswith("fault: load access (5), taken in ")


def test_until_takes_a_symbol_of_the_program(explain: Explain) -> None:
    address = read_program(hypervisor_elf(), "the program").symbols["run_guest"]
    lines, _ = explain("hypervisor", "0x80000000", "--until", "run_guest@host", "--mode", "M")
    assert lines[1].startswith(f"hart 0: S mode, pc {address:#x} <run_guest>: ")
    assert lines[3] == "load of 0x80000000 in M mode, host"


def test_an_address_may_be_a_symbol(explain: Explain) -> None:
    """A symbol of the program, or of the software of the world that `--world` names."""
    symbols = read_program(hypervisor_elf(), "the program").symbols
    lines, _ = explain("hypervisor", "run_guest", "run_guest+0x10", "--until", "run_guest@host")
    assert f"load of {symbols['run_guest']:#x} in HS mode, host" in lines
    assert f"load of {symbols['run_guest'] + 16:#x} in HS mode, host" in lines
    lines, _ = explain("virt", "hypervisor", "guest_sort", "--world", "vmid:2")
    assert f"load of {CODE:#x} in VS mode, guest with VMID 2" in lines


def test_symbols_of_a_file_with_nothing_to_load(explain: Explain, tmp_path: Path) -> None:
    """`rvplat guest debian` makes such a file from the kernel's Image."""
    path = tmp_path / "symbols.elf"
    path.write_bytes(elf((), symbols={"here": 0x8000_0000}))
    lines, _ = explain(guest(LOOP), "here", "--until", "here", "--symbols", path)
    assert lines[1].startswith("hart 0: M mode, pc 0x80000000 <here>: ")
    assert "load of 0x80000000 in M mode, host" in lines


def test_limits_stop_the_machine(explain: Explain) -> None:
    lines, _ = explain(guest(LOOP), "0x80000000", "--max-instructions", 1000, "--hart", 0)
    assert lines[0] == "the number of instructions is reached"
    lines, _ = explain(guest(LOOP), "0x80000000", "--timeout", 0.2)
    assert lines[0] == "the time is up"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["demo"], "explain: expected an ADDRESS, such as 0x8000_1000 or main"),
        (
            ["demo", "mian"],
            "explain mian: found no symbol 'mian' in the program, and no board or file of "
            "this name",
        ),
        (
            ["hypervisor", "run_gest"],
            "explain run_gest: found no symbol 'run_gest' in the program, and no board or file of "
            'this name; did you mean "run_guest"?',
        ),
        (
            ["hypervisor", "run_guest+x"],
            "explain run_guest+x: found 'x', expected an offset such as 0x10",
        ),
        (["0x1", "--until", "mian"], "--until mian: found no symbol 'mian' in the program"),
        (
            ["0x1", "--until", "gest_sort@vmid:3", "--symbols", f"3={SORT}"],
            f"--until gest_sort@vmid:3: found no symbol 'gest_sort' in {SORT}; "
            'did you mean "guest_sort"?',
        ),
        (["0x1", "--until", "1@guest"], "--until 1@guest: found 'guest', expected host or vmid:N"),
        (
            ["0x1", "--until", "0x40"],
            "--until 0x40: the machine did not get there: the guest powered the machine off",
        ),
        (["0x1", "--hart", "1"], "--hart 1: expected 0 to 0"),
        (["0x1", "--world", "vmid:3"], "explain: no guest with VMID 3 has run"),
        (["0x1", "--world", "host", "--mode", "VS"], "explain: VS is no mode of the host"),
        (["a.elf", "0x1"], "a.elf: the program: No such file or directory"),
    ],
)
def test_what_cant_be_explained_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    program = [] if words[0] in ("demo", "hypervisor", "a.elf") else [str(guest(HELLO))]
    assert main(["explain", *program, *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.replace("hello\r\n", "") == f"rvplat: {problem}\n"


@pytest.mark.parametrize("world", ["guest", "vmid:", "vmid:x", "vmid:-1"])
def test_names_that_are_no_world(capsys: pytest.CaptureFixture[str], world: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explain", "0x1", "--world", world])
    assert ended.value.code == 2
    assert re.fullmatch(r".*argument --world: .*\n", capsys.readouterr().err)


def test_a_guest_is_explained_by_a_hart_that_ran_it(explain: Explain) -> None:
    lines, _ = explain("hypervisor", OUTSIDE, "--harts", 2, "--world", "vmid:2")
    assert "fault: load guest page (21), taken in HS mode" in lines[-1]


def test_a_hart_explains_guests_of_other_harts_by_its_own_pmp() -> None:
    with Machine.open("virt", program=hypervisor_elf(), settings={"harts.count": 2}) as machine:
        assert machine.run(timeout_s=60).reason == "off"
        ran, other = sorted((0, 1), key=lambda n: not int(machine.harts[n].view.guest_count))
        fault = machine.explain(OUTSIDE, hart=ran, world=2).fault
        assert fault is not None
        assert fault.cause == 21
        found = machine.explain(OUTSIDE, hart=other, world=2)
        assert found.world == "guest with VMID 2"
        assert found.fault is not None
        assert (found.fault.cause, found.fault.handler) == (5, "M")  # it has not set its PMP yet
        with pytest.raises(LookupError, match="those that have: 1, 2$"):
            machine.explain(OUTSIDE, world=3)
        machine.start()
        with pytest.raises(RuntimeError, match="the machine runs"):
            machine.explain(OUTSIDE)
