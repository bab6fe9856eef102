"""Completion in a real bash, with the script that `rvplat completion bash` prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_run_command import rvplat

#: What bash does at TAB: it calls the function that was registered for the command.
TAB = """
source "$1"
COMP_LINE="$2" COMP_POINT=${#2} COMP_TYPE=9 COMP_KEY=9
read -ra COMP_WORDS <<< "$2"
[[ $2 == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
spec=$(complete -p rvplat)
[[ $spec =~ -F\\ ([^\\ ]+) ]]
"${BASH_REMATCH[1]}" rvplat "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("completion") / "rvplat.bash"
    done = rvplat("completion", "bash")
    assert done.returncode == 0, done.stderr
    found.write_bytes(done.stdout)
    return found


def completed(script: Path, line: str, folder: Path) -> list[str]:
    programs = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "--norc", "-c", TAB, "bash", str(script), line], cwd=folder, timeout=60,
        capture_output=True, text=True, check=True,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.stderr == ""
    return [one.strip() for one in done.stdout.splitlines()]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes(script: Path, tmp_path: Path) -> None:
    (tmp_path / "program.elf").write_bytes(b"")
    for line, expected, others in (
        ("rvplat comp", {"completion"}, {"run"}),
        ("rvplat run vi", {"virt"}, {"spike"}),
        ("rvplat run virt pro", {"program.elf"}, {"virt"}),
        ("rvplat run --sem", {"--semihosting", "--semihosting-files"}, {"--set"}),
        ("rvplat run virt --console ", {"uart0="}, {"virt"}),
        ("rvplat run spike --set devices.", {"devices.htif.tohost="}, {"devices.uart0.base="}),
    ):  # fmt: skip
        found = set(completed(script, line, tmp_path))
        assert expected <= found, (line, found)
        assert not others & found, (line, found)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_of_another_shell_is_read_by_it(shell: str, tmp_path: Path) -> None:
    done = rvplat("completion", shell)
    assert b"rvplat" in done.stdout
    if (program := shutil.which(shell)) is not None:
        (tmp_path / "script").write_bytes(done.stdout)
        subprocess.run([program, "-n", str(tmp_path / "script")], timeout=60, check=True)


def test_a_start_does_not_import_the_library() -> None:
    code = "import sys; from rvplat.cli.main import main; main(['boards']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "argcomplete" not in done.stdout.split()
