"""LLVM text for calls of the host's system. Each is (text, declarations).

The text is a function `host_NAME` with four parameters u64 and the result u64:
  clock()                  nanoseconds of the clock that Python's time.monotonic_ns reads
  wall()                   nanoseconds of the clock that Python's time.time_ns reads
  yield()                  let other threads run first
  wait(address, value, ns) sleep while the u32 has the value, for ns at most; it may end early
  wake(address)            wake every thread that waits on the u32
  fence()                  order the memory accesses before it and those after it
"""

from __future__ import annotations

import os
import time

from rvplat.lang.host.processor import FENCE, MACHINE, IrText

_HEAD = 'define i64 @"host_{name}"(i64 %a, i64 %b, i64 %c, i64 %d) #0 {{\nentry:\n'


def _function(name: str, body: str, *declarations: str, result: str = "0") -> IrText:
    return _HEAD.format(name=name) + body + f"\n  ret i64 {result}\n}}", declarations


_SYSTEM = os.uname().sysname
_GETTIME = """  %t = alloca [2 x i64]
  call i32 @clock_gettime(i32 {clock}, ptr %t)
  %s = load i64, ptr %t
  %p = getelementptr i8, ptr %t, i64 8
  %n = load i64, ptr %p
  %m = mul i64 %s, 1000000000
  %r = add i64 %m, %n"""
_TIMESPEC = """  %t = alloca [2 x i64]
  %s = udiv i64 {ns}, 1000000000
  %n = urem i64 {ns}, 1000000000
  store i64 %s, ptr %t
  %p = getelementptr i8, ptr %t, i64 8
  store i64 %n, ptr %p
"""

# Linux: futex(2), with FUTEX_WAIT_PRIVATE and FUTEX_WAKE_PRIVATE. A thread's timers are up to 50 us
# late unless it sets less (prctl(2), PR_SET_TIMERSLACK).
_FUTEX = 98 if MACHINE == "aarch64" else 202
_SYSCALL = "declare i64 @syscall(i64, ...)"
_FUTEX_CALL = f"  call i64 (i64, ...) @syscall(i64 {_FUTEX}, i64 %a, "
_LINUX = {
    "wait": _function(
        "wait",
        "  call i32 (i32, ...) @prctl(i32 29, i64 1, i64 0, i64 0, i64 0)\n"
        + _TIMESPEC.format(ns="%c")
        + _FUTEX_CALL + "i64 128, i64 %b, ptr %t, i64 0, i64 0)",
        _SYSCALL, "declare i32 @prctl(i32, ...)",
    ),
    "wake": _function(
        "wake", _FUTEX_CALL + "i64 129, i64 2147483647, i64 0, i64 0, i64 0)", _SYSCALL
    ),
}  # fmt: skip

# macOS: the functions that its C++ library uses, UL_COMPARE_AND_WAIT with ULF_NO_ERRNO, and
# ULF_WAKE_ALL (bsd/sys/ulock.h). The time is in microseconds; 0 would be for ever.
_MACOS = {
    "wait": _function(
        "wait",
        "  %q = udiv i64 %c, 1000\n  %w = add i64 %q, 1\n  %u = trunc i64 %w to i32\n"
        "  %p = inttoptr i64 %a to ptr\n"
        "  call i32 @__ulock_wait(i32 16777217, ptr %p, i64 %b, i32 %u)",
        "declare i32 @__ulock_wait(i32, ptr, i64, i32)",
    ),
    "wake": _function(
        "wake",
        "  %p = inttoptr i64 %a to ptr\n  call i32 @__ulock_wake(i32 16777473, ptr %p, i64 0)",
        "declare i32 @__ulock_wake(i32, ptr, i64)",
    ),
}

# Other systems: sleep for a millisecond at most; then the caller checks again.
_POSIX = {
    "wait": _function(
        "wait",
        "  %k = call i64 @llvm.umin.i64(i64 %c, i64 1000000)\n" + _TIMESPEC.format(ns="%k")
        + "  call i32 @nanosleep(ptr %t, ptr null)",
        "declare i64 @llvm.umin.i64(i64, i64)", "declare i32 @nanosleep(ptr, ptr)",
    ),
    "wake": _function("wake", ""),
}  # fmt: skip

WAITING = {"Linux": _LINUX, "Darwin": _MACOS, "": _POSIX}
"""`wait` and `wake` by the name of the system; "" is for the others."""


def _clock(name: str, clock: int) -> IrText:
    text = _GETTIME.format(clock=clock)
    return _function(name, text, "declare i32 @clock_gettime(i32, ptr)", result="%r")


HOST_CALLS: dict[str, IrText] = {
    "clock": _clock("clock", time.CLOCK_MONOTONIC),
    "wall": _clock("wall", time.CLOCK_REALTIME),
    "yield": _function("yield", "  call i32 @sched_yield()", "declare i32 @sched_yield()"),
    "fence": _function("fence", f"  {FENCE}"),
    **WAITING.get(_SYSTEM, _POSIX),
}
