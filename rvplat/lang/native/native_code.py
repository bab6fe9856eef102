"""Native code in memory, and what it depends on besides its text. This module does not import the
compiler: a start with code from the cache does without it."""

from __future__ import annotations

import llvmlite

from rvplat.lang.host.processor import reported_processor
from rvplat.lang.native.image import Image, LoadedImage, is_image


class NativeCode:
    """Native code in memory. Host addresses are valid as long as this object lives.

    `data` is an image, or an object that only LLVM can load.
    """

    def __init__(self, data: bytes) -> None:
        if is_image(data):
            self._find = LoadedImage(Image.from_bytes(data)).find
        else:
            from rvplat.lang.native.objects import LoadedObject  # imports the compiler

            self._find = LoadedObject(data).find

    def address(self, symbol: str) -> int:
        """The host address of an exported symbol. KeyError if it isn't there."""
        found = self._find(symbol)
        if not found:
            raise KeyError(symbol)
        return found

    def __contains__(self, symbol: object) -> bool:
        """Whether a symbol is exported."""
        return isinstance(symbol, str) and self._find(symbol) != 0


def host_key() -> str:
    """All that object code depends on besides its text: LLVM's version and the host's processor."""
    processor = reported_processor()
    if not processor:
        from rvplat.lang.native.objects import llvm_processor

        processor = llvm_processor()
    return f"llvmlite {llvmlite.__version__} {processor}"
