"""Lists of boards and extensions, for `rvplat boards` and `rvplat isa`."""

from __future__ import annotations

from pathlib import Path

import tomli

from rvplat.frozen import frozen
from rvplat.isa.machinery.extension import Extension
from rvplat.machine.boards.board import Board, OneHart
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.isa_string import order
from rvplat.machine.boards.toml_tree import board_names


@frozen
class BoardRow:
    """A board that the user can name; `extends` may be empty."""

    name: str
    path: Path
    description: str
    extends: str


@frozen
class ExtensionRow:
    """An extension. `enabled`: "yes", "-", or the numbers of the harts that have it."""

    name: str
    version: str
    standing: str
    ratified: str  # year and month; empty if it is no ratified one of the manual
    title: str
    instructions: int
    csrs: int
    enabled: str


def list_boards(catalogue: Catalogue) -> list[BoardRow]:
    """Every board that can be used by name, also those with faults."""
    names = board_names(catalogue.boards)
    return [_board_row(name, path) for name, path in sorted(names.items())]


def _board_row(name: str, path: Path) -> BoardRow:
    try:
        top = tomli.loads(path.read_text("utf-8"))
    except (OSError, ValueError):  # `rvplat check` reports the fault
        top = {"description": "(can't be read)"}
    return BoardRow(name, path, str(top.get("description", "")), str(top.get("extends", "")))


def _ratified(extension: Extension) -> str:
    text = extension.ratification
    return text.when if text else ""


def known_extensions(catalogue: Catalogue, board: Board | None = None) -> list[Extension]:
    """Every extension that a board may name, as it is on the board's harts; those that don't exist
    for their XLEN as they are elsewhere."""
    xlen = board.harts.xlen if board else 64
    every = catalogue.extensions.values()
    return [one.of(xlen if xlen in one.widths else one.widths[0]) for one in every]


def have_it(board: Board | None, name: str) -> str:
    """Which harts of a board have an extension: "yes" for all, "-" for none, or "0, 2"."""
    each = board.each if board else ()
    found = [one.number for one in each if any(e.name == name for e in one.extensions)]
    if not found or len(found) == len(each):
        return "yes" if found else "-"
    return ", ".join(map(str, found))


def list_harts(board: Board, every: bool = False) -> list[tuple[str, ...]]:
    """What each hart has, where they differ or `every` is set: the cells of HARTS_HEAD."""
    return [_cells(one) for one in board.each] if every or board.differs else []


def _cells(one: OneHart) -> tuple[str, ...]:
    has_h = any(extension.name == "H" for extension in one.extensions)
    return (
        str(one.number), str(one.vlen or "-"), one.harts.translation, str(one.harts.pmp_entries),
        str(one.asid_bits), str(one.vmid_bits) if has_h else "-",
        " ".join(one.harts.absent_csrs) or "-", one.harts.isa,
    )  # fmt: skip


HARTS_HEAD = ("hart", "VLEN", "mmu", "PMP", "ASIDLEN", "VMIDLEN", "absent CSRs", "isa")


def list_extensions(catalogue: Catalogue, board: Board | None = None) -> list[ExtensionRow]:
    """Every extension that a board may name, in canonical order."""
    known = known_extensions(catalogue, board)
    return [
        ExtensionRow(
            one.name, one.version, one.standing, _ratified(one), one.title,
            len(one.instructions) + len(one.compressed_forms), len(one.csrs),
            have_it(board, one.name),
        )
        for one in sorted(known, key=lambda one: order(one.name))
    ]  # fmt: skip
