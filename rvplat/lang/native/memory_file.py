"""Files in memory, for what another process reads or writes."""

from __future__ import annotations

import os
import tempfile
from typing import IO


def memory_file() -> IO[bytes]:
    """A file without a name, in memory where the host can do that: a disk may be full."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("rvplat"), "w+b")
    return tempfile.TemporaryFile()
