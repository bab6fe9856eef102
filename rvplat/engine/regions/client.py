"""A machine's side of the process that compiles regions (worker.py).

The process has a process group of its own, so that Ctrl-C does not end it, but no session: Linux
gives all sessions the same share of a processor, whatever the priority of their processes is
(sched(7), "The autogroup feature").

Where the harts can use all processors, it has the scheduler's class for idle tasks. Any other gives
way only after some milliseconds, however low its priority: each hart that is woken by an interrupt
would wait so long. If the harts leave it no time for some seconds, they compute, and native code is
worth its cost: another process takes its place, which gets a quarter of a processor.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import rvplat
from rvplat.engine.regions.messages import Answer, Farewell, Request, receive, send
from rvplat.lang.native.memory_file import memory_file
from rvplat.lang.native.processors import processors

LONGEST_S = 60.0  # a process that takes longer for an answer is killed
DYING_S = 5.0  # so long a process may take to end after it has closed its pipes
STARVED_S = 3.0  # a process of the class for idle tasks that takes longer gets too little time
FAILURES = 3  # after so many in a row no other process is started
REQUEST_BYTES = 16 << 10  # a request takes less
ROOM_BYTES = 1 << 20
NICENESS = 10
STARVED = 5  # the niceness of the process that gets a share
BUSY = 19  # where the harts can use all processors, and there is no class for idle tasks
_ROOT = str(Path(rvplat.__file__).parent.parent)
# The current folder is not searched for modules: files there may have the names of modules.
_START = f"""
import os, sys
os.nice(int(sys.argv[1]))
if sys.argv[2] == "idle":
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
sys.path += [] if {_ROOT!r} in sys.path else [{_ROOT!r}]
from rvplat.engine.regions.worker import main
main()
"""


def niceness(harts: int) -> int:
    """How much the process gives way to others, beside so many harts."""
    return NICENESS if processors() > harts else BUSY


def _widened(pipe: int) -> int:
    """Let a pipe hold more, where the host can do that. Returns how many bytes it holds."""
    with contextlib.suppress(AttributeError, OSError):
        return fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, ROOM_BYTES)
    return 16384  # as macOS begins with


class CompilerGone(Exception):
    """There is no process, and none is started again. The message says what happened."""


class Client:
    """The process. It starts at the first request, and another one starts if it dies."""

    def __init__(self, tables: bytes, harts: int = 1) -> None:
        self._tables = tables
        self._niceness = niceness(harts)
        self._may_be_idle = self._niceness == BUSY and hasattr(os, "SCHED_IDLE")
        self._is_idle = self._may_be_idle
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None  # what the process writes to stderr
        self._room = 0  # bytes that its pipe can hold
        self._failures = 0
        self._pending: int | None = None  # the number of the request that waits for its answer
        self._closed = False
        self._lock = threading.Lock()

    def compile(self, request: Request) -> Answer:
        """Have a region compiled. If the process dies or hangs, the answer has the problem.

        Raises:
            CompilerGone: no process could be started, several have died in a row, or `close`.
        """
        process = self._asked(request)
        assert process.stdout is not None
        late = threading.Event()
        timer = threading.Timer(self._patience, self._kill, (process, late))
        timer.daemon = True
        timer.start()
        try:
            found: Answer = receive(process.stdout)
        except (OSError, EOFError, ValueError) as error:  # ValueError: `close` has closed the pipes
            if late.is_set() and self._is_idle:
                return self._compile_with_more_time(request)
            problem = self._ended(process, late.is_set(), error)
            if self._failures >= FAILURES:
                raise CompilerGone(problem) from error
            return Answer(request.number, problem=problem)
        except BaseException:  # Ctrl-C: the next request must not get this one's answer
            with self._lock:
                self._pending = None
                self._end()
            raise
        finally:
            timer.cancel()
        with self._lock:
            self._failures, self._pending = 0, None
            is_left = self._closed
        if is_left:
            process.wait()
            self.close()
        return found

    @property
    def _patience(self) -> float:
        """How long an answer may take, in seconds."""
        return STARVED_S if self._is_idle else LONGEST_S

    def _kill(self, process: subprocess.Popen[bytes], late: threading.Event) -> None:
        """The process takes too long."""
        with self._lock:
            if not self._closed:  # else it ends by itself (`leave`), or has ended
                late.set()
                process.kill()

    def _compile_with_more_time(self, request: Request) -> Answer:
        with self._lock:
            self._is_idle, self._pending = False, None
            self._end()
        return self.compile(request)

    def rest(self) -> None:
        """End the process until the next request, unless it compiles."""
        with self._lock:
            if self._pending is None:
                self._is_idle = self._may_be_idle
                self._end()

    def _asked(self, request: Request) -> subprocess.Popen[bytes]:
        """Send a request to the process, which is started if there is none."""
        with self._lock:
            if self._closed:
                raise CompilerGone("the machine is closed")
            if self._process is None:
                try:
                    self._start()
                except (OSError, ValueError) as error:
                    self._end()
                    raise CompilerGone(
                        f"the compiler of regions can't be started: {error}"
                    ) from error
            process = self._process
            assert process is not None and process.stdin is not None
            with contextlib.suppress(OSError):  # it has died: it gives no answer
                send(process.stdin, request)  # it waits for requests, and a pipe has room for one
            self._pending = request.number
            return process

    def _start(self) -> None:
        self._errors = memory_file()  # `_end` closes it
        with memory_file() as tables:
            tables.write(self._tables)
            tables.flush()
            tables.seek(0)
            self._process = subprocess.Popen(
                [
                    sys.executable, "-P", "-c", _START,
                    str(STARVED if self._may_be_idle else self._niceness),
                    "idle" if self._is_idle else "", str(tables.fileno()),
                ],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
                process_group=0, pass_fds=(tables.fileno(),),
            )  # fmt: skip
        assert self._process.stdin is not None
        self._room = _widened(self._process.stdin.fileno())

    def leave(self, key: str, more: Sequence[Request]) -> bool:
        """As `close`, but let the process finish what it compiles, compile `more` (as many as the
        pipe has room for), and keep the results under the store's key. False if it compiles
        nothing."""
        with self._lock:
            if self._closed or self._process is None or self._pending is None:
                return False
            self._closed = True
            stdin = self._process.stdin
            assert stdin is not None
            fit = max(0, self._room // REQUEST_BYTES - 1)
            with contextlib.suppress(OSError):  # it has died
                send(stdin, Farewell(key, self._pending, tuple(more[:fit])))
            return True

    def _ended(self, process: subprocess.Popen[bytes], late: bool, error: Exception) -> str:
        """The process gave no answer: end it. Returns what happened."""
        if not isinstance(error, ValueError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(DYING_S)
        with self._lock:
            self._failures += 1
            self._pending = None
            said = self._said()
            self._end()
        if late:
            return f"the compiler of regions gave no answer in {LONGEST_S:.0f} s"
        if isinstance(error, ValueError):
            return f"the compiler of regions gave a wrong answer: {error}"
        status = process.returncode
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"the compiler of regions {how}{said}"

    def _said(self) -> str:
        """The last line that the process wrote to stderr, after a colon."""
        if self._errors is None:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1].strip()}" if lines else ""

    def close(self) -> None:
        """End the process. Another thread may wait for an answer meanwhile."""
        with self._lock:
            self._closed = True
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        errors, self._errors = self._errors, None
        if errors is not None:
            errors.close()
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # the rest of a request, which nobody reads any more
                    continue
