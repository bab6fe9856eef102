"""What differs between hosts in the order of memory accesses: LLVM text for intrinsics.py. This
module imports no compiler.

On x86-64 every atomic operation is a full fence. On AArch64 it need not be: where LLVM makes a loop
of ldaxr and stlxr of it, a later access may go before the store. RVWMO lets nothing pass an AMO
that acquires, its store included, and rvplat's own protocols ask for a full fence
(hart/acceleration/invalidate.py). So a fence follows there.
"""

from __future__ import annotations

import platform

MACHINE = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())

FENCE = "fence seq_cst"


def after_atomic(machine: str) -> str:
    """What follows an atomic operation, so that it is a full fence."""
    return "" if machine == "x86_64" else f"\n{FENCE}"
