"""System calls of native code: to sleep on a word, and to wake threads that sleep on it."""

from __future__ import annotations

import ctypes
import platform
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import pytest

from rvplat.lang.host.processor import IrText
from rvplat.lang.host.system_calls import WAITING
from rvplat.lang.native.native_code import NativeCode
from rvplat.lang.native.objects import compile_text

HERE = {"Linux": ["Linux", ""], "Darwin": ["Darwin", ""]}.get(platform.system(), [""])
SECOND = 1_000_000_000
FOR_EVER = 3600 * SECOND
Function = Callable[[int, int, int, int], int]


def text_of(functions: dict[str, IrText]) -> str:
    """A module of both functions."""
    declared = {one for _, declarations in functions.values() for one in declarations}
    texts = [text for text, _ in functions.values()]
    return "\n".join([*sorted(declared), *texts, "attributes #0 = { nounwind }"])


@dataclass
class Waiting:
    """`wait` and `wake` as functions, and a word to wait on."""

    wait: Function
    wake: Function
    word: ctypes.c_uint32
    code: NativeCode

    @property
    def address(self) -> int:
        return ctypes.addressof(self.word)


@pytest.fixture(params=HERE, ids=lambda name: name or "any POSIX system")
def waiting(request: pytest.FixtureRequest) -> Waiting:
    code = NativeCode(compile_text(text_of(WAITING[request.param])))
    kind: Any = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)
    wait, wake = (kind(code.address(f"host_{name}")) for name in ("wait", "wake"))
    return Waiting(wait, wake, ctypes.c_uint32(0), code)


@pytest.mark.parametrize("name", WAITING, ids=lambda name: name or "any POSIX system")
def test_the_text_is_llvm_s(name: str) -> None:
    """LLVM accepts the text for every host, also for those on which the tests don't run."""
    llvm.parse_assembly(text_of(WAITING[name])).verify()


def test_a_thread_does_not_sleep_on_a_word_that_has_changed(waiting: Waiting) -> None:
    waiting.word.value = 1
    waiting.wait(waiting.address, 0, FOR_EVER, 0)


@pytest.mark.parametrize("ns", [0, 1, 999, 1_000_001])
def test_a_sleep_has_an_end(waiting: Waiting, ns: int) -> None:
    waiting.wait(waiting.address, 0, ns, 0)


def test_a_wake_up_without_a_waiting_thread_has_no_effect(waiting: Waiting) -> None:
    waiting.wake(waiting.address, 0, 0, 0)


def test_every_thread_that_sleeps_is_woken(waiting: Waiting) -> None:
    def sleep() -> None:
        while waiting.word.value == 0:
            waiting.wait(waiting.address, 0, FOR_EVER, 0)

    threads = [threading.Thread(target=sleep, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    waiting.word.value = 1
    waiting.wake(waiting.address, 0, 0, 0)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
