"""Random programs for RV32: python -m tests.lockstep.narrow runs them.

Sections run in M, S and U mode, on harts with H also in VS and VU mode. Those of S and U mode are
translated by Sv32, and guests by Sv32x4 besides. They are made of the snippets of RV64's programs.
The handler in M mode logs a trap and goes on after the instruction, or with the next section if the
instruction can't be fetched or the section asks for it. Four registers are the handler's.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

from . import layout, worlds
from .assembly import Code, Isa
from .generator import Generator
from .narrow_handler import MPP, MSTATUS, REQUEST, T, U, V, handler
from .narrow_snippets import (
    FS,
    HGATP,
    INTEGERS,
    MISSING,
    OTHERWISE,
    PLANS,
    PTE_A,
    PTE_D,
    PTE_R,
    PTE_U,
    PTE_V,
    PTE_X,
    ROOT,
    SATP,
    SECOND_ROOT,
    SECOND_TABLE,
    SV32,
    TABLE,
    USABLE,
    VSATP,
    VSSTATUS,
    WINDOWS,
    WITH_H,
    entry,
)  # fmt: skip
from .operands import floating, integer, pool
from .program import Program, extensions
from .worlds import ILLEGAL, WORLDS

PLAIN = "_zicsr_zifencei_zicntr_zihpm"
UNPRIVILEGED = (
    PLAIN + "_zicond_zicbom_zicbop_zicboz_zihintpause_zihintntl_zawrs_zfa_zba_zbb_zbc_zbs_svinval"
)
FEW = (
    "_zcb_zimop_zcmop_zacas_zabha_zfhmin_zfh_zfbfmin_zbkb_zbkc_zbkx_zknd_zkne_zknh_zksed_zksh_zilsd"
)
EVERYTHING = f"rv32imafdch{UNPRIVILEGED}{FEW}"
COMPACT = f"rv32imac{PLAIN}_zicond_zcb_zacas_zabha_zilsd_zclsd_zba_zbkb_zbkx_zknd_zkne_zknh"
NO_FLOATS = EVERYTHING.replace("fdch", "ch")
for lacking in ("_zfa", "_zfhmin", "_zfh", "_zfbfmin"):
    NO_FLOATS = NO_FLOATS.replace(lacking, "", 1)
NO_FLOATS += "_zclsd"
# Programs use all instructions: those that a hart lacks trap. With Zclsd they use its own, since it
# has the encodings of Zcf.
ISAS = {
    EVERYTHING: 8, f"{EVERYTHING}_zicclsm": 4, f"rv32imafdc{UNPRIVILEGED}{FEW}": 3,
    f"rv32imafc{PLAIN}": 1, f"rv32imac{PLAIN}": 2,
    COMPACT: 2,
    f"rv32imafdc{PLAIN}_zfa": 1,
}  # fmt: skip
SECTION, ROOM = (8, 60), 2048
WORDS = layout.REGISTERS
MTVEC, HCOUNTEREN, CSR_DUMP = 0x305, 0x606, layout.TABLES[8]
PMPCFG0, PMPADDR0 = 0x3A0, 0x3B0
CLEARED = (0x304, 0x302, 0x320, 0x340, 0xB80, 0xB82, 0xB00, 0xB02, 0x003)


@cache
def isa(has: str) -> Isa:
    """The rows that programs are made of, on harts with an ISA string."""
    return Isa(extensions(NO_FLOATS if has == COMPACT else EVERYTHING))


class Maker:
    """Makes one program."""

    def __init__(self, seed: str, number: int, instructions: int) -> None:
        self.name = f"{seed}/{number}"
        self.rng = rng = random.Random(self.name)
        [self.isa] = rng.choices(list(ISAS), list(ISAS.values()))
        self.count = instructions
        self.has_h = "h" in self.isa.partition("_")[0]
        self.plans = WITH_H if self.has_h else INTEGERS if self.isa == COMPACT else PLANS
        self.image = bytearray(layout.END * layout.PAGE)
        self.known = isa(self.isa)
        mapped: Any = SimpleNamespace(windows=lambda virtual: WINDOWS)
        self.generator = Generator(
            rng, self.known, frozenset((REQUEST, T, U, V)), REQUEST, ILLEGAL, "none", False,
            self.isa, False, False, False, mapped, self.plans,
        )  # fmt: skip
        self.sections: list[tuple[int, int]] = []
        self.used = {name: layout.address(WORLDS[name].code[0]) for name in self.plans}

    def put(self, code: Code) -> None:
        at = code.start - layout.BASE
        self.image[at : at + len(code.data)] = code.data

    def section(self) -> int:
        """Make a section. Returns its instructions."""
        g = self.generator
        guests = ("VS", "VS", "VS", "VU", "VU") if self.has_h else ()
        world = WORLDS[self.rng.choice(("M", "M", "HS", "HS", "U", *guests))]
        if self.used[world.name] + ROOM > layout.address(world.code[-1] + 1):
            return self.count
        g.world = world
        g.code = Code(self.known, self.used[world.name] + 2 * self.rng.randrange(8))
        self.sections.append((g.code.start, world.status))
        g.block(self.rng.randrange(*SECTION))
        g.leave()
        self.put(g.code)
        self.used[world.name] = g.code.pc
        return g.code.count

    def make(self) -> Program:
        made = 0
        while made < self.count:
            made += self.section()
        end, desk = self.end(), layout.address(layout.MACHINE_DESK) - layout.BASE
        for code in (self.start(), handler(self.known), end):
            self.put(code)
        rows = [*self.sections, (end.start, MPP)]
        # bit 0 of an address, which mepc doesn't have, says that the section runs with V=1
        rows = [(at | (status & worlds.MPV != 0), status & MPP) for at, status in rows]
        table = b"".join(struct.pack("<II", *row) for row in rows)
        first = layout.BASE + desk + layout.SECTIONS
        self.image[desk + layout.NEXT : desk + layout.NEXT + 4] = struct.pack("<I", first)
        self.image[desk + layout.SECTIONS : desk + layout.SECTIONS + len(table)] = table
        self.data()
        modes = {world.status: name for name, world in WORLDS.items()}
        names = tuple((address, modes[status]) for address, status in self.sections)
        return Program(self.name, bytes(self.image), self.isa, names, self.count)

    def data(self) -> None:
        """Fill the pages of data, the values of registers, and the copy of the code."""
        numbers = [integer(self.rng) & 0xFFFF_FFFF for _ in range(32)]
        values = struct.pack("<32I32Q", *numbers, *(floating(self.rng) for _ in range(32)))
        at = layout.DUMP * layout.PAGE + WORDS
        self.image[at : at + len(values)] = values
        for page in layout.DATA:
            content = pool(self.rng) if page == layout.POOL else self.rng.randbytes(layout.PAGE)
            self.image[page * layout.PAGE : (page + 1) * layout.PAGE] = content
        self.tables()
        at = layout.SHADOW[0] * layout.PAGE
        size = len(layout.SHADOW) * layout.PAGE
        self.image[at : at + size] = self.image[:size]

    def tables(self) -> None:
        """Make the page tables: one for the MiB, which two windows share, and superpages."""

        def put(table: int, index: int, value: int) -> None:
            at = table * layout.PAGE + 4 * index
            self.image[at : at + 4] = struct.pack("<I", value)

        for world in self.plans.keys() - {"M"}:
            user = PTE_U if WORLDS[world].user else 0
            for page in WORLDS[world].code:
                flags = PTE_V | PTE_R | PTE_X | PTE_A | PTE_D | user
                put(TABLE, page, layout.address(page) >> 12 << 10 | flags)
        for page in layout.DATA:
            good = layout.address(page) >> 12 << 10 | USABLE | PTE_U
            put(TABLE, page, good if page in layout.TWINS else entry(self.rng, page))
        if self.has_h:
            self.second_stage(put)
        large = layout.BASE >> 12 << 10 | USABLE | self.rng.choice((0, PTE_U))
        pointer = layout.address(TABLE) >> 12 << 10 | PTE_V
        for window, value in zip(WINDOWS, (pointer, pointer, large, large | 1 << 10), strict=True):
            put(ROOT, window >> 22, value)

    def second_stage(self, put: Callable[[int, int, int], None]) -> None:
        """The tables of guest-physical addresses: all pages, data mostly with access."""
        for page in range(layout.END):
            value = layout.address(page) >> 12 << 10 | USABLE | PTE_X | PTE_U
            if page in layout.DATA and page not in layout.TWINS:
                value = entry(self.rng, page) | PTE_U
            put(SECOND_TABLE, page, value)
        put(SECOND_ROOT, layout.BASE >> 22, layout.address(SECOND_TABLE) >> 12 << 10 | PTE_V)

    def start(self) -> Code:
        """Set up CSRs and registers, and enter the first section."""
        code = Code(self.known, layout.BASE)
        for number, value in (
            (MTVEC, layout.address(layout.MACHINE_HANDLER)), (MSTATUS, FS), (0x306, -1),
            (0x106, -1), (PMPADDR0, -1), (PMPCFG0, 0x1F), *((number, 0) for number in CLEARED),
            (SATP, SV32 | layout.address(ROOT) >> 12), *(self.of_guests() if self.has_h else ()),
        ):  # fmt: skip
            code.constant(T, value)
            code("csrrw", rd=0, csr=number, rs1=T)
        code.place(T, layout.address(layout.DUMP, WORDS))
        for n in range(32 if "fd" in self.isa else 0):
            code("fld", rd=n, rs1=T, imm=128 + 8 * n)
        for n in range(1, REQUEST):
            code("lw", rd=n, rs1=T, imm=4 * n)
        code.constant(REQUEST, 1)
        code.bits(0, 2)
        return code

    def of_guests(self) -> list[tuple[int, int]]:
        """CSRs of H, and their values."""
        return [
            (VSATP, SV32 | layout.address(ROOT) >> 12), (VSSTATUS, FS), (HCOUNTEREN, -1),
            (HGATP, SV32 | layout.address(SECOND_ROOT) >> 12), (0x602, 0), (0x603, 0), (0x303, 0),
        ]  # fmt: skip

    def end(self) -> Code:
        """Store all registers and CSRs to memory, and write to tohost."""
        code = Code(self.known, layout.address(layout.ENDING))
        code.place(T, layout.address(layout.DUMP))
        for n in range(1, 32):
            code("sw", rs1=T, rs2=n, imm=4 * n)
        code.constant(U, FS)
        code("csrrs", rd=0, csr=MSTATUS, rs1=U)
        for n in range(32 if "fd" in self.isa else 0):
            code("fsd", rs1=T, rs2=n, imm=128 + 8 * n)
        present = {csr.number for csr in Isa(extensions(self.isa)).csrs} - OTHERWISE - MISSING
        for n, number in enumerate(sorted(present)):
            if n % 256 == 0:
                code.place(T, layout.address(CSR_DUMP + n // 256))
            code("csrrs", rd=U, csr=number, rs1=0)
            code("sw", rs1=T, rs2=U, imm=4 * (n % 256))
        code.place(T, layout.address(layout.TOHOST))
        code.constant(U, 1)
        code("sw", rs1=T, rs2=U, imm=0)
        forever = code.here()
        code("wfi")
        code.jump(forever)
        return code


def make(seed: str, number: int, instructions: int = 500) -> Program:
    """Make the program with this seed and number."""
    return Maker(seed, number, instructions).make()
