"""Check board files, good and bad: each `board_files/err_*.toml` ends with its expected
messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rvplat.errors import BoardError
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.check import build_board, check_board
from rvplat.machine.boards.toml_tree import read_board

FOLDER = Path(__file__).parents[1] / "board_files"
BAD = sorted(path.name for path in FOLDER.glob("err_*.toml"))
GOOD = sorted(path.name for path in FOLDER.glob("ok_*.toml"))


def wanted(name: str) -> list[str]:
    """The messages that a file expects: `#= LINE: ...`, or `#= FILE:LINE: ...`."""
    boards = ", ".join(sorted(path.stem for path in FOLDER.glob("*.toml")))
    lines = re.findall(r"^#= (.*)$", (FOLDER / name).read_text(), re.MULTILINE)
    placed = (line if re.match(r"\w+\.toml:", line) else f"{name}:{line}" for line in lines)
    return [line.replace("{boards}", boards) for line in placed]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_board_is_told_all_its_faults(
    name: str, board_folder: Path, catalogue: Catalogue
) -> None:
    source = read_board(name, (Path(),))
    found = [str(fault) for fault in check_board(source, catalogue)]
    assert found == wanted(name)
    with pytest.raises(BoardError) as error:
        build_board(source, catalogue)
    assert str(error.value) == "\n".join(found)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_board_is_built(name: str, board_folder: Path, catalogue: Catalogue) -> None:
    board = build_board(read_board(name, (Path(),)), catalogue)
    assert board.name == Path(name).stem
