"""Symbols of the files of `--symbols` and of programs, read by lief and by rvplat's ELF reader."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import lief
import pytest

from rvplat import Machine, guests
from rvplat.errors import LoaderError
from rvplat.guests.debian import DebianGuest
from rvplat.machine.loading.images import read_program
from rvplat.machine.loading.symbol_files import SymbolTable, parsed_elf, read_symbols, symbols_of
from tests.gdb.guest_build import build_guest
from tests.guests.conftest import debian_guest  # noqa: F401
from tests.machine.programs import elf
from tests.machine.small_guests import HELLO, LOOP, guest

SHIPPED = [
    guests.demo_elf(), guests.hypervisor_elf(), *guests.hypervisor_guest_elfs().values(),
    guests.vmm(), *(one.path for one in guests.bench_programs()),
]  # fmt: skip


def write(folder: Path, data: bytes, name: str = "file.elf") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def same_as_lief(path: Path) -> None:
    """Check that rvplat's reader and lief find the same segments, entry and symbols."""
    ours, theirs = read_program(path, "the program"), parsed_elf(path)
    assert theirs is not None
    loaded = [one for one in theirs.segments if one.type == lief.ELF.Segment.TYPE.LOAD]
    loaded = [one for one in loaded if one.virtual_size]
    assert [(one.address, one.size, bytes(one.data)) for one in ours.segments] == [
        (one.physical_address, one.virtual_size, bytes(one.content)) for one in loaded
    ]
    (entry,) = {
        theirs.entrypoint - one.virtual_address + one.physical_address
        for one in loaded
        if one.virtual_address <= theirs.entrypoint < one.virtual_address + one.virtual_size
    } or {theirs.entrypoint}
    assert ours.entry == entry
    if list(theirs.symtab_symbols):  # rvplat's reader does not read .dynsym
        assert dict(ours.symbols) == dict(read_symbols(path))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_lief_agrees_on_what_ships(path: Path) -> None:
    same_as_lief(path)


@pytest.mark.parametrize("name", ["fw_jump", "fw_dynamic", "u-boot", "u-boot-smode"])
def test_lief_agrees_on_firmware(debian_guest: DebianGuest, name: str) -> None:  # noqa: F811
    same_as_lief(debian_guest.kernel.parent / f"{name}.elf")


@pytest.mark.parametrize("name", ["guest", "three_worlds", "calls"])
def test_lief_agrees_on_what_the_tests_build(tmp_path: Path, name: str) -> None:
    same_as_lief(build_guest(tmp_path, name))


@pytest.mark.parametrize("data", [HELLO, LOOP], ids=["hello", "loop"])
def test_lief_agrees_on_what_the_tests_write(data: str) -> None:
    same_as_lief(guest(data))


def test_lief_agrees_on_a_program_with_virtual_addresses(tmp_path: Path) -> None:
    segments = [(0x8000_0000, b"\x13\0\0\0", 8), (0x8000_2000, b"data", 4096)]
    data = elf(segments, virtual_offset=0x4000_0000, symbols={"tohost": 0xC000_2000, "main": 1})
    same_as_lief(write(tmp_path, data))


def test_a_file_with_nothing_to_load(tmp_path: Path) -> None:
    """A file of split debug information has symbols but no segments, so it is not a program."""
    path = write(tmp_path, elf((), symbols={"start_kernel": 0xFFFF_FFFF_8000_0000}))
    assert read_symbols(path) == {"start_kernel": 0xFFFF_FFFF_8000_0000}
    with pytest.raises(LoaderError, match="without anything to load"):
        read_program(path, "the program")


def test_what_has_no_symbols_to_give(tmp_path: Path) -> None:
    path = write(tmp_path, b"no ELF file at all")
    with pytest.raises(LoaderError, match="the symbols: not an ELF file, or a damaged one"):
        read_symbols(path)
    path = write(tmp_path, elf(kind=1, symbols={"main": 0}), "object.o")
    with pytest.raises(LoaderError, match="a relocatable object has no addresses: link it"):
        read_symbols(path)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, elf(symbols={"one": 1}))
    assert read_symbols(path) == {"one": 1}
    assert read_symbols(write(tmp_path, elf(symbols={"two": 2}))) == {"two": 2}


