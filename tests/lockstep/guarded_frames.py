"""What surrounds the sections of a program of guarded_programs.py: the start, the handlers of three
modes, the end and the page tables.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

from . import layout
from .assembly import Code, Isa, Label, go_past
from .operands import integer
from .worlds import OTHERWISE, SPIKE_ONLY, WORLDS

REQUEST, V, T, U = 28, 29, 30, 31
HANDLER_REGISTERS = frozenset((REQUEST, V, T, U))
PAGES = layout.DATA[:8]
SSP, MSTATUS, MSTATUSH = 0x011, 0x300, 0x310
LPE, SSE, DTE, MLPE = 1 << 2, 1 << 3, 1 << 59, 1 << 10
SPELP, MPELP, SDT, MDT = 1 << 23, 1 << 41, 1 << 24, 1 << 42
MTVEC, STVEC, VSTVEC, SATP, VSATP, HGATP = 0x305, 0x105, 0x205, 0x180, 0x280, 0x680
MEDELEG, HEDELEG, MIDELEG, HIDELEG, MIE, HIE = 0x302, 0x602, 0x303, 0x603, 0x304, 0x604
PMPADDR0, PMPCFG0, MIP, HVIP = 0x3B0, 0x3A0, 0x344, 0x645
MENVCFG, HENVCFG, SENVCFG, MSECCFG, HSTATUS = 0x30A, 0x60A, 0x10A, 0x747, 0x600
MACHINE_CSRS = {"epc": 0x341, "cause": 0x342, "tval": 0x343, "status": 0x300}
SUPERVISOR_CSRS = {"epc": 0x141, "cause": 0x142, "tval": 0x143, "status": 0x100}
SIP, SSI, VSSI, SIE = 0x144, 1 << 1, 1 << 2, 1 << 1
SOFTWARE_CHECK, DOUBLE_TRAP = 18, 16
FETCH_CAUSES = 1 << 0 | 1 << 1 | 1 << 12 | 1 << 20
DELEGABLE = (2, 4, 5, 6, 7, 13, 15, 18, 21, 22, 23)
SUM, MXR, HU, SPVP, ADUE = 1 << 18, 1 << 19, 1 << 9, 1 << 8, 1 << 61
PV, PR, PW, PX, PU, PA, PD = (1 << n for n in (0, 1, 2, 3, 4, 6, 7))
SV39 = 8 << 60
FIRST, GUEST, SECOND = 48, 51, 56  # the roots of satp, vsatp and hgatp
MPP_M = 3 << 11
MPRV, MIE_BIT, MNSTATUS, MNCAUSE, NMIE = 1 << 17, 1 << 3, 0x744, 0x742, 1 << 3


def pte(page: int, flags: int) -> int:
    """An entry for a page of the program's memory."""
    return layout.address(page) >> 12 << 10 | flags


def leaf(rng: random.Random, page: int, second: bool = False) -> int:
    """An entry for a page of data. Only pages that nobody jumps to can be executed."""
    if second:
        kinds = [PR | PW] * 6 + [PR, PW, PR | PX, PX, 0]
        flags = PU
    else:
        kinds = [PW] * 5 + [PR | PW, PR | PW, PR, PR, 0]
        flags = PU if rng.getrandbits(1) else 0
        if page not in PAGES[:4]:
            kinds += [PX, PR | PX, PR | PW | PX, PW | PX]
    kind = rng.choice(kinds)
    flags |= kind | PV | PA | PD
    if rng.randrange(6) == 0:  # Spike's sspopchk needs D, as a store does
        flags ^= rng.choice((PA, PV, PU) if second or kind == PW else (PA, PD, PA | PD, PV, PU))
    return pte(page, flags)


def first_slot(rng: random.Random, page: int) -> tuple[int, bool]:
    """The address of an entry for a page, and whether it is one of the second stage."""
    table = rng.choice((FIRST + 2, FIRST + 2, GUEST + 2, GUEST + 2, SECOND + 5))
    return layout.address(table, 8 * page), table == SECOND + 5


