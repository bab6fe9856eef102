"""What the command's tests share."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """The first start on a machine compiles, and says so on stderr, which these tests read.

    A process of its own: what this one compiles also depends on the plugins that other tests
    opened. Test workers wait for each other, so that only one of them compiles."""
    with (Path(tempfile.gettempdir()) / "rvplat-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        start = "from rvplat import Machine; Machine.open(program='demo').close()"
        subprocess.run([sys.executable, "-c", start], timeout=300, check=True)
