"""The linters are part of the one command that runs every check."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "command", [("ruff", "check", "."), ("mypy", "-p", "rvplat")], ids=lambda c: c[0]
)
def test_finds_nothing(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ci_calls_the_readme_s_command() -> None:
    text = (ROOT / "README.md").read_text()
    last = (ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert f"    {last}\n" in text
