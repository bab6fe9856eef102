"""Native code can be loaded when most host addresses are in use: many machines, large memories."""

from __future__ import annotations

import subprocess
import sys

# No room for code between the libraries, only for its data, and then more than 2 GiB of memory.
CROWDED = """
import mmap
private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
small = [mmap.mmap(-1, 128 << 10, private, mmap.PROT_READ) for _ in range(4000)]
large = [mmap.mmap(-1, 1 << 30, private, mmap.PROT_READ) for _ in range(4)]
from rvplat import Machine
with Machine.open("virt") as machine:
    print(machine.step(100))
"""


def test_native_code_is_loaded_beside_large_memories() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CROWDED], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "a step was done\n"), ran.stderr
