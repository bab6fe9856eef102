"""Machine code made directly from the encoding table: `Code` at an address, with labels."""

from __future__ import annotations

from collections.abc import Iterable

from rvplat.isa.machinery.disassemble import Disassembler
from rvplat.isa.machinery.extension import Extension, Row, enabled_rows

from . import layout

HYPERVISOR = 2  # the lowest privilege of CSRs that exist only with H
MASK64 = (1 << 64) - 1
NOP = 0x0000_0013
SHORT_NOP = 0x0001


class Isa:
    """The rows of some extensions: as a list, by name, and by the bits that they decode."""

    def __init__(self, extensions: Iterable[Extension]) -> None:
        extensions = list(extensions)
        self.xlen = extensions[0].xlen
        self.rows = enabled_rows(extensions)
        self.named = {row.name: row for row in reversed(self.rows)}
        hypervisor = any(extension.name == "H" for extension in extensions)
        self.csrs = [
            csr for e in extensions for csr in e.csrs if hypervisor or csr.privilege != HYPERVISOR
        ]
        self.disassembler = Disassembler(extensions)
        self.find = self.disassembler.find


class Label:
    """A place in the code that may not be known yet, and the branches to it."""

    def __init__(self) -> None:
        self.address: int | None = None
        self.users: list[tuple[int, Row, dict[str, int]]] = []


def encode(row: Row, **operands: int) -> int:
    """The bits of an instruction. ValueError if an operand doesn't fit."""
    bits = row.pattern.encode(**operands)
    for name, value in operands.items():
        if row.pattern.operands[name].extract(bits) != value:
            raise ValueError(f"{row.name}: {name} can't be {value}")
    if not row.pattern.matches(bits):
        raise ValueError(f"{row.name}: {operands} are another row's")
    return bits


def signed(value: int, bits: int) -> int:
    """The value of the low bits as a two's complement number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


class Code:
    """Instructions, beginning at an address."""

    def __init__(self, isa: Isa, start: int) -> None:
        self.isa = isa
        self.start = start
        self.data = bytearray()
        self.count = 0

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return self.start + len(self.data)

    def bits(self, bits: int, length: int) -> None:
        """Append an instruction."""
        self.data += bits.to_bytes(length, "little")
        self.count += 1

    def row(self, row: Row, **operands: int) -> None:
        """Append an instruction of a row."""
        self.bits(encode(row, **operands), row.pattern.length)

    def __call__(self, name: str, **operands: int) -> None:
        """Append an instruction by its name."""
        self.row(self.isa.named[name], **operands)

    # --- labels ---

    def branch(self, row: Row, label: Label, **operands: int) -> None:
        """Append a branch or jump; the label may still be unbound."""
        if label.address is None:
            label.users.append((len(self.data), row, operands))
            self.bits(NOP if row.pattern.length == 4 else SHORT_NOP, row.pattern.length)
        else:
            self.row(row, imm=label.address - self.pc, **operands)

    def jump(self, label: Label) -> None:
        """Append an unconditional jump."""
        self.branch(self.isa.named["jal"], label, rd=0)

    def bind(self, label: Label) -> None:
        """Bind the label to this place. A branch that can't reach it stays a nop."""
        label.address = self.pc
        for at, row, operands in label.users:
            offset = label.address - (self.start + at)
            try:
                bits = encode(row, imm=offset, **operands)
            except ValueError:
                continue
            self.data[at : at + row.pattern.length] = bits.to_bytes(row.pattern.length, "little")

    def here(self) -> Label:
        """A label that is bound here."""
        label = Label()
        self.bind(label)
        return label

    # --- constants ---

    def constant(self, rd: int, value: int) -> None:
        """Load any value of XLEN bits."""
        value = signed(value, self.isa.xlen)
        low = signed(value, 12)
        if value == low:
            self("addi", rd=rd, rs1=0, imm=low)
        elif value == signed(value, 32):
            self("lui", rd=rd, imm=signed(value - low, 32))
            if low:
                self("addiw" if self.isa.xlen == 64 else "addi", rd=rd, rs1=rd, imm=low)
        else:
            high = (value - low) >> 12
            shift = (high & -high).bit_length() - 1
            self.constant(rd, high >> shift)
            self("slli", rd=rd, rs1=rd, shamt=12 + shift)
            if low:
                self("addi", rd=rd, rs1=rd, imm=low)

    def place(self, rd: int, target: int) -> None:
        """Load an address relative to the pc. In code that runs in another window, it is the
        address in that window."""
        distance = target - self.pc
        low = signed(distance, 12)
        self("auipc", rd=rd, imm=distance - low)
        self("addi", rd=rd, rs1=rd, imm=low)


def go_past(code: Code, epc: int, t: int, u: int) -> None:
    """Advance an epc CSR past its instruction, with two registers that may be changed. The copy of
    the code has the instruction's length."""
    code("csrrs", rd=t, csr=epc, rs1=0)
    code.constant(u, layout.SHADOW_DISTANCE)
    code("add", rd=u, rs1=t, rs2=u)
    code("lbu", rd=u, rs1=u, imm=0)
    code("andi", rd=u, rs1=u, imm=3)
    code("sltiu", rd=u, rs1=u, imm=3)
    code("slli", rd=u, rs1=u, shamt=1)
    code("addi", rd=t, rs1=t, imm=4)
    code("sub", rd=t, rs1=t, rs2=u)
    code("csrrw", rd=0, csr=epc, rs1=t)
