"""The contents of a board's device tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rvplat.machine.boards.board import Board
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.check import build_board
from rvplat.machine.boards.toml_tree import parse_override, read_board
from rvplat.machine.loading.devicetree import Chosen
from rvplat.machine.loading.fdt import Item, Node, to_dtb
from rvplat.machine.open import tree_of


@pytest.fixture
def board(board_folder: Path, catalogue: Catalogue) -> Board:
    return build_board(read_board("ok_plain", (Path(),)), catalogue)


def properties(tree: Node, path: str) -> dict[str, tuple[Item, ...]]:
    node = tree.find(path)
    assert node is not None, path
    return node.properties


def test_the_nodes(board: Board) -> None:
    assert [path for path, _ in tree_of(board).walk()] == [
        "/",
        "/chosen",
        "/memory@80000000",
        "/memory@100000000",
        "/cpus",
        "/cpus/cpu@0",
        "/cpus/cpu@0/interrupt-controller",
        "/cpus/cpu@1",
        "/cpus/cpu@1/interrupt-controller",
        "/cpus/cpu-map",
        "/cpus/cpu-map/cluster0",
        "/cpus/cpu-map/cluster0/core0",
        "/cpus/cpu-map/cluster0/core1",
        "/soc",
        "/soc/plic@c000000",
        "/soc/serial@10000000",
        "/soc/disk@10001000",
    ]


def test_a_cpu(board: Board) -> None:
    tree = tree_of(board)
    assert properties(tree, "/cpus")["timebase-frequency"] == (1_000_000,)
    cpu = properties(tree, "/cpus/cpu@1")
    assert cpu["reg"] == (1,)
    assert cpu["riscv,isa"] == ("rv64imafdc_zicbom_zicboz_zicsr_zifencei_svinval",)
    assert cpu["riscv,isa-base"] == ("rv64i",)
    assert cpu["riscv,isa-extensions"] == (
        "i", "m", "a", "f", "d", "c", "zicbom", "zicboz", "zicsr", "zifencei", "svinval",
    )  # fmt: skip
    assert cpu["mmu-type"] == ("riscv,sv48",)
    assert cpu["riscv,cbom-block-size"] == cpu["riscv,cboz-block-size"] == (64,)
    intc = properties(tree, "/cpus/cpu@1/interrupt-controller")
    assert intc["compatible"] == ("riscv,cpu-intc",)


def test_devices_and_their_wires(board: Board) -> None:
    tree = tree_of(board)
    intc = properties(tree, "/soc/plic@c000000")
    uart = properties(tree, "/soc/serial@10000000")
    assert uart["reg"] == (0, 0x1000_0000, 0, 0x100)
    assert uart["interrupts"] == (10,)
    assert uart["interrupt-parent"] == intc["phandle"]
    assert uart["clock-frequency"] == (3_686_400,)
    assert intc["interrupt-controller"] == ()
    assert intc["#interrupt-cells"] == (1,)
    cpus = [properties(tree, f"/cpus/cpu@{n}/interrupt-controller")["phandle"][0] for n in range(2)]
    assert intc["interrupts-extended"] == (cpus[0], 11, cpus[0], 9, cpus[1], 11, cpus[1], 9)


def test_chosen_with_what_a_loader_adds(board: Board) -> None:
    assert properties(tree_of(board), "/chosen") == {
        "bootargs": ("console=ttyS0",),
        "stdout-path": ("/soc/serial@10000000",),
    }
    chosen = Chosen("quiet", (0x8800_0000, 0x8900_0000), b"\1" * 32)
    assert properties(tree_of(board, chosen), "/chosen") == {
        "bootargs": ("quiet",),
        "stdout-path": ("/soc/serial@10000000",),
        "linux,initrd-start": (0, 0x8800_0000),
        "linux,initrd-end": (0, 0x8900_0000),
        "rng-seed": (b"\1" * 32,),
    }
    assert "bootargs" not in properties(tree_of(board, Chosen("")), "/chosen")


def test_a_device_without_a_place_stands_in_the_root(
    board_folder: Path, catalogue: Catalogue
) -> None:
    carved = build_board(
        read_board("ok_carved", (Path(),), [parse_override("chosen.stdout=htif")]), catalogue
    )
    tree = tree_of(carved)
    assert properties(tree, "/htif") == {"compatible": ("ucb,htif0",)}
    assert properties(tree, "/chosen") == {"stdout-path": ("/htif",)}
    assert properties(tree, "/cpus/cpu@0")["mmu-type"] == ("riscv,none",)


def test_a_rom_is_no_memory(board_folder: Path, catalogue: Catalogue) -> None:
    board = build_board(read_board("ok_extends", (Path(),)), catalogue)
    paths = [path for path, _ in tree_of(board).walk()]
    assert "/memory@80000000" in paths
    assert "/memory@1000" not in paths


def test_structure_rules(board: Board) -> None:
    """Devicetree Specification, sections 2.2 and 2.3: names, unit addresses, phandles, reg."""
    tree = tree_of(board)
    seen: list[Item] = []
    for path, node in tree.walk():
        name, _, unit = node.name.partition("@")
        assert re.fullmatch(r"[A-Za-z0-9,._+-]{0,31}", name), path
        reg = node.properties.get("reg")
        assert bool(unit) == (reg is not None), path
        if reg and len(reg) == 4:
            assert isinstance(reg[0], int)
            assert isinstance(reg[1], int)
            assert int(unit, 16) == reg[0] << 32 | reg[1], path
        for key in node.properties:
            assert re.fullmatch(r"[A-Za-z0-9,._+?#-]{1,31}", key), f"{path}:{key}"
        seen += node.properties.get("phandle", ())
    assert len(seen) == len(set(seen))
    assert to_dtb(tree) == to_dtb(tree_of(board)), "the same board, the same bytes"
