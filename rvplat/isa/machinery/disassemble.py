"""The disassembler. It works from the patterns and syntaxes of the extensions' rows alone.

In a syntax these words stand for operands; all other text is printed as it is:

    rd rs1 rs2 rs3, frd frs1 ...   a register's ABI name (Unprivileged, "RISC-V Assembly ...")
    imm, uimm, shamt, ...          a number
    imm[31:12]                     those bits of the operand, as an unsigned number
    pc+imm                         the target's address, or the offset when the address is unknown
    pred, succ                     a set out of i, o, r, w
    rm, rm=rne                     the rounding mode, left out when it is dynamic; or rne
    csr                            the CSR's name, or its number when no row has it
    vd vs1 vs2 vs3                 a vector register
    vtypei                         such as e32, m1, ta, ma (V, "vtype encoding")
    fli                            the number that rs1 stands for (Zfa, "Load-Immediate ...")
    {aqrl}                         ".aq", ".rl", ".aqrl" or nothing
    {vm}                           ", v0.t" for a masked vector instruction, or nothing
    {n}                            the number n (Zimop)
    {seg}, {nregs}                 "seg4" or nothing for one field; the registers, from nf (V)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from rvplat.isa.machinery.encoding import Operand
from rvplat.isa.machinery.extension import Extension, Row, enabled_rows

X_NAMES = (
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", *(f"a{i}" for i in range(8)),
    *(f"s{i}" for i in range(2, 12)), *(f"t{i}" for i in range(3, 7)),
)  # fmt: skip
F_NAMES = (
    *(f"ft{i}" for i in range(8)), "fs0", "fs1", *(f"fa{i}" for i in range(8)),
    *(f"fs{i}" for i in range(2, 12)), *(f"ft{i}" for i in range(8, 12)),
)  # fmt: skip
ROUNDING = ("rne", "rtz", "rdn", "rup", "rmm", "5", "6", "dyn")
FLI_NUMBERS = (
    "-1.0", "min", *map(str, (2**-16, 2**-15, 2**-8, 2**-7, 2**-4, 2**-3)),
    *(str(n / 16) for n in (4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48)),
    *(f"{2.0**n}" for n in (2, 3, 4, 7, 8, 15, 16)), "inf", "nan",
)  # fmt: skip

_WORD = re.compile(r"pc\+imm|\{\w+\}|\bimm\[31:12\]|\bf?r(?:d|s[123])\b|\b[a-z][a-z0-9]*\b")
_BRACED = re.compile(r"\{(\w+)\}")
_ROUNDING = re.compile(r",\s*rm\b(?:=(\w+))?")


def instruction_length(low_half: int) -> int:
    """2 or 4 bytes, from the first 16 bits (Unprivileged, "Expanded Instruction-Length ...")."""
    return 4 if low_half & 3 == 3 else 2


class Disassembler:
    """Disassembles for a hart that has exactly the given extensions."""

    def __init__(self, extensions: Iterable[Extension]) -> None:
        extensions = list(extensions)
        self.csr_names = {csr.number: csr.name for e in extensions for csr in e.csrs}
        self._rows: dict[tuple[int, int], list[Row]] = {}
        for row in enabled_rows(extensions):
            opcode = row.pattern.match & _opcode_mask(row.pattern.length)
            self._rows.setdefault((row.pattern.length, opcode), []).append(row)

    def find(self, bits: int) -> Row | None:
        """The row that decodes these bits; None for an illegal instruction."""
        length = instruction_length(bits)
        bits &= (1 << 8 * length) - 1
        candidates = self._rows.get((length, bits & _opcode_mask(length)), [])
        return next((row for row in candidates if row.pattern.matches(bits)), None)

    def text(self, bits: int, pc: int | None = None) -> str:
        """One instruction as assembly; `.2byte` or `.4byte` for what no row decodes."""
        length = instruction_length(bits)
        bits &= (1 << 8 * length) - 1
        row = self.find(bits)
        if row is None:
            return f".{length}byte {bits:#0{2 + 2 * length}x}"
        return render(row, bits, pc, self.csr_names)


def _opcode_mask(length: int) -> int:
    """Bits that every pattern fixes: the opcode, or quadrant and funct3 of a compressed form."""
    return 0x7F if length == 4 else 0xE003


def render(
    row: Row, bits: int, pc: int | None = None, csr_names: Mapping[int, str] | None = None
) -> str:
    """The text of `bits`, which match the row, in the row's syntax."""
    operands = row.pattern.operands
    mnemonic, _, rest = row.syntax.partition(" ")
    if "rm" in operands:
        rest = _ROUNDING.sub(lambda found: _rounding(found[1], operands["rm"], bits), rest)

    def word(found: re.Match[str]) -> str:
        return _word(found[0], operands, bits, pc, csr_names or {})

    mnemonic = _BRACED.sub(lambda found: _braced(found[1], operands, bits), mnemonic)
    return f"{mnemonic} {_WORD.sub(word, rest)}".rstrip()


