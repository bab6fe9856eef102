"""Object code in parts: one of everything that ships, and one of each plugin's extension.

A plugin's part makes what it needs of rvplat's own definitions itself, down to those that are cold.
For these it calls the base part's functions, by addresses that are put into its variables when it
is loaded. So it is small, may lie anywhere, and the base part never changes because of a plugin.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import rvplat
from rvplat.lang import Definition, Dispatch
from rvplat.lang.objects import NativeCode

SHARED_HANDLERS = ("pause", "arrive", "trap", "resume")
"""Handlers of the base part that those of other parts go on with."""

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


@dataclass(frozen=True)
class Part:
    """Object code, and the symbols that it imports of the base part."""

    code: bytes
    imports: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """For the cache."""
        return "\n".join(self.imports).encode() + b"\0" + self.code

    @classmethod
    def from_bytes(cls, data: bytes) -> Part:
        """What `to_bytes` made."""
        imports, _, code = data.partition(b"\0")
        return cls(code, tuple(imports.decode().split()))

    def load(self, base: NativeCode | None) -> NativeCode:
        """The code in memory, with its imports put in."""
        code = NativeCode(self.code)
        for symbol in self.imports:
            assert base is not None
            place = ctypes.c_uint64.from_address(code.address(f"import.{symbol}"))
            place.value = base.address(symbol)
        return code
