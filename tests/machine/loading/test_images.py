"""Program files of every kind, complete and damaged."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest

from rvplat.errors import LoaderError
from rvplat.machine.loading.images import read_program
from rvplat.machine.loading.program import Program, Segment
from tests.machine.programs import elf, linux_image


def read(tmp_path: Path, data: bytes) -> Program:
    path = tmp_path / "file"
    path.write_bytes(data)
    return read_program(path, "the program")


def test_an_elf_file(tmp_path: Path) -> None:
    data = elf(
        [(0x8000_0000, b"code", 4), (0x8000_1000, b"data", 0x100)],
        0x8000_0002,
        {"tohost": 5, "é": 6},
    )
    program = read(tmp_path, data)
    assert [(one.address, bytes(one.data), one.size) for one in program.segments] == [
        (0x8000_0000, b"code", 4),
        (0x8000_1000, b"data", 0x100),
    ]
    assert (program.kind, program.entry, program.fixed) == ("elf", 0x8000_0002, True)
    assert (program.start, program.end) == (0x8000_0000, 0x8000_1100)
    assert dict(program.symbols) == {"tohost": 5, "é": 6}
    assert program.at(0x9000_0000) is program


def test_an_entry_is_a_virtual_address(tmp_path: Path) -> None:
    program = read(tmp_path, elf(entry=0x8000_0002, virtual_offset=0x1_0000_0000))
    assert program.entry == 0x8000_0002
    assert program.start == 0x8000_0000


def test_a_position_independent_program_is_moved(tmp_path: Path) -> None:
    program = read(tmp_path, elf([(0, b"code", 4)], 2, {"tohost": 0x40}, kind=3))
    assert not program.fixed
    moved = program.at(0x8000_0000)
    assert (moved.start, moved.entry, moved.symbols["tohost"]) == (
        0x8000_0000, 0x8000_0002, 0x8000_0040,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (elf(machine=62), "an ELF file for x86-64; expected one for RISC-V"),
        (elf(machine=183), "an ELF file for AArch64; expected one for RISC-V"),
        (elf(machine=9999), "an ELF file for machine 9999; expected one for RISC-V"),
        (elf(elf_class=7), "a class 7 ELF file; expected one for RISC-V"),
        (elf(byte_order=2), "a big-endian ELF file; expected a little-endian one"),
        (
            elf(kind=1),
            "an ELF file that is a relocatable object: link it first; expected a program",
        ),
        (elf(kind=4), "an ELF file that is a core dump; expected a program"),
        (elf([]), "an ELF file without anything to load; expected a program"),
        (elf()[:8], "a truncated ELF file: its header ends at byte 64, the file has 8"),
        (elf()[:60], "a truncated ELF file: its header ends at byte 64, the file has 60"),
        (
            elf()[:100],
            "a truncated ELF file: its program header table ends at byte 120, the file has 100",
        ),
        (
            elf()[:-1],
            "a truncated ELF file: the segment for 0x80000000 ends at byte 124, the file has 123",
        ),
        (
            elf([(0x8000_0000, b"code", 2)]),
            "the segment for 0x80000000 is larger in the file than loaded",
        ),
        (
            b"\x27\x05\x19\x56" + bytes(100),
            "a legacy U-Boot image (mkimage); expected an ELF file, a Linux Image or a raw binary "
            "for RISC-V",
        ),
        (
            bytes(0x202) + b"HdrS" + bytes(100),
            "a Linux kernel for x86; expected an ELF file, a Linux Image or a raw binary for "
            "RISC-V",
        ),
        (gzip.compress(elf(), mtime=0)[:-20], "a truncated gzip file"),
        (
            b"\x1f\x8b" + bytes(20),
            "a damaged gzip file (Error -3 while decompressing data: unknown compression method)",
        ),
        (
            b"MZ\0\0zimg" + struct.pack("<II", 64, 8) + bytes(8) + b"zstd\0".ljust(40, b"\0"),
            "a kernel compressed with zstd; expected gzip or none",
        ),
    ],
)
def test_what_is_no_program(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(LoaderError) as error:
        read(tmp_path, data)
    assert str(error.value) == f"{tmp_path / 'file'}: {message}"


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "none", "the program: No such file or directory"),
        (tmp_path, "the program: it is a folder; expected a regular file"),
    ):
        with pytest.raises(LoaderError) as error:
            read_program(path, "the program")
        assert str(error.value) == f"{path}: {message}"
    with pytest.raises(LoaderError) as error:
        read(tmp_path, b"")
    assert str(error.value) == f"{tmp_path / 'file'}: the program: the file is empty"


def test_a_damaged_symbol_table_keeps_nothing_from_running(tmp_path: Path) -> None:
    data = elf(symbols={"tohost": 1})
    assert dict(read(tmp_path, data[:-10]).symbols) == {}
    assert dict(read(tmp_path, data).symbols) == {"tohost": 1}


def test_a_linux_image(tmp_path: Path) -> None:
    program = read(tmp_path, linux_image(0x1000, 0x3000))
    assert (program.kind, program.fixed, program.offset) == ("linux", False, 0x20_0000)
    moved = program.at(0x8020_0000)
    assert (moved.start, moved.entry, moved.end) == (0x8020_0000, 0x8020_0000, 0x8020_3000)


def test_compressed_kernels(tmp_path: Path) -> None:
    image = linux_image()
    packed = gzip.compress(image, mtime=0)
    assert read(tmp_path, packed).segments == (Segment(0, image, len(image)),)
    zboot = b"MZ\0\0zimg" + struct.pack("<II", 64, len(packed)) + bytes(8) + b"gzip\0"
    zboot = zboot.ljust(64, b"\0") + packed + b"and a trailer"
    assert read(tmp_path, zboot).kind == "linux"


def test_anything_else_is_raw(tmp_path: Path) -> None:
    program = read(tmp_path, b"\x13\0\0\0")
    assert (program.kind, program.segments) == ("raw", (Segment(0, b"\x13\0\0\0", 4),))


def test_a_kernel_that_ends_in_its_header_is_raw(tmp_path: Path) -> None:
    assert read(tmp_path, b"MZ\0\0zimg").kind == "raw"


class Hex:
    """A plugin's loader of a text format with addresses and bytes."""

    name = "hex"

    def matches(self, first_bytes: bytes, path: Path) -> bool:
        return first_bytes.startswith(b"@")

    def load(self, path: Path, data: bytes) -> Program:
        address, _, rest = data[1:].partition(b"\n")
        content = bytes.fromhex(rest.decode())
        start = int(address, 16)
        return Program(path, "hex", (Segment(start, content, len(content)),), start)


def test_a_plugins_loader_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "program.hex"
    path.write_bytes(b"@80000000\n13000000")
    program = read_program(path, "the program", [Hex()])
    assert (program.kind, program.entry) == ("hex", 0x8000_0000)
    assert program.segments[0].data == b"\x13\0\0\0"
