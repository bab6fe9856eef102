"""Imports every implementation of a word of the vocabulary (isa/machinery/vocabulary.py)."""

from rvplat.hart import (
    atomics,
    cacheblocks,
    counters,
    csr,
    device_words,
    fences,
    flow,
    guest,
    interrupts,
    memory,
    shadow_stack,
    trap,
)
from rvplat.hart.acceleration import invalidate, tlb

__all__ = [
    "atomics", "cacheblocks", "counters", "csr", "device_words", "fences", "flow", "guest",
    "interrupts", "invalidate", "memory", "shadow_stack", "tlb", "trap",
]  # fmt: skip
