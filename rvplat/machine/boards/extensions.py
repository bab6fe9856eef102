"""The extensions of a board's harts, and the native code for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rvplat.engine.architecture import Architecture
from rvplat.engine.native import Core
from rvplat.errors import DefinitionError
from rvplat.isa.machinery.extension import Extension
from rvplat.lang import LanguageError
from rvplat.machine.boards.board import Board, OneHart
from rvplat.machine.boards.catalogue import base_extensions, shipped_extensions
from rvplat.machine.boards.plugin_clashes import bad_texts, clashes

_MOST_CORES = 8  # repeated edits of a plugin must not fill the memory
_cores: dict[Architecture, Core] = {}  # the least recently used first


def architecture_for(
    added: Sequence[Extension], compressed: bool | None, harts: Sequence[Extension] = (),
    xlen: int = 64,
) -> Architecture:  # fmt: skip
    """The shipped extensions and those that plugins add. `compressed`: as of Architecture. Of the
    shipped extensions with `rows_in`, it has only those of `harts`."""
    own = (one for one in harts if one.rows_in)
    further = tuple(one.of(xlen) for one in (*own, *added))
    return Architecture(base_extensions(xlen), further, compressed, xlen)


def core_of(
    added: Sequence[Extension], compressed: bool | None, harts: Sequence[Extension],
    say: Callable[[str], None],
) -> Core:  # fmt: skip
    """The native code of an architecture; arguments as of `architecture_for`. Machines of one
    process that have the same architecture share it.

    Raises:
        DefinitionError: a definition of a plugin's extension is not well formed.
    """
    names = {one.name for one in added}
    own = [one for one in harts if one.name not in names]
    architecture = architecture_for(added, compressed, own, harts[0].xlen if harts else 64)
    core = _cores.pop(architecture, None)
    if core is None:
        try:
            core = Core(architecture, say)
        except (LanguageError, RecursionError) as error:
            _refuse(
                bad_texts(architecture)
            )  # every fault; the compiler alone would stop at the first
            raise DefinitionError(str(error)) from error
    _cores[architecture] = core
    while len(_cores) > _MOST_CORES:
        del _cores[next(iter(_cores))]
    return core


def refuse_clashes(plugins: Sequence[Extension], harts: Sequence[Extension]) -> None:
    """Raise DefinitionError, with a line for each fault, if extensions of plugins clash."""
    _refuse(clashes(plugins, shipped_extensions(), harts) if plugins else [])


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise DefinitionError("\n".join(faults))


def hart_extensions(board: Board) -> list[Extension]:
    """The extensions that some hart has."""
    every = {one.name: one for own in board.each for one in extensions_of(own)}
    return list(every.values())


def compressed_of(board: Board) -> bool | None:
    """Whether the harts have C; None if only some have it."""
    found = {any(one.name == "Zca" for one in extensions_of(own)) for own in board.each}
    return found.pop() if len(found) == 1 else None


def extensions_of(hart: OneHart) -> list[Extension]:
    """The extensions of a hart: from the ISA string and from the other keys."""
    known = shipped_extensions()
    found: dict[str, Extension] = {}
    xlen = hart.harts.xlen

    def take(extension: Extension) -> None:
        if extension.name not in found:
            for name in extension.requires:
                if name in known and xlen in known[name].widths:
                    take(known[name])
            found[extension.name] = extension.of(xlen)

    for extension in [*(known[name] for name in hart.harts.privileged), *hart.extensions]:
        take(extension)
    return list(found.values())
