"""Linked object code: bytes that are copied into memory as they are, and few addresses to fill in.

`image_link.py` makes an image when code is compiled. To load one needs no compiler, so a start with
code from the cache does not import LLVM, which takes 30 ms.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
from typing import Any

from rvplat.frozen import frozen

_MAGIC = b"rvplat image 1\n"
WORD = 8  # bytes of an address


@frozen
class Pages:
    """Pages of an image (offset and size in bytes), and their access rights, as in mprotect(2)."""

    start: int
    size: int
    rights: int


@frozen
class Image:
    """Code and data of a module, at consecutive addresses from a page's start.

    `symbols` are the offsets of exported symbols. The words at the offsets `relative` hold offsets:
    the image's address is added. The words of `externals` get the addresses of functions of the
    C library.
    """

    memory: bytes
    pages: tuple[Pages, ...]
    symbols: dict[str, int]
    relative: tuple[int, ...] = ()
    externals: tuple[tuple[int, str], ...] = ()

    def to_bytes(self) -> bytes:
        """The image as bytes, for the cache."""
        pages = [(one.start, one.size, one.rights) for one in self.pages]
        head = json.dumps([pages, self.symbols, self.relative, self.externals]).encode()
        return _MAGIC + head + b"\n" + self.memory

    @classmethod
    def from_bytes(cls, data: bytes) -> Image:
        """The image that `to_bytes` made these bytes from."""
        head, _, memory = data.removeprefix(_MAGIC).partition(b"\n")
        pages, symbols, relative, externals = json.loads(head)
        given = tuple(Pages(*one) for one in pages)
        return cls(memory, given, symbols, tuple(relative), tuple((at, n) for at, n in externals))


def is_image(data: bytes) -> bool:
    """Whether bytes are those of an image."""
    return data.startswith(_MAGIC)


class LoadedImage:
    """An image in memory. Its addresses are valid as long as this object lives."""

    def __init__(self, image: Image) -> None:
        self._symbols = image.symbols
        size = max(len(image.memory), mmap.PAGESIZE)  # an image may be empty
        self._memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._memory[: len(image.memory)] = image.memory
        self._kept = ctypes.c_char.from_buffer(self._memory)
        self._base = ctypes.addressof(self._kept)
        with memoryview(self._memory) as view, view.cast("Q") as words:
            for offset in image.relative:
                words[offset // WORD] += self._base
            for offset, name in image.externals:
                words[offset // WORD] = external(name)
        for pages in image.pages:
            _protect(self._base + pages.start, pages.size, pages.rights)

    def find(self, symbol: str) -> int:
        """The host address of an exported symbol; 0 if it isn't there."""
        offset = self._symbols.get(symbol)
        return 0 if offset is None else self._base + offset


def external(name: str) -> int:
    """The host address of a function of the process's C library; 0 if there is none."""
    found: Any = getattr(ctypes.CDLL(None), name, None)
    return 0 if found is None else int(ctypes.cast(found, ctypes.c_void_p).value or 0)


def _protect(address: int, size: int, rights: int) -> None:
    """Set the access rights of pages. OSError if the host refuses them."""
    mprotect = ctypes.CDLL(None, use_errno=True).mprotect
    mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if size and mprotect(address, size, rights) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"native code: {os.strerror(number)}")
