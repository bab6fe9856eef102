"""The README's blocks are run as they stand."""

import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rvplat.guests.debian import DebianGuest
from tests.guests.conftest import debian_guest  # noqa: F401

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks() -> list[str]:
    """Indented blocks, in order."""
    found: list[list[str]] = [[]]
    for line in README.splitlines():
        if line.startswith("    ") or (not line and found[-1]):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [textwrap.dedent("\n".join(lines)).strip() + "\n" for lines in found if lines]


def without_blank_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def block(start: str) -> str:
    """The one block that begins with these words."""
    (found,) = [text for text in blocks() if text.startswith(start)]
    return found


def rvplat(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rvplat", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def lamp(tmp_path: Path) -> Path:
    (tmp_path / "lamp.toml").write_text(block("# lamp.toml"))
    (tmp_path / "lamp.py").write_text(block("# lamp.py"))
    return tmp_path


def test_the_board_and_its_device_are_right(lamp: Path) -> None:
    done = rvplat("check", "lamp.toml", cwd=lamp)
    assert (done.returncode, done.stderr) == (0, "")
    tree = rvplat("dtb", "lamp.toml", cwd=lamp)
    assert "example,lamp" in tree.stdout


def test_the_board_runs(lamp: Path) -> None:
    done = rvplat("run", "lamp.toml", cwd=lamp)
    assert done.returncode == 0, done.stderr
    assert "harts       2" in done.stdout


def test_the_instruction_is_the_worked_example(tmp_path: Path) -> None:
    shown = block("# xmix.py").split("\n", 1)[1]
    example = (Path(__file__).parents[1] / "plugins" / "examples" / "xmix.py").read_text()
    code = example.split('"""', 2)[2].strip()
    assert without_blank_lines(shown) == without_blank_lines(code)


@pytest.mark.timeout(300)
def test_the_session_in_python(debian_guest: DebianGuest, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "guest").symlink_to(debian_guest.kernel.parent)
    (tmp_path / "session.py").write_text(block("from rvplat import Machine"))
    done = subprocess.run(
        [sys.executable, "session.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 100_000_000


def session(start: str) -> list[tuple[list[str], list[str]]]:
    """The commands of a block whose first is this, each with what it is shown to print."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block(f"$ {start}").splitlines():
        if line.startswith("$ "):
            found.append((shlex.split(line[2:]), []))
        else:
            found[-1][1].append(line)
    return found


def without_times(text: str) -> str:
    return re.sub(r"\d+ ms", "N ms", text)


def prints_what_is_shown(start: str, folder: Path) -> None:
    """Run a block's commands: the lines that are shown come in this order, among others."""
    for (name, *arguments), shown in session(start):
        assert name == "rvplat"
        done = rvplat(*arguments, cwd=folder)
        assert done.returncode == 0, done.stderr
        printed = iter(without_times(done.stdout).splitlines())
        assert all(without_times(line) in printed for line in shown), done.stdout


@pytest.mark.timeout(300)
def test_the_session_with_kvm(debian_guest: DebianGuest, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "guest").symlink_to(debian_guest.kernel.parent)
    prints_what_is_shown("rvplat guest debian guest --kvm", tmp_path)


def test_the_explanation(tmp_path: Path) -> None:
    prints_what_is_shown("rvplat explain hypervisor", tmp_path)
