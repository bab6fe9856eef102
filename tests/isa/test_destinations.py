"""Registers that an instruction writes: x0 stays zero."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.isa.machinery.destinations import unguarded
from rvplat.isa.machinery.extension import Extension
from rvplat.machine.boards.catalogue import shipped_extensions

PLUGIN = """
from rvplat.hookspecs import hookimpl
from rvplat.isa import Extension, destination

X = Extension("Xbump", version="1.0", standing="ratified", requires=("I",))

@X.instruction("000000000000 rs1 000 00000 0001011", "bump rs1")
def bump(hart, rs1):
    hart.x[destination(rs1)] = hart.x[rs1] + 1

@X.instruction("000000000000 rs1 001 00000 0001011", "bump.nz rs1", where="rs1 != 0")
def bump_nz(hart, rs1):
    hart.x[rs1] = hart.x[rs1] + 1

@hookimpl
def rvplat_extensions():
    return [X]
"""
BUMP, BUMP_NZ = 0x0000_000B, 0x0000_100B
RAM = 0x8000_0000


def test_a_source_is_written_through_destination(tmp_path: Path) -> None:
    plugin = tmp_path / "bump.py"
    plugin.write_text(PLUGIN)
    settings = {"harts.isa": "rv64i_zicsr_xbump"}
    with Machine.open("virt", plugin_paths=[plugin], settings=settings) as machine:
        code = [BUMP, BUMP | 5 << 15, BUMP_NZ | 6 << 15]
        for number, word in enumerate(code):
            machine.memory.write_int(RAM + 4 * number, 4, word)
        hart = machine.harts[0]
        hart.pc, hart.x[5], hart.x[6] = RAM, 10, 20
        machine.step(3)
        assert (hart.pc, hart.x[0], hart.x[5], hart.x[6]) == (RAM + 12, 0, 11, 21)


@pytest.mark.parametrize("extension", shipped_extensions().values(), ids=lambda one: one.name)
def test_what_ships_writes_rd_alone(extension: Extension) -> None:
    assert [text for row in extension.instructions for text in unguarded(row)] == []
