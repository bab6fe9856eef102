"""`harts.isa` with a profile: what the harts have, what the device tree says, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat.errors import BoardError
from rvplat.isa.machinery.profiles import PROFILES
from rvplat.machine.boards.board import Board
from rvplat.machine.boards.catalogue import shipped_extensions
from rvplat.machine.boards.isa_string import IsaFault, resolve_isa
from rvplat.machine.loading.fdt import Item
from rvplat.machine.machine import Machine
from rvplat.machine.open import open_board, tree_of
from tests.machine.small_guests import HELLO, guest

COMPLETE = [
    name for name, one in PROFILES.items() if {*one.mandatory} <= shipped_extensions().keys()
]
FAULTS = [
    ('isa = "rva22s64"\nmmu = "bare"',
     'found rva22s64 beside mmu = "bare": it needs Sv39, expected mmu = "sv39" or larger, or no '
     "rva22s64"),
    ('isa = "rv64imac_zicsr_svpbmt"\nmmu = "bare"',
     'found Svpbmt beside mmu = "bare": it needs Sv39, expected mmu = "sv39" or larger, or no '
     "Svpbmt"),
    ('isa = "rv64imac_zicsr_sv57"\nmmu = "sv39"',
     'found Sv57 beside mmu = "sv39", expected mmu = "sv57" or larger, or no Sv57'),
    ('isa = "rva22s64_rvb23u64"',
     'found two profiles, rva22s64 and rvb23u64, in "rva22s64_rvb23u64", expected one profile, as '
     "the first part"),
    ('isa = "rv64gc_rva22s64"',
     'found rva22s64 in "rv64gc_rva22s64", expected one profile, as the first part'),
    ('isa = "rva22s65"',
     'found "rva22s65", expected an ISA string such as "rv64imafdc_zicsr"'),
    ('isa = "rva23s32"',
     f'found the unknown profile "rva23s32", expected one of {", ".join(PROFILES)}; did you mean '
     '"rva23s64"?'),
]  # fmt: skip


def board_of(tmp_path: Path, harts: str) -> Board:
    path = tmp_path / "board.toml"
    path.write_text(f'extends = "virt"\n\n[harts]\n{harts}\n')
    return open_board(str(path))[0]


@pytest.mark.parametrize(("harts", "fault"), FAULTS)
def test_a_contradiction_is_refused_with_its_line(harts: str, fault: str, tmp_path: Path) -> None:
    with pytest.raises(BoardError) as error:
        board_of(tmp_path, harts)
    assert str(error.value) == f"{tmp_path}/board.toml:4: harts.isa: {fault}"


def test_a_profile_of_which_something_is_missing_is_refused() -> None:
    known = {n: one for n, one in shipped_extensions().items() if n not in ("B", "Zkt")}
    assert resolve_isa("rva22s64", known, False)[1] == [
        IsaFault(
            "rva22s64, which demands B, Zkt: rvplat lacks that",
            "another profile, or the extensions one by one",
        )
    ]


@pytest.mark.parametrize("name", COMPLETE)
def test_a_profile_brings_its_mandatory_extensions(name: str, tmp_path: Path) -> None:
    names = {one.name for one in board_of(tmp_path, f'isa = "{name}"').extensions}
    assert names >= {*PROFILES[name].mandatory}
    more = {one.name for one in board_of(tmp_path, f'isa = "{name}_zacas_v"').extensions}
    assert more >= {*names, "Zacas", "V"}


def cpu_of(board: Board) -> dict[str, tuple[Item, ...]]:
    node = tree_of(board).find("/cpus/cpu@0")
    assert node is not None
    return node.properties


def test_the_device_tree_names_the_extensions(tmp_path: Path) -> None:
    """Not the profile (Linux, bindings/riscv/extensions.yaml)."""
    cpu = cpu_of(board_of(tmp_path, 'isa = "rva22s64_zvl256b_v"'))
    assert cpu["riscv,isa-base"] == ("rv64i",)
    names = [str(name) for name in cpu["riscv,isa-extensions"]]
    demanded = {name.lower() for name in PROFILES["rva22s64"].mandatory}
    assert demanded - {"sv39", "svbare"} <= {*names}
    letters = "".join(name for name in names if len(name) == 1)
    assert letters == "imafdcbv"
    assert cpu["riscv,isa"] == ("_".join([f"rv64{letters}", *names[len(letters) :]]),)
    assert "zvl256b" in names


def test_the_device_tree_names_the_events_of_the_counters(tmp_path: Path) -> None:
    """Each of SBI's events that a selector has (Linux, bindings/perf/riscv,pmu.yaml)."""
    assert tree_of(board_of(tmp_path, 'isa = "rv64gc_zihpm"')).find("/pmu") is None
    node = tree_of(board_of(tmp_path, 'isa = "rv64gc_zihpm_sscofpmf"')).find("/pmu")
    assert node is not None
    of_virt = tree_of(open_board("virt")[0]).find("/pmu")
    assert of_virt is not None and of_virt.properties == node.properties
    assert node.properties["compatible"] == ("riscv,pmu",)
    events = node.properties["riscv,event-to-mhpmcounters"]
    assert events[:6] == (1, 1, 0xFFFF_FFF9, 2, 2, 0xFFFF_FFFC)
    selectors = node.properties["riscv,event-to-mhpmevent"]
    assert selectors[::3] == selectors[2::3] == events[::3] == events[1::3]
    raw = node.properties["riscv,raw-event-to-mhpmcounters"]
    assert raw[:5] == (0, 0x100, 0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFF8)


def test_a_machine_of_a_profile_runs() -> None:
    with Machine.open(program=guest(HELLO), settings={"harts.isa": "rva22s64_zacas"}) as machine:
        assert machine.run(timeout_s=60).reason == "off"
        assert machine.console.output == b"hello\r\n"
