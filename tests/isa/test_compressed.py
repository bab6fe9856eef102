"""Every 16-bit form that LLVM's assembler chooses for an instruction is one of ours."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from rvplat.isa.machinery.disassemble import Disassembler, render
from rvplat.isa.machinery.extension import Compressed, Extension, Instruction, Row
from tests.isa.assembler import RV32, RV64, assemble
from tests.isa.test_encodings import EXTENSIONS, NARROW, has_text

#: Forms that the assembler never chooses by itself: hints, may-be-operations, and those for which
#: it has another form of the same instruction.
NEVER_CHOSEN = {f"c.mop.{n}" for n in range(1, 16, 2)}
STEPS = (1, 2, 4, 8, 16, 1 << 12)


def likely(row: Row, decoder: Disassembler) -> Iterator[int]:
    """Instructions of which many have a 16-bit form: few registers, small numbers."""
    chance = random.Random(row.name)
    fields = row.pattern.operands
    for n in range(400):
        first = chance.choice((0, 1, 2, 5, 9, 10))
        bits = row.pattern.match
        for name, field in fields.items():
            if name in ("rd", "rs1", "rs2"):
                value = chance.choice((first, first, 9, 11, 0, 2))
            elif field.signed:
                step = STEPS[n % len(STEPS)]
                value = chance.choice(range(-32, 64)) * step if n % 7 else chance.choice((-1, 255))
            else:
                value = chance.choice((0, 1, -1, 255, chance.getrandbits(12)))
            bits |= field.insert(value) & field.mask
        if decoder.find(bits) is row and has_text(row, bits):
            yield bits


def compressed_by_the_assembler(
    extensions: list[Extension], arch: str
) -> list[tuple[Instruction, int, int]]:
    """(row, instruction, the 16 bits that the assembler makes of it)."""
    decoder = Disassembler(extensions)
    scalar = [one for one in extensions if one.name[0] != "V" and one.name[:2] != "Zv"]
    rows = [row for one in scalar for row in one.instructions if row.pattern.length == 4]
    asked = [(row, bits) for row in rows for bits in sorted(set(likely(row, decoder)))]
    texts = [render(row, bits, csr_names=decoder.csr_names) for row, bits in asked]
    code, at, found = assemble(texts, arch, exact=False), 0, []
    for row, bits in asked:
        half = int.from_bytes(code[at : at + 2], "little")
        at += 4 if half & 3 == 3 else 2
        if half & 3 != 3:
            found.append((row, bits, half))
    assert at == len(code)
    return found


@pytest.mark.parametrize(
    ("extensions", "arch"), [(EXTENSIONS, RV64), (NARROW, RV32)], ids=["64", "32"]
)
def test_the_assembler_s_compressed_forms_decode(extensions: list[Extension], arch: str) -> None:
    """Unprivileged, "C"; "Zc*". Without one of our forms, this test fails."""
    decoder = Disassembler(extensions)
    chosen = set()
    for row, bits, half in compressed_by_the_assembler(extensions, arch):
        form = decoder.find(half)
        assert isinstance(form, Compressed), f"{row.name} {bits:#x}: {half:#06x} does not decode"
        chosen.add(form.name)
    ours = {form.name for one in extensions for form in one.compressed_forms}
    assert ours - chosen == NEVER_CHOSEN, ours - chosen - NEVER_CHOSEN
