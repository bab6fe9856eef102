"""Symbols of files that the user names for debuggers, and of the software in a world.

lief reads the files. They need not be loadable: a file may contain only debug information, or be a
library. The import of lief takes half a second, so it happens when a file is read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.errors import LoaderError
from rvplat.formats import recognise
from rvplat.machine.loading.elf import by_name, is_elf
from rvplat.machine.loading.user_files import read_file

if TYPE_CHECKING:
    import lief

    from rvplat.machine.loading.loader import Software

KEPT_FILES = 8
FARTHEST_SYMBOL = 1 << 20


class SymbolTable:
    """Symbols by address. Those that begin with "." or "$" are left out: compilers and assemblers
    make them. Of several at the same address the last one is found: `by_name` orders them."""

    def __init__(self, symbols: Mapping[str, int]) -> None:
        named = [(at, name) for name, at in symbols.items() if name[0] not in ".$"]
        self._symbols = sorted(named, key=itemgetter(0))

    def find(self, address: int) -> tuple[str, int] | None:
        """The last symbol before an address, or at it, and the bytes from there. None if there is
        none within FARTHEST_SYMBOL bytes."""
        at = bisect_right(self._symbols, address, key=itemgetter(0)) - 1
        if at < 0 or address - self._symbols[at][0] > FARTHEST_SYMBOL:
            return None
        start, name = self._symbols[at]
        return name, address - start


def symbols_of(software: Software, vmid: int | None) -> Mapping[str, int]:
    """The symbols of the host (None) or of the guest with this VMID: addresses by name. A file of
    `--symbols` takes precedence over the program and the kernel.

    Raises:
        LoaderError: that file can no longer be read.
    """
    path = software.symbol_files.get(vmid)
    named = read_symbols(path) if path is not None else {}
    if vmid is not None:
        return named
    kernel = software.kernel.symbols if software.kernel is not None else {}
    found: dict[str, int] = {}
    for symbols in (kernel, software.symbols, named):
        for name in symbols:
            found.pop(name, None)  # the order says which one is meant at an address
        found.update(symbols)
    return found


def check_symbol_file(path: Path, origin: str) -> None:
    """Check that symbols can be read from a file; `origin` is the user's name for it.

    Raises:
        LoaderError: the file can't be read, or isn't an ELF file.
    """
    data = read_file(path, "the symbols")
    if not is_elf(data):
        what = f": it is {kind}" if (kind := recognise(data)) else ""
        raise LoaderError(f"{origin}: {path} is not an ELF file{what}")


def read_symbols(path: Path) -> Mapping[str, int]:
    """The symbols of an ELF file; global ones hide local ones of the same name.

    Raises:
        LoaderError: the file can't be read, isn't an ELF file, or is not linked.
    """
    data = read_file(path, "the symbols")
    return _read(path, hash(data), len(data))


@lru_cache(KEPT_FILES)
def _read(path: Path, *contents: int) -> Mapping[str, int]:
    """Read a file again only after its contents (hash and length) have changed."""
    import lief

    elf = parsed_elf(path)
    if elf is None:
        raise LoaderError(f"{path}: the symbols: not an ELF file, or a damaged one")
    if elf.header.file_type == lief.ELF.Header.FILE_TYPE.REL:
        raise LoaderError(f"{path}: the symbols: a relocatable object has no addresses: link it")
    return symbols_in(elf)


def parsed_elf(path: Path) -> lief.ELF.Binary | None:
    """A file parsed by lief; None if it isn't an ELF file."""
    import lief

    lief.logging.disable()  # rvplat reports the faults
    return lief.ELF.parse(str(path))


def symbols_in(elf: lief.ELF.Binary) -> dict[str, int]:
    """Names and addresses from .symtab, or from .dynsym if .symtab was stripped, in the order of
    `by_name`."""
    import lief

    kinds = lief.ELF.Symbol.TYPE
    return by_name(
        [
            (str(one.name), one.value, one.binding.value, one.type.value, one.size)
            for one in list(elf.symtab_symbols) or list(elf.dynamic_symbols)
            if one.shndx and one.name and one.type not in (kinds.SECTION, kinds.FILE)
        ]
    )
