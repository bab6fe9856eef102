"""The code around a program's sections: the start, the trap handlers, the end.

A trap handler logs the trap and continues after the instruction. It drops reservations, as Spike
does. If an instruction couldn't be fetched, or if the program requests it, the handler in M mode
continues with the next section of a table; the other handlers pass the request on to it. Handlers
use registers that programs don't use: each has two of its own, and they share the register with the
request. An interrupt during a handler leaves the handler's registers unchanged.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from . import layout
from .assembly import Code, Isa, Label
from .worlds import MPP, MPV

MPRV = 1 << 17
FETCH_CAUSES = 1 << 0 | 1 << 1 | 1 << 12 | 1 << 20
ILLEGAL = 2
VECTORS = 16
DUMP_F, DUMP_CSRS = 256, 512
HIE, HSTATUS = 0x604, 0x600


@dataclass(frozen=True)
class Registers:
    """The registers of the handlers."""

    request: int
    machine: tuple[int, int]
    supervisor: tuple[int, int]
    guest: tuple[int, int]

    @property
    def all(self) -> frozenset[int]:
        return frozenset((self.request, *self.machine, *self.supervisor, *self.guest))


def draw(rng: random.Random) -> Registers:
    """Choose registers, with few of those that compressed instructions use."""
    a, b, c = rng.sample(range(3, 32), 3)
    d, e, f, g = rng.sample(sorted({*range(16, 32)} - {a, b, c}), 4)
    return Registers(b, (a, c), (d, e), (f, g))


@dataclass(frozen=True)
class Side:
    """The CSRs and fields in which the handlers of M, HS and VS mode differ."""

    page: int
    desk: int
    status: int
    enables: int
    epc: int
    cause: int
    tval: int
    further: tuple[int, ...]  # CSRs to note besides, with H
    comes_back: str


MACHINE = Side(
    layout.MACHINE_HANDLER, layout.MACHINE_DESK, 0x300, 0x304, 0x341, 0x342, 0x343,
    (0x34B, HSTATUS, 0x34A), "mret",
)  # fmt: skip
SUPERVISOR = Side(
    layout.SUPERVISOR_HANDLER, layout.SUPERVISOR_DESK, 0x100, 0x104, 0x141, 0x142, 0x143,
    (0x643, HSTATUS, 0x64A), "sret",
)  # fmt: skip
GUEST = Side(layout.GUEST_HANDLER, layout.GUEST_DESK, 0x100, 0x104, 0x141, 0x142, 0x143, (), "sret")


@dataclass(frozen=True)
class Style:
    """The choices of a program on which its handlers depend."""

    isa: Isa
    registers: Registers
    exit_cause: int  # of the instruction that traps to M mode, whatever is delegated
    hypervisor: bool
    transforms: bool  # htinst and mtinst aren't noted then
    redirects: bool  # M mode passes illegal instructions on, as firmware does


class Handler:
    """The code of one handler."""

    def __init__(self, style: Style, side: Side, registers: tuple[int, int]) -> None:
        self.style = style
        self.code = Code(style.isa, layout.address(side.page))
        self.side = side
        self.t, self.d = registers
        self.q = style.registers.request
        self.read = partial(self.code, "csrrs", rs1=0)
        common = Label()
        for _ in range(VECTORS):
            self.code.jump(common)
        self.code.bind(common)

    def begin(self) -> None:
        """Load the desk's address and the request, and drop the reservation."""
        code, t, q, d = self.code, self.t, self.q, self.d
        code.place(d, layout.address(self.side.desk))
        code("sd", rs1=d, rs2=q, imm=layout.REQUEST)
        code("sc.w", rd=t, rs1=d, rs2=0)

    def note(self) -> None:
        """Log cause, epc, tval and status, and with H the CSRs that only it has."""
        code, t, q, d, side = self.code, self.t, self.q, self.d, self.side
        code("ld", rd=q, rs1=d, imm=layout.LOG_AT)
        code("addi", rd=t, rs1=q, imm=layout.RECORD)
        code("andi", rd=t, rs1=t, imm=layout.LOG_MASK)
        code("sd", rs1=d, rs2=t, imm=layout.LOG_AT)
        code("add", rd=q, rs1=q, rs2=d)
        further = side.further if self.style.hypervisor else ()
        further = further[:-1] if self.style.transforms else further
        for i, csr in enumerate((side.cause, side.epc, side.tval, side.status, *further)):
            self.read(rd=t, csr=csr)
            code("sd", rs1=q, rs2=t, imm=layout.LOG + 8 * i)

    def sort_out(self, interrupt: Label, request: Label) -> None:
        """Branch to the code for interrupts and for requests, and log the trap if it isn't a
        request. t holds the cause."""
        code, t, q = self.code, self.t, self.q
        named, noted = code.isa.named, Label()
        self.read(rd=t, csr=self.side.cause)
        code.branch(named["blt"], noted, rs1=t, rs2=0)
        code.branch(named["bne"], request, rs1=q, rs2=0)
        code.bind(noted)
        self.note()
        self.read(rd=t, csr=self.side.cause)
        code.branch(named["blt"], interrupt, rs1=t, rs2=0)
        code.constant(q, FETCH_CAUSES)
        code("srl", rd=q, rs1=q, rs2=t)
        code("andi", rd=q, rs1=q, imm=1)
        code.branch(named["bne"], request, rs1=q, rs2=0)

    def skip(self) -> None:
        """Advance epc past the instruction. The copy of the code has its length."""
        code, t, q = self.code, self.t, self.q
        above = 64 - layout.LOW_BITS
        self.read(rd=t, csr=self.side.epc)
        code("slli", rd=t, rs1=t, shamt=above)
        code("srli", rd=t, rs1=t, shamt=above)
        code.place(q, layout.BASE + layout.SHADOW_DISTANCE)
        code("add", rd=t, rs1=t, rs2=q)
        code("lbu", rd=t, rs1=t, imm=0)
        code("andi", rd=t, rs1=t, imm=3)
        code("sltiu", rd=t, rs1=t, imm=3)
        code("slli", rd=t, rs1=t, shamt=1)
        self.read(rd=q, csr=self.side.epc)
        code("addi", rd=q, rs1=q, imm=4)
        code("sub", rd=q, rs1=q, rs2=t)
        code("csrrw", rd=0, csr=self.side.epc, rs1=q)
        code("addi", rd=q, rs1=0, imm=0)

    def mask(self) -> None:
        """Disable the interrupt whose cause t holds. HS mode disables interrupts of guests, which
        have even numbers, in hie. The request is kept, because the interrupt may come while a
        handler is making one."""
        code, t, q = self.code, self.t, self.q
        code("addi", rd=q, rs1=0, imm=1)
        code("sll", rd=q, rs1=q, rs2=t)
        code("csrrc", rd=0, csr=self.side.enables, rs1=q)
        if self.style.hypervisor and self.side is not MACHINE:
            odd = Label()
            code("andi", rd=t, rs1=t, imm=1)
            code.branch(code.isa.named["bne"], odd, rs1=t, rs2=0)
            code("csrrc", rd=0, csr=HIE, rs1=q)
            code.bind(odd)
        code("ld", rd=q, rs1=self.d, imm=layout.REQUEST)


