"""`rvplat isa 0xWORD`: what the bits of an instruction are."""

from __future__ import annotations

from collections.abc import Sequence

from rvplat.errors import RvplatError
from rvplat.isa.machinery.disassemble import instruction_length, operand_texts, render
from rvplat.isa.machinery.extension import Compressed, Extension, Row, enabled_rows
from rvplat.machine.boards.board import Board
from rvplat.machine.boards.extensions import hart_extensions
from rvplat.machine.inspection.extension_text import boxes, expansion
from rvplat.machine.inspection.instruction_word import Illegal, rows_for, unknown_text, word_text
from rvplat.tables import table


def word_shown(text: str, board: Board, known: Sequence[Extension]) -> str:
    """The instructions in a number such as "0x00b50533", lowest first, for the harts of a board.
    `known` are all extensions.

    Raises:
        RvplatError: it is no number of at most 32 bits, or no known instruction.
    """
    try:
        bits = int(text, 16)
    except ValueError:
        raise RvplatError(f"isa: {text}: expected a hexadecimal number") from None
    if bits >> 32:
        raise RvplatError(f"isa: {text}: expected at most 32 bits, an instruction word")
    shown: list[str] = []
    while not shown or bits:
        shown.append(_instruction(bits, board, known))
        bits >>= 8 * instruction_length(bits)
    return "\n".join(shown)


def _instruction(bits: int, board: Board, known: Sequence[Extension]) -> str:
    """The lowest instruction of `bits`."""
    have = hart_extensions(board)
    rows = rows_for(bits, known)
    if not rows:
        raise RvplatError(f"isa: {word_text(bits)}: {unknown_text(bits)}")
    enabled = enabled_rows(have)
    row = next((one for one in rows if one in enabled), rows[0])
    bits &= (1 << 8 * row.pattern.length) - 1
    csrs = {csr.number: csr.name for extension in known for csr in extension.csrs}
    extension = row.extension
    lines = [f"{word_text(bits)}: {render(row, bits, None, csrs)}"]
    lines.append(f"{extension.name} {extension.version}, {extension.standing}")
    if row in enabled:
        lines.append(f"the harts of {board.name} have it")
    else:
        lines.append(Illegal(bits, have, known, board.harts.isa, False).hint())
    if isinstance(row, Compressed):
        lines.append(f"is {expansion(row)}")
    return "\n".join([*lines, "", *_boxes(row, bits), *_operands(row, bits, csrs)]) + "\n"


def _boxes(row: Row, bits: int) -> list[str]:
    """The parts of the instruction, with their bits."""
    parts = boxes(row.pattern)
    head = [str(b.high) if b.high == b.low else f"{b.high}:{b.low}" for b in parts]
    values = f"{bits:0{8 * row.pattern.length}b}"[::-1]
    digits = [values[b.low : b.high + 1][::-1] for b in parts]
    return table(head, [[b.text for b in parts], digits], ">" * len(parts)).splitlines()


def _operands(row: Row, bits: int, csrs: dict[int, str]) -> list[str]:
    """A table of the operands' values; nothing if there are none."""
    texts = operand_texts(row, bits, csrs)
    if not texts:
        return []
    numbers = {name: row.pattern.operands[name].extract(bits) for name in texts}
    values = [
        (name, hex(numbers[name]) if name == "csr" else str(numbers[name]), text)
        for name, text in texts.items()
    ]
    rows = [(name, value, text if text != value else "") for name, value, text in values]
    return ["", *table(("operand", "value", ""), rows).splitlines()]
