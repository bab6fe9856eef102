"""A machine's side of the process that compiles regions (worker.py)."""

from __future__ import annotations

import select
import subprocess
import sys

from rvplat.engine.regions.messages import Answer, Request, receive, send

LONGEST_S = 60.0  # a compile that takes longer never ends
STARTS = 3  # a process that dies is replaced, so often in all


class CompilerGone(Exception):
    """The process has died or hangs, and is not started again. The message says what happened."""


class Client:
    """The process. It starts at the first request, and starts anew if it dies."""

    def __init__(self, tables: bytes) -> None:
        self._tables = tables
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def compile(self, request: Request) -> Answer:
        """Have a region compiled. If the process dies meanwhile, the answer has the problem.

        Raises:
            CompilerGone: the process could not be started, or died too often.
        """
        try:
            process = self._process or self._start()
            assert process.stdin is not None and process.stdout is not None
            send(process.stdin, request)
            if not select.select([process.stdout], [], [], LONGEST_S)[0]:
                raise EOFError(f"no answer in {LONGEST_S:.0f} s")
            found: Answer = receive(process.stdout)
            return found
        except (OSError, EOFError, ValueError) as error:  # ValueError: `close` has closed the pipes
            self.close()
            problem = f"the compiler of regions ended: {error or 'it was killed or crashed'}"
            if self._starts >= STARTS:
                raise CompilerGone(problem) from error
            return Answer(request.number, problem=problem)

    def _start(self) -> subprocess.Popen[bytes]:
        self._starts += 1
        self._process = process = subprocess.Popen(
            [sys.executable, "-m", "rvplat.engine.regions.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        send(process.stdin, self._tables)
        return process

    def close(self) -> None:
        """End the process. Another thread may wait for an answer meanwhile."""
        process, self._process = self._process, None
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
