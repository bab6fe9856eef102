"""The contents of memory and registers when the harts start."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rvplat.errors import LoaderError
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.check import build_board
from rvplat.machine.boards.toml_tree import parse_override, read_board
from rvplat.machine.loading import loader
from rvplat.machine.loading.devicetree import Chosen
from rvplat.machine.loading.fdt import Node, to_dtb
from rvplat.machine.loading.fdt_read import from_dtb
from rvplat.machine.loading.loader import LoadPlan, Software, plan_load, read_software
from rvplat.machine.running.assembly import Assembly, Ports, assemble
from tests.machine.programs import elf, linux_image

MIB = 1 << 20
RAM = 0x8000_0000
PORTS = Ports(lambda *_: None, lambda *_: None, lambda *_: None, lambda: ())


@pytest.fixture
def assembly(board_folder: Path, catalogue: Catalogue) -> Iterator[Assembly]:
    """Two harts, 64 MiB at 0x8000_0000, no reset vector."""
    overrides = [
        parse_override("memory.ram.size=64M"),
        parse_override('devices.disk.image="ok_plain.toml"'),
    ]
    board = build_board(read_board("ok_plain", (Path(),), overrides), catalogue)
    built = assemble(board, PORTS)
    yield built
    built.close()


@pytest.fixture
def with_rom(board_folder: Path, catalogue: Catalogue) -> Iterator[Assembly]:
    board = build_board(read_board("ok_extends", (Path(),)), catalogue)
    built = assemble(board, PORTS)
    yield built
    built.close()


def software(assembly: Assembly, tmp_path: Path, **files: bytes) -> Software:
    """The software, read from files with these bytes."""
    paths: dict[str, Any] = {}
    for name, data in files.items():
        paths[name] = tmp_path / name
        paths[name].write_bytes(data)
    return read_software(assembly.board, **paths)


def plan_for(assembly: Assembly, read: Software) -> LoadPlan:
    return plan_load(assembly.board, read, assembly.device_tree)


def tree_of(plan: LoadPlan, assembly: Assembly) -> Node:
    return from_dtb(assembly.memory.read(plan.places["dtb"], 0x8000))


def chosen(plan: LoadPlan, assembly: Assembly) -> dict[str, bytes]:
    node = tree_of(plan, assembly).get("chosen")
    assert node is not None
    first = {name: values[0] for name, values in node.properties.items()}
    return {name: value for name, value in first.items() if isinstance(value, bytes)}


def test_a_bare_program(assembly: Assembly, tmp_path: Path) -> None:
    program = elf([(RAM, b"code", 4), (RAM + 0x1000, b"data", 0x2000)], RAM + 2, {"tohost": 9})
    assembly.memory.write(RAM + 0x1800, b"left over")
    plan = plan_load(
        assembly.board, software(assembly, tmp_path, program=program), assembly.device_tree
    )
    plan.apply(assembly.memory)
    assert plan.entry == RAM + 2
    assert plan.symbols["tohost"] == 9
    assert assembly.memory.read(RAM, 4) == b"code"
    assert assembly.memory.read(RAM + 0x1000, 0x2000) == b"data".ljust(0x2000, b"\0")
    dtb = plan.places["dtb"]
    assert dtb == RAM + 62 * MIB
    assert plan.registers == (
        {10: 0, 11: dtb, 12: dtb - 64},
        {10: 1, 11: dtb, 12: dtb - 64},
    )
    assert struct.unpack("<6Q", assembly.memory.read(dtb - 64, 48)) == (
        0x4942534F, 2, 0, 1, 0, 0,
    )  # fmt: skip


def test_firmware_kernel_initrd(assembly: Assembly, tmp_path: Path) -> None:
    files = {"program": b"firmware", "kernel": linux_image(0x1000, 0x30_0000), "initrd": b"cpio"}
    plan = plan_for(assembly, software(assembly, tmp_path, **files))
    plan.apply(assembly.memory)
    assert plan.places == {
        "program": RAM,
        "kernel": RAM + 2 * MIB,
        "initrd": RAM + 34 * MIB,
        "dtb": RAM + 62 * MIB,
    }
    assert assembly.memory.read(RAM, 8) == b"firmware"
    assert assembly.memory.read(RAM + 34 * MIB, 4) == b"cpio"
    info = struct.unpack("<6Q", assembly.memory.read(plan.registers[0][12], 48))
    assert info == (0x4942534F, 2, RAM + 2 * MIB, 1, 0, 0)
    properties = chosen(plan, assembly)
    assert properties["bootargs"] == b"console=ttyS0\0"
    assert properties["linux,initrd-start"] == (RAM + 34 * MIB).to_bytes(8, "big")
    assert properties["linux,initrd-end"] == (RAM + 34 * MIB + 4).to_bytes(8, "big")
    assert len(properties["rng-seed"]) == 32


def test_a_large_initrd_goes_below_the_device_tree(assembly: Assembly, tmp_path: Path) -> None:
    files = {"program": b"firmware", "kernel": linux_image(), "initrd": bytes(40 * MIB)}
    plan = plan_for(assembly, software(assembly, tmp_path, **files))
    start = plan.places["initrd"]
    assert start % 4096 == 0
    assert start >= RAM + 2 * MIB + 0x2000
    assert start + 40 * MIB <= plan.registers[0][12]


def test_append_replaces_the_boards_bootargs(assembly: Assembly, tmp_path: Path) -> None:
    (tmp_path / "fw").write_bytes(b"firmware")
    read = read_software(assembly.board, tmp_path / "fw", append="quiet")
    plan = plan_for(assembly, read)
    plan.apply(assembly.memory)
    assert chosen(plan, assembly)["bootargs"] == b"quiet\0"


def test_the_device_tree_of_a_full_ram(assembly: Assembly, tmp_path: Path) -> None:
    program = elf([(RAM, b"code", 63 * MIB)])
    plan = plan_load(
        assembly.board, software(assembly, tmp_path, program=program), assembly.device_tree
    )
    assert plan.places["dtb"] == RAM + 64 * MIB - 0x5000


def test_a_device_tree_of_the_users_own(assembly: Assembly, tmp_path: Path) -> None:
    root = Node("")
    root.set("compatible", "mine")
    files = {"program": b"firmware", "initrd": b"cpio", "dtb": to_dtb(root)}
    plan = plan_for(assembly, software(assembly, tmp_path, **files))
    plan.apply(assembly.memory)
    assert tree_of(plan, assembly).properties["compatible"] == (b"mine\0",)
    assert [*chosen(plan, assembly)] == ["linux,initrd-start", "linux,initrd-end"]


def test_code_at_the_reset_vector(with_rom: Assembly, tmp_path: Path) -> None:
    plan = plan_load(
        with_rom.board, software(with_rom, tmp_path, program=b"firmware"), with_rom.device_tree
    )
    plan.apply(with_rom.memory)
    assert plan.entry == 0x1000
    words = struct.unpack("<6I3Q", with_rom.memory.read(0x1000, 48))
    assert words[:6] == (0x297, 0x282B603, 0xF1402573, 0x202B583, 0x182B283, 0x28067)
    dtb = plan.places["dtb"]
    assert words[6:] == (RAM, dtb, dtb - 64)


def test_a_virtual_clock_has_the_same_seed_every_time(with_rom: Assembly, tmp_path: Path) -> None:
    read = software(with_rom, tmp_path, program=b"firmware")
    assert plan_for(with_rom, read).segments == plan_for(with_rom, read).segments


def test_a_plan_is_applied_again(assembly: Assembly, tmp_path: Path) -> None:
    plan = plan_load(
        assembly.board,
        software(assembly, tmp_path, program=elf([(RAM, b"x", 0x1000)])),
        assembly.device_tree,
    )
    changes: list[tuple[int, int]] = []
    assembly.memory.written = lambda pa, size: changes.append((pa, size))
    for _ in range(2):
        assembly.memory.write(RAM + 8, b"dirty")
        plan.apply(assembly.memory)
        assert assembly.memory.read(RAM, 0x1000) == b"x".ljust(0x1000, b"\0")
    assert (RAM, 0x1000) in changes


def test_a_kernel_finds_the_distributions_firmware(
    assembly: Assembly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firmware = tmp_path / "fw_dynamic.bin"
    firmware.write_bytes(b"opensbi")
    monkeypatch.setattr(loader, "SYSTEM_FIRMWARE", (tmp_path / "none", firmware))
    found = software(assembly, tmp_path, kernel=linux_image())
    assert found.program is not None
    assert found.program.path == firmware
    monkeypatch.setattr(loader, "SYSTEM_FIRMWARE", ())
    with pytest.raises(LoaderError) as error:
        software(assembly, tmp_path, kernel=linux_image())
    assert str(error.value) == (
        "a kernel needs firmware, and this host has no OpenSBI: name one as PROGRAM, such as "
        "OpenSBI's fw_dynamic.bin (Debian: package opensbi; or `rvplat guest debian DIR`)"
    )


def test_a_machine_without_software(assembly: Assembly) -> None:
    plan = plan_for(assembly, Software())
    assert plan.entry == RAM
    assert [*plan.places] == ["dtb"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"program": elf([(0x4000_0000, b"code", 0x10)])},
            "{program}: 0x10 bytes for 0x40000000 are outside the board's memory (0x80000000 to "
            "0x83ffffff, 0x100000000 to 0x1000fffff); link it for the RAM at 0x80000000",
        ),
        (
            {"program": elf([(0x2000_0000, b"code", 0x10)])},
            "{program}: 0x10 bytes for 0x20000000 are outside the board's memory (0x80000000 to "
            "0x83ffffff, 0x100000000 to 0x1000fffff); QEMU's virt has flash there, the board has "
            "none: link it for RAM",
        ),
        (
            {"program": elf([(0xFFFF_FFFF_8000_0000, b"code", 0x10)])},
            "{program}: 0x10 bytes for 0xffffffff80000000 are outside the board's memory "
            "(0x80000000 to 0x83ffffff, 0x100000000 to 0x1000fffff); it is linked at virtual "
            "addresses: use the Image of Linux, or an ELF file whose segments have physical "
            "addresses",
        ),
        (
            {"program": elf([(RAM + 63 * MIB, b"code", 2 * MIB)])},
            "{program}: 0x200000 bytes for 0x83f00000 are outside the board's memory (0x80000000 "
            "to 0x83ffffff, 0x100000000 to 0x1000fffff)",
        ),
        (
            {"program": elf([(RAM, b"code", 64 * MIB - 0x1000)])},
            "no room for the device tree ({dtb} bytes): what is loaded ends at 0x83fff000, RAM at "
            "0x84000000",
        ),
        (
            {"program": b"firmware", "kernel": linux_image(0x1000, 80 * MIB)},
            "{kernel}: the kernel is too large: it needs 0x5000000 bytes at 0x80200000, and RAM "
            "ends at 0x84000000",
        ),
        (
            {"program": elf([(RAM, b"code", 8)]), "kernel": elf([(RAM + 4, b"more", 8)])},
            "{kernel}: the kernel at 0x80000004 to 0x8000000b overlaps {program} at 0x80000000 to "
            "0x80000007",
        ),
        (
            {"program": b"fw", "kernel": linux_image(), "initrd": bytes(63 * MIB)},
            "{initrd}: the initrd is too large: it has 0x3f00000 bytes, and 0x3bfdfc0 are free "
            "above the kernel; --memory gives more",
        ),
        (
            {"program": b"fw", "dtb": b"\xd0\x0d\xfe\xed" + bytes(60)},
            "{dtb_path}: the device tree: the structure block ends in the middle",
        ),
        (
            {"program": b"fw", "dtb": b"no tree"},
            "{dtb_path}: the device tree: not a device tree: it does not begin with 0xd00dfeed",
        ),
    ],
)
def test_what_does_not_fit(
    assembly: Assembly, tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    with pytest.raises(LoaderError) as error:
        plan_for(assembly, software(assembly, tmp_path, **files))
    names = {name: tmp_path / name for name in ("program", "kernel", "initrd")}
    size = len(to_dtb(assembly.device_tree(Chosen(rng_seed=bytes(32)))))
    wanted = message.format(**names, dtb=f"{size:#x}", dtb_path=tmp_path / "dtb")
    assert str(error.value) == wanted
