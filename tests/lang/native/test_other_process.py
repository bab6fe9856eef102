"""A text that another process compiles."""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from rvplat.lang.native import other_process
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


LONG = "".join(
    f'define i64 @"f{n}"(i64 %v0) {{\n'
    + "".join(f"  %v{i} = mul i64 %v{i - 1}, %v{i // 2}\n" for i in range(1, 400))
    + "  ret i64 %v399\n}\n"
    for n in range(2000)
)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux only")
@pytest.mark.parametrize("end", ["os._exit(1)", "os.kill(os.getpid(), 9)"])
def test_it_ends_with_the_process_that_waits(tmp_path: Path, end: str) -> None:
    """Such as after Ctrl-C. Nobody needs the code any more, and the compile takes a core."""
    (tmp_path / "text").write_text(LONG)
    script = f"""
import os, sys
from rvplat.lang.native.other_process import Compiling
work = Compiling(open({str(tmp_path / "text")!r}).read())
print(work._process.pid if work._process else 0, flush=True)
sys.stdin.read()
{end}
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        compiler = int(process.stdout.readline())
        if compiler == 0:  # the host has one processor
            return
        handle = os.pidfd_open(compiler)
        process.stdin.close()
        process.wait()
        ended, _, _ = select.select([handle], [], [], 3)
        os.close(handle)
    assert ended


def test_a_full_disk_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(other_process, "memory_file", refuse)
    assert compiled() == compile_text(TEXT)
