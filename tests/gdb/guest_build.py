"""Builds this folder's guests, with symbols and lines."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rvplat.guests import build

SOURCES = Path(__file__).parent


def build_guest(
    folder: Path, name: str = "guest", options: Sequence[str] = build.FRAMES,
    sources: Path = SOURCES,
) -> Path:  # fmt: skip
    """Build `name`.c; the path of the ELF file. The caller checks that there is a compiler."""
    script = folder / "link.ld"
    script.write_text((build.PROGRAMS / "link.ld").read_text().replace("*(.debug*)", ""))
    output = folder / f"{name}.elf"
    flags = [flag for flag in build._BARE_METAL if flag != "-g0"]
    command = [sys.executable, "-m", "ziglang", "cc", *flags, f"-Wl,-T,{script}", *options, "-I."]
    caches = {name: str(folder / "zig") for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")}
    subprocess.run(
        [*command, "crt0.S", str(sources / f"{name}.c"), "-o", str(output)],
        cwd=build.PROGRAMS, env={**os.environ, **caches}, check=True, capture_output=True,
    )  # fmt: skip
    return output
