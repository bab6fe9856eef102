"""The words for guests that ship with rvplat."""

from pathlib import Path

import pytest

from rvplat.cli.build import board_and_program
from rvplat.guests import demo_elf, hypervisor_elf


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
def test_words_are_boards_programs_or_guests(words, found):
    assert board_and_program(words) == found
