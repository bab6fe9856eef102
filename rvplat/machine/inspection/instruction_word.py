"""What an instruction word is, among all known extensions: for `rvplat isa 0xWORD` and for hints on
illegal instructions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rvplat.frozen import frozen
from rvplat.isa.machinery.disassemble import Disassembler, instruction_length, render
from rvplat.isa.machinery.extension import Extension, Row
from rvplat.isa.privileged import Status
from rvplat.machine.inspection.extension_text import rows_of

#: By bits 6:2 ("RV32/64G Instruction Set Listings", base opcode map).
MAJOR_OPCODES = (
    "LOAD", "LOAD-FP", "custom-0", "MISC-MEM", "OP-IMM", "AUIPC", "OP-IMM-32", "48-bit",
    "STORE", "STORE-FP", "custom-1", "AMO", "OP", "LUI", "OP-32", "64-bit",
    "MADD", "MSUB", "NMSUB", "NMADD", "OP-FP", "OP-V", "custom-2", "48-bit",
    "BRANCH", "JALR", "reserved", "JAL", "SYSTEM", "OP-VE", "custom-3", "80-bit or longer",
)  # fmt: skip
FP_EXTENSIONS = ("F", "D", "Zfa", "Zfh", "Zfhmin", "Zfbfmin", "Zcd", "Zcf")


def word_text(bits: int) -> str:
    """The bits of an instruction in hexadecimal: 0x0001 or 0x00000013."""
    length = instruction_length(bits)
    return f"{bits & (1 << 8 * length) - 1:#0{2 + 2 * length}x}"


def rows_for(bits: int, extensions: Iterable[Extension]) -> list[Row]:
    """The instructions that `bits` can be, on harts that have what they require; the most specific
    first."""
    length = instruction_length(bits)
    low = bits & (1 << 8 * length) - 1
    found = [
        row
        for extension in extensions
        for row in rows_of(extension)
        if row.pattern.length == length and row.pattern.matches(low)
    ]
    return sorted(found, key=lambda row: row.pattern.rank, reverse=True)


def unknown_text(bits: int) -> str:
    """What can be said of a word that no known extension has."""
    if bits & 0xFFFF == 0:
        return "all zeros, which is never an instruction"
    if instruction_length(bits) == 2:
        return f"no instruction that rvplat knows; it is a compressed one of quadrant {bits & 3}"
    return f"no instruction that rvplat knows; its opcode is {MAJOR_OPCODES[bits >> 2 & 31]}"


@frozen
class Illegal:
    """An instruction that a hart did not execute: `have` are its extensions, `known` all that
    rvplat and its plugins have, `isa` the board's ISA string; `status` is the hart's mstatus."""

    bits: int
    have: Sequence[Extension]
    known: Sequence[Extension]
    isa: str
    status: int

    def hint(self) -> str:
        """The probable reason and a remedy."""
        row = Disassembler(self.have).find(self.bits)
        if row is not None:
            return self._in_this_state(row)
        rows = [row for row in rows_for(self.bits, self.known) if self._missing(row)]
        if rows:
            lacking = self._lacking(self._missing(rows[0])[0])
            return f"{word_text(self.bits)} is `{render(rows[0], self.bits)}` of {lacking}"
        no_code = "" if self.bits & 0xFFFF else ": no code is there"
        return f"{word_text(self.bits)} is {unknown_text(self.bits)}{no_code}"

    def _missing(self, row: Row) -> list[Extension]:
        """The extensions that an instruction needs and the hart lacks."""
        names = {row.extension.name, *row.requires} - {one.name for one in self.have}
        return [one for one in self.known if one.name in names]

    def _in_this_state(self, row: Row) -> str:
        """Why an instruction that the hart has was illegal."""
        names = {csr.number: csr.name for extension in self.known for csr in extension.csrs}
        what = f"{word_text(self.bits)} is `{render(row, self.bits, None, names)}`"
        if row.extension.name.startswith("Zv") and self.status & Status.VS == 0:
            return f"{what}: vectors are off: software has to set mstatus.VS first"
        if row.extension.name in FP_EXTENSIONS and self.status & Status.FS == 0:
            return f"{what}: floating point is off: software has to set mstatus.FS first"
        if "csr" not in row.pattern.operands:
            return f"{what}: it is illegal in this mode or state"
        number = row.pattern.operands["csr"].extract(self.bits)
        owners = [e for e in self.known if any(csr.number == number for csr in e.csrs)]
        if not owners:
            return f"{what}: rvplat has no CSR {number:#x}"
        if not any(owner in self.have for owner in owners):
            return f"{what}, a CSR of {self._lacking(owners[0])}"
        return f"{what}: the CSR is read-only, or not accessible in this mode or state"

    def _lacking(self, extension: Extension) -> str:
        """An extension that the hart lacks, and how to get it."""
        name = extension.name
        if name == "Smpmp":
            return f"{name}, which the harts lack: harts.pmp_entries enables it"
        draft = " --set harts.allow_draft=true" if extension.standing == "draft" else ""
        letters, bar, rest = self.isa.partition("_")
        added = (name.lower(), "") if len(name) == 1 else ("", f"_{name.lower()}")
        wanted = f"{letters}{added[0]}{bar}{rest}{added[1]}"
        return f"{name}, which the harts lack: --set harts.isa={wanted}{draft} enables it"
