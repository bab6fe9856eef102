"""Every pattern and syntax: LLVM's assembler makes the same bits of the disassembled text."""

from __future__ import annotations

import importlib
import pkgutil
import random
import re

import pytest

import rvplat.isa
from rvplat.isa import rv_scalar
from rvplat.isa.machinery.csr_rows import parse_fields
from rvplat.isa.machinery.disassemble import Disassembler, render
from rvplat.isa.machinery.encoding import parse
from rvplat.isa.machinery.extension import Extension, Row, enabled_rows
from rvplat.isa.rv_i import BASE
from rvplat.lang import LanguageError
from tests.isa.assembler import RV32, differences

SAMPLES = 48  # instructions of each row


def all_extensions() -> list[Extension]:
    """Every extension that a module of rvplat.isa defines."""
    found: dict[str, Extension] = {}
    for module in pkgutil.iter_modules(rvplat.isa.__path__, "rvplat.isa."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Extension):
                found[value.name] = value
    return list(found.values())


EXTENSIONS = all_extensions()
ROWS = enabled_rows(EXTENSIONS)
DISASSEMBLER = Disassembler(EXTENSIONS)
OF_RV32 = {one.name: one.of(32) for one in EXTENSIONS if 32 in one.widths}
NARROW = [one for name, one in OF_RV32.items() if name != "Zclsd"]
NARROW_ROWS = enabled_rows(NARROW)
NARROW_DISASSEMBLER = Disassembler(NARROW)
FEW = [value for value in vars(rv_scalar).values() if isinstance(value, Extension)]
WITHOUT_FEW = Disassembler([one for one in EXTENSIONS if one not in FEW])


def has_text(row: Row, bits: int) -> bool:
    """Whether the assembler has a text for it: not for reserved rounding and fence modes, and not
    for groups of vector registers that overlap in a way that is reserved for some LMUL."""
    values = {name: operand.extract(bits) for name, operand in row.pattern.operands.items()}
    if "vd" in values:
        masked = values.get("vm") == 0 or row.name == "vfmerge.vfm"
        if values["vd"] in (0 if masked else 32, values.get("vs1"), values.get("vs2")):
            return False
    if (moved := re.fullmatch(r"vmv(\d)r\.v", row.name)) is not None:
        return not (values["vd"] | values["vs2"]) & int(moved[1]) - 1
    if "{nregs}" in row.syntax and values.get("vd", values.get("vs3", 0)) & values["nf"]:
        return False
    return values.get("rm") not in (5, 6) and values.get("fm", 0) == 0


def samples(row: Row, decoder: Disassembler = DISASSEMBLER) -> list[int]:
    """Instructions that decode as the row, with operands of all zeros, all ones and random bits."""
    chance = random.Random(row.name)
    operands = sum(operand.mask for operand in row.pattern.operands.values())
    if "fm" in row.pattern.operands:
        operands &= ~row.pattern.operands["fm"].mask
    fills = [0, -1, *(chance.getrandbits(32) for _ in range(SAMPLES))]
    made = {row.pattern.match | (fill & operands) for fill in fills}
    return sorted(bits for bits in made if decoder.find(bits) is row and has_text(row, bits))


def test_every_row_has_samples() -> None:
    assert [row.name for row in ROWS if not samples(row)] == []


def test_disassembled_text_assembles_to_the_same_bits() -> None:
    wanted = [
        (render(row, bits, csr_names=DISASSEMBLER.csr_names), bits, row.pattern.length)
        for row in ROWS
        for bits in samples(row)
    ]
    assert differences(wanted) == []


def test_disassembled_text_of_rv32_assembles_to_the_same_bits() -> None:
    found = [(row, samples(row, NARROW_DISASSEMBLER)) for row in NARROW_ROWS]
    assert [row.name for row, made in found if not made] == []
    names = NARROW_DISASSEMBLER.csr_names
    wanted = [
        (render(row, bits, csr_names=names), bits, row.pattern.length)
        for row, made in found
        for bits in made
    ]
    assert differences(wanted, RV32) == []


def test_compressed_pairs_are_the_assembler_s() -> None:
    """Zclsd has the encodings of Zcf ("Compressed Load/Store pair instructions"). Odd registers and
    c.ldsp to x0 are reserved."""
    found = Disassembler([OF_RV32[name] for name in ("I", "Zca", "Zilsd", "Zclsd")])
    names = ("c.ldsp", "c.sdsp", "c.ld", "c.sd")
    rows = {bits: found.find(bits) for bits in compressed_samples()}
    wanted = [
        (found.text(bits), bits, 2) for bits, row in rows.items() if row and row.name in names
    ]
    assert len(wanted) == 64 * 15 + 64 * 16 + 2 * 32 * 8 * 4
    assert differences(wanted, "rv32i_zca_zilsd_zclsd") == []


