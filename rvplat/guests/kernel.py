"""Unpacks the kernel of a kernel package: the result is the plain Image that firmware starts.

Image header: Linux, Documentation/arch/riscv/boot-image-header.rst ("RSC\\x05" at 0x38).
Distributions ship the Image plain, compressed with gzip, or inside an EFI program that unpacks it
(drivers/firmware/efi/libstub/zboot-header.S: "zimg" at 4, then the payload's offset, size and, at
24, the name of its compression).
"""

from __future__ import annotations

import gzip
import lzma
import struct
import zlib
from collections.abc import Callable

from rvplat.guests.errors import GuestError

_IMAGE_MAGIC = b"RSC\x05"
_IMAGE_MAGIC_OFFSET = 0x38
_GZIP_MAGIC = b"\x1f\x8b"
_UNPACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "xz": lzma.decompress,
    "xzkern": lzma.decompress,
    "lzma": lzma.decompress,
}


def is_image(data: bytes) -> bool:
    """Whether this is a plain RISC-V Image."""
    return data[_IMAGE_MAGIC_OFFSET : _IMAGE_MAGIC_OFFSET + 4] == _IMAGE_MAGIC


def plain_image(data: bytes, origin: str) -> bytes:
    """The plain Image in a kernel file. Errors name the file by `origin`."""
    try:
        if data[4:8] == b"zimg":
            data = _zboot_payload(data, origin)
        elif data.startswith(_GZIP_MAGIC):
            data = gzip.decompress(data)
    except (OSError, EOFError, lzma.LZMAError, zlib.error, struct.error) as error:
        raise GuestError(f"{origin}: the kernel is damaged: {error}") from error
    if not is_image(data):
        raise GuestError(f"{origin}: no RISC-V kernel image (no RSC\\x05 at 0x38)")
    return data


def _zboot_payload(data: bytes, origin: str) -> bytes:
    offset, size = struct.unpack_from("<II", data, 8)
    method = data[24:56].split(b"\0")[0].decode("ascii", "replace")
    if method not in _UNPACKERS:
        known = ", ".join(sorted(_UNPACKERS))
        raise GuestError(f"{origin}: compressed with {method!r}; {known} are understood")
    return _UNPACKERS[method](data[offset : offset + size])
