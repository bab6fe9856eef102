"""`rvplat check PROGRAM`: what a program file is, and why it will not start on a board."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import lief
import pytest

from rvplat.cli.main import main
from rvplat.guests import bench_programs, demo_elf, hypervisor_elf, vmm
from rvplat.machine.loading.built_for import Attributes, parse_attributes
from tests.guests.conftest import debian_guest  # noqa: F401
from tests.machine.programs import elf, linux_image

Check = Callable[..., tuple[int, str, str]]
NOP = struct.pack("<I", 0x13)


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Check:
    """Run `rvplat check`; return its status, stdout and stderr. An argument of bytes becomes a file
    with these contents, whose path is FILE in the two texts."""

    def run(*words: object) -> tuple[int, str, str]:
        path = tmp_path / "file"
        named: list[str] = []
        for word in words:
            if isinstance(word, bytes):
                path.write_bytes(word)
                word = path
            named.append(str(word))
        status = main(["check", *named])
        said = capsys.readouterr()
        # What this process compiles depends on the plugins that other tests opened.
        told = [line for line in said.err.splitlines(True) if "compiling" not in line]
        return status, said.out.replace(str(path), "FILE"), "".join(told).replace(str(path), "FILE")

    return run


def attributes(arch: str, alignment: int = 16) -> bytes:
    """The contents of .riscv.attributes."""
    values = bytes([4, alignment, 5]) + arch.encode() + b"\0" + bytes([6, 1])
    inner = b"\1" + struct.pack("<I", 5 + len(values)) + values
    return b"A" + struct.pack("<I", 4 + 6 + len(inner)) + b"riscv\0" + inner


def with_attributes(arch: str, flags: int = 0) -> bytes:
    """A program with a .riscv.attributes section."""
    data = bytearray(elf([(0x8000_0000, NOP, 4)]))
    names, contents = b"\0.riscv.attributes\0.shstrtab\0", attributes(arch)
    at = len(data)
    rows = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (1, 0x7000_0003, 0, 0, at, len(contents), 0, 0, 1, 0),
        (19, 3, 0, 0, at + len(contents), len(names), 0, 0, 1, 0),
    ]
    data += contents + names
    struct.pack_into("<Q", data, 0x28, len(data))
    struct.pack_into("<I", data, 0x30, flags)
    struct.pack_into("<HH", data, 0x3C, 3, 2)
    return bytes(data) + b"".join(struct.pack("<IIQQQQIIQQ", *row) for row in rows)


@pytest.mark.parametrize(
    "path", [demo_elf(), *(one.path for one in bench_programs())], ids=lambda path: path.stem
)
def test_shipped_programs_start(check: Check, path: Path) -> None:
    status, out, err = check(path)
    assert (status, err) == (0, "")
    assert out.endswith(f"{path}: it starts on virt\n")


def test_a_program_explained(check: Check) -> None:
    status, out, err = check("hypervisor")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == (
        f"{hypervisor_elf()}: an ELF file for RISC-V, 64 bits, little-endian: an executable"
    )
    assert "  entry       0x80000000 <_start>" in lines
    assert "  flags       compressed instructions (RVC), double-float ABI" in lines
    assert any(line.startswith("  0x80000000  0x8000429f  r-x ") for line in lines)
    assert any(line.startswith("  symbols     145, _start 0x80000000") for line in lines)


def test_what_it_was_built_for(check: Check) -> None:
    program = with_attributes("rv64i2p1_m2p0_zicond1p0_xfoo1p2", flags=0x5)
    status, out, err = check("minimal", program)
    assert "  built for   rv64i2p1_m2p0_zicond1p0_xfoo1p2\n" in out
    assert "  stack       aligned to 16 bytes\n" in out
    assert status == 2
    assert err.splitlines() == [
        "FILE: it was built for zicond, which the harts of minimal lack: harts.isa enables it",
        "FILE: it was built for xfoo, which rvplat does not have",
    ]
    assert check(with_attributes("rv64i2p1_m2p0_zicond1p0"))[0] == 0


def test_damaged_attributes_are_ignored() -> None:
    whole = attributes("rv64i2p1")
    assert parse_attributes(whole) == Attributes("rv64i2p1", 16, True)
    for cut in range(len(whole)):
        parse_attributes(whole[:cut])
    assert parse_attributes(b"B" + whole[1:]) == Attributes()


def test_every_segment_that_misfits(check: Check) -> None:
    status, _, err = check(vmm())
    assert status == 2
    program = lief.ELF.parse(vmm())
    assert program is not None
    loaded = [one for one in program.segments if one.type == lief.ELF.Segment.TYPE.LOAD]
    assert len(loaded) == 3
    assert [line.split(": ")[1].split(" are ")[0] for line in err.splitlines()] == [
        f"{one.virtual_size:#x} bytes for {one.physical_address:#x}" for one in loaded
    ]


@pytest.mark.parametrize(
    ("program", "what", "problem"),
    [
        (
            elf(machine=62),
            "an ELF file for x86-64, 64 bits, little-endian: an executable",
            "FILE: an ELF file for x86-64; expected one for RISC-V",
        ),
        (
            elf(kind=1),
            "an ELF file for RISC-V, 64 bits, little-endian: a relocatable object, which is not "
            "linked",
            "FILE: an ELF file that is a relocatable object: link it first; expected a program",
        ),
        (
            elf([(0x8000_0000, b"\0\0\0\0", 4)]),
            "an ELF file for RISC-V, 64 bits, little-endian: an executable",
            "FILE: its entry 0x80000000 holds 0x0000, no instruction that the harts of virt have",
        ),
        (
            elf(entry=0x8000_1000),
            "an ELF file for RISC-V, 64 bits, little-endian: an executable",
            "FILE: its entry 0x80001000 is in none of its segments",
        ),
        (
            elf([(0x8000_0000, bytes(8), 8)], entry=0x8000_0001),
            "an ELF file for RISC-V, 64 bits, little-endian: an executable",
            "FILE: its entry 0x80000001 is odd: instructions begin at even addresses",
        ),
        (
            b"070701" + b"0" * 104,
            "a cpio archive",
            "FILE: a cpio archive: an initial RAM disk is given with --initrd; expected an ELF "
            "file, a Linux Image or a raw binary for RISC-V",
        ),
        (
            b"li a0, 1\n",
            "a text file",
            "FILE: a text file; expected an ELF file, a Linux Image or a raw binary for RISC-V",
        ),
        (
            b"\xff" * 64,
            "raw bytes, 64 of them",
            "FILE: its entry 0x80000000 holds 0xffffffff, no instruction that the harts of virt "
            "have",
        ),
    ],
)
def test_programs_that_will_not_start(
    check: Check, program: bytes, what: str, problem: str
) -> None:
    status, out, err = check(program)
    assert (status, err) == (2, f"{problem}\n")
    assert out.splitlines()[0] == f"FILE: {what}"
    assert "it starts" not in out


def test_a_program_for_an_operating_system(check: Check) -> None:
    """It names its dynamic linker in a PT_INTERP segment."""
    linker = b"/lib/ld-linux-riscv64-lp64d.so.1\0"
    data = bytearray(elf([(0x8000_0000, NOP, 4), (0x8000_1000, linker, len(linker))]))
    struct.pack_into("<I", data, 64 + 56, 3)
    status, out, err = check(bytes(data))
    assert status == 2
    assert f"  interpreter {linker[:-1].decode()}\n" in out
    assert err == (
        f"FILE: it asks for the dynamic linker {linker[:-1].decode()}: it is a program for an "
        "operating system, and runs under one\n"
    )


def test_a_program_that_ends_through_tohost(check: Check) -> None:
    program = elf(symbols={"tohost": 0x8000_0000, "fromhost": 0x8000_0040})
    _, out, _ = check(program)
    assert "it ends through tohost, for which virt has no htif device; spike has one\n" in out
    assert "symbols     2, tohost 0x80000000, fromhost 0x80000040\n" in out
    assert "no htif device" not in check("spike", program)[1]


def test_a_file_of_symbols(check: Check) -> None:
    status, out, err = check(elf((), symbols={"main": 1}))
    assert (status, err) == (
        2, "FILE: an ELF file without anything to load; expected a program\n",
    )  # fmt: skip
    assert "  note        there is nothing to load in it; --symbols takes its symbols\n" in out


def test_a_kernel(check: Check) -> None:
    status, out, err = check(linux_image())
    assert (status, err) == (0, "")
    assert out.startswith("FILE: a Linux Image for RISC-V\n")
    assert "  note        it is a kernel: rvplat run virt FIRMWARE --kernel FILE\n" in out
    status, out, err = check(gzip.compress(linux_image(memory_size=1 << 40), mtime=0))
    assert out.startswith("FILE: a Linux Image for RISC-V, compressed\n")
    assert status == 2
    assert "FILE: the kernel is too large" in err


def test_debian_s_kernel_has_an_efi_stub(check: Check, debian_guest: object) -> None:  # noqa: F811
    status, out, err = check(debian_guest.kernel)  # type: ignore[attr-defined]
    assert (status, err) == (0, "")
    assert "  EFI stub    a PE file for RV64, EFI application; it starts from UEFI firmware" in out
    assert "  r-x     " in out
    assert " .text\n" in out


def efi_application(machine: int = 0x5064) -> bytes:
    """A PE32+ file with a section of code."""
    header = struct.pack("<4sHHIIIHH", b"PE\0\0", machine, 1, 0, 0, 0, 0xF0, 0x22)
    optional = struct.pack(
        "<HBBIIIIIQIIHHHHHHIIIIHHQQQQII", 0x20B, 2, 0, 0x200, 0, 0, 0x1000, 0x1000, 0, 0x1000,
        0x200, 0, 0, 0, 0, 0, 0, 0, 0x2000, 0x200, 0, 10, 0, 0, 0, 0, 0, 0, 16,
    )  # fmt: skip
    section = struct.pack(
        "<8sIIIIIIHHI", b".text", 4, 0x1000, 0x200, 0x200, 0, 0, 0, 0, 0x6000_0020
    )
    dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    head = (dos + header + optional + bytes(16 * 8) + section).ljust(0x200, b"\0")
    return head + NOP.ljust(0x200, b"\0")


def test_an_efi_application(check: Check) -> None:
    status, out, err = check(efi_application())
    assert status == 2
    assert out.startswith("FILE: a PE file for RV64, EFI application\n  PE entry    0x1000 above")
    assert "  0x1000  0x1003  r-x     512    4          .text\n" in out
    assert err == (
        "FILE: an EFI application for RV64: firmware with UEFI starts it; expected an ELF file, a "
        "Linux Image or a raw binary for RISC-V\n"
    )


LOADER = """
from rvplat.hookspecs import hookimpl
from rvplat.machine.loading.program import Program, Segment

