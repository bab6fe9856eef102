"""The shipped boards, with the shipped models."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat.machine.boards.board import Board
from rvplat.machine.boards.catalogue import Catalogue, shipped_boards
from rvplat.machine.boards.json_schema import board_schema
from rvplat.machine.boards.listing import list_boards, list_extensions
from rvplat.machine.boards.toml_tree import parse_override
from rvplat.machine.loading.fdt import Item, Node, encode, to_dtb
from rvplat.machine.loading.fdt_read import from_dtb
from rvplat.machine.open import faults_of, open_board, tree_of
from rvplat.pluginmanager import load_plugins
from tests.dtc import environment

NAMES = sorted(path.stem for path in shipped_boards().glob("*.toml"))
QEMU = shutil.which("qemu-system-riscv64")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.of(load_plugins())


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_board_has_no_fault(name: str) -> None:
    assert faults_of(name) == []


@pytest.mark.parametrize("name", NAMES)
def test_dtc_has_nothing_to_say_of_its_device_tree(name: str) -> None:
    data = to_dtb(tree_of(open_board(name, [parse_override("harts.count=8")])[0]))
    command = ["dtc", "-I", "dtb", "-O", "dts"]
    done = subprocess.run(
        command, input=data, capture_output=True, check=True, env=environment()
    )  # fmt: skip
    assert done.stderr == b""


@pytest.mark.parametrize("count", [0, 9])
def test_one_to_eight_harts(count: int) -> None:
    faults = faults_of("virt", [parse_override(f"harts.count={count}")])
    assert [str(one) for one in faults] == [
        f"--set harts.count={count}: harts.count: found {count}, expected an integer from 1 to 8"
    ]


@pytest.fixture(scope="module")
def qemu_tree(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """The device tree of QEMU's virt, with two harts and 1 GiB."""
    if QEMU is None:
        pytest.skip("qemu-system-riscv64 is not installed")
    path = tmp_path_factory.mktemp("qemu") / "virt.dtb"
    machine = f"virt,dumpdtb={path}"
    command = [QEMU, "-M", machine, "-smp", "2", "-m", "1G"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return from_dtb(path.read_bytes())


@pytest.fixture(scope="module")
def our_tree() -> Node:
    board, _ = open_board("virt", [parse_override("harts.count=2")])
    return tree_of(board)


def both(ours: Node, qemus: Node) -> Iterator[tuple[str, Node, Node]]:
    """The nodes that both trees have, by path."""
    theirs = dict(qemus.walk())
    yield from ((path, node, theirs[path]) for path, node in ours.walk() if path in theirs)


def test_virt_has_qemus_nodes(our_tree: Node, qemu_tree: Node) -> None:
    paths = {path for path, _ in our_tree.walk()}
    assert paths <= {path for path, _ in qemu_tree.walk()}
    assert {path for path, _ in qemu_tree.walk()} - paths <= {
        "/pmu", "/fw-cfg@10100000", "/flash@20000000", "/platform-bus@4000000",
        "/soc/pci@30000000", "/aliases",
    }  # fmt: skip


def same(name: str, one: tuple[Item, ...], two: tuple[Item, ...]) -> bool:
    """Phandle numbers may differ, and QEMU 7.2 declares one interrupt source too many (96)."""
    if name in ("phandle", "interrupt-parent", "regmap", "cpu", "interrupts-extended"):
        return len(encode(one)) == len(encode(two))
    if name == "riscv,ndev":
        return abs(int.from_bytes(encode(one), "big") - int.from_bytes(encode(two), "big")) <= 1
    return encode(one) == encode(two)


OTHERWISE = {
    "riscv,isa", "mmu-type", "stdout-path", "rng-seed", "status", "bootargs",
    "riscv,event-to-mhpmcounters",  # other events, and 29 counters
}  # fmt: skip


def test_virt_says_what_qemus_virt_says(our_tree: Node, qemu_tree: Node) -> None:
    for path, ours, theirs in both(our_tree, qemu_tree):
        shared = (ours.properties.keys() & theirs.properties.keys()) - OTHERWISE
        for name in sorted(shared):
            assert same(name, ours.properties[name], theirs.properties[name]), f"{path}:{name}"


def test_stdout_is_the_uart(our_tree: Node) -> None:
    node = our_tree.get("chosen")
    assert node is not None
    assert node.properties["stdout-path"] == ("/soc/serial@10000000",)


def test_boards_are_listed(catalogue: Catalogue) -> None:
    rows = {row.name: row for row in list_boards(catalogue)}
    assert [*rows] == NAMES
    assert all(row.description for row in rows.values())


def test_a_board_that_cannot_be_read_is_listed(tmp_path: Path) -> None:
    (tmp_path / "torn.toml").write_text("a = ")
    [row] = list_boards(Catalogue({}, {}, (tmp_path,)))
    assert (row.name, row.description) == ("torn", "(can't be read)")


def test_extensions_are_listed(catalogue: Catalogue) -> None:
    board: Board = open_board("minimal")[0]
    rows = {row.name: row for row in list_extensions(catalogue, board)}
    assert rows["I"].enabled == "yes"
    assert rows["I"].instructions > 40
    assert rows["M"].standing == "ratified"
    assert rows["Zba"].enabled == "-"
    assert rows["Sv39"].enabled == "yes"
    assert rows["Sv48"].enabled == "-"


def test_the_json_schema_knows_every_key(catalogue: Catalogue) -> None:
    schema = json.loads(json.dumps(board_schema(catalogue)))
    assert schema["properties"]["harts"]["properties"]["count"] == {
        "type": "integer", "minimum": 1, "maximum": 8, "description": "how many harts",
        "default": 1,
    }  # fmt: skip
    top = {"extends", "remove", "plugins", "harts", "memory", "devices", "chosen", "boot", "clock"}
    assert top <= set(schema["properties"])
    for path in shipped_boards().glob("*.toml"):
        for line in path.read_text().splitlines():
            key = re.match(r"(\w+) = ", line)
            if key:
                assert f'"{key[1]}"' in json.dumps(schema), f"{path.name}: {key[1]}"


def test_a_devices_settings_depend_on_its_model(catalogue: Catalogue) -> None:
    schema = board_schema(catalogue)
    device = schema["properties"]["devices"]["additionalProperties"]
    assert device["properties"]["model"]["enum"] == sorted(catalogue.models)
    rules = {rule["if"]["properties"]["model"]["const"]: rule["then"] for rule in device["allOf"]}
    assert "image" in rules["virtio-blk"]["properties"]
    assert "image" not in rules["ns16550a"]["properties"]
    assert rules["plic"]["properties"]["sources"]["maximum"] == 1023
