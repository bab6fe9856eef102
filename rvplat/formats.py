"""Recognises file formats by their magic numbers, for messages about files of the wrong format.

A user gives a file as a program, kernel, initrd, device tree or disk. If it has another format, the
message names the format and says what to do. Only this module knows such formats:

    found = recognise(first_bytes)
    if found is not None and found.kind is Kind.DISK:
        raise LoaderError(f"{path}: {found}")
"""

from __future__ import annotations

import codecs
import struct
from enum import Enum
from typing import Final

from rvplat.frozen import frozen

#: The number of first bytes that are enough to recognise any format (ISO images need the most).
ENOUGH_BYTES: Final = 0x8006
PE_AT: Final = 0x3C
TEXT_BYTES: Final = 512
#: Less without an end of line may be code: some instructions consist of letters.
SHORTEST_TEXT: Final = 16
_BLANKS: Final = "\t\n\r\f"


class Kind(Enum):
    """The purpose of a format, which decides where a file of it makes sense."""

    DISK = "a container of a disk, whose bytes are not those of the disk"
    RAW = "a raw disk"
    COMPRESSED = "something compressed"
    ARCHIVE = "files that a kernel unpacks into memory"
    FLASH = "contents of a flash chip"
    PROGRAM = "a program for something else"
    TREE = "a device tree"
    OTHER = "anything else"


@frozen
class Format:
    """`name` has its article, for messages; `advice` is what to do with such a file."""

    name: str
    kind: Kind
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.advice}" if self.advice else self.name


def _disk(name: str) -> Format:
    return Format(name, Kind.DISK, "`qemu-img convert -O raw FILE NEW` makes a raw image of it")


def _compressed(name: str, command: str) -> Format:
    return Format(name, Kind.COMPRESSED, f"decompress it with `{command} FILE`")


_SOURCE = Format("a device tree's source", Kind.OTHER, "compile it with dtc")
_FLASH = Format("a flash image with UEFI firmware (EDK2)", Kind.FLASH,
                "it runs from a flash chip, and no board here has one")  # fmt: skip
_MBR = Format("a raw disk image with a boot sector", Kind.RAW, "a disk is given with --disk")
_CPIO = Format("a cpio archive", Kind.ARCHIVE, "an initial RAM disk is given with --initrd")
_TEXT = Format("a text file", Kind.OTHER)
#: (offset, magic, format). If several match, the first one wins.
MAGICS: Final = (
    (0x0, b"QFI\xfb", _disk("a QCOW2 disk image")),
    (0x0, b"KDMV", _disk("a VMDK disk image")),
    (0x0, b"COWD", _disk("a VMDK disk image")),
    (0x0, b"# Disk DescriptorFile", _disk("a VMDK disk image's description")),
    (0x0, b"vhdxfile", _disk("a VHDX disk image")),
    (0x0, b"conectix", _disk("a VHD disk image")),
    (0x40, b"\x7f\x10\xda\xbe", _disk("a VDI disk image")),
    (0x0, b"QED\0", _disk("a QED disk image")),
    (0x0, b"WithoutFreeSpace", _disk("a Parallels disk image")),
    (0x0, b"WithouFreSpacExt", _disk("a Parallels disk image")),
    (0x0, b"\x3a\xff\x26\xed", Format("an Android sparse image", Kind.DISK,
                                      "simg2img makes a raw disk image of it")),
    (0x0, b"rvplat overlay 1", Format("an overlay", Kind.DISK,
                                      "give its base as `image`, and this file as `overlay`")),
    (0x28, b"_FVH", _FLASH),
    (0x0, b"\x1f\x8b", _compressed("compressed with gzip", "gzip -dk")),
    (0x0, b"\xfd7zXZ", _compressed("compressed with xz", "xz -dk")),
    (0x0, b"\x28\xb5\x2f\xfd", _compressed("compressed with zstd", "zstd -d")),
    (0x0, b"BZh", _compressed("compressed with bzip2", "bzip2 -dk")),
    (0x0, b"\x04\x22\x4d\x18", _compressed("compressed with lz4", "lz4 -d")),
    (0x0, b"PK\3\4", _compressed("a ZIP archive", "unzip")),
    (0x202, b"HdrS", Format("a Linux kernel for x86", Kind.PROGRAM)),
    (0x38, b"ARM\x64", Format("a Linux kernel for AArch64", Kind.PROGRAM)),
    (0x0, b"\x27\x05\x19\x56", Format("a legacy U-Boot image (mkimage)", Kind.PROGRAM)),
    (0x0, b"\xd0\x0d\xfe\xed", Format("a device tree, or a FIT image", Kind.TREE)),
    (0x0, b"\x7fELF", Format("an ELF file", Kind.PROGRAM)),
    (0x0, b"070701", _CPIO),
    (0x0, b"070702", _CPIO),
    (0x0, b"!<arch>\n", Format("an archive (ar, deb)", Kind.OTHER)),
    (0x101, b"ustar", Format("a tar archive", Kind.OTHER)),
    (0x0, b"/dts-v1/", _SOURCE),
    (0x8001, b"CD001", Format("an ISO image", Kind.RAW, "a disk is given with --disk")),
    (0x200, b"EFI PART", Format("a raw disk image with a GPT partition table", Kind.RAW,
                                "a disk is given with --disk")),
)  # fmt: skip
#: How x86 boot sectors begin (jumps, cli, xor ax, ax). 0x55AA at the end alone is too weak a sign.
_BOOT_SECTOR_STARTS: Final = (b"\xeb", b"\xe9", b"\xfa", b"\x33\xc0", b"\x31\xc0", b"\xfc")
PE_MACHINES: Final = {0x14C: "x86", 0x8664: "x86-64", 0xAA64: "AArch64", 0x5032: "RV32",
                       0x5064: "RV64"}  # fmt: skip


def recognise(data: bytes) -> Format | None:
    """The format of a file that begins with `data`; None if no magic number matches."""
    for at, magic, found in MAGICS:
        if data[at : at + len(magic)] == magic:
            return found
    if data[0x1FE:0x200] == b"\x55\xaa" and data.startswith(_BOOT_SECTOR_STARTS):
        return _MBR
    return _portable_executable(data) or (_TEXT if _is_text(data) else None)


def _portable_executable(data: bytes) -> Format | None:
    """An EFI application or a program for Windows (Microsoft, "PE Format")."""
    if data[:2] != b"MZ" or len(data) < PE_AT + 4:
        return None
    (at,) = struct.unpack_from("<I", data, PE_AT)
    if data[at : at + 4] != b"PE\0\0" or len(data) < at + 6:
        return None
    (machine,) = struct.unpack_from("<H", data, at + 4)
    target = PE_MACHINES.get(machine, f"machine {machine:#x}")
    return Format(f"an EFI application for {target}", Kind.PROGRAM, "firmware with UEFI starts it")


def _is_text(data: bytes) -> bool:
    """Whether it begins with so much printable UTF-8 that it is hardly code."""
    if len(data) < SHORTEST_TEXT and not data.endswith(b"\n"):
        return False
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(data[:TEXT_BYTES])
    except UnicodeDecodeError:
        return False
    return text.strip() != "" and all(one.isprintable() or one in _BLANKS for one in text)
