"""What surrounds the body of a program of vector instructions: the start, the handler in M mode and
the page tables.

The body runs in one of MODES. An access to a closed page traps until the handler opens it, and then
the instruction goes on in the middle: one page is closed by PMP, one by the stage of satp or vsatp,
one by that of hgatp. VS is turned on when an instruction is illegal because it is Off. The handler
skips what traps otherwise. With an ecall the body has all pages closed again, and VS changed in
mstatus and vsstatus as the register COMMAND says.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

from . import layout
from .assembly import Code, Isa, Label
from .operands import integer

STOP, COMMAND, T, U = 28, 29, 30, 31  # the handler's registers; STOP is 1 at the end
MTVEC, MEPC, MCAUSE, MTVAL, MTVAL2, MSTATUS = 0x305, 0x341, 0x342, 0x343, 0x34B, 0x300
SATP, VSATP, HGATP, VSSTATUS, VSTART = 0x180, 0x280, 0x680, 0x200, 0x008
PMPCFG0, PMPADDR0 = 0x3A0, 0x3B0
VS, VS_INITIAL = 3 << 9, 1 << 9
STATUS = 3 << 13 | VS  # FS and VS are Dirty
READ_WRITE = 3
FOR_VSSTATUS = 16  # the shift of COMMAND's bits for vsstatus
ILLEGAL, LOAD_ACCESS, STORE_ACCESS, LOAD_PAGE, STORE_PAGE = 2, 5, 7, 13, 15
LOAD_GUEST_PAGE, STORE_GUEST_PAGE = 21, 23
CALLS = (8, 9, 10, 11)  # from U and VU, S, VS, M

CLOSED, CLOSED_FIRST, CLOSED_SECOND = layout.DATA[4], layout.DATA[6], layout.DATA[8]
CLOSED_PAGES = (CLOSED, CLOSED_FIRST, CLOSED_SECOND)
V, R, W, X, USER, A, D = (1 << n for n in (0, 1, 2, 3, 4, 6, 7))
SV39, SV32 = 8 << 60, 1 << 31
MSTATUSH = 0x310
SECOND_ROOT, FIRST_ROOT = layout.TABLES[0], layout.TABLES[6]  # the former is of four pages
ALIASES = range(layout.DATA.stop, layout.DATA.stop + 3 * len(layout.DATA))


@dataclass(frozen=True)
class Mode:
    """A mode of the body: the bits of mstatus with which mret enters it, and the stages of
    translation that are on."""

    name: str
    status: int
    stages: int

    @property
    def virtual(self) -> bool:
        return self.stages == 2

    @property
    def user(self) -> bool:
        return self.status >> 11 & 3 == 0


MPV, MPP_S = 1 << 39, 1 << 11
MODES = (
    Mode("U without translation", 0, 0), Mode("U", 0, 1), Mode("S", MPP_S, 1),
    Mode("VS", MPV | MPP_S, 2), Mode("VU", MPV, 2), Mode("M", 3 << 11, 0),
)  # fmt: skip


def closed(rng: random.Random, good: int) -> int:
    """An entry that doesn't allow all accesses."""
    return rng.choice((good & ~V, good & ~V, good & ~A, good & ~D, good & ~W, good & ~(R | W) | X))


