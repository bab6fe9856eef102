"""Symbols of files that a debugger's user names, and of what runs in a world.

The files are read by lief: they may be what no loader takes, such as a file with nothing but debug
information, or a library. Its import takes half a second, so it comes when a file is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.errors import LoaderError
from rvplat.formats import recognise
from rvplat.machine.loading.elf import is_elf
from rvplat.machine.loading.user_files import read_file

if TYPE_CHECKING:
    import lief

    from rvplat.machine.loading.loader import Software

KEPT_FILES = 8


def symbols_of(software: Software, vmid: int | None) -> Mapping[str, int]:
    """The symbols of the host (None), or of the guest with a VMID: addresses by name. Those of a
    file that `--symbols` names go before the program's and the kernel's.

    Raises:
        LoaderError: that file can't be read any more.
    """
    path = software.symbol_files.get(vmid)
    named = read_symbols(path) if path is not None else {}
    if vmid is not None:
        return named
    kernel = software.kernel.symbols if software.kernel is not None else {}
    return {**kernel, **software.symbols, **named}


def check_symbol_file(path: Path, origin: str) -> None:
    """Refuse a file that no symbols can be read from; `origin` is how the user named it.

    Raises:
        LoaderError: it can't be read, or isn't an ELF file.
    """
    data = read_file(path, "the symbols")
    if not is_elf(data):
        what = f": it is {kind}" if (kind := recognise(data)) else ""
        raise LoaderError(f"{origin}: {path} is not an ELF file{what}")


def read_symbols(path: Path) -> Mapping[str, int]:
    """The symbols of an ELF file; global ones hide local ones of the same name.

    Raises:
        LoaderError: it can't be read, is no ELF file, or has no addresses yet.
    """
    data = read_file(path, "the symbols")
    return _read(path, hash(data), len(data))


@lru_cache(KEPT_FILES)
def _read(path: Path, *contents: int) -> Mapping[str, int]:
    """Read once while its contents (their hash and length) stay the same."""
    import lief

    elf = parsed_elf(path)
    if elf is None:
        raise LoaderError(f"{path}: the symbols: not an ELF file, or a damaged one")
    if elf.header.file_type == lief.ELF.Header.FILE_TYPE.REL:
        raise LoaderError(f"{path}: the symbols: a relocatable object has no addresses: link it")
    return symbols_in(elf)


def parsed_elf(path: Path) -> lief.ELF.Binary | None:
    """A file as lief sees it; None if it is no ELF file."""
    import lief

    lief.logging.disable()  # we say ourselves what is wrong
    return lief.ELF.parse(str(path))


def symbols_in(elf: lief.ELF.Binary) -> dict[str, int]:
    """Names and addresses: of .symtab, or of .dynsym where that was stripped."""
    import lief

    kinds = lief.ELF.Symbol.TYPE
    local = lief.ELF.Symbol.BINDING.LOCAL
    found: dict[str, int] = {}
    hidden: dict[str, int] = {}
    for symbol in list(elf.symtab_symbols) or list(elf.dynamic_symbols):
        if symbol.shndx and symbol.name and symbol.type not in (kinds.SECTION, kinds.FILE):
            (hidden if symbol.binding == local else found)[str(symbol.name)] = symbol.value
    return {**hidden, **found}