class Frame:
    """The surroundings of one program, written to its image."""

    def __init__(self, rng: random.Random, known: Isa, isa: str, image: bytearray) -> None:
        self.rng, self.known, self.isa, self.image = rng, known, isa, image

    def put(self, code: Code) -> None:
        at = code.start - layout.BASE
        self.image[at : at + len(code.data)] = code.data

    def words(self, page: int, offset: int, values: Sequence[int]) -> None:
        struct.pack_into(f"<{len(values)}Q", self.image, page * layout.PAGE + offset, *values)

    def make(self, sections: Sequence[tuple[int, int]]) -> None:
        """Write everything around the sections, given by address and the bits of mstatus."""
        end = self.end()
        self.start()
        self.machine_handler()
        self.delegated_handler(layout.SUPERVISOR_HANDLER, layout.SUPERVISOR_DESK)
        self.delegated_handler(layout.GUEST_HANDLER, layout.GUEST_DESK)
        first = layout.address(layout.MACHINE_DESK, layout.SECTIONS)
        self.words(layout.MACHINE_DESK, layout.NEXT, [first])
        flat = [word for row in (*sections, (end, MPP_M)) for word in row]
        self.words(layout.MACHINE_DESK, layout.SECTIONS, flat)
        for page in layout.DATA:
            at = page * layout.PAGE
            self.image[at : at + layout.PAGE] = self.rng.randbytes(layout.PAGE)
        self.tables()
        code = self.image[: len(layout.SHADOW) * layout.PAGE]
        at = layout.SHADOW[0] * layout.PAGE
        self.image[at : at + len(code)] = code

    # --- page tables ---

    def tables(self) -> None:
        self.table(FIRST, 1, self.entry(layout.SUPERVISOR_HANDLER, layout.SUPERVISOR_DESK,
                                        ("HS", "U")))  # fmt: skip
        self.table(GUEST, 1, self.entry(layout.GUEST_HANDLER, layout.GUEST_DESK, ("VS", "VU")))
        self.table(SECOND, 4, self.second)

    def second(self, page: int) -> int:
        if page in PAGES:
            return leaf(self.rng, page, second=True)
        return pte(page, PV | PR | PW | PX | PU | PA | PD)

    def entry(self, handler: int, desk: int, worlds: Sequence[str]) -> Callable[[int], int]:
        def entry(page: int) -> int:
            if page == handler:
                return pte(page, PV | PR | PX | PA)
            if page == desk:
                return pte(page, PV | PR | PW | PA | PD)
            if page in layout.SHADOW:
                return pte(page, PV | PR | PA)
            for name in worlds:
                if page in WORLDS[name].code:
                    return pte(page, PV | PR | PX | PA | (PU if WORLDS[name].user else 0))
            return leaf(self.rng, page) if page in PAGES else 0

        return entry

    def table(self, root: int, pages: int, entry: Callable[[int], int]) -> None:
        middle, last = root + pages, root + pages + 1
        self.words(root, 8 * (layout.BASE >> 30), [pte(middle, PV)])
        self.words(middle, 0, [pte(last, PV)])
        self.words(last, 0, [entry(page) for page in range(layout.END)])

    # --- handlers ---

    def record(self, code: Code, desk: int, numbers: dict[str, int]) -> None:
        """Log a trap in the desk; its cause is in U then."""
        code.place(T, layout.address(desk))
        code("ld", rd=V, rs1=T, imm=layout.LOG_AT)
        code("addi", rd=U, rs1=V, imm=layout.RECORD)
        code("andi", rd=U, rs1=U, imm=layout.LOG_MASK)
        code("sd", rs1=T, rs2=U, imm=layout.LOG_AT)
        code("add", rd=V, rs1=V, rs2=T)
        for n, name in enumerate(("epc", "tval", "status", "cause")):
            code("csrrs", rd=U, csr=numbers[name], rs1=0)
            code("sd", rs1=V, rs2=U, imm=layout.LOG + 8 * n)

    def skip(self, code: Code, numbers: dict[str, int], pelp: int, sdt: int) -> None:
        """Go on after the instruction; after a software check no pad is expected."""
        on, named = Label(), self.known.named
        code("addi", rd=V, rs1=0, imm=SOFTWARE_CHECK)
        code.branch(named["bne"], on, rs1=U, rs2=V)
        code.constant(V, pelp)
        code("csrrc", rd=0, csr=numbers["status"], rs1=V)
        code.bind(on)
        if sdt:
            code.constant(V, sdt)
            code("csrrc", rd=0, csr=numbers["status"], rs1=V)
        go_past(code, numbers["epc"], U, V)

    def machine_handler(self) -> None:
        code, named = Code(self.known, layout.address(layout.MACHINE_HANDLER)), self.known.named
        following, skip, interrupt = Label(), Label(), Label()
        self.record(code, layout.MACHINE_DESK, MACHINE_CSRS)
        code("csrrs", rd=V, csr=0x34B, rs1=0)  # mtval2, so that it is compared
        code.branch(named["blt"], interrupt, rs1=U, rs2=0)
        code.constant(V, FETCH_CAUSES)
        code("srl", rd=V, rs1=V, rs2=U)
        code("andi", rd=V, rs1=V, imm=1)
        code.branch(named["bne"], following, rs1=V, rs2=0)
        code.branch(named["beq"], skip, rs1=REQUEST, rs2=0)
        code.bind(following)
        code.place(T, layout.address(layout.MACHINE_DESK))
        code("ld", rd=U, rs1=T, imm=layout.NEXT)
        code("addi", rd=V, rs1=U, imm=16)
        code("sd", rs1=T, rs2=V, imm=layout.NEXT)
        code("ld", rd=V, rs1=U, imm=0)
        code("csrrw", rd=0, csr=0x341, rs1=V)
        code("ld", rd=V, rs1=U, imm=8)
        code.constant(U, MPP_M | 1 << 39 | MPELP | SDT)
        code("csrrc", rd=0, csr=MSTATUS, rs1=U)
        code("csrrs", rd=0, csr=MSTATUS, rs1=V)
        code("addi", rd=REQUEST, rs1=0, imm=0)
        code("mret")
        code.bind(interrupt)
        code.constant(V, SSI)
        code("csrrc", rd=0, csr=MIP, rs1=V)
        code.constant(V, VSSI)
        code("csrrc", rd=0, csr=HVIP, rs1=V)
        code("mret")
        code.bind(skip)
        self.skip(code, MACHINE_CSRS, MPELP, SDT)
        code("mret")
        self.put(code)

    def delegated_handler(self, page: int, desk: int) -> None:
        code, named = Code(self.known, layout.address(page)), self.known.named
        exception = Label()
        self.record(code, desk, SUPERVISOR_CSRS)
        code.branch(named["bge"], exception, rs1=U, rs2=0)
        code.constant(V, SSI)
        code("csrrc", rd=0, csr=SIP, rs1=V)
        code("sret")
        code.bind(exception)
        self.skip(code, SUPERVISOR_CSRS, SPELP, 0)
        code("sret")
        self.put(code)

    # --- the start and the end ---

    def start(self) -> None:
        rng, code = self.rng, Code(self.known, layout.BASE)
        causes = sum(1 << n for n in DELEGABLE if rng.getrandbits(1))
        if "zicfi" not in self.isa:
            causes &= ~(1 << SOFTWARE_CHECK)
        further = sum(1 << n for n in (2, 4, 5, 6, 7, 13, 15) if rng.getrandbits(1))
        enables = [rng.choice((0, LPE | SSE, LPE, SSE, SSE, LPE | SSE)) for _ in range(3)]
        wide = rng.choice((0, ADUE)) if "svadu" in self.isa else 0
        values = [
            (MTVEC, layout.address(layout.MACHINE_HANDLER)),
            (STVEC, layout.address(layout.SUPERVISOR_HANDLER)),
            (VSTVEC, layout.address(layout.GUEST_HANDLER)),
            (PMPADDR0, (1 << 54) - 1), (PMPCFG0, 0x1F), (MEDELEG, causes), (HEDELEG, further),
            (MIDELEG, rng.choice((0, SSI))), (HIDELEG, rng.choice((0, VSSI))),
            (MIE, SSI | VSSI), (MIP, 0), (HVIP, 0),
            (MENVCFG, enables[0] | wide | rng.choice((0, DTE))),
            (HENVCFG, enables[1] | wide | rng.choice((0, DTE))), (SENVCFG, enables[2]),
            (MSTATUS, rng.choice((0, SUM, SUM | MXR))), (0x200, rng.choice((0, SUM))),
            (HSTATUS, rng.choice((0, HU, SPVP, HU | SPVP))),
            (SATP, SV39 | layout.address(FIRST) >> 12),
            (VSATP, SV39 | layout.address(GUEST) >> 12),
            (HGATP, SV39 | layout.address(SECOND) >> 12), (0x34B, 0), (0x643, 0),
        ]  # fmt: skip
        if "zicfilp" in self.isa:
            values.append((MSECCFG, rng.choice((0, MLPE))))
        if "zicfiss" in self.isa:
            values.append((SSP, layout.address(rng.choice(PAGES[:4]), 8 * rng.randrange(512))))
        if "smrnmi" in self.isa:
            self.before_rnmis(code)
        for number, value in values:
            code.constant(T, value)
            code("csrrw", rd=0, csr=number, rs1=T)
        for name in ("sfence.vma", "hfence.vvma", "hfence.gvma"):
            code(name, rs1=0, rs2=0)
        for n in range(1, REQUEST):
            code.constant(n, integer(rng))
        code.constant(REQUEST, 1)
        code.bits(0, 2)
        self.put(code)

    def before_rnmis(self, code: Code) -> None:
        """Before mnstatus.NMIE is set, no interrupt is taken, and MPRV has no effect: without a PMP
        entry U mode may access nothing."""
        enabled = MPRV | MIE_BIT
        for number, value in ((MIE, SSI), (MIP, SSI), (MSTATUS, enabled)):
            code.constant(T, value)
            code("csrrw", rd=0, csr=number, rs1=T)
        code.place(T, layout.address(PAGES[0]))
        code("ld", rd=V, rs1=T, imm=0)
        code("wfi")
        code.constant(T, enabled)
        code("csrrc", rd=0, csr=MSTATUS, rs1=T)
        code.constant(T, NMIE)
        code("csrrs", rd=V, csr=MNSTATUS, rs1=T)
        code("csrrw", rd=V, csr=MNSTATUS, rs1=0)
        code.constant(T, 1 << 63)  # Spike's mncause is this for ever
        code("csrrw", rd=0, csr=MNCAUSE, rs1=T)

    def end(self) -> int:
        """Store all registers and CSRs to memory, and write to tohost."""
        code = Code(self.known, layout.address(layout.ENDING))
        code.constant(T, MPRV)  # which a trap before mnret has left
        code("csrrc", rd=0, csr=MSTATUS, rs1=T)
        code.place(T, layout.address(layout.DUMP))
        for n in range(1, 32):
            code("sd", rs1=T, rs2=n, imm=8 * n)
        numbers = {csr.number for csr in self.known.csrs} - SPIKE_ONLY - OTHERWISE
        for n, number in enumerate(sorted(n for n in numbers if not 0xB00 <= n < 0xD00)):
            if n % 128 == 0:
                code.place(T, layout.address(layout.TABLES[40] + n // 128))
            code("csrrs", rd=U, csr=number, rs1=0)
            code("sd", rs1=T, rs2=U, imm=8 * (n % 128))
        code.place(T, layout.address(layout.TOHOST))
        code.constant(U, 1)
        code("sd", rs1=T, rs2=U, imm=0)
        forever = code.here()
        code("wfi")
        code.jump(forever)
        self.put(code)
        return code.start
