"""The linters, so that one command runs every check."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


COMMANDS = ("ruff check .", "ruff format --check .", "mypy")
#: Matches code that makes a function a definition.
DEFINES = re.compile(
    r"^ *@(define|implement|declare|word|intrinsic|\w+\.instruction)\b", re.MULTILINE
)


@pytest.mark.parametrize("command", [tuple(line.split()) for line in COMMANDS], ids=COMMANDS)
def test_the_linter_finds_nothing(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_is_less_strict_only_about_definitions() -> None:
    """Error codes may be off only in modules that contain definitions."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    (loose,) = [one for one in settings["overrides"] if "disable_error_code" in one]
    for module in loose["module"]:
        path = module.replace("rvplat_plugins", "plugins").replace(".", "/") + ".py"
        assert DEFINES.search((ROOT / path).read_text()), f"{module} holds no definition"


def test_ci_calls_the_readme_s_command() -> None:
    text = (ROOT / "README.md").read_text()
    last = (ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert f"    {last}\n" in text
