"""Object code in parts: the base part, a part for each extension, and one for the pairs.

The base part has what belongs to no instruction, the CSRs of what ships, and the cold definitions
of files on which all parts depend (`sources.py`). The other parts have their own copies of those
definitions that they need and that are not cold. They call the base part's functions for cold ones,
by addresses that are stored in their variables when they are loaded. So they are small, may lie
anywhere in memory, and never change the base part.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import rvplat
from rvplat.frozen import frozen
from rvplat.lang import Definition, Dispatch
from rvplat.lang.native.native_code import NativeCode

SHARED_HANDLERS = ("pause", "arrive", "trap", "resume")
"""Handlers of the base part that handlers of other parts call."""

_ROOT = str(Path(rvplat.__file__).parent)


def shared_symbol(target: Definition | Dispatch) -> str:
    """The symbol under which parts share a function; "" if each part makes its own."""
    if isinstance(target, Dispatch):
        return target.name
    function = target.function
    is_cold = target.cold or target.signature.never_returns
    if not is_cold or not target.file.startswith(_ROOT) or "<" in function.__qualname__:
        return ""
    return f"{function.__module__}.{function.__qualname__}"


def csr_symbol(what: str, number: int) -> str:
    """The symbol of a function of a plugin's CSR: "read", "write" or "guard"."""
    return f"csr.{what}.{number:#x}"


@frozen
class Part:
    """Object code, and the symbols that it imports from other parts."""

    code: bytes
    imports: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """The part as bytes, for the cache."""
        return "\n".join(self.imports).encode() + b"\0" + self.code

    @classmethod
    def from_bytes(cls, data: bytes) -> Part:
        """The part that `to_bytes` made these bytes from."""
        imports, _, code = data.partition(b"\0")
        return cls(code, tuple(imports.decode().split()))

    def load(self, find: Callable[[str], int] | None = None) -> NativeCode:
        """Load the code into memory and set its imports: `find` gives a symbol's address."""
        code = NativeCode(self.code)
        for symbol in self.imports:
            assert find is not None
            place = ctypes.c_uint64.from_address(code.address(f"import.{symbol}"))
            place.value = find(symbol)
        return code
