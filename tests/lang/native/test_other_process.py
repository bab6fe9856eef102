"""A text that another process compiles."""

from __future__ import annotations

import sys

import pytest

from rvplat.lang.native.native_code import NativeCode
from rvplat.lang.native.objects import compile_text
from rvplat.lang.native.other_process import Compiling

TEXT = 'define i64 @"seven"() {\n  ret i64 7\n}\n'


def compiled() -> bytes:
    work = Compiling(TEXT)
    try:
        return work.result()
    finally:
        work.stop()


def test_the_other_process_makes_the_same_code() -> None:
    assert compiled() == compile_text(TEXT)
    assert "seven" in NativeCode(compiled())


@pytest.mark.parametrize("program", ["/nowhere/python", "/bin/false", None])
def test_without_another_process_this_one_compiles(
    monkeypatch: pytest.MonkeyPatch, program: str | None
) -> None:
    """As where a program embeds Python, or the process dies."""
    monkeypatch.setattr(sys, "executable", program)
    assert compiled() == compile_text(TEXT)


def test_a_text_that_llvm_refuses_is_an_error_here() -> None:
    work = Compiling("no text")
    with pytest.raises(RuntimeError, match="expected top-level entity"):
        work.result()
    work.stop()


def test_stop_ends_the_process() -> None:
    work = Compiling(TEXT)
    work.stop()
    if work._process is not None:  # None: the host has one processor
        assert work._process.returncode is not None
