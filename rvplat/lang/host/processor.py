"""The host's processor, and LLVM text for the order of memory accesses on it. This module does not
import the compiler.

On x86-64 every atomic operation is a full fence. On AArch64 it may not be one: if LLVM makes a loop
of ldaxr and stlxr, a later access may be done before the store. In RVWMO no later access may pass
an AMO that acquires, not even its store, and rvplat's protocols need a full fence
(hart/acceleration/invalidate.py). So on AArch64 a fence follows.
"""

from __future__ import annotations

import platform

MACHINE = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())

IrText = tuple[str, tuple[str, ...]]
"""LLVM text, and the declarations that it needs."""

FENCE = "fence seq_cst"


def after_atomic(machine: str) -> str:
    """The text after an atomic operation that makes it a full fence."""
    return "" if machine == "x86_64" else f"\n{FENCE}"
