"""The definition language: typed, restricted Python that runs under CPython and as native code.

It contains nothing specific to RISC-V. Its parts, from a text to native code:

- `types`, `record` and `struct` define its values, `define` its functions, `intrinsics` and `fp`
  its intrinsics. CPython runs a text with these modules alone. `observation` observes such a run.
- `check` and `type_*` make the typed IR (`ir`) of a text, or refuse the text. `definitions` keeps
  the typed IR, `effects` analyses it, `specialise` rewrites it for constants.
- `emitter` and `functions` make LLVM text from it, and `objects` makes native code from that.

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