class Frame:
    """The surroundings of one program, written to its image."""

    def __init__(self, rng: random.Random, known: Isa, mode: Mode, image: bytearray) -> None:
        self.rng, self.known, self.mode, self.image = rng, known, mode, image
        self.narrow = known.xlen == 32
        self.entry_bytes = 4 if self.narrow else 8
        self.load, self.store = ("lw", "sw") if self.narrow else ("ld", "sd")

    def put(self, code: Code) -> None:
        at = code.start - layout.BASE
        self.image[at : at + len(code.data)] = code.data

    # --- page tables: three levels, and two on RV32. The last maps the program's memory. ---

    def tables(self) -> None:
        if self.mode.stages:
            self.table(FIRST_ROOT, 1, self.first_entry)
        if self.mode.virtual:
            self.table(SECOND_ROOT, 4, lambda page: pte(page, V | R | W | X | USER | A | D))

    def table(self, root: int, pages: int, entry: Callable[[int], int]) -> None:
        """A root of one or four pages, and the tables after it."""
        middle, last = root + pages, self.last(root, pages)
        if self.narrow:
            pointers = [(root, layout.BASE >> 22, last)]
        else:
            pointers = [(root, layout.BASE >> 30, middle), (middle, 0, last)]
        kind = "I" if self.narrow else "Q"
        for page, index, to in pointers:
            at = page * layout.PAGE + self.entry_bytes * index
            struct.pack_into(f"<{kind}", self.image, at, pte(to, V))
        entries = [entry(page) for page in range(layout.SHADOW[0])]
        struct.pack_into(f"<{len(entries)}{kind}", self.image, last * layout.PAGE, *entries)

    def last(self, root: int, pages: int) -> int:
        """The page of the last table."""
        return root + pages + (0 if self.narrow else 1)

    def first_entry(self, page: int) -> int:
        """What the body may access. The pages after data are data again."""
        user = USER if self.mode.user else 0
        if page in layout.CODE:
            return pte(page, V | R | X | A | user)
        if page in ALIASES:
            page = layout.DATA[page % len(layout.DATA)]
        return pte(page, V | R | W | A | D | user) if page in layout.DATA else 0

    def slots(self) -> list[tuple[int, int, str]]:
        """The entries that are closed: their addresses, their values when open, and the fence."""
        found = []
        if self.mode.stages:
            at = layout.address(self.last(FIRST_ROOT, 1), self.entry_bytes * CLOSED_FIRST)
            fence = "hfence.vvma" if self.mode.virtual else "sfence.vma"
            found.append((at, self.first_entry(CLOSED_FIRST), fence))
        if self.mode.virtual:
            at = layout.address(self.last(SECOND_ROOT, 4), self.entry_bytes * CLOSED_SECOND)
            found.append((at, pte(CLOSED_SECOND, V | R | W | X | USER | A | D), "hfence.gvma"))
        return found

    # --- the handler ---

    def handler(self) -> None:
        code, named = Code(self.known, layout.address(layout.MACHINE_HANDLER)), self.known.named
        call, access, skip, illegal = (Label() for _ in range(4))
        pages, guest_pages = Label(), Label()
        code("csrrs", rd=U, csr=MCAUSE, rs1=0)
        causes = [(cause, call) for cause in CALLS]
        causes += [(LOAD_ACCESS, access), (STORE_ACCESS, access), (ILLEGAL, illegal)]
        slots = self.slots()
        for at, label in zip(slots, (pages, guest_pages), strict=False):
            first = LOAD_PAGE if at is slots[0] else LOAD_GUEST_PAGE
            causes += [(first, label), (first + 2, label)]
        for cause, label in causes:
            code("addi", rd=T, rs1=0, imm=cause)
            code.branch(named["beq"], label, rs1=U, rs2=T)
        code.bind(skip)
        code("csrrs", rd=T, csr=MEPC, rs1=0)
        code("addi", rd=T, rs1=T, imm=4)
        code("csrrw", rd=0, csr=MEPC, rs1=T)
        code("mret")
        self.open_by_pmp(code, access, skip)
        for slot, label in zip(slots, (pages, guest_pages), strict=False):
            self.open_page(code, label, skip, *slot)
        self.turn_on(code, illegal, skip)
        self.obey(code, call, skip)
        self.put(code)

    def open_by_pmp(self, code: Code, label: Label, skip: Label) -> None:
        code.bind(label)
        code("csrrs", rd=T, csr=PMPCFG0, rs1=0)
        code("andi", rd=T, rs1=T, imm=READ_WRITE)
        code.branch(self.known.named["bne"], skip, rs1=T, rs2=0)
        code("csrrsi", rd=0, csr=PMPCFG0, zimm=READ_WRITE)
        self.fence(code, "sfence.vma")
        code("mret")

    def open_page(
        self, code: Code, label: Label, skip: Label, at: int, good: int, fence: str
    ) -> None:
        """Open a page, unless it is open."""
        code.bind(label)
        vs_off = Label()
        for csr in (MTVAL, *([MTVAL2] if self.mode.virtual else ()), MSTATUS):
            code("csrrs", rd=U, csr=csr, rs1=0)  # so that they are compared
        code("andi", rd=U, rs1=U, imm=VS)
        code.branch(self.known.named["beq"], vs_off, rs1=U, rs2=0)
        code("csrrs", rd=U, csr=VSTART, rs1=0)
        code.bind(vs_off)
        code.constant(T, at)
        code(self.load, rd=U, rs1=T, imm=0)
        code.constant(COMMAND, good)
        code.branch(self.known.named["beq"], skip, rs1=U, rs2=COMMAND)
        code(self.store, rs1=T, rs2=COMMAND, imm=0)
        self.fence(code, fence)
        code("mret")

    def turn_on(self, code: Code, label: Label, skip: Label) -> None:
        """Turn VS on if it is Off, and else skip the instruction."""
        code.bind(label)
        for csr in (MSTATUS, *([VSSTATUS] if self.mode.virtual else ())):
            following = Label()
            code("csrrs", rd=T, csr=csr, rs1=0)
            code("andi", rd=T, rs1=T, imm=VS)
            code.branch(self.known.named["bne"], following, rs1=T, rs2=0)
            code("addi", rd=T, rs1=0, imm=self.rng.choice((VS, VS_INITIAL)))
            code("csrrs", rd=0, csr=csr, rs1=T)
            code("mret")
            code.bind(following)
        code.jump(skip)

    def obey(self, code: Code, label: Label, skip: Label) -> None:
        """Handle an ecall: end, or close the pages and change VS."""
        end, go_on = Label(), Label()
        code.bind(label)
        code.branch(self.known.named["beq"], go_on, rs1=STOP, rs2=0)
        code.place(T, layout.address(layout.TOHOST))
        code(self.store, rs1=T, rs2=STOP, imm=0)
        code.bind(end)
        code("wfi")
        code.jump(end)
        code.bind(go_on)
        code("csrrci", rd=0, csr=PMPCFG0, zimm=READ_WRITE)
        self.fence(code, "sfence.vma")
        for at, good, fence in self.slots():
            code.constant(T, at)
            code.constant(U, closed(self.rng, good))
            code(self.store, rs1=T, rs2=U, imm=0)
            self.fence(code, fence)
        code("csrrc", rd=0, csr=MSTATUS, rs1=COMMAND)
        if self.mode.virtual:
            code("srli", rd=T, rs1=COMMAND, shamt=FOR_VSSTATUS)
            code("csrrc", rd=0, csr=VSSTATUS, rs1=T)
        code.jump(skip)

    def fence(self, code: Code, name: str) -> None:
        if self.mode.stages:
            code(name, rs1=0, rs2=0)

    # --- the start ---

    def start(self) -> None:
        code = Code(self.known, layout.BASE)
        code.place(T, layout.address(layout.MACHINE_HANDLER))
        code("csrrw", rd=0, csr=MTVEC, rs1=T)
        values = [
            (PMPADDR0, layout.address(CLOSED) >> 2 | 0x1FF), (PMPADDR0 + 1, (1 << 54) - 1),
            (PMPCFG0, 0x1F << 8 | 0x18), (MEPC, layout.address(layout.CODE[0])),
            (MSTATUS, STATUS | self.mode.status),
        ]  # fmt: skip
        if self.narrow:
            values.append((MSTATUSH, self.mode.status >> 32))
        root = SV32 if self.narrow else SV39
        if self.mode.virtual:
            values += [(VSSTATUS, STATUS), (VSATP, root | layout.address(FIRST_ROOT) >> 12),
                       (HGATP, root | layout.address(SECOND_ROOT) >> 12)]  # fmt: skip
        elif self.mode.stages:
            values.append((SATP, root | layout.address(FIRST_ROOT) >> 12))
        for number, value in values:
            code.constant(T, value)
            code("csrrw", rd=0, csr=number, rs1=T)
        self.fence(code, "sfence.vma")
        for n in range(1, STOP):
            code.constant(n, integer(self.rng))
        mover = next((n for n in ("fmv.d.x", "fmv.w.x") if n in self.known.named), None)
        for n in range(32 if mover else 0):  # Spike takes what was never written as not boxed
            code(str(mover), rd=n, rs1=self.rng.randrange(STOP))
        code("addi", rd=STOP, rs1=0, imm=0)
        code("addi", rd=COMMAND, rs1=0, imm=0)
        code("mret")
        self.put(code)


def pte(page: int, flags: int) -> int:
    """An entry for a page of the program's memory."""
    return layout.address(page) >> 12 << 10 | flags
