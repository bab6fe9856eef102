"""The host's processor, and LLVM text for the order of memory accesses on it.

On x86-64 every atomic operation is a full fence. On AArch64 it may not be one: if LLVM makes a loop
of ldaxr and stlxr, a later access may be done before the store. In RVWMO no later access may pass
an AMO that acquires, not even its store, and rvplat's protocols need a full fence
(hart/acceleration/invalidate.py). So on AArch64 a fence follows.
"""

from __future__ import annotations

import itertools
import os
from functools import cache
from pathlib import Path

MACHINE = {"arm64": "aarch64"}.get(os.uname().machine, os.uname().machine)

IrText = tuple[str, tuple[str, ...]]
"""LLVM text, and the declarations that it needs."""

FENCE = "fence seq_cst"


def after_atomic(machine: str) -> str:
    """The text after an atomic operation that makes it a full fence."""
    return "" if machine == "x86_64" else f"\n{FENCE}"


# What /proc/cpuinfo calls the model and the features, on x86-64 and on AArch64.
_MODEL = ("vendor_id", "cpu family", "model", "stepping")
_ARM_MODEL = ("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision")
_FEATURES = ("flags", "Features")


@cache
def reported_processor() -> str:
    """The host's processor as Linux reports it: its model and features. "" on other systems.

    LLVM chooses instructions by the same facts, but it takes 30 ms to import.
    """
    facts = _reported()
    if not any(facts.get(name) for name in _FEATURES):
        return ""
    wanted = (*_MODEL, *_ARM_MODEL, *_FEATURES)
    return " ".join([MACHINE, *(f"{name}: {facts[name]}" for name in wanted if name in facts)])


@cache
def _reported() -> dict[str, str]:
    """What /proc/cpuinfo says of the first processor, by name."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            rows = iter(lambda: file.readline().partition(":"), ("", "", ""))
            first = itertools.takewhile(lambda row: row[1], rows)
            return {name.strip(): value.strip() for name, _, value in first}
    except OSError:
        return {}


def has_fma() -> bool:
    """Whether the host has an instruction for a fused multiply-add."""
    return MACHINE == "aarch64" or _has("fma", "fma")


def has_round() -> bool:
    """Whether a host with x86-64 has roundss, of SSE4.1."""
    return _has("sse4_1", "sse4.1")


def has_sha256() -> bool:
    """Whether a host with x86-64 has the SHA extensions."""
    return _has("sha_ni", "sha")


def has_aes() -> bool:
    """Whether a host with x86-64 has AES-NI."""
    return _has("aes", "aes")


def has_carryless() -> bool:
    """Whether a host with x86-64 has pclmulqdq."""
    return _has("pclmulqdq", "pclmul")


def _has(reported: str, name: str) -> bool:
    """Whether the host has a feature, by its names in /proc/cpuinfo and in LLVM."""
    if flags := _reported().get("flags"):
        return reported in flags.split()
    import llvmlite.binding as llvm  # not at the top: it takes 30 ms

    return bool(llvm.get_host_cpu_features().get(name))
