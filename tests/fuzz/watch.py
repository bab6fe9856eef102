"""Runs trials in a child process, so that crashes and hangs are detected."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fuzz.trial import Result

ROOT = Path(__file__).parents[2]
HANGS_S = 120.0  # a trial takes less than a second on an idle machine
DUMP_S = 2.0


class Watch:
    """Runs trials of a seed. `trial` returns a trial's statistics, or the text of a finding.
    `regions`: as of `Trials`."""

    def __init__(
        self, seed: str, hangs_s: float = HANGS_S, command: Sequence[str] = (), regions: str = ""
    ) -> None:
        self.seed = seed
        self.hangs_s = hangs_s
        self.regions = regions
        self.command = [sys.executable, *(command or ("-m", "tests.fuzz.child")), seed, regions]
        self._said: Any = None
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def trial(self, number: int) -> Result | str:
        """Run one trial."""
        child = self._child or self._begin()
        assert child.stdin and child.stdout
        try:
            child.stdin.write(f"{number}\n")
            child.stdin.flush()
        except BrokenPipeError:
            return self._told(number, self._died(child))
        if not select.select([child.stdout], [], [], self.hangs_s)[0]:
            return self._told(number, self._hangs(child))
        line = child.stdout.readline()
        if not line:
            return self._told(number, self._died(child))
        found = json.loads(line)
        if "finding" in found:
            return self._told(number, found["finding"])
        found["worlds"], found["causes"] = Counter(found["worlds"]), Counter(found["causes"])
        return Result(**found)

    def _told(self, number: int, text: str) -> str:
        again = f"python -m tests.fuzz --seed {self.seed} --first {number} --trials 1"
        again += f" --regions {self.regions}" if self.regions else ""
        return f"trial {number} of seed {self.seed}: {text.strip()}\nagain: {again}\n"

    def _begin(self) -> subprocess.Popen[str]:
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(
            self.command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=self._said, text=True
        )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()
            self._said.close()

    def _died(self, child: subprocess.Popen[str]) -> str:
        status = child.wait()
        what = signal.Signals(-status).name if status < 0 else f"status {status}"
        return f"the process ended with {what}\n{self._last_words()}"

    def _hangs(self, child: subprocess.Popen[str]) -> str:
        child.send_signal(signal.SIGUSR1)  # it prints the stacks of its threads
        time.sleep(DUMP_S)
        return f"hangs: no end after {self.hangs_s:.0f} s\n{self._last_words()}"

    def _last_words(self) -> str:
        self._said.seek(0)
        text = str(self._said.read())
        self._end()
        return text[-6000:]
