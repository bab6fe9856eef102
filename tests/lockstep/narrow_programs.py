"""Random programs for RV32: python -m tests.lockstep.narrow runs them.

Sections run in M, S and U mode, on harts with H also in VS and VU mode. Those of S and U mode are
translated by Sv32, and guests by Sv32x4 besides. They are made of the snippets of RV64's programs.
The handler in M mode logs a trap and goes on after the instruction, or with the next section if the
instruction can't be fetched or the section asks for it. Four registers are the handler's.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

from . import layout, snippets, worlds
from .assembly import Code, Isa
from .generator import Generator, Snippet
from .narrow_handler import MPP, REQUEST, T, U, V, handler
from .operands import floating, integer, pool
from .program import Program, extensions
from .worlds import ILLEGAL, WORLDS

PLAIN = "_zicsr_zifencei_zicntr_zihpm"
UNPRIVILEGED = (
    PLAIN + "_zicond_zicbom_zicbop_zicboz_zihintpause_zihintntl_zawrs_zfa_zba_zbb_zbc_zbs"
)
FEW = (
    "_zcb_zimop_zcmop_zacas_zabha_zfhmin_zfh_zfbfmin_zbkb_zbkc_zbkx_zknd_zkne_zknh_zksed_zksh_zilsd"
)
EVERYTHING = f"rv32imafdch{UNPRIVILEGED}{FEW}"
# Programs use all instructions: those that a hart lacks trap. Zclsd has the encodings of Zcf.
ISAS = {
    EVERYTHING: 6, f"{EVERYTHING}_zicclsm": 3, f"rv32imafdc{UNPRIVILEGED}{FEW}": 3,
    f"rv32imafc{PLAIN}": 1, f"rv32imac{PLAIN}": 2,
    f"rv32imac{PLAIN}_zacas_zabha_zilsd_zclsd_zbkb_zknd_zkne_zknh": 2,
    f"rv32imafdc{PLAIN}_zfa": 1,
}  # fmt: skip
MTVEC, MSTATUS, MEPC = 0x305, 0x300, 0x341
FS = 3 << 13
SECTION, ROOM = (8, 60), 2048
WORDS = layout.REGISTERS
PMPCFG0, PMPADDR0 = 0x3A0, 0x3B0
#: CSRs that programs write with any value.
WRITTEN = (
    "mscratch", "mepc", "mcause", "mtval", "sscratch", "sepc", "scause", "stval", "fcsr", "fflags",
    "frm", "mcounteren", "scounteren", "minstret", "minstreth", "mcycle", "mcycleh", "menvcfg",
    "menvcfgh", "senvcfg", "mcountinhibit", "medeleg", "mie", "mtvec", "stvec", "mhartid",
    "pmpaddr7", "mhpmcounter3", "mhpmcounter3h", "mhpmevent3", "cycleh", "instreth", "mstatush",
)  # fmt: skip
LATER = {"mtvec", "medeleg", "mie", "mcountinhibit"}  # a write would change the program's course
FIOM = 1 << 0
SATP, SSTATUS, SUM, MXR = 0x180, 0x100, 1 << 18, 1 << 19
SV32, ASID_SHIFT = 1 << 31, 22
ROOT, TABLE, CSR_DUMP = layout.TABLES[0], layout.TABLES[1], layout.TABLES[8]
SECOND_ROOT, SECOND_TABLE = layout.TABLES[16], layout.TABLES[20]  # the root has four pages
VSATP, HGATP, VSSTATUS = 0x280, 0x680, 0x200
HCOUNTEREN, HSTATUS, SPVP, HU = 0x606, 0x600, 1 << 8, 1 << 9
WINDOWS = [layout.BASE, 0x4000_0000, 0xC000_0000, 0xC040_0000]
PTE_V, PTE_R, PTE_W, PTE_X, PTE_U, PTE_G, PTE_A, PTE_D = (1 << n for n in range(8))
USABLE = PTE_V | PTE_R | PTE_W | PTE_A | PTE_D
CLEARED = (0x304, 0x302, 0x320, 0x340, 0xB80, 0xB82, 0xB00, 0xB02, 0x003)
OTHERWISE = {*worlds.OTHERWISE, *worlds.TINST, 0xC81}  # time, identity, transformed instructions
MISSING = {0x312, 0x612}  # medelegh and hedelegh (Privileged 1.13), which Spike lacks


@cache
def isa() -> Isa:
    """The rows that programs are made of."""
    return Isa(extensions(EVERYTHING))


# --- snippets of RV32 ----------------------------------------------------------------------------


def refresh(g: Generator) -> None:
    """Load operands from the pool into several registers."""
    base = g.pointer()
    g.address(base, layout.address(layout.POOL))
    for _ in range(g.rng.randrange(2, 6)):
        offset = 8 * g.rng.randrange(256)
        row = g.rng.choice(("fld", "fld", "flw", "lw", "lw"))
        rd = g.rng.randrange(32) if row[0] == "f" else g.pointer(base)
        g.code(row, rd=rd, rs1=base, imm=offset)


def csrs(g: Generator) -> None:
    """Any instruction on a CSR: a read of any one, or a write of some."""
    csr = g.rng.choice([row for row in g.isa.csrs if row.number not in MISSING])
    if g.rng.randrange(2):
        csr = g.rng.choice([row for row in g.isa.csrs if row.name in WRITTEN])
    rd = 0 if csr.number in OTHERWISE else g.pointer()
    if csr.name in WRITTEN and csr.name not in LATER and g.rng.randrange(4):
        source = g.pointer()
        value = integer(g.rng)
        g.constant(source, value & ~FIOM if csr.name.endswith("envcfg") else value)
        g.code(g.rng.choice(("csrrw", "csrrs", "csrrc")), rd=rd, csr=csr.number, rs1=source)
    elif g.rng.randrange(2):
        g.code(g.rng.choice(("csrrs", "csrrc")), rd=rd, csr=csr.number, rs1=0)
    else:
        g.code(g.rng.choice(("csrrsi", "csrrci")), rd=rd, csr=csr.number, zimm=0)


def float_status(g: Generator) -> None:
    """mstatus.FS, which Off makes every floating-point instruction illegal."""
    source = g.pointer()
    g.constant(source, FS)
    g.code(g.rng.choice(("csrrs", "csrrs", "csrrs", "csrrc")), rd=0, csr=MSTATUS, rs1=source)


def fences(g: Generator) -> None:
    """Instructions that order memory, or wait on a reservation."""
    g.emit(g.rng.choice([g.isa.named[name] for name in ("fence.i", "wrs.nto", "wrs.sto")]))


def sums(g: Generator) -> None:
    """sstatus.SUM and MXR, on which accesses of S mode to pages depend."""
    source = g.pointer()
    g.constant(source, g.rng.choice((SUM, MXR, SUM | MXR)))
    g.code(g.rng.choice(("csrrs", "csrrc")), rd=0, csr=SSTATUS, rs1=source)


def spaces(g: Generator) -> None:
    """Another value of satp: Bare, or the tables with some ASID."""
    source = g.pointer()
    asid = g.rng.randrange(1 << 9)
    root = SV32 | asid << ASID_SHIFT | layout.address(ROOT) >> 12
    g.constant(source, g.rng.choice((0, root, root, root)))
    g.code("csrrw", rd=g.register(write=True), csr=SATP, rs1=source)
    g.code("sfence.vma", rs1=0, rs2=0)


def remaps(g: Generator) -> None:
    """A new entry for a page of data, and a fence."""
    page = g.rng.choice(layout.DATA[:-2])
    slot = g.pointer()
    value = g.pointer(slot)
    g.constant(slot, layout.address(TABLE, 4 * page))
    g.constant(value, entry(g.rng, page))
    g.code("sw", rs1=slot, rs2=value, imm=0)
    g.code("hfence.vvma", rs1=0, rs2=0)  # vsatp has the same tables
    if g.rng.getrandbits(1):
        g.code("sfence.vma", rs1=0, rs2=0)
    else:
        for window in WINDOWS[:2]:
            g.constant(slot, window + page * layout.PAGE)
            g.code("sfence.vma", rs1=slot, rs2=0)


def entry(rng: random.Random, page: int) -> int:
    """An entry for a page of data, mostly one that allows accesses."""
    flags = USABLE | (PTE_U if rng.getrandbits(1) else 0)
    if rng.randrange(3) == 0:
        flags ^= rng.choice(
            (PTE_V, PTE_R, PTE_W, PTE_A, PTE_D, PTE_A | PTE_D, PTE_G, PTE_R | PTE_W)
        )
        flags |= rng.choice((0, 0, PTE_X))
    elsewhere = rng.choice(layout.DATA) if rng.randrange(4) == 0 else page
    return layout.address(elsewhere) >> 12 << 10 | flags


def guest_accesses(g: Generator) -> None:
    """hlv, hlvx and hsv, and what they depend on."""
    base, status = g.pointer(), g.pointer()
    if g.rng.randrange(3) == 0:
        g.constant(status, g.rng.choice((SPVP, HU, SPVP | HU)))
        g.code(g.rng.choice(("csrrs", "csrrc")), rd=0, csr=HSTATUS, rs1=status)
    page = g.rng.choice(layout.DATA)
    g.address(base, layout.address(page, 4 * g.rng.randrange(1024)))
    name = g.rng.choice(("hlv.b", "hlv.bu", "hlv.h", "hlv.hu", "hlvx.hu", "hlv.w", "hlvx.wu"))
    if g.rng.randrange(3):
        g.code(name, rd=g.register(write=True), rs1=base)
    else:
        g.code(g.rng.choice(("hsv.b", "hsv.h", "hsv.w")), rs1=base, rs2=g.pointer())


def second_stage(g: Generator) -> None:
    """A new entry for a guest-physical page of data, and a fence."""
    page = g.rng.choice(layout.DATA[:-2])
    slot = g.pointer()
    value = g.pointer(slot)
    g.constant(slot, layout.address(SECOND_TABLE, 4 * page))
    g.constant(value, entry(g.rng, page) ^ (0 if g.rng.randrange(8) else PTE_U) | PTE_U)
    g.code("sw", rs1=slot, rs2=value, imm=0)
    g.code("hfence.gvma", rs1=0, rs2=0)


PLAN: dict[Snippet, int] = {
    snippets.integers: 60, snippets.floats: 24, refresh: 10, snippets.hints: 2, snippets.loops: 5,
    snippets.jumps: 6, snippets.patches: 4, snippets.memory: 30, snippets.atomics: 10,
    snippets.blocks: 2, snippets.wild_jump: 1, snippets.illegal: 4, snippets.calls: 2,
    snippets.beside: 4, snippets.busy: 4, snippets.sweeps: 6, csrs: 12, float_status: 2, fences: 3,
}  # fmt: skip
PLANS: dict[str, Mapping[Snippet, int]] = {
    "M": {**PLAN, remaps: 20, spaces: 3, sums: 3}, "HS": {**PLAN, spaces: 4, sums: 8}, "U": PLAN,
}  # fmt: skip
# With H. In VS mode, `spaces` writes vsatp.
WITH_H: dict[str, Mapping[Snippet, int]] = {
    "M": {**PLANS["M"], guest_accesses: 12, second_stage: 12},
    "HS": {**PLANS["HS"], guest_accesses: 16}, "U": {**PLAN, guest_accesses: 3},
    "VS": {**PLANS["HS"], guest_accesses: 1}, "VU": PLAN,
}  # fmt: skip


class Maker:
    """Makes one program."""

    def __init__(self, seed: str, number: int, instructions: int) -> None:
        self.name = f"{seed}/{number}"
        self.rng = rng = random.Random(self.name)
        [self.isa] = rng.choices(list(ISAS), list(ISAS.values()))
        self.count = instructions
        self.has_h = "h" in self.isa.partition("_")[0]
        self.plans = WITH_H if self.has_h else PLANS
        self.image = bytearray(layout.END * layout.PAGE)
        self.known = isa()
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