def test_csr_names_of_rv32_are_the_assemblers() -> None:
    """High halves of registers have an h at the end of their names (Zicsr, "CSR Listing")."""
    wanted = [
        (f"csrr a0, {csr.name}", 0x0000_2573 | csr.number << 20, 4)
        for extension in NARROW
        for csr in extension.csrs
        if csr.number not in (0x312, 0x612)  # medelegh and hedelegh: it does not know them yet
    ]
    names = {text.split()[-1] for text, _, _ in wanted}
    assert names >= {
        "mstatush",
        "cycleh",
        "timeh",
        "minstreth",
        "menvcfgh",
        "pmpcfg3",
        "htimedeltah",
    }
    assert differences(wanted, RV32) == []


def test_csr_names_are_the_assemblers() -> None:
    wanted = [
        (f"csrr a0, {csr.name}", 0x0000_2573 | csr.number << 20, 4)
        for extension in EXTENSIONS
        for csr in extension.csrs
    ]
    assert differences(wanted) == []


def compressed_samples() -> list[int]:
    return [bits for bits in range(0x10000) if bits & 3 != 3]


def test_every_compressed_code_point_that_decodes_agrees_with_the_assembler() -> None:
    wanted = [
        (DISASSEMBLER.text(bits), bits, 2)
        for bits in compressed_samples()
        if DISASSEMBLER.find(bits) is not None
    ]
    assert differences(wanted) == []


def reserved(bits: int) -> bool:
    """Whether the opcode maps of Zca and Zcd (XLEN=64) have it as reserved."""
    quadrant, funct3, rd = bits & 3, bits >> 13, bits >> 7 & 31
    imm = bits >> 12 & 1 or bits >> 2 & 31
    if quadrant == 0:
        return funct3 == 4 or (funct3 == 0 and bits >> 5 & 0xFF == 0)
    if quadrant == 1:
        if funct3 == 4:  # MISC-ALU
            return bits >> 10 & 7 == 7 and bits >> 6 & 1 == 1
        return (funct3 == 1 and rd == 0) or (funct3 == 3 and imm == 0)
    if funct3 == 4:
        return bits == 0x8002  # c.jr with rs1 = x0
    return funct3 in (2, 3) and rd == 0


def used_later(bits: int) -> bool:
    """Whether a code point that Zca reserves is one of Zcb's or Zcmop's (their chapters)."""
    funct3, funct6, low = bits >> 13, bits >> 10 & 7, bits >> 5 & 3
    if bits & 3 == 0:
        return funct3 == 4 and (funct6 < 3 or (funct6 == 3 and low < 2))
    if funct3 == 3:
        return bits & 0x18FF == 0x0081
    return bits & 3 == 1 and funct3 == 4 and (low == 2 or (low == 3 and bits >> 2 & 7 < 6))


@pytest.mark.parametrize("more", [False, True], ids=["Zca and Zcd", "with Zcb and Zcmop"])
def test_exactly_the_reserved_compressed_code_points_do_not_decode(more: bool) -> None:
    found = DISASSEMBLER if more else WITHOUT_FEW
    rejected = [bits for bits in compressed_samples() if found.find(bits) is None]
    expected = [bits for bits in compressed_samples() if reserved(bits)]
    assert rejected == [bits for bits in expected if not more or not used_later(bits)]


def test_every_compressed_code_point_of_rv32_agrees_with_the_assembler() -> None:
    wanted = [
        (NARROW_DISASSEMBLER.text(bits), bits, 2)
        for bits in compressed_samples()
        if NARROW_DISASSEMBLER.find(bits) is not None
    ]
    assert differences(wanted, RV32) == []


