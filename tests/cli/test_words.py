"""Positional words: boards, programs and the guests that ship. Files of `--symbols`."""

from pathlib import Path

import pytest

from rvplat.cli.build import board_and_program, symbol_files
from rvplat.errors import LoaderError
from rvplat.guests import demo_elf, hypervisor_elf, hypervisor_guest_elfs


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], ("virt", None)),
        (["hypervisor"], ("virt", hypervisor_elf())),
        (["minimal", "demo"], ("minimal", demo_elf())),
        (["minimal"], ("minimal", None)),
        (["board.toml"], ("board.toml", None)),
        (["some.elf"], ("virt", Path("some.elf"))),
    ],
)
def test_words_are_boards_programs_or_guests(
    words: list[str], found: tuple[Path | str | None, ...]
) -> None:
    assert board_and_program(words) == found


def test_symbol_files_belong_to_the_host_or_a_guest() -> None:
    fibonacci, sort = hypervisor_guest_elfs().values()
    assert symbol_files([str(sort), f"3={fibonacci}"], None) == {None: sort, 3: fibonacci}
    assert symbol_files([f"2={demo_elf()}"], hypervisor_elf()) == {1: fibonacci, 2: demo_elf()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1=none.elf", "none.elf: the symbols: No such file or directory"),
        ("{name}", "--symbols {name}: {name} is not an ELF file"),
    ],
)
def test_symbol_files_that_cant_be_read(tmp_path: Path, text: str, message: str) -> None:
    name = tmp_path / "text"
    name.write_text("hello")
    with pytest.raises(LoaderError) as raised:
        symbol_files([text.format(name=name)], None)
    assert str(raised.value) == message.format(name=name)
