"""The order of memory accesses that intrinsics guarantee, checked in the machine code of each
host."""

from __future__ import annotations

import re

import llvmlite.binding as llvm
import pytest

from rvplat.lang import intrinsics, u64
from rvplat.lang.host.processor import FENCE, MACHINE, after_atomic
from rvplat.lang.host.system_calls import HOST_CALLS

HOSTS = {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"}
FENCES = {"x86_64": r"\b(mfence|lock\s+or)", "aarch64": r"\bdmb\s+ish\b"}


def assembly(host: str, text: str) -> str:
    """The assembly that LLVM makes of a module for a host."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(HOSTS[host])
    except RuntimeError:
        pytest.skip(f"this llvmlite makes no code for {host}")
    machine = target.create_target_machine(opt=2)
    module = llvm.parse_assembly(text)
    module.triple = HOSTS[host]
    return str(machine.emit_assembly(module))


def leaf(name: str, host: str) -> str:
    """A function `f(address, value, value)` that calls one intrinsic, as text for a host."""
    one = getattr(intrinsics, name)
    body = one.ir.removesuffix(after_atomic(MACHINE))
    if "atomicrmw" in body or "cmpxchg" in body:
        body += after_atomic(host)
    lines = body.format("%a", "%b", "%c", result="%r", t="0")
    result = one.signature.returns
    returns = "void" if result is None else "i1" if result is bool else f"i{result.bits}"
    value = f"i{(one.signature.types[1:] or (u64,))[0].bits}"
    end = "ret void" if result is None else f"ret {returns} %r"
    return f"define {returns} @f(i64 %a, {value} %b, {value} %c) {{\n{lines}\n{end}\n}}"


@pytest.mark.parametrize("host", HOSTS)
def test_the_fence_that_python_calls_is_one(host: str) -> None:
    text, _ = HOST_CALLS["fence"]
    made = assembly(host, text + "\nattributes #0 = { nounwind }")
    assert re.search(FENCES[host], made)


@pytest.mark.parametrize("name", ["atomic_swap_u32", "atomic_or_u64", "compare_exchange_u64"])
def test_an_atomic_operation_is_a_fence_on_aarch64(name: str) -> None:
    """Without the LSE instructions, the loop of ldaxr and stlxr alone would not be a fence."""
    made = assembly("aarch64", leaf(name, "aarch64"))
    _, _, after = made.rpartition("stlxr")
    assert re.search(FENCES["aarch64"], after)


@pytest.mark.parametrize("name", ["atomic_swap_u32", "compare_exchange_u64"])
def test_an_atomic_operation_needs_no_fence_on_x86_64(name: str) -> None:
    made = assembly("x86_64", leaf(name, "x86_64"))
    assert re.search(r"\block\b|\bxchg", made)
    assert not re.search(FENCES["x86_64"], made)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_a_relaxed_access_is_one_plain_access(host: str, bits: int) -> None:
    fences = FENCES[host] + r"|\block\b|\bxchg|\bcall\b|\bbl\b|ldar|stlr"
    for kind in ("load", "store"):
        made = assembly(host, leaf(f"relaxed_{kind}_u{bits}", host))
        assert not re.search(fences, made), made


def test_a_fence_has_one_text() -> None:
    assert intrinsics.fence.ir == FENCE
