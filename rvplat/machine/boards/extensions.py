"""What the harts of a board have, and native code for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rvplat.engine import architecture
from rvplat.engine.native import Core
from rvplat.errors import DefinitionError
from rvplat.isa.machinery.extension import Extension
from rvplat.lang import LanguageError
from rvplat.machine.boards.board import Board
from rvplat.machine.boards.catalogue import shipped_extensions
from rvplat.machine.boards.plugin_clashes import bad_texts, clashes

_cores: dict[tuple[tuple[Extension, ...], bool], Core] = {}


def core_for(
    extensions: tuple[Extension, ...], compressed: bool, say: Callable[[str], None],
    added: Sequence[Extension] = (),
) -> Core:  # fmt: skip
    """Native code for these extensions, made once a process. `added`: those of plugins.

    Raises:
        DefinitionError: the text of one of them is not well formed.
    """
    key = (extensions, compressed)
    if key not in _cores:
        _install(extensions)
        try:
            _cores[key] = Core(extensions, say, compressed)
        except (LanguageError, RecursionError) as error:
            _refuse(bad_texts(added) if added else [])  # all, where the compiler ends at the first
            raise DefinitionError(str(error)) from error
    return _cores[key]


def refuse_clashes(plugins: Sequence[Extension], harts: Sequence[Extension]) -> None:
    """DefinitionError, a line for each fault, when extensions of plugins clash."""
    _refuse(clashes(plugins, shipped_extensions(), harts) if plugins else [])


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise DefinitionError("\n".join(faults))


def _install(extensions: tuple[Extension, ...]) -> None:
    """Two extensions of one name, or of one CSR number, are their authors' error."""
    try:
        architecture.install(extensions)
    except TypeError as error:
        raise DefinitionError(str(error)) from error


def hart_extensions(board: Board) -> list[Extension]:
    """What every hart of the board has: its ISA string's, and what its other keys say."""
    known = shipped_extensions()
    found: dict[str, Extension] = {}

    def take(extension: Extension) -> None:
        if extension.name not in found:
            for name in extension.requires:
                if name in known:
                    take(known[name])
            found[extension.name] = extension

    for extension in [*(known[name] for name in board.harts.privileged), *board.extensions]:
        take(extension)
    return list(found.values())
