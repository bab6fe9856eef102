"""Settings for the tests of the command."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Compile first: the first start prints that it compiles, on stderr, which these tests read.

    Another process does it, because this process's code also depends on the plugins that other
    tests opened. Test workers wait for each other, so that only one of them compiles."""
    with (Path(tempfile.gettempdir()) / "rvplat-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        start = "from rvplat import Machine; Machine.open(program='demo').close()"
        subprocess.run([sys.executable, "-c", start], timeout=300, check=True)