class Backwards:
    name = "backwards"

    def matches(self, first_bytes, path):
        return first_bytes.startswith(b"BACK")

    def load(self, path, data):
        segment = Segment(0x8000_0000, data[:3:-1], len(data) - 4)
        return Program(path, "backwards", (segment,), 0x8000_0000, symbols={"main": 0x8000_0000})

@hookimpl
def rvplat_loaders():
    return [Backwards()]
"""


def test_a_plugin_s_format(check: Check, tmp_path: Path) -> None:
    plugin = tmp_path / "backwards.py"
    plugin.write_text(LOADER)
    status, out, err = check(b"BACK" + NOP[::-1], "--plugin", plugin)
    assert (status, err) == (0, "")
    assert out.startswith("FILE: a file that the plugin's loader backwards reads\n")
    assert "  0x80000000  0x80000003          4      4          ram\n" in out


def test_plugins_alone_are_checked_on_virt(check: Check, tmp_path: Path) -> None:
    plugin = tmp_path / "backwards.py"
    plugin.write_text(LOADER)
    assert check("--plugin", plugin) == (0, "virt: no faults\n", "")


def test_a_board_with_faults_comes_first(check: Check, tmp_path: Path) -> None:
    board = tmp_path / "b.toml"
    board.write_text('extends = "virt"\n[harts]\ncout = 2\n')
    status, out, err = check(board, "demo")
    assert (status, out) == (2, "")
    assert f"{board}:3: harts.cout: found an unknown key" in err
