"""Check the arguments of `Machine.open` and convert them to overrides and software."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike as OsPath
from os import fspath
from pathlib import Path

from rvplat.arguments import integer, optional_path, path, paths, text
from rvplat.isa.privileged import VMID
from rvplat.machine.boards.board import LAST_ADDRESS, Board
from rvplat.machine.boards.toml_tree import Override
from rvplat.machine.loading.load_option import LoadOption
from rvplat.machine.loading.loader import Software, read_software
from rvplat.machine.loading.symbol_files import check_symbol_file
from rvplat.machine.open import Disk
from rvplat.pluginmanager import Plugins

PathLike = str | OsPath[str]


class OpenArguments:
    """The arguments of `Machine.open` that name the board and the software.

    Raises:
        TypeError, ValueError: an argument has the wrong type or value.
    """

    def __init__(
        self, board: PathLike, program: PathLike | None, kernel: PathLike | None,
        initrd: PathLike | None, append: str | None, dtb: PathLike | None,
        disk: PathLike | Iterable[PathLike], harts: int | None, memory: int | str | None,
        load: Mapping[int, PathLike] | None, symbols: Mapping[int | None, PathLike] | None,
    ) -> None:  # fmt: skip
        self.board = _board(board)
        self.program = _program(program)
        self.kernel = optional_path("kernel", kernel)
        self.initrd = optional_path("initrd", initrd)
        self.append = None if append is None else text("append", append)
        self.dtb = optional_path("dtb", dtb)
        self.disks = [Disk(str(one), f"disk={str(one)!r}") for one in paths("disk", disk)]
        self.extra_files = _extra_files(load)
        self.symbol_files = {**shipped_symbols(self.program), **named_symbols(symbols)}
        self._harts = harts
        self._memory = memory

    def software(self, board: Board, plugins: Plugins) -> Software:
        """The software, read from its files. LoaderError if a file has a fault."""
        found = read_software(
            board, self.program, self.kernel, self.initrd, self.append, self.dtb,
            tuple(plugins.loaders.values()), self.extra_files,
        )  # fmt: skip
        return replace(found, symbol_files=self.symbol_files)

    def overrides(
        self, settings: Mapping[str, object] | None, strict: bool | None
    ) -> Sequence[Override]:
        """The arguments that change the board, as overrides. The board's check validates them."""
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
    """A string may name a shipped guest, as on the command line."""
    from rvplat.guests import shipped  # late: only shipped guests need this import

    if isinstance(program, str) and (found := shipped(program)) is not None:
        return found
    return optional_path("program", program)


def shipped_symbols(program: Path | None) -> dict[int | None, Path]:
    """The symbols of the demo hypervisor's guests, by VMID."""
    if program is None or program.name != "hypervisor.elf":
        return {}
    from rvplat import guests  # late: only shipped guests need this import

    found = enumerate(guests.hypervisor_guest_elfs().values(), 1)
    return dict(found) if program == guests.hypervisor_elf() else {}


def named_symbols(named: Mapping[int | None, PathLike] | None) -> dict[int | None, Path]:
    """The argument `symbols`: ELF files by VMID; None is the host."""
    if named is not None and not isinstance(named, Mapping):
        raise TypeError(f"symbols={named!r}: expected VMIDs (None: the host) and files, a dict")
    found: dict[int | None, Path] = {}
    for vmid, file in (named or {}).items():
        key = None if vmid is None else integer("symbols", vmid, 0, VMID)
        found[key] = path("symbols", fspath(file))
        check_symbol_file(found[key], f"symbols={{{vmid!r}: {str(file)!r}}}")
    return found


def _extra_files(load: Mapping[int, PathLike] | None) -> list[LoadOption]:
    if load is not None and not isinstance(load, Mapping):
        raise TypeError(f"load={load!r}: expected addresses and files, a dict")
    return [
        LoadOption(path("load", fspath(file)), integer("load", address, 0, LAST_ADDRESS))
        for address, file in (load or {}).items()
    ]
