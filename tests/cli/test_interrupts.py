"""Ctrl-C before a machine runs ends the command with one line, status 130 and no traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_run_command import COMMAND
from tests.machine.small_guests import HELLO, guest

#: Sends Ctrl-C when the import of a module begins.
AT_IMPORT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from rvplat.cli.entry import main
sys.argv = ["rvplat", "run", {program!r}]
sys.exit(main())
"""


@pytest.mark.parametrize(
    "module",
    ["rvplat.cli.main", "argparse", "rvplat.cli.run", "rvplat.machine.loading.loader",
     "rvplat.machine.machine", "rvplat.machine.running.hart", "rvplat_plugins.virtqueue"],
)  # fmt: skip
def test_while_it_imports(module: str) -> None:
    script = AT_IMPORT.format(module=module, program=str(guest(HELLO)))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"rvplat: interrupted\n")


@pytest.mark.slow
def test_while_it_compiles(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "run", guest(HELLO)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "RVPLAT_CACHE": str(tmp_path)},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert b"compiling" in first
    assert (process.returncode, output) == (130, b"")
    assert errors.splitlines()[-1] == b"rvplat: interrupted"
    assert b"Traceback" not in errors
    done = subprocess.run(
        [*COMMAND, "run", guest(HELLO)], capture_output=True, timeout=240, check=False,
        env={**os.environ, "RVPLAT_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"hello\r\n"), "the cache is not damaged"


def test_ignored_interrupts_stay_ignored() -> None:
    """A script's `rvplat run ... &` inherits an ignored SIGINT."""
    script = AT_IMPORT.format(module="rvplat.machine.loading.loader", program=str(guest(HELLO)))
    done = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", script],
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"hello\r\n")