def machine_handler(style: Style) -> Code:
    """The handler in M mode. It clears MPRV and restores it at its end."""
    handler = Handler(style, MACHINE, style.registers.machine)
    code, t, d = handler.code, handler.t, handler.d
    interrupt, advance, leave = Label(), Label(), Label()
    code.constant(t, MPRV)
    code("csrrc", rd=t, csr=MACHINE.status, rs1=t)
    code.place(d, layout.address(MACHINE.desk))
    code("sd", rs1=d, rs2=t, imm=layout.SAVED)
    handler.begin()
    handler.sort_out(interrupt, advance)
    if style.redirects:
        _redirect(handler)
    handler.skip()
    code.bind(leave)
    code("ld", rd=t, rs1=d, imm=layout.SAVED)
    code("srli", rd=t, rs1=t, shamt=17)
    code("andi", rd=t, rs1=t, imm=1)
    code("slli", rd=t, rs1=t, shamt=17)
    code("csrrs", rd=0, csr=MACHINE.status, rs1=t)
    code("mret")
    code.bind(interrupt)
    handler.mask()
    code.jump(leave)
    code.bind(advance)
    _advance(handler)
    return code


def _advance(handler: Handler) -> None:
    """Enter the next section of the table."""
    code, t, q, d = handler.code, handler.t, handler.q, handler.d
    code("ld", rd=q, rs1=d, imm=layout.NEXT)
    code("addi", rd=t, rs1=q, imm=16)
    code("sd", rs1=d, rs2=t, imm=layout.NEXT)
    code("ld", rd=t, rs1=q, imm=0)
    code("csrrw", rd=0, csr=MACHINE.epc, rs1=t)
    code("ld", rd=t, rs1=q, imm=8)
    code.constant(q, MPP | MPV)
    code("csrrc", rd=0, csr=MACHINE.status, rs1=q)
    code("csrrs", rd=0, csr=MACHINE.status, rs1=t)
    code("addi", rd=q, rs1=0, imm=0)
    code("mret")