def operand_texts(
    row: Row, bits: int, csr_names: Mapping[int, str] | None = None
) -> dict[str, str]:
    """The operands of `bits`, which match the row, as its syntax prints them: registers and CSRs by
    name. In the order of the pattern."""
    operands = row.pattern.operands
    words = set(_WORD.findall(row.syntax))
    texts = {}
    for name in reversed(operands):
        word = f"f{name}" if f"f{name}" in words else name
        texts[name] = _word(word, operands, bits, None, csr_names or {})
    return texts


def _word(
    word: str, operands: dict[str, Operand], bits: int, pc: int | None, csr_names: Mapping[int, str]
) -> str:
    """The text that replaces one word of a syntax."""
    if word == "pc+imm":
        offset = operands["imm"].extract(bits)
        return str(offset) if pc is None else hex((pc + offset) & ((1 << 64) - 1))
    if word == "imm[31:12]":
        return hex(operands["imm"].extract(bits) >> 12 & 0xFFFFF)
    if word == "fli":
        return FLI_NUMBERS[operands["rs1"].extract(bits)]
    if braced := _BRACED.fullmatch(word):
        return _braced(braced[1], operands, bits)
    plain = word.removeprefix("f") if word.startswith("fr") else word
    if plain not in operands:
        return word
    value = operands[plain].extract(bits)
    if plain in ("rd", "rs1", "rs2", "rs3"):
        return (X_NAMES if plain == word else F_NAMES)[value]
    if word == "csr":
        return csr_names.get(value, hex(value))
    return _FORMATS.get(word, str)(value)


def _rounding(usual: str | None, rm: Operand, bits: int) -> str:
    """The rounding mode after a comma, or nothing for the usual one."""
    mode = ROUNDING[rm.extract(bits)]
    return "" if mode == (usual or "dyn") else f", {mode}"


def _braced(word: str, operands: dict[str, Operand], bits: int) -> str:
    """What a word in braces stands for."""
    if word == "aqrl":
        return _ordering(operands, bits)
    value = operands["nf" if word in ("seg", "nregs") else word].extract(bits)
    if word == "vm":
        return "" if value else ", v0.t"
    if word == "n":
        return str(value)
    if word == "nregs":
        return str(value + 1)
    return f"seg{value + 1}" if value else ""


def _ordering(operands: dict[str, Operand], bits: int) -> str:
    """The suffix of an atomic instruction (Unprivileged, "A")."""
    suffix = "".join(n for n in ("aq", "rl") if n in operands and operands[n].extract(bits))
    return "." + suffix if suffix else ""


def _access_set(value: int) -> str:
    """Letters of a fence's set: device input and output, memory reads and writes."""
    return "".join(c for i, c in enumerate("iorw") if value >> (3 - i) & 1) or "0"


def _vector_register(value: int) -> str:
    return f"v{value}"


def _vtype(value: int) -> str:
    """vtype as an assembler writes it, or a number for a reserved one."""
    sew, lmul = value >> 3 & 7, value & 7
    if value >> 8 or sew > 3 or lmul == 4:
        return hex(value)
    group = f"m{1 << lmul}" if lmul < 4 else f"mf{1 << 8 - lmul}"
    tail, mask = ("ta" if value & 64 else "tu"), ("ma" if value & 128 else "mu")
    return f"e{8 << sew}, {group}, {tail}, {mask}"


_FORMATS: dict[str, Callable[[int], str]] = {
    "vd": _vector_register,
    "vs1": _vector_register,
    "vs2": _vector_register,
    "vs3": _vector_register,
    "vtypei": _vtype,
    "pred": _access_set,
    "succ": _access_set,
}
