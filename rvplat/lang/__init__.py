"""The definition language: typed, restricted Python that runs under CPython and as native code.

It knows nothing of RISC-V. Its parts, from a text to native code:

- `types`, `record` and `struct` are its values, `define` its functions, `intrinsics` and `fp` its
  leaves. CPython runs a text with these alone. `observation` watches it without a trace.
- `check` and `type_*` make the typed IR (`ir`) of a text, or say what is refused; `definitions`
  keeps it. `effects` and `specialise` ask and rewrite the typed IR.
- `emitter` and `functions` make LLVM text of it, `objects` native code of that.

docs/reference/language.md describes the language.
"""

from rvplat.lang.define import (
    FIXED,
    Declaration,
    Definition,
    Dispatch,
    Intrinsic,
    LanguageError,
    NoReturn,
    Unwind,
    bind,
    declare,
    define,
    implement,
    intrinsic,
)
from rvplat.lang.events import event
from rvplat.lang.intrinsics import *  # noqa: F403
from rvplat.lang.observation import observed
from rvplat.lang.record import Record, View, address_of, ptr
from rvplat.lang.struct import Struct
from rvplat.lang.types import Integer, s8, s16, s32, s64, s128, u8, u16, u32, u64, u128

__all__ = [
    "FIXED", "Declaration", "Definition", "Dispatch", "Integer", "Intrinsic", "LanguageError",
    "NoReturn", "Record", "Struct", "Unwind", "View", "address_of", "bind", "declare", "define",
    "event", "implement", "intrinsic", "observed", "ptr", "s8", "s16", "s32", "s64", "s128", "u8",
    "u16", "u32", "u64", "u128",
]  # fmt: skip
