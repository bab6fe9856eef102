"""The definition language: typed, restricted Python that runs under CPython and as native code.

It contains nothing specific to RISC-V. This room is the language as one writes it: values
(`types`, `record`, `struct`), functions (`define`), intrinsics (`intrinsics`), texts for which the
host has an instruction (`host_forms`), and what observes a run (`events`, `observation`). CPython
runs a text with this room alone. The other rooms, bottom up:

- `host`: LLVM text that differs between hosts.
- `floating_point`: IEEE 754 arithmetic on the host's unit, and in the language itself.
- `typed_ir`: the typed IR of a text (`ir`), its effects, and its specialisation on constants.
- `checking`: makes the typed IR of a text, or refuses the text.
- `native`: makes LLVM text of the typed IR (`functions`), object code of that (`objects`), and an
  image of the object code (`image_link`), which is loaded without LLVM (`native_code`).

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
    lanes,
)
from rvplat.lang.events import event
from rvplat.lang.fixed import FixedBool, FixedU64
from rvplat.lang.intrinsics import *  # noqa: F403
from rvplat.lang.observation import observed
from rvplat.lang.record import Record, View, address_of, ptr
from rvplat.lang.struct import Struct
from rvplat.lang.types import (
    Integer,
    Standing,
    s8,
    s16,
    s32,
    s64,
    s128,
    standing_for,
    u8,
    u16,
    u32,
    u64,
    u128,
)

__all__ = [
    "FIXED", "Declaration", "Definition", "Dispatch", "FixedBool", "FixedU64", "Integer",
    "Intrinsic", "LanguageError", "NoReturn", "Record", "Standing", "Struct", "Unwind", "View",
    "address_of", "bind", "declare", "define", "event", "implement", "intrinsic", "lanes",
    "observed", "ptr", "s8", "s16", "s32", "s64", "s128", "standing_for", "u8", "u16", "u32", "u64",
    "u128",
]  # fmt: skip
