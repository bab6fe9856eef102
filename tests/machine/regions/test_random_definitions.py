"""Random definitions as instructions of a plugin: in regions they do what they do in tier 0.

RVPLAT_PROGRAMS is the number of definitions (default: 24).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from random import Random

import pytest

from rvplat.bus.natives.records import plain
from tests.lang.random_programs import HEAD, Writer
from tests.machine.regions.forced import in_region, machine_of, run_to_end
from tests.machine.small_guests import POWER_OFF

A_MODULE, PURE = 8, 4
MODULES = max(1, int(os.environ.get("RVPLAT_PROGRAMS", "24")) // A_MODULE)
OPERANDS = (("s1", "s1", "s2"), ("s2", "s1", "s0"), ("s3", "s2", "s3"), ("zero", "s1", "zero"))
COUNT = A_MODULE * len(OPERANDS)
ISA = {"harts.isa": "rv64imac_zicsr_xodd", "harts.allow_draft": True}
FIELDS = ("odd_count", "odd_byte", "odd_cells")
EXTENSION = """
from rvplat.hookspecs import hookimpl
from rvplat.isa import Extension

Xodd = Extension("Xodd", version="0.1", standing="draft", title="Random definitions")
Xodd.state("odd_count", u64)
Xodd.state("odd_byte", s8)
Xodd.state("odd_cells", u32, 8)


@hookimpl
def rvplat_extensions():
    return [Xodd]
"""
INSTRUCTION = '''

@Xodd.instruction("{number:07b} rs2 rs1 000 rd 0001011", "odd{number} rd, rs1, rs2")
def odd{number}(hart, rd, rs1, rs2):
    """A random definition."""
    found = u64(0)
    try:
        found = p{number}(hart, hart.x[rs1], s64(hart.x[rs2]))
    except Odd:
        found = u64(77)
    hart.x[rd] = found
'''


class Pure(Writer):
    """Writes definitions that change no record and don't raise: they all have a fast form."""

    def write_store(self, indent: int, depth: int) -> None:
        self.write_assign(indent, depth)

    def write_attempt(self, indent: int, depth: int) -> None:
        self.write_assign(indent, depth)

    def from_record(self, kind: str) -> str:
        return super().from_record(kind) if kind == "s8" else f"{kind}({self.number(kind)})"


def plugin(seed: int) -> str:
    """The text of a plugin with A_MODULE instructions, the first half of them pure. The record of
    the definitions is the hart's."""
    random = Random(seed)
    kinds = [Pure] * PURE + [Writer] * (A_MODULE - PURE)
    text = "\n\n".join([HEAD, *(kind(random, f"p{n}").text() for n, kind in enumerate(kinds))])
    text = re.sub(r'Box = Record\("Box"\)\n(Box\.add.*\n)*', "", text).replace("box: Box", "hart")
    text = re.sub(r"\bbox\.", "hart.odd_", text)
    text = re.sub(r"\bbox\b", "hart", text)
    return text + EXTENSION + "".join(INSTRUCTION.format(number=n) for n in range(A_MODULE))


def loop() -> str:
    """A program that runs all of them with different operands, also x0 and the same twice."""
    lines = [
        f"  .insn r 0x0b, 0, {number}, {rd}, {rs1}, {rs2}\n"
        for number in range(A_MODULE)
        for rd, rs1, rs2 in OPERANDS
    ]
    begin = "\n.option norvc\n  li s0, 300\n  li s1, 0x123456789\n  li s2, -5\nbody:\n"
    return begin + "".join(lines) + "  addi s0, s0, -1\n  bnez s0, body\n" + POWER_OFF


@pytest.mark.parametrize("seed", range(MODULES))
def test_random_definitions_in_regions(seed: int, tmp_path: Path) -> None:
    file = tmp_path / "odd.py"
    file.write_text(plugin(seed))
    ends = {}
    for mode in ("off", "all"):
        with machine_of(loop(), mode, file, **ISA) as machine:
            end = run_to_end(machine)
            state = [str(plain(machine.harts[0].field(name))) for name in FIELDS]
            ends[mode] = end, state
            there = [in_region(machine, machine.symbols["body"] + 4 * n) for n in range(COUNT)]
            assert all(there[: PURE * len(OPERANDS)]) == (mode == "all")
    assert ends["off"] == ends["all"]
