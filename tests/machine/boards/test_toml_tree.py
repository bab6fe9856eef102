"""Boards that extend boards, and overrides of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat.machine.boards.board import Board
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.check import build_board, check_board
from rvplat.machine.boards.toml_tree import (
    Override,
    board_names,
    find_board,
    parse_override,
    read_board,
)


def build(catalogue: Catalogue, name: str, *overrides: Override | str) -> Board:
    parsed = [parse_override(one) if isinstance(one, str) else one for one in overrides]
    return build_board(read_board(name, (Path(),), parsed), catalogue)


def test_a_board_says_what_it_says(board_folder: Path, catalogue: Catalogue) -> None:
    board = build(catalogue, "ok_plain")
    assert board.general.timebase_hz == 1_000_000
    assert (board.harts.count, board.harts.mmu) == (2, "sv48")
    assert {name: (one.base, one.size) for name, one in board.memory.items()} == {
        "ram": (0x8000_0000, 0x100_0000),
        "high": (0x1_0000_0000, 0x10_0000),
    }
    uart = board.devices["uart0"]
    assert (uart.base, uart.size, uart.interrupts) == (0x1000_0000, 0x100, (10,))
    assert (uart.settings.parity, uart.settings.clock_frequency) == ("even", 3_686_400)
    assert board.devices["disk"].settings.image == Path("ok_plain.toml")
    assert [one.name for one in board.extensions] == [
        "I", "M", "A", "F", "D", "C", "S", "U", "Zicbom", "Zicboz", "Zicsr", "Zifencei", "Sm",
        "Svinval",
    ]  # fmt: skip


def test_a_board_over_another(board_folder: Path, catalogue: Catalogue) -> None:
    board = build(catalogue, "ok_extends")
    assert list(board.devices) == ["intc", "uart0", "uart1"]
    assert list(board.memory) == ["ram", "rom"]
    assert board.memory["ram"].size == 1 << 20
    assert board.general.clock == "virtual"
    assert board.general.timebase_hz == 1_000_000
    assert board.chosen.bootargs == "console=ttyS0"
    assert board.devices["uart0"].interrupts == (3,)
    assert board.devices["uart0"].settings.parity == "even"
    assert board.main_memory.base == 0x8000_0000
    assert [path.name for path in board.files] == ["ok_extends.toml", "ok_plain.toml"]


def test_the_command_line_comes_last(board_folder: Path, catalogue: Catalogue) -> None:
    board = build(
        catalogue,
        "ok_extends",
        "harts.count=4",
        "devices.uart0.parity=odd",
        'devices.uart2 = {model="uart", base=0x1000_5000, interrupts=[9]}',
        Override(("memory",), "32M", "--memory 32M"),
        "chosen.bootargs=quiet loglevel=3",
    )
    assert board.harts.count == 4
    assert board.devices["uart0"].settings.parity == "odd"
    assert board.devices["uart2"].interrupts == (9,)
    assert board.memory["ram"].size == 32 << 20
    assert board.memory["rom"].size == 0x1000
    assert board.chosen.bootargs == "quiet loglevel=3"


def test_faults_of_the_command_line(board_folder: Path, catalogue: Catalogue) -> None:
    overrides = [
        parse_override("harts.cout=2"),
        parse_override("harts.count=many"),
        Override(("harts", "count"), 99, "--harts 99"),
        Override(("memory",), "lots", "--memory lots"),
    ]
    faults = check_board(read_board("ok_extends", (Path(),), overrides), catalogue)
    assert [str(one) for one in faults] == [
        '--set harts.cout=2: harts.cout: found an unknown key "cout", expected one of '
        "absent_csrs, allow_draft, asid_bits, count, geilen, isa, menvcfg, mmu, pmp_entries, "
        "regions, rnmi_exception_handler, rnmi_handler, seed, tinst, vlen, vmid_bits; did you mean "
        '"count"?',
        "--harts 99: harts.count: found 99, expected an integer from 1 to 8",
        '--memory lots: memory.ram.size: found "lots", expected a size such as "512M" from 4096 to '
        "0x100000000000",
    ]


def test_a_default_counts_for_what_the_board_leaves_open(
    board_folder: Path, catalogue: Catalogue
) -> None:
    """`rvplat debug` changes the clock so. A board that names it wins, and so does --set."""
    debug = Override(("clock",), "virtual", "rvplat debug", is_default=True)
    frequency = Override(("timebase_hz",), 5, "rvplat debug", is_default=True)
    board = build(catalogue, "ok_plain", debug, frequency)
    assert (board.general.clock, board.general.timebase_hz) == ("virtual", 1_000_000)
    assert build(catalogue, "ok_plain", debug, "clock=host").general.clock == "host"
    assert build(catalogue, "ok_plain", "clock=host", debug).general.clock == "host"


@pytest.mark.parametrize("text", ["harts.count", "=3", "a..b=1"])
def test_an_override_that_is_none(text: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_override(text)
    assert str(error.value) == (
        f'--set {text}: found no "=" or no key, expected KEY=VALUE such as harts.count=2'
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1", 1),
        ("a=0x10", 16),
        ("a = true", True),
        ("a=[1, 2]", [1, 2]),
        ("a=", ""),
        ("a=b=c", "b=c"),
        ('a="1"', "1"),
        ("a=path/to.img", "path/to.img"),
        ("a=1\nb=2", "1\nb=2"),
    ],
)
def test_values_of_overrides(text: str, value: object) -> None:
    assert parse_override(text).value == value


def test_boards_by_name_and_by_path(tmp_path: Path) -> None:
    (tmp_path / "one.toml").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "one.toml").touch()
    (tmp_path / "sub" / "two.toml").touch()
    places = [tmp_path, tmp_path / "sub" / "one.toml", tmp_path / "sub"]
    assert board_names(places) == {
        "one": tmp_path / "one.toml",
        "two": tmp_path / "sub" / "two.toml",
    }
    assert find_board("one", places) == tmp_path / "one.toml"
    assert find_board("sub/one.toml", places, tmp_path) == tmp_path / "sub" / "one.toml"
    assert find_board("one.toml", places, tmp_path / "sub") == tmp_path / "sub" / "one.toml"
    assert find_board("three", places) is None


def test_files_that_cannot_be_read(tmp_path: Path, catalogue: Catalogue) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"a = 'x'\n\xff")
    source = read_board(str(binary), ())
    assert [str(one) for one in check_board(source, catalogue)] == [
        f"{binary}: found a byte that is not UTF-8 at offset 8, expected TOML, which is UTF-8"
    ]
    missing = tmp_path / "missing.toml"
    source = read_board(str(missing), ())
    assert [str(one) for one in check_board(source, catalogue)] == [
        f"{missing}: found no such file, expected the path of a board"
    ]
    source = read_board("ok_plian", catalogue.boards)
    assert str(check_board(source, catalogue)[0]).endswith('; did you mean "ok_plain"?')


def test_paths_are_relative_to_the_file_that_names_them(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "disk.img").write_bytes(b"x")
    (folder / "below.toml").write_text(
        '[harts]\nisa = "rv64i"\n[memory.ram]\nbase = 0\nsize = "1M"\n'
        '[devices.disk]\nmodel = "disk"\nbase = 0x1000_0000\nimage = "disk.img"\n'
    )
    (tmp_path / "above.toml").write_text('extends = "sub/below.toml"\n')
    board = build_board(read_board(str(tmp_path / "above.toml"), ()), catalogue)
    assert board.devices["disk"].settings.image == folder / "disk.img"
