"""Builds this folder's guest, with symbols and lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rvplat.guests import build

SOURCE = Path(__file__).with_name("guest.c")


def build_guest(folder: Path) -> Path:
    """The ELF file; SkipTest is the caller's, where there is no compiler."""
    script = folder / "link.ld"
    script.write_text((build.PROGRAMS / "link.ld").read_text().replace("*(.debug*)", ""))
    output = folder / "guest.elf"
    flags = [flag for flag in build._BARE_METAL if flag != "-g0"]
    command = [sys.executable, "-m", "ziglang", "cc", *flags, f"-Wl,-T,{script}", "-g", "-I."]
    caches = {name: str(folder / "zig") for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")}
    subprocess.run(
        [*command, "crt0.S", str(SOURCE), "-o", str(output)],
        cwd=build.PROGRAMS, env={**os.environ, **caches}, check=True, capture_output=True,
    )  # fmt: skip
    return output
