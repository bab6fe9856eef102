"""The library for Robot Framework, in a suite that runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SUITE = Path(__file__).with_name("machines.robot")


def test_the_suite(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "robot", "--outputdir", tmp_path, "--report", "NONE", "--log",
         "NONE", SUITE],
        cwd=tmp_path, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert "7 tests, 5 passed, 2 failed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 2
    assert "no match for 'no such text' from the guest: the machine stopped" in done.stdout
    for machine in ("machine", "other"):
        assert f"\n{machine}: the handler of hook 1 at 0x1000" in done.stdout, done.stdout
    assert "rvplat machine harts:\nit had stopped: the guest powered" in done.stderr
    assert "rvplat run --replay .rvplat/Machines.It_Fails-61628ff8.machine.rec" in done.stderr
    assert (tmp_path / ".rvplat" / "Machines.It_Fails-61628ff8.machine.rec").exists()
