"""The guest code of regions as text, in the folder RVPLAT_DUMP."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.isa.machinery.disassemble import Disassembler, instruction_length
from rvplat.isa.machinery.extension import Extension

if TYPE_CHECKING:
    from rvplat.engine.regions.messages import Answer


def dump_path(folder: Path | None, number: int, start: int) -> Path | None:
    """Where a region of a page is written, without the files' suffixes; None if there is no
    folder."""
    return folder and folder / f"region-{os.getpid()}-{number}-{start:#x}"


def write_listing(
    dump: str, start: int, answer: Answer, page: bytes, extensions: Sequence[Extension]
) -> Answer:
    """Write the guest code of a region. `dump`: of its request (regions/messages.py). Returns the
    answer, or one with the problem if the file can't be written."""
    if not dump or answer.problem:
        return answer
    text = listing(start, page, answer, Disassembler(extensions))
    try:
        Path(dump).with_suffix(".guest.s").write_text(text, encoding="ascii")
    except OSError as error:
        return type(answer)(answer.number, problem=f"{type(error).__name__}: {error}")
    return answer


def listing(start: int, page: bytes, answer: Answer, disassembler: Disassembler) -> str:
    """A line for each instruction of a region, and for those at which it ends. `start` is the
    page's physical address, by which instructions and targets are shown."""
    heads, left = set(answer.heads), set(answer.left)
    lines = [
        f"# page {start:#x}: {len(answer.inside)} instructions, {answer.seconds:.3f} s to compile",
        '# ">": the region is entered here; "-": it ends here, the interpreter executes this',
    ]
    for offset in sorted({*answer.inside, *left}):
        mark = ">" if offset in heads else "-" if offset in left else " "
        bits = int.from_bytes(page[offset : offset + 4], "little")
        length = instruction_length(bits)
        word = f"{bits & (1 << 8 * length) - 1:0{2 * length}x}"
        text = disassembler.text(bits, start + offset)
        lines.append(f"{mark} {start + offset:#x}  {word:<8}  {text}")
    return "\n".join(lines) + "\n"
