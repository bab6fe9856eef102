"""The benchmark programs as programs of the host: what an emulator can hope for at best.

They are built from the guests' sources, with `native.h` in place of the board (build.py), and
measure themselves by their processor time.
"""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from rvplat.guests import BenchProgram
from rvplat.guests.build import build, compiler_version, native_program
from rvplat.guests.errors import GuestError, Progress, silent

TIMEOUT_S = 120


class Native:
    """Runs programs that it has built for the host into a folder."""

    def __init__(
        self, programs: Iterable[BenchProgram], folder: Path, progress: Progress = silent
    ) -> None:
        """Build those of the programs that the host can run.

        Raises:
            GuestError: there is no compiler, or a program cannot be built.
        """
        if compiler_version() is None:
            raise GuestError(
                "native programs are built by the package ziglang, which is not installed here: "
                "pip install ziglang"
            )
        self._folder = folder
        for program in programs:
            if program.native:
                progress(f"building {program.name} for the host", None)
                build(native_program(program.name, program.fused), folder / program.name)

    @property
    def about(self) -> str:
        """What runs here, for a report."""
        return f"native: ziglang {compiler_version()} -O2, {platform.machine()}, processor time"

    def __call__(self, program: BenchProgram) -> str:
        """Run a program; returns what it printed. GuestError if it fails."""
        try:
            result = subprocess.run(
                [self._folder / program.name], stdin=subprocess.DEVNULL, capture_output=True,
                text=True, timeout=TIMEOUT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise GuestError(f"{program.name}, native, didn't end in {TIMEOUT_S} s") from error
        if result.returncode != 0:
            shown = result.stdout.strip()[-200:]
            raise GuestError(f"{program.name}, native, ended with {result.returncode}: {shown}")
        return result.stdout
