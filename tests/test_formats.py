"""A file of the wrong format is named, wherever a user gives a file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rvplat_plugins.disk_image import RawImage

from rvplat import Machine
from rvplat.errors import DeviceError, RvplatError
from rvplat.formats import ENOUGH_BYTES, Kind, recognise
from tests.machine.small_guests import HELLO, guest

SIZE = 64 << 10  # whole sectors, so that only the format tells the file from a raw disk


def at(offset: int, magic: bytes) -> bytes:
    return (bytes(offset) + magic).ljust(SIZE, b"\0")


CONVERT = "`qemu-img convert -O raw FILE NEW` makes a raw image of it"
FLASH = (
    "a flash image with UEFI firmware (EDK2): it runs from a flash chip, and no board here has one"
)
CONTAINERS = {
    "qcow2": (at(0, b"QFI\xfb\0\0\0\3"), f"a QCOW2 disk image: {CONVERT}"),
    "vmdk": (at(0, b"KDMV\1\0\0\0"), f"a VMDK disk image: {CONVERT}"),
    "vhdx": (at(0, b"vhdxfile"), f"a VHDX disk image: {CONVERT}"),
    "vdi": (at(0x40, b"\x7f\x10\xda\xbe"), f"a VDI disk image: {CONVERT}"),
    "edk2": (at(0x28, b"_FVH"), FLASH),
    "overlay": (
        at(0, b"rvplat overlay 1"),
        "an overlay: give its base as `image`, and this file as `overlay`",
    ),
}
COMPRESSED = {
    "gzip": (gzip.compress(bytes(9), mtime=0), "with gzip: decompress it with `gzip -dk FILE`"),
    "xz": (lzma.compress(bytes(9)), "with xz: decompress it with `xz -dk FILE`"),
    "bzip2": (bz2.compress(bytes(9)), "with bzip2: decompress it with `bzip2 -dk FILE`"),
}
RAW = {
    "iso": (at(0x8001, b"CD001"), "an ISO image: a disk is given with --disk"),
    "mbr": (
        at(0, b"\xeb\x63".ljust(510, b"\0") + b"\x55\xaa"),
        "a raw disk image with a boot sector: a disk is given with --disk",
    ),
    "gpt": (
        at(0x200, b"EFI PART"),
        "a raw disk image with a GPT partition table: a disk is given with --disk",
    ),
}
OTHERS = {
    "tar": (at(0x101, b"ustar\0"), "a tar archive"),
    "text": (b"#!/bin/sh\necho this is no program at all\n", "a text file"),
    "tiny text": (b"nop\n", "a text file"),
    "text without an end of line": (b"tohost = 0x1000;", "a text file"),
    "text in UTF-8": ("\ufefföffne die Tür\r\n".encode(), "a text file"),
    "text that is cut in a character": (b"a" + 600 * "ä".encode(), "a text file"),
    "efi": (
        at(0, b"MZ".ljust(0x3C, b"\0") + struct.pack("<I4sH", 0x40, b"PE\0\0", 0x8664)),
        "an EFI application for x86-64: firmware with UEFI starts it",
    ),
}


def given(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "given"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("part", ["program", "kernel"])
@pytest.mark.parametrize("name", [*CONTAINERS, *RAW, *OTHERS])
def test_as_a_program(tmp_path: Path, name: str, part: str) -> None:
    data, what = {**CONTAINERS, **RAW, **OTHERS}[name]
    path = given(tmp_path, data)
    files: dict[str, Any] = {"program": guest(HELLO), part: path}
    with pytest.raises(RvplatError) as error:
        Machine.open("virt", **files)
    expected = "expected an ELF file, a Linux Image or a raw binary for RISC-V"
    assert str(error.value) == f"{path}: {what}; {expected}"


@pytest.mark.parametrize("name", CONTAINERS)
def test_as_an_initrd(tmp_path: Path, name: str) -> None:
    data, what = CONTAINERS[name]
    path = given(tmp_path, data)
    with pytest.raises(RvplatError) as error:
        Machine.open("virt", guest(HELLO), initrd=path)
    assert str(error.value) == f"{path}: the initrd: {what}"


@pytest.mark.parametrize("name", [*COMPRESSED, *RAW])
def test_an_initrd_may_be_compressed_or_a_file_system(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    data, what = {**COMPRESSED, **RAW}[name]
    path = given(tmp_path, data)
    Machine.open("virt", guest(HELLO), initrd=path).close()
    told = [f"{path}: the initrd is {what.split(':')[0]}"] if name in RAW else []
    assert caplog.messages == told


@pytest.mark.parametrize("name", [*CONTAINERS, *RAW, *OTHERS])
def test_as_a_device_tree(tmp_path: Path, name: str) -> None:
    data, what = {**CONTAINERS, **RAW, **OTHERS}[name]
    path = given(tmp_path, data)
    with pytest.raises(RvplatError) as error:
        Machine.open("virt", guest(HELLO), dtb=path)
    assert str(error.value) == f"{path}: the device tree: {what}; expected a device tree blob"


@pytest.mark.parametrize("name", [*CONTAINERS, *COMPRESSED])
@pytest.mark.parametrize("settings", [{}, {"snapshot": True}, {"readonly": True}])
def test_as_a_disk(tmp_path: Path, name: str, settings: dict[str, object]) -> None:
    """It is named even if its size is whole sectors. With `raw` it is used in any case."""
    data, what = {**CONTAINERS, **COMPRESSED}[name]
    path = given(tmp_path, data.ljust(SIZE, b"\0"))
    disk = {"devices.virtio0": {"model": "virtio-blk", "image": str(path), **settings}}
    with pytest.raises(DeviceError) as error:
        Machine.open("virt", guest(HELLO), settings=disk)
    what = what if name in CONTAINERS else f"compressed {what}"
    hint = "; if a raw disk just begins like that, set raw = true"
    assert str(error.value).endswith(f"disk image {path}: {what}{hint}")
    disk["devices.virtio0"]["raw"] = True
    Machine.open("virt", guest(HELLO), settings=disk).close()


@pytest.mark.parametrize("name", [*RAW, "tar"])
def test_a_disk_may_hold_anything_that_a_guest_can_read(tmp_path: Path, name: str) -> None:
    image = RawImage(given(tmp_path, {**RAW, **OTHERS}[name][0]))
    assert image.size == SIZE
    image.close()


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
@pytest.mark.parametrize(
    "kind", ["qcow2", "qcow", "vmdk", "vdi", "vhdx", "vpc", "qed", "parallels"]
)
def test_images_made_by_qemu_img(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"disk.{kind}"
    command = ["qemu-img", "create", "-q", "-f", kind, str(path), "4M"]
    subprocess.run(command, check=True, timeout=60)
    found = recognise(path.read_bytes()[:ENOUGH_BYTES])
    assert found is not None
    assert found.kind is Kind.DISK


@pytest.mark.parametrize(
    "data",
    [b"", b"\x13\0\0\0", b"MZ", b"MZ".ljust(0x40, b"\xff"), b"short text", bytes(SIZE), b"\n",
     b"\x33\x45\xb5\x20\n", b"c" * 15, b"text\0" * 9],
)  # fmt: skip
def test_unknown_formats(data: bytes) -> None:
    assert recognise(data) is None


def test_a_file_system_as_the_program_gets_a_hint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = given(tmp_path, bytes(1024) + b"a superblock")
    Machine.open("virt", path).close()
    assert caplog.messages == [
        f"{path}: loaded as a raw binary, but its first bytes are no instruction: is it a disk or "
        "flash image, or linked for another place?"
    ]


def test_a_linux_image_as_the_program_gets_a_hint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    header = struct.pack("<IIQQQIIQ8s4sI", 0, 0, 0, SIZE, 0, 2, 0, 0, b"RISCV\0\0\0", b"RSC\x05", 0)
    path = given(tmp_path, header.ljust(SIZE, b"\0"))
    Machine.open("virt", path).close()
    assert caplog.messages == [
        f"{path}: a Linux Image as the program starts without firmware, in M mode; --kernel "
        "starts it in S mode, after the firmware"
    ]
