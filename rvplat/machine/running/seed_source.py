"""The numbers of Zkr's entropy source.

A number is a keyed hash of the hart's number and of how many numbers it had before. With a seed the
numbers are the same in every run, and after every reset. Without one the key is random, and a reset
does not repeat them.
"""

from __future__ import annotations

import ctypes
import os
from hashlib import blake2b
from typing import Any

_CALL: Any = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)
ENTROPY_BYTES = 2


class SeedSource:
    """Gives harts their numbers. `seed` is None for a random key."""

    def __init__(self, seed: int | None) -> None:
        self._key = os.urandom(32) if seed is None else b"%d" % seed
        self._repeats = seed is not None
        self._call = _CALL(self._number)
        self._address = ctypes.cast(self._call, ctypes.c_void_p).value

    def attach(self, view: Any) -> None:
        """Be the source of a hart."""
        view.seed_fn, view.seed_repeats = self._address, int(self._repeats)

    def _number(self, hart: int, index: int, b: int, c: int) -> int:
        text = b"%d/%d" % (hart, index)
        digest = blake2b(text, digest_size=ENTROPY_BYTES, key=self._key).digest()
        return int.from_bytes(digest, "little")
