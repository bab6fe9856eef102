"""`rvplat run --save` and `--load`, without a terminal (test_terminal.py has the key)."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat.cli.main import main


def test_save_at_the_end_and_go_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "demo.snap"
    limit = ["--set", "clock=virtual", "--max-instructions", "20000", "--save", str(file)]
    assert main(["run", "demo", *limit]) == 124
    begun = capfd.readouterr().out
    assert main(["run", "--load", str(file)]) == 0
    rest = capfd.readouterr().out
    assert main(["run", "demo", "--set", "clock=virtual"]) == 0
    assert begun + rest == capfd.readouterr().out
    assert "powering off" in rest or rest


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["virt", "--load", "{}"], "leave out virt"),
        (["--load", "{}", "--memory", "2G", "--append", "x"], "leave out --append, --memory"),
        (["--load", "{}", "--set", "harts.count=2"], "harts.count is 1 there, and 2 here"),
        (["--save", "/nowhere/x"], "/nowhere/x: there is no such folder"),
        (["--disk", "{}.img", "--save", "{}"], "devices.virtio0: the guest writes to its image"),
    ],
)
def test_what_does_not_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    file = tmp_path / "a.snap"
    (tmp_path / "a.snap.img").write_bytes(bytes(512))
    assert main(["run", "--max-instructions", "5", "--save", str(file)]) == 124
    capsys.readouterr()
    assert main(["run", *(word.format(file) for word in words)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
