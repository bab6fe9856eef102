"""A real gdb at a terminal, as a user runs it."""

from __future__ import annotations

import os
import pty
import select
import signal
import time

PROMPT = "(gdb) "
TIMEOUT_S = 20.0
CONTROL_C = b"\x03"


class Terminal:
    """gdb with nothing configured except plain output."""

    def __init__(self, path: str) -> None:
        self._pid, self._file = pty.fork()
        if self._pid == 0:
            os.environ["TERM"] = "dumb"
            os.execv(path, [path, "-nx", "-q"])
        self._text = ""
        self.read(PROMPT)
        for setting in ("confirm off", "pagination off", "style enabled off"):
            self.do(f"set {setting}")

    def close(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._file)

    def type(self, text: bytes) -> None:
        """Type keys."""
        os.write(self._file, text)

    def read(self, text: str) -> str:
        """gdb's output up to a text. TimeoutError if that doesn't come."""
        end = time.monotonic() + TIMEOUT_S
        while text not in self._text:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._file], [], [], left)[0]:
                raise TimeoutError(f"no {text!r} in {self._text[-2000:]!r}")
            self._text += os.read(self._file, 65536).decode("utf-8", "replace")
        said, _, self._text = self._text.partition(text)
        return said

    def do(self, line: str) -> str:
        """Execute a command, until gdb's next prompt."""
        self.type(line.encode() + b"\n")
        return self.read(PROMPT)