@pytest.mark.parametrize(
    ("bits", "what"),
    [
        (0x0200_1013, 'slli with shamt[5] ("Integer Register-Immediate Instructions")'),
        (0x1002, 'c.slli with shamt[5] ("Integer Register-Immediate Operations")'),
        (0x9001, "c.srli with shamt[5]"), (0x9C01, "c.subw"), (0x0000_3003, "ld"),
        (0x0000_6003, "lwu"), (0x0000_001B, "addiw"), (0x0000_003B, "addw"),
        (0x6B80_5013, "rev8 of RV64"), (0x0800_403B, "zext.h of RV64"), (0x1000_302F, "lr.d"),
        (0xE200_0053, "fmv.x.d"), (0xC020_0053, "fcvt.l.s"), (0x2000_4033 | 1 << 3, "sh2add.uw"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_only_rv64_has_does_not_decode_on_rv32(bits: int, what: str) -> None:
    assert DISASSEMBLER.find(bits) is not None or "shamt" in what
    assert (
        Disassembler([one for one in NARROW if one.name not in ("Zilsd", "Zknd")]).find(bits)
        is None
    )


@pytest.mark.parametrize(
    ("bits", "what"),
    [
        (0x0000_0000, "all zeros"), (0xFFFF_FFFF, "all ones"),
        (0x4000_1033, "sll with funct7 of sub"), (0x0000_2063, "funct3 2 of a branch"),
        (0x0000_7003, "funct3 7 of a load"), (0x0000_4023, "funct3 4 of a store"),
        (0x0200_101B, "slliw with shamt[5]"), (0x0010_2067, "jalr with funct3 2"),
        (0x1010_25AF, "lr.w with rs2"), (0x0000_50AF, "an AMO of width 5"),
        (0x0810_403B, "zext.h with rs2"), (0x8000_0033, "an unused funct7"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_reserved_encoding_does_not_decode(bits: int, what: str) -> None:
    assert WITHOUT_FEW.find(bits) is None


@pytest.mark.parametrize(
    ("pattern", "where", "problem"),
    [
        ("imm[11:] rs1 000 rd 0010011", "", "'imm[11:]' is not bits or an operand"),
        ("imm[:] rs1 000 rd 0010011", "", "'imm[:]' is not bits or an operand"),
        ("imm[11|] rs1 000 rd 0010011", "", "'imm[11|]' is not bits or an operand"),
        ("imm[0:11] rs1 000 rd 0010011", "", "imm[0:11]: write HIGH:LOW"),
        ("imm[6:0] imm[4:0] rs1 000 rd 0010011", "", "it has a bit of imm[6:0] twice"),
        ("imm[4:0|4] 000000 rs1 000 rd 0010011", "", "it has a bit of imm[4:0] twice"),
        ("rd rd 00000 rs1 00 0010011", "", "it has a bit of rd[4:0] twice"),
        ("imm rs1 000 rd 0010011", "", "'imm' needs its bits, as in imm[11:0]"),
        ("imm[10:0] rs1 000 rd 0010011", "", "it has 31 bits, not 16 or 32"),
        ("imm[11:0] rs1 000 rd 0010011", "rd != x2", "where 'rd != x2': rd is never x2"),
        ("imm[11:0] rs1 000 rd 0010011", "rd != 32", "where 'rd != 32': rd is never 32"),
        ("100011 rd' 00 rs2' 01", "rd' == 3",
         "where \"rd' == 3\": expected OPERAND == NUMBER or OPERAND != NUMBER"),
        ("100011 rd' 00 rs2' 01", "rd == 3", "where 'rd == 3': rd is never 3"),
        ("imm[11:0] rs1 000 rd 0010011", "rd", "where 'rd': expected OPERAND == NUMBER or OPERAND "
         "!= NUMBER"),
    ],
)  # fmt: skip
def test_a_malformed_pattern_is_refused(pattern: str, where: str, problem: str) -> None:
    with pytest.raises(LanguageError) as raised:
        parse(pattern, where)
    assert str(raised.value) == f"pattern {pattern!r}: {problem}"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("MODE", "field 'MODE' is not NAME[HIGH:LOW]"),
        ("MODE[1:2]", "field 'MODE[1:2]': write NAME[HIGH:LOW]"),
        ("MODE[3:0] ASID[4:3]", "field 'ASID[4:3]' overlaps another field"),
    ],
)
def test_a_malformed_csr_field_is_refused(fields: str, problem: str) -> None:
    with pytest.raises(LanguageError) as raised:
        parse_fields("mine", fields)
    assert str(raised.value) == f"CSR mine: {problem}"


def test_a_hint_of_an_absent_extension_is_its_base_instruction() -> None:
    base = Disassembler([BASE])
    assert base.text(0x0100_000F) == "fence w, 0"
    assert base.text(0x0020_0033) == "add zero, zero, sp"


def test_targets_are_addresses_when_the_pc_is_known() -> None:
    base = Disassembler([BASE])
    assert base.text(0xFE00_0EE3, 0x8000_0000) == "beq zero, zero, 0x7ffffffc"
    assert base.text(0xFE00_0EE3) == "beq zero, zero, -4"


def test_what_does_not_decode_is_data() -> None:
    assert DISASSEMBLER.text(0xFFFF_FFFF) == ".4byte 0xffffffff"
    assert DISASSEMBLER.text(0x1234_0000) == ".2byte 0x0000"
