"""What runs around a program's sections: the start, the trap handlers, the end.

A trap handler notes the trap and goes on after the instruction. It drops reservations, as Spike
does. Where an instruction couldn't be fetched, or the program asks for it, the machine's goes on
with the next section of a table; the supervisor's passes that on. Handlers use three registers
that programs don't touch: two temporaries and, between them, the one that holds a request.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from . import layout
from .assembly import Code, Isa, Label

MPRV = 1 << 17
MPP = 3 << 11
FETCH_CAUSES = 1 << 0 | 1 << 1 | 1 << 12 | 1 << 20
VECTORS = 16
SHADOW_DISTANCE = layout.SHADOW[0] * layout.PAGE
DUMP_F, DUMP_CSRS = 256, 512


@dataclass(frozen=True)
class Side:
    """What the machine's and the supervisor's handler name differently."""

    status: int
    enables: int
    epc: int
    cause: int
    tval: int
    desk: int
    comes_back: str


MACHINE = Side(0x300, 0x304, 0x341, 0x342, 0x343, layout.MACHINE_DESK, "mret")
SUPERVISOR = Side(0x100, 0x104, 0x141, 0x142, 0x143, layout.SUPERVISOR_DESK, "sret")


class Handler:
    """The code of one handler."""

    def __init__(self, isa: Isa, page: int, side: Side, registers: tuple[int, int, int]) -> None:
        self.code = Code(isa, layout.address(page))
        self.side = side
        self.t, self.q, self.d = registers
        self.read = partial(self.code, "csrrs", rs1=0)
        common = Label()
        for _ in range(VECTORS):
            self.code.jump(common)
        self.code.bind(common)

    def note(self) -> None:
        """Into the log: cause, epc, tval and status."""
        code, t, q, d, side = self.code, self.t, self.q, self.d, self.side
        code("ld", rd=q, rs1=d, imm=layout.LOG_AT)
        code("addi", rd=t, rs1=q, imm=layout.RECORD)
        code("andi", rd=t, rs1=t, imm=layout.LOG_MASK)
        code("sd", rs1=d, rs2=t, imm=layout.LOG_AT)
        code("add", rd=q, rs1=q, rs2=d)
        for i, csr in enumerate((side.cause, side.epc, side.tval, side.status)):
            self.read(rd=t, csr=csr)
            code("sd", rs1=q, rs2=t, imm=layout.LOG + 8 * i)

    def sort_out(self, interrupt: Label, request: Label) -> None:
        """Branch to where interrupts and requests are dealt with."""
        code, t, q, d = self.code, self.t, self.q, self.d
        branch = partial(code.branch, code.isa.named["bne"], request)
        code("ld", rd=q, rs1=d, imm=layout.REQUEST)
        self.read(rd=t, csr=self.side.cause)
        code.branch(code.isa.named["blt"], interrupt, rs1=t, rs2=0)
        branch(rs1=q, rs2=0)
        code.constant(q, FETCH_CAUSES)
        code("srl", rd=q, rs1=q, rs2=t)
        code("andi", rd=q, rs1=q, imm=1)
        branch(rs1=q, rs2=0)

    def skip(self) -> None:
        """Let epc pass the instruction, whose length the copy of the code tells."""
        code, t, q = self.code, self.t, self.q
        above = 64 - layout.LOW_BITS
        self.read(rd=t, csr=self.side.epc)
        code("slli", rd=t, rs1=t, shamt=above)
        code("srli", rd=t, rs1=t, shamt=above)
        code.place(q, layout.BASE + SHADOW_DISTANCE)
        code("add", rd=t, rs1=t, rs2=q)
        code("lbu", rd=t, rs1=t, imm=0)
        code("andi", rd=t, rs1=t, imm=3)
        code("sltiu", rd=t, rs1=t, imm=3)
        code("slli", rd=t, rs1=t, shamt=1)
        self.read(rd=q, csr=self.side.epc)
        code("addi", rd=q, rs1=q, imm=4)
        code("sub", rd=q, rs1=q, rs2=t)
        code("csrrw", rd=0, csr=self.side.epc, rs1=q)

    def mask(self) -> None:
        """Disable the interrupt whose cause t holds."""
        self.code("addi", rd=self.q, rs1=0, imm=1)
        self.code("sll", rd=self.q, rs1=self.q, rs2=self.t)
        self.code("csrrc", rd=0, csr=self.side.enables, rs1=self.q)

    def come_back(self) -> None:
        self.code("addi", rd=self.q, rs1=0, imm=0)
        self.code(self.side.comes_back)


def machine_handler(isa: Isa, registers: tuple[int, int, int]) -> Code:
    """The handler in M mode. MPRV must be off while it works, and comes back afterwards."""
    handler = Handler(isa, layout.MACHINE_HANDLER, MACHINE, registers)
    code, (t, q, d) = handler.code, registers
    interrupt, advance, leave = Label(), Label(), Label()
    code.constant(t, MPRV)
    code("csrrc", rd=t, csr=MACHINE.status, rs1=t)
    code.place(d, layout.address(MACHINE.desk))
    code("sd", rs1=d, rs2=t, imm=layout.SAVED)
    code("sd", rs1=d, rs2=q, imm=layout.REQUEST)
    code("sc.w", rd=t, rs1=d, rs2=0)
    handler.note()
    handler.sort_out(interrupt, advance)
    handler.skip()
    code.bind(leave)
    code("ld", rd=t, rs1=d, imm=layout.SAVED)
    code.constant(q, MPRV)
    code("and", rd=t, rs1=t, rs2=q)
    code("csrrs", rd=0, csr=MACHINE.status, rs1=t)
    handler.come_back()
    code.bind(interrupt)
    handler.mask()
    code.jump(leave)
    code.bind(advance)
    _advance(handler)
    return code


def _advance(handler: Handler) -> None:
    """Enter the section that the table names next."""
    code, t, q, d = handler.code, handler.t, handler.q, handler.d
    code("ld", rd=q, rs1=d, imm=layout.NEXT)
    code("addi", rd=t, rs1=q, imm=16)
    code("sd", rs1=d, rs2=t, imm=layout.NEXT)
    code("ld", rd=t, rs1=q, imm=0)
    code("csrrw", rd=0, csr=MACHINE.epc, rs1=t)
    code("ld", rd=t, rs1=q, imm=8)
    code.constant(q, MPP)
    code("csrrc", rd=0, csr=MACHINE.status, rs1=q)
    code("csrrs", rd=0, csr=MACHINE.status, rs1=t)
    handler.come_back()


def supervisor_handler(isa: Isa, registers: tuple[int, int, int], exit_cause: int) -> Code:
    """The handler in S mode."""
    handler = Handler(isa, layout.SUPERVISOR_HANDLER, SUPERVISOR, registers)
    code, (t, q, d) = handler.code, registers
    interrupt, forward, leave = Label(), Label(), Label()
    code.place(d, layout.address(SUPERVISOR.desk))
    code("sd", rs1=d, rs2=q, imm=layout.REQUEST)
    code("sc.w", rd=t, rs1=d, rs2=0)
    handler.note()
    handler.sort_out(interrupt, forward)
    handler.skip()
    code.bind(leave)
    handler.come_back()
    code.constant(q, 1)  # sret was illegal (TSR), and M mode went on here
    code.bind(forward)
    leave_section(code, exit_cause)
    code.bind(interrupt)
    handler.mask()
    code.jump(leave)
    return code


def leave_section(code: Code, exit_cause: int) -> None:
    """The instruction that traps to M mode, whatever is delegated in this program."""
    if exit_cause == 2:
        code.bits(0, 2)  # the defined illegal instruction
    else:
        code("ecall")


# --- the start and the end -----------------------------------------------------------------------


def start(isa: Isa, registers: tuple[int, int, int], csrs: dict[int, int], exit_cause: int) -> Code:
    """CSRs at these values, every register from the table, and the first section."""
    code, (t, q, d) = Code(isa, layout.address(layout.BOOT)), registers
    code.constant(q, 0)
    for number, value in csrs.items():
        code.constant(t, value)
        code("csrrw", rd=0, csr=number, rs1=t)
    code.place(d, layout.address(layout.DUMP, layout.REGISTERS))
    for i in range(32):
        code("fld", rd=i, rs1=d, imm=256 + 8 * i)
    for i in range(1, 32):
        if i != d:
            code("ld", rd=i, rs1=d, imm=8 * i)
    code.constant(q, 1)
    leave_section(code, exit_cause)
    return code


def end(isa: Isa, at: int, registers: tuple[int, int, int], csrs: Iterable[int]) -> Code:
    """Everything into memory, and the word to the host."""
    code, (t, q, d) = Code(isa, at), registers
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
