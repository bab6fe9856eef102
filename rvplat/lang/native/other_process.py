"""Compile a text in another process, while this one does other work.

A process has one lock for all of LLVM (llvmlite), so its threads can't compile at the same time.
Run as a program, this module compiles a text to standard output.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import IO

from rvplat.lang.native.dumps import Dumps
from rvplat.lang.native.memory_file import memory_file
from rvplat.lang.native.objects import compile_text
from rvplat.lang.native.processors import processors


class Compiling:
    """A text that another process compiles to a level of optimisation. `result` waits for the
    code.

    `result` compiles the text itself if `dumps` are wanted, if the host has one processor or a
    program embeds Python, and if the process can't start or fails.
    """

    def __init__(self, text: str, dumps: Dumps | None = None, level: int = 2) -> None:
        self._text, self._dumps, self._level = text, dumps, level
        self._made: IO[bytes] | None = None
        alone = dumps is not None or not sys.executable or processors() == 1
        self._process = None if alone else self._start()

    def _start(self) -> subprocess.Popen[bytes] | None:
        try:
            with memory_file() as given:
                given.write(self._text.encode())
                given.seek(0)
                self._made = memory_file()
                numbers = str(self._level), str(given.fileno())
                command = [sys.executable, "-P", "-m", __name__, *numbers]
                return subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=self._made, stderr=subprocess.DEVNULL,
                    pass_fds=(given.fileno(),),
                )  # fmt: skip
        except OSError:
            return None

    def result(self) -> bytes:
        """The code, as `compile_text` makes it. RuntimeError if LLVM refuses the text."""
        if self._process is None or self._made is None or self._process.wait() != 0:
            return compile_text(self._text, self._dumps, self._level)
        self._made.seek(0)
        return self._made.read()

    def stop(self) -> None:
        """End the process if it still runs."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
        if self._made is not None:
            self._made.close()


def main() -> None:
    """Compile one text to a level. The last arguments are the level and the text's file
    descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the process that waits decides
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    with os.fdopen(int(sys.argv[-1]), "rb") as given:
        text = given.read().decode()
    sys.stdout.buffer.write(compile_text(text, level=int(sys.argv[-2])))


def _end_with_the_other() -> None:
    """End when the process that waits for the code ends, which closes the standard input."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    main()
