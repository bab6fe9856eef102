"""Compile a text in another process, while this one does other work.

A process has one lock for all of LLVM (llvmlite), so its threads can't compile at the same time.
Run as a program, this module compiles the text from standard input to standard output.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import IO

from rvplat.lang.native.dumps import Dumps
from rvplat.lang.native.objects import compile_text
from rvplat.lang.native.processors import processors


class Compiling:
    """A text that another process compiles. `result` waits for the code.

    `result` compiles the text itself if `dumps` are wanted, if the host has one processor or a
    program embeds Python, and if the process can't start or fails.
    """

    def __init__(self, text: str, dumps: Dumps | None = None) -> None:
        self._text, self._dumps = text, dumps
        self._made: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (`stop` closes it)
        alone = dumps is not None or not sys.executable or processors() == 1
        self._process = None if alone else self._start()

    def _start(self) -> subprocess.Popen[bytes] | None:
        with tempfile.TemporaryFile() as given:
            given.write(self._text.encode())
            given.seek(0)
            command = [sys.executable, "-P", "-m", __name__]
            try:
                return subprocess.Popen(
                    command, stdin=given, stdout=self._made, stderr=subprocess.DEVNULL
                )
            except OSError:
                return None

    def result(self) -> bytes:
        """The code, as `compile_text` makes it. RuntimeError if LLVM refuses the text."""
        if self._process is None or self._process.wait() != 0:
            return compile_text(self._text, self._dumps)
        self._made.seek(0)
        return self._made.read()

    def stop(self) -> None:
        """End the process if it still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._made.close()


def main() -> None:
    """Compile one text."""
    sys.stdout.buffer.write(compile_text(sys.stdin.buffer.read().decode()))


if __name__ == "__main__":
    main()