def _redirect(handler: Handler) -> None:
    """Pass an illegal instruction of a lower mode on to HS mode, as firmware does for the modes
    that it serves: mstatus with MPP = S and MPV = 0, mepc = stvec, mret. t holds the cause."""
    code, t, q = handler.code, handler.t, handler.q
    named, here = code.isa.named, Label()
    code("addi", rd=q, rs1=0, imm=ILLEGAL)
    code.branch(named["bne"], here, rs1=t, rs2=q)
    handler.read(rd=t, csr=MACHINE.status)
    code("srli", rd=q, rs1=t, shamt=12)  # of MPP: 1 for M mode
    code("andi", rd=q, rs1=q, imm=1)
    code.branch(named["bne"], here, rs1=q, rs2=0)
    for source, target in ((0x341, 0x141), (0x342, 0x142), (0x343, 0x143)):
        handler.read(rd=q, csr=source)
        code("csrrw", rd=0, csr=target, rs1=q)
    code("csrrw", rd=0, csr=0x643, rs1=0)
    code("csrrw", rd=0, csr=0x64A, rs1=0)
    for bit, target in ((11, 8), (1, 5), (None, 1)):  # SPP = MPP, SPIE = SIE, SIE = 0
        _copy_bit(handler, bit, target, SUPERVISOR.status)
    for bit, target in ((39, 7), (11, 8), (None, 6)):  # SPV = MPV, SPVP = MPP, GVA = 0
        _copy_bit(handler, bit, target, HSTATUS)
    code.constant(q, MPP | MPV)
    code("csrrc", rd=0, csr=MACHINE.status, rs1=q)
    code.constant(q, 1 << 11)
    code("csrrs", rd=0, csr=MACHINE.status, rs1=q)
    handler.read(rd=q, csr=0x105)
    code("andi", rd=q, rs1=q, imm=-4)
    code("csrrw", rd=0, csr=MACHINE.epc, rs1=q)
    code("addi", rd=q, rs1=0, imm=0)
    code("mret")
    code.bind(here)


def _copy_bit(handler: Handler, source: int | None, target: int, csr: int) -> None:
    """Copy a bit of mstatus, which t holds, to a bit of a CSR; without `source`, clear that bit."""
    code, t, q = handler.code, handler.t, handler.q
    code("addi", rd=q, rs1=0, imm=1 << target)
    code("csrrc", rd=0, csr=csr, rs1=q)
    if source is None:
        return
    code("srli", rd=q, rs1=t, shamt=source)
    code("andi", rd=q, rs1=q, imm=1)
    code("slli", rd=q, rs1=q, shamt=target)
    code("csrrs", rd=0, csr=csr, rs1=q)


def supervisor_handler(style: Style, side: Side, registers: tuple[int, int]) -> Code:
    """The handler in HS mode, or in VS mode."""
    handler = Handler(style, side, registers)
    code = handler.code
    interrupt, barred, forward = Label(), Label(), Label()
    handler.begin()
    handler.sort_out(interrupt, forward)
    handler.skip()
    code("sret")
    code.bind(barred)  # sret trapped (TSR, VTSR), so its handler continues here
    code.constant(handler.q, 1)
    code.bind(forward)
    leave_section(code, style.exit_cause)
    code.bind(interrupt)
    handler.mask()
    code("sret")
    code.jump(barred)
    return code


def leave_section(code: Code, exit_cause: int) -> None:
    """An instruction that traps to M mode with every delegation that this program uses."""
    if exit_cause == ILLEGAL:
        code.bits(0, 2)  # the defined illegal instruction
    else:
        code("ecall")


# --- the start and the end -----------------------------------------------------------------------


def start(style: Style, csrs: Iterable[int]) -> Code:
    """Load CSRs from the page VALUES and registers from the page DUMP, and enter the first
    section."""
    code, q, (t, d) = (
        Code(style.isa, layout.address(layout.BOOT)),
        style.registers.request,
        (style.registers.machine),
    )
    code.constant(q, 0)
    code.place(d, layout.address(layout.VALUES))
    for number in csrs:
        code("ld", rd=t, rs1=d, imm=0)
        code("addi", rd=d, rs1=d, imm=8)
        code("csrrw", rd=0, csr=number, rs1=t)
    code.place(d, layout.address(layout.DUMP))
    code.constant(t, layout.REGISTERS)
    code("add", rd=d, rs1=d, rs2=t)
    for i in range(32):
        code("fld", rd=i, rs1=d, imm=256 + 8 * i)
    for i in range(1, 32):
        if i != d:
            code("ld", rd=i, rs1=d, imm=8 * i)
    code.constant(q, 1)
    leave_section(code, style.exit_cause)
    return code


def end(style: Style, csrs: Iterable[int]) -> Code:
    """Store all registers to memory, and write to tohost."""
    code, q = Code(style.isa, layout.address(layout.ENDING)), style.registers.request
    t, d = style.registers.supervisor  # not M mode's, which the traps of missing CSRs change
    code("csrrci", rd=0, csr=MACHINE.status, zimm=8)
    code.place(d, layout.address(layout.DUMP))
    for i in range(1, 32):
        code("sd", rs1=d, rs2=i, imm=8 * i)
    code.constant(t, 3 << 13)
    code("csrrs", rd=0, csr=MACHINE.status, rs1=t)
    for i in range(32):
        code("fsd", rs1=d, rs2=i, imm=DUMP_F + 8 * i)
    for i, number in enumerate(csrs):
        code("csrrs", rd=t, csr=number, rs1=0)
        code("sd", rs1=d, rs2=t, imm=DUMP_CSRS + 8 * i)
    code("csrrwi", rd=0, csr=MACHINE.enables, zimm=0)
    code.place(t, layout.address(layout.TOHOST))
    code.constant(q, 1)
    code("sd", rs1=t, rs2=q, imm=0)
    forever = code.here()
    code("wfi")
    code.jump(forever)
    return code
