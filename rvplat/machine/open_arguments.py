"""What `Machine.open` is given, checked and put into the words of boards and loaders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike as OsPath
from os import fspath
from pathlib import Path

from rvplat.arguments import integer, optional_path, path, paths, text
from rvplat.machine.boards.board import LAST_ADDRESS
from rvplat.machine.boards.toml_tree import Override
from rvplat.machine.loading.load_option import Piece
from rvplat.machine.open import Disk

PathLike = str | OsPath[str]


class Given:
    """The arguments of `Machine.open` that say what to run on what.

    Raises:
        TypeError, ValueError: an argument is of the wrong type, or makes no sense.
    """

    def __init__(
        self, board: PathLike, program: PathLike | None, kernel: PathLike | None,
        initrd: PathLike | None, append: str | None, dtb: PathLike | None,
        disk: PathLike | Iterable[PathLike], harts: int | None, memory: int | str | None,
        load: Mapping[int, PathLike] | None,
    ) -> None:  # fmt: skip
        self.board = _board(board)
        self.program = _program(program)
        self.kernel = optional_path("kernel", kernel)
        self.initrd = optional_path("initrd", initrd)
        self.append = None if append is None else text("append", append)
        self.dtb = optional_path("dtb", dtb)
        self.disks = [Disk(str(one), f"disk={str(one)!r}") for one in paths("disk", disk)]
        self.pieces = _pieces(load)
        self._harts = harts
        self._memory = memory

    def overrides(
        self, settings: Mapping[str, object] | None, strict: bool | None
    ) -> Sequence[Override]:
        """What the arguments change of the board. The board's own check says what does not fit."""
        if settings is not None and not isinstance(settings, Mapping):
            raise TypeError(f"settings={settings!r}: expected keys and values, a dict")
        found = [
            Override(tuple(text("settings", key).split(".")), value, f"settings[{key!r}]")
            for key, value in (settings or {}).items()
        ]
        named = (
            (("strict",), strict),
            (("harts", "count"), self._harts),
            (("memory",), self._memory),
        )
        for key, value in named:
            if value is not None:
                name = key[0]
                found.append(Override(key, value, f"{name}={value!r}"))
        return found


def _board(board: PathLike) -> str:
    """A string is a name or a path, as on the command line; a Path is a path."""
    name = str(path("board", board))
    if isinstance(board, str):
        return board
    return name if "/" in name or name.endswith(".toml") else f"./{name}"


def _program(program: PathLike | None) -> Path | None:
    """A string may be the word for a guest that ships, as on the command line."""
    from rvplat.guests import shipped  # late: who runs a file need not wait for it

    if isinstance(program, str) and (found := shipped(program)) is not None:
        return found
    return optional_path("program", program)


def _pieces(load: Mapping[int, PathLike] | None) -> list[Piece]:
    if load is not None and not isinstance(load, Mapping):
        raise TypeError(f"load={load!r}: expected addresses and files, a dict")
    return [
        Piece(path("load", fspath(file)), integer("load", address, 0, LAST_ADDRESS))
        for address, file in (load or {}).items()
    ]
