"""Read program files of the built-in formats: ELF, Linux's Image, raw; also gzip-compressed.

Linux: `Documentation/arch/riscv/boot-image-header.rst`; EFI zboot: the kernel's `zboot-header.S`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rvplat.errors import LoaderError
from rvplat.formats import recognise
from rvplat.frozen import frozen
from rvplat.machine.loading.elf import is_elf, read_elf
from rvplat.machine.loading.linux_images import check_whole
from rvplat.machine.loading.program import Loader, Program, Segment
from rvplat.machine.loading.user_files import read_file

FIRST_BYTES: Final = 4096
_IMAGE_HEADER = struct.Struct("<IIQQQIIQ8s4sI")
ZBOOT_HEADER_BYTES: Final = 64
_GZIP: Final = b"\x1f\x8b"


def read_program(path: Path, what: str, loaders: Sequence[Loader] = ()) -> Program:
    """Read the program in a file; `what` names its purpose in messages ("the kernel").

    Raises:
        LoaderError: the file does not exist or cannot be loaded.
    """
    data = read_file(path, what)
    for loader in loaders:
        if loader.matches(data[:FIRST_BYTES], path):
            return loader.load(path, data)
    return _program(path, unpacked(path, data))


def _program(path: Path, data: bytes) -> Program:
    if is_elf(data):
        return read_elf(path, data)
    if header := image_header(data):
        check_whole(path, data, header.size)
        segment, room = Segment(0, data, len(data)), max(header.size, len(data))
        return Program(path, "linux", (segment,), 0, False, room, header.offset)
    if found := recognise(data):
        raise LoaderError(
            f"{path}: {found}; expected an ELF file, a Linux Image or a raw binary for RISC-V"
        )
    return Program(path, "raw", (Segment(0, data, len(data)),), 0, False)


@frozen
class ImageHeader:
    """The header of Linux's Image: the offset from the start of memory where it must be loaded, and
    the bytes that it needs there, including .bss."""

    offset: int
    size: int


def image_header(data: bytes) -> ImageHeader | None:
    """The header of a Linux Image for RISC-V; None if the data is not one."""
    if len(data) < _IMAGE_HEADER.size:
        return None
    header = _IMAGE_HEADER.unpack_from(data)
    if header[8][:5] != b"RISCV" and header[9] != b"RSC\x05":
        return None
    return ImageHeader(header[2], header[3])


def unpacked(path: Path, data: bytes) -> bytes:
    """The contents of a file, decompressed if it is compressed.

    Raises:
        LoaderError: the file is damaged, or its compression is not supported.
    """
    if data[:2] == _GZIP:
        return _gunzip(path, data)
    if data[:2] == b"MZ" and data[4:8] == b"zimg" and len(data) >= ZBOOT_HEADER_BYTES:
        start, size = struct.unpack_from("<II", data, 8)
        method = data[24:56].split(b"\0")[0].decode(errors="replace")
        if not method.startswith("gzip"):
            raise LoaderError(f"{path}: a kernel compressed with {method}; expected gzip or none")
        return _gunzip(path, data[start : start + size])
    return data


def _gunzip(path: Path, data: bytes) -> bytes:
    """Like gzip.decompress, but it ignores data after the first member."""
    stream = zlib.decompressobj(wbits=31)
    try:
        unpacked = stream.decompress(data)
    except zlib.error as error:
        raise LoaderError(f"{path}: a damaged gzip file ({error})") from error
    if not stream.eof:
        raise LoaderError(f"{path}: a truncated gzip file")
    return unpacked
