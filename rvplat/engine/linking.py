"""Object code in parts: the base part for what ships, a part for the fast handlers of what ships,
and a part for each plugin's extension.

The fast handlers are a part of their own, so that both parts are compiled at the same time. They
call slow handlers of the base part, by addresses as a plugin's part does.

A plugin's part has its own copies of those rvplat definitions that it needs and that are not cold.
It calls the base part's functions for cold ones, by addresses that are stored in its variables when
it is loaded. So it is small, may lie anywhere in memory, and never changes the base part.
"""

from __future__ import annotations

import ctypes
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
    """Object code, and the symbols that it imports from the base part."""

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

    def load(self, base: NativeCode | None) -> NativeCode:
        """Load the code into memory and set its imports."""
        code = NativeCode(self.code)
        for symbol in self.imports:
            assert base is not None
            place = ctypes.c_uint64.from_address(code.address(f"import.{symbol}"))
            place.value = base.address(symbol)
        return code
