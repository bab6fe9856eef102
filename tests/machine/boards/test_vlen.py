"""`harts.vlen`: which lengths of vector registers a board may choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat.errors import BoardError
from rvplat.machine.open import open_board

FAULTS = [
    ("rv64gcv", 384, "found 384, expected a power of two from 128 to 1024"),
    ("rv64gcv", 2048, "found 2048, expected an integer from 128 to 1024"),
    ("rv64gcv", 64, "found 64, expected an integer from 128 to 1024"),
    ("rv64gcv_zvl512b", 256,
     "found 256, expected at least 512, which harts.isa demands with zvl512b"),
    ("rv64gc", 128, "found 128, expected no vlen, or a vector extension such as v in harts.isa"),
]  # fmt: skip


@pytest.mark.parametrize(("isa", "vlen", "fault"), FAULTS)
def test_a_wrong_vlen_is_refused_with_its_line(
    isa: str, vlen: int, fault: str, tmp_path: Path
) -> None:
    board = tmp_path / "board.toml"
    board.write_text(f'extends = "virt"\n\n[harts]\nisa = "{isa}"\nvlen = {vlen}\n')
    with pytest.raises(BoardError) as error:
        open_board(str(board))
    assert str(error.value) == f"{board}:5: harts.vlen: {fault}"


@pytest.mark.parametrize(
    ("isa", "vlen", "bits"),
    [("rv64gcv", None, 128), ("rv64gcv", 1024, 1024), ("rv64gcv_zvl256b", None, 256),
     ("rv64imac_zve32x", None, 128), ("rv64gc", None, 0)],
)  # fmt: skip
def test_vlen_is_what_the_board_or_the_isa_string_says(
    isa: str, vlen: int | None, bits: int, tmp_path: Path
) -> None:
    board = tmp_path / "board.toml"
    line = "" if vlen is None else f"vlen = {vlen}\n"
    board.write_text(f'extends = "virt"\n\n[harts]\nisa = "{isa}"\n{line}')
    assert open_board(str(board))[0].vlen == bits
