"""The definition language: typed, restricted Python that runs under CPython and as native code.

It knows nothing of RISC-V. `types` and `record` are its values, `define` its functions,
`intrinsics` and `fp` its leaves, `compiler` makes LLVM IR of it, `objects` native code of that.
"""

from rvplat.lang.define import (
    Declaration,
    Definition,
    DefinitionError,
    Dispatch,
    Intrinsic,
    NoReturn,
    Unwind,
    bind,
    declare,
    define,
    implement,
    intrinsic,
)
from rvplat.lang.intrinsics import *  # noqa: F403
from rvplat.lang.record import Record, View, address_of, ptr
from rvplat.lang.types import Integer, s8, s16, s32, s64, s128, u8, u16, u32, u64, u128

__all__ = [
    "Declaration", "Definition", "DefinitionError", "Dispatch", "Integer", "Intrinsic", "NoReturn",
    "Record", "Unwind", "View", "address_of", "bind", "declare", "define", "implement",
    "intrinsic", "ptr", "s8", "s16", "s32", "s64", "s128", "u8", "u16", "u32", "u64", "u128",
]  # fmt: skip
