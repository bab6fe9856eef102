"""Find truncated files of Linux. Such a file would load, and fail later in misleading ways.

Image: `Documentation/arch/riscv/boot-image-header.rst`, and the PE/COFF header of its EFI stub
(Microsoft, "PE Format"). Initial RAM disk: `Documentation/driver-api/early-userspace/
buffer-format.rst`.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rvplat.errors import LoaderError

log = logging.getLogger("rvplat.loader")

PE_OFFSET: Final = 0x3C  # res3 of the Image's header
_PE = struct.Struct("<4sHHIIIHH")
_PE_SECTION = struct.Struct("<8s4I")
PE_SECTION_BYTES: Final = 40
CPIO_MAGIC = (b"070701", b"070702")
CPIO_HEADER_BYTES: Final = 110
CPIO_TRAILER: Final = b"TRAILER!!!"


def check_whole(path: Path, data: bytes, image_size: int) -> None:
    """Check that an Image is complete.

    `image_size` in the header includes .bss, which is not in the file, so the check uses the
    sections in the EFI stub's header. An Image without the stub gets a warning if more than half
    is missing.

    Raises:
        LoaderError: a section ends beyond the file's end.
    """
    end = max(_pe_ends(data), default=0)
    if end > len(data):
        raise LoaderError(
            f"{path}: a truncated Linux Image: its sections end at byte {end}, the file has "
            f"{len(data)}; copy or build it again"
        )
    if end == 0 and len(data) < image_size // 2:
        log.warning(
            "%s: the Linux Image has %d bytes of the %d that its header asks for; the rest is "
            "taken for .bss, but the file may be cut off", path, len(data), image_size,
        )  # fmt: skip


def _pe_ends(data: bytes) -> Iterator[int]:
    """The ends of the sections in the file, if there is a PE header."""
    if data[:2] != b"MZ":
        return
    (at,) = struct.unpack_from("<I", data, PE_OFFSET)
    if at + _PE.size > len(data) or data[at : at + 4] != b"PE\0\0":
        return
    header = _PE.unpack_from(data, at)
    at += _PE.size + header[6]
    yield at + header[2] * PE_SECTION_BYTES
    for _ in range(header[2]):
        if at + PE_SECTION_BYTES <= len(data):
            _, _, _, size, offset = _PE_SECTION.unpack_from(data, at)
            yield size + offset
        at += PE_SECTION_BYTES


def check_cpio(path: Path, data: bytes) -> None:
    """Check that an initrd that begins as a cpio archive ("newc") is complete up to its trailer.

    Anything may follow the trailer, for instance another archive; it is not checked.

    Raises:
        LoaderError: a file in the archive ends beyond the initrd's end.
    """
    at = 0
    while data[at : at + 6] in CPIO_MAGIC:
        begin = at + CPIO_HEADER_BYTES
        try:
            size, name_size = _hex(data[at + 54 : at + 62]), _hex(data[at + 94 : at + 102])
        except ValueError:
            return
        name = data[begin : begin + max(name_size - 1, 0)]
        end = _up4(begin + name_size) + size
        if end > len(data):
            raise LoaderError(
                f"{path}: a truncated cpio archive: its file {name.decode(errors='replace')!r} "
                f"ends at byte {end}, the archive has {len(data)}; copy or build it again"
            )
        if name == CPIO_TRAILER:
            return
        at = _up4(end)


def _hex(digits: bytes) -> int:
    return int.from_bytes(bytes.fromhex(digits.decode("ascii", "replace")), "big")


def _up4(value: int) -> int:
    return (value + 3) & ~3