LOCAL, GLOBAL, WEAK, FUNC = 0x00, 0x10, 0x20, 0x02


@pytest.mark.parametrize(
    ("expected", "others"),
    [
        ({"aglobal": (GLOBAL, 0)}, {"weak": (WEAK | FUNC, 4), "local": (LOCAL | FUNC, 4)}),
        ({"weak": (WEAK, 0)}, {"zlocal": (LOCAL | FUNC, 4)}),
        ({"afunction": (GLOBAL | FUNC, 0)}, {"untyped": (GLOBAL, 4)}),
        ({"asized": (GLOBAL | FUNC, 4)}, {"bare": (GLOBAL | FUNC, 0)}),
        ({"main": (GLOBAL | FUNC, 4)}, {"z_main_alias": (GLOBAL | FUNC, 4), "nain": (GLOBAL, 4)}),
        ({"abc": (GLOBAL, 0)}, {"abd": (GLOBAL, 0)}),
    ],
    ids=lambda one: next(iter(one)),
)
def test_which_of_the_symbols_at_an_address_is_found(
    tmp_path: Path, expected: dict[str, tuple[int, int]], others: dict[str, tuple[int, int]]
) -> None:
    (name,) = expected
    for facts in ({**expected, **others}, {**others, **expected}):
        path = write(tmp_path, elf(symbols=dict.fromkeys(facts, 0x8000_0000), facts=facts))
        for symbols in (read_program(path, "the program").symbols, read_symbols(path)):
            assert SymbolTable(symbols).find(0x8000_0002) == (name, 2)


def test_a_world_s_symbols(tmp_path: Path) -> None:
    kernel = write(tmp_path, elf((), symbols={"start_kernel": 5, "main": 6}))
    program = write(tmp_path, elf(symbols={"main": 0x8000_0000}), "program.elf")

    def of(named: Mapping[int | None, Path], vmid: int | None) -> Mapping[str, int]:
        with Machine.open(program=program, symbols=named) as machine:
            return symbols_of(machine.software, vmid)

    assert of({}, None) == {"main": 0x8000_0000}
    assert of({None: kernel}, None) == {"start_kernel": 5, "main": 6}
    assert of({1: kernel}, 1) == {"start_kernel": 5, "main": 6}
    assert of({1: kernel}, 2) == {}


def test_the_hypervisor_brings_its_guests_symbols() -> None:
    with Machine.open(program="hypervisor") as machine:
        assert "guest_sort" in symbols_of(machine.software, 2)
        assert "guest_sort" not in symbols_of(machine.software, 1)


def test_symbols_that_cannot_be_used(tmp_path: Path) -> None:
    text = write(tmp_path, b"a text that is no ELF file")
    with pytest.raises(LoaderError, match=r"^symbols=\{1: '.*'\}: .*file.elf is not an ELF file"):
        Machine.open(program="demo", symbols={1: text})
    with pytest.raises(ValueError, match="^symbols=-1: expected 0 to "):
        Machine.open(program="demo", symbols={-1: text})
    with pytest.raises(TypeError, match="^symbols=.*: expected VMIDs"):
        Machine.open(program="demo", symbols=[text])  # type: ignore[arg-type]


def test_symbols_of_a_program_that_was_moved(tmp_path: Path) -> None:
    """A program that is linked at 0 is loaded at the start of RAM, and its symbols move with it."""
    code = struct.pack("<I", 0x0000_006F)  # j .
    data = elf([(0, code, 4)], entry=0, symbols={"start": 0, "tohost": 0x40}, kind=3)
    with Machine.open(program=write(tmp_path, data)) as machine:
        assert machine.symbols == {"start": 0x8000_0000, "tohost": 0x8000_0040}
        machine.run(max_instructions=100)
        assert machine.harts[0].pc == machine.symbols["start"]
