"""LLVM's assembler (of the ziglang package) as a second opinion on encodings."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import lief

from rvplat.machine.boards.catalogue import shipped_extensions

# Ratified ones that this LLVM still calls experimental: it wants their versions.
EXPERIMENTAL = {"zicfilp": "zicfilp1p0", "zicfiss": "zicfiss1p0"}
#: Extensions of RV64 that bring instructions, in small letters; Zcf is for RV32.
NAMES = [
    EXPERIMENTAL.get(name.lower(), name.lower())
    for name, extension in shipped_extensions().items()
    if name[0] == "Z" and name != "Zcf" and (extension.instructions or extension.compressed_forms)
]
ARCHES = {
    64: "_".join(["rv64imafdcvh", *NAMES, "svinval", "smrnmi"]),
    32: "_".join(["rv32imafdcvh", *NAMES, "zcf", "zilsd", "svinval", "smrnmi"]),
}


RV64, RV32 = ARCHES[64], ARCHES[32]


def assemble(lines: Sequence[str], arch: str = RV64, exact: bool = True) -> bytes:
    """Assemble the lines. The assembler relaxes nothing, and if `exact` it compresses nothing.

    Raises AssertionError with the assembler's messages and the lines that they refer to.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "code.s"), Path(folder, "code.o")
        header = f".option arch, {arch}\n.option norelax\n" + ".option exact\n" * exact
        source.write_text(header + "\n".join(lines) + "\n")
        command = [sys.executable, "-m", "ziglang", "cc", "-target", f"riscv{arch[2:4]}-linux-musl"]
        run = subprocess.run(
            [*command, "-ferror-limit=0", "-c", source, "-o", made], capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr.replace(str(source), "code.s")
        binary = lief.ELF.parse(str(made))
        assert binary is not None
        text = binary.get_section(".text")
        assert text is not None
        return bytes(text.content)


def differences(expected: Sequence[tuple[str, int, int]], arch: str = RV64) -> list[str]:
    """Assemble (text, bits, bytes) triples; return the texts whose code differs from `bits`."""
    code = assemble([text for text, _, _ in expected], arch)
    found, position = [], 0
    for text, bits, length in expected:
        made = int.from_bytes(code[position : position + length], "little")
        position += length
        if made != bits:
            found.append(f"{text}: {bits:#x} here, {made:#x} by the assembler")
    assert position == len(code) or found, "the assembler made more code than expected"
    return found
