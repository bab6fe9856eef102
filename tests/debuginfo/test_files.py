"""Lines, functions and call frames of ELF files, and damaged files."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rvplat.debuginfo.files import DebugInfo, debug_info
from rvplat.errors import DebugInfoError
from rvplat.guests import hypervisor_guest_elfs
from rvplat.machine.loading.symbol_files import read_symbols
from tests.gdb.guest_build import build_guest

SOURCE = Path(__file__).with_name("variables.c")
SP, RA, S0 = 2, 1, 8


def line_with(text: str) -> int:
    """The number of the source's line that has a text."""
    return next(n for n, line in enumerate(SOURCE.read_text().splitlines(), 1) if text in line)


def test_functions_and_lines_both_ways(variables_elf: Path) -> None:
    info, symbols = debug_info(variables_elf), read_symbols(variables_elf)
    for name in ("leaf", "middle", "main"):
        found = info.function_at(symbols[name] + 2)
        assert found is not None and (found.name, found.entry) == (name, symbols[name])
        assert info.functions_named(name) == [found]
    line = line_with("u64 leaf")
    row = info.line_at(symbols["leaf"])
    assert row is not None and (row.line, Path(row.file).name) == (line, "variables.c")
    assert symbols["leaf"] in info.addresses_of("variables.c", line)
    assert info.addresses_of("tests/debuginfo/variables.c", line)
    assert not info.addresses_of("les.c", line)
    assert info.line_at(0x10) is None and info.function_at(0x10) is None


def test_lines_of_older_dwarf_that_is_compressed() -> None:
    path = hypervisor_guest_elfs()["sort"]
    info, symbols = debug_info(path), read_symbols(path)
    row = info.line_at(symbols["guest_sort"])
    assert row is not None and row.file == "./hypervisor/sort.c"
    assert {Path(one.file).name for one in info.line_rows()} >= {"sort.c", "guest_start.S"}
    starts = [one.start for one in info.line_rows()]
    assert len(starts) == len(set(starts)), "ranges don't overlap"


def test_members_are_where_dwarf_2_has_them(variables_elf: Path, tmp_path: Path) -> None:
    """It gives each place as an expression, and counts the bits of a field from the top."""
    older = build_guest(tmp_path, "variables", ("-gdwarf-2",), SOURCE.parent)

    def places(path: Path, name: str) -> list[int]:
        found = debug_info(path).variables.find(name, 0, lambda address, size: 0)
        return [found.address - read_symbols(path)["state"], found.type.size]

    for member in ("count", "mode", "at[2].y", "next", "name", "raw", "on", "f", "d"):
        name = f"state.{member}"
        assert places(older, name) == places(variables_elf, name), member


def test_a_caller_is_found_by_rules(variables_elf: Path) -> None:
    info, entry = debug_info(variables_elf), read_symbols(variables_elf)["middle"]
    first = info.caller(entry, {SP: 0x8000, RA: 0x1234, S0: 7}, lambda at, size: 0)
    assert first is not None and (first.pc, first.cfa, first.registers[S0]) == (0x1234, 0x8000, 7)
    memory: dict[int, int] = {}

    def load(address: int, size: int) -> int:
        return memory.setdefault(address, 0x5000 + address)

    later = info.caller(entry + 0x10, {SP: 0x7000, RA: 0x1234, S0: 0x7020}, load)
    assert later is not None and later.cfa > 0x7000 and later.pc in memory.values()


def test_a_file_without_dwarf_has_nothing(tmp_path: Path) -> None:
    from tests.machine.programs import elf

    path = tmp_path / "bare.elf"
    path.write_bytes(elf())
    info = debug_info(path)
    assert info.line_at(0x8000_0000) is None and info.function_at(0x8000_0000) is None
    assert not info.is_present and not info.has_rules(0x8000_0000)
    with pytest.raises(DebugInfoError) as raised:
        _ = info.variables
    assert str(raised.value) == f"{path}: it has no DWARF: build the program with -g"


def test_no_elf_file(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no ELF")
    with pytest.raises(DebugInfoError, match=f"^{path}: not an ELF file"):
        debug_info(path)
    with pytest.raises(DebugInfoError, match=f"^{tmp_path}/none: No such file or directory$"):
        debug_info(tmp_path / "none")


def questions(info: DebugInfo) -> list[Callable[[], Any]]:
    """What asks for every part of a file."""
    at = 0x8000_0238

    def value() -> Any:
        found = info.variables.find("state", 0, lambda at, size: 0)
        return found.type.decode(bytes(found.type.size))

    registers = {RA: at, SP: 0x8000, S0: 0x8000}
    return [
        lambda: info.function_at(at), lambda: info.line_at(at), lambda: info.line_rows(),
        lambda: info.caller(at, registers, lambda at, size: 0), lambda: [*info.functions()], value,
    ]  # fmt: skip


def sections(path: Path) -> list[tuple[str, int, int]]:
    """Name, offset and size of the sections with DWARF."""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as file:
        found = [(s.name, s["sh_offset"], s["sh_size"]) for s in ELFFile(file).iter_sections()]
    return [one for one in found if one[0].startswith(".debug_")]


def test_damaged_files_raise_one_error_that_names_them(variables_elf: Path, tmp_path: Path) -> None:
    path, data, dice = tmp_path / "torn.elf", variables_elf.read_bytes(), random.Random(5)
    places, refused = sections(variables_elf), 0
    for n in range(60):
        torn = bytearray(data)
        _, at, size = places[n % len(places)]
        for _ in range(dice.choice([1, 4, 30])):
            torn[at + dice.randrange(size)] = dice.choice([0, 0xFF, 0x7F, dice.randrange(256)])
        path.write_bytes(torn if n % 10 else torn[: at + dice.randrange(size)])
        try:
            for ask in questions(DebugInfo(path)):
                try:
                    ask()
                except (LookupError, TypeError) as error:  # a name or a type is another now
                    assert "variable" in str(error) or "type" in str(error) or "state" in str(error)
        except DebugInfoError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    assert refused > 10
