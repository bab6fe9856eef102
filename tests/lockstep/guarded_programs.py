"""Random programs for landing pads and shadow stacks: python -m tests.lockstep.guarded runs them.

Sections run in M, HS, U, VS and VU mode, those below M mode with Sv39. The handler in M mode logs a
trap and goes on after the instruction, or with the next section. Handlers in HS and VS mode do so
with what is delegated to them. Four registers are the handlers'.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

from . import layout
from .assembly import Code, Isa, Label, encode
from .guarded_frames import (
    DTE,
    HANDLER_REGISTERS,
    LPE,
    MDT,
    MLPE,
    MPELP,
    MSTATUS,
    PAGES,
    REQUEST,
    SDT,
    SPELP,
    SSE,
    SSP,
    Frame,
    first_slot,
    leaf,
)
from .operands import integer
from .program import Program, extensions
from .worlds import WORLDS, World

BASE = "rv64imafdch_zicsr_zifencei_zicbom_zicboz"
CFI = "_zimop_zcmop_zicfilp_zicfiss"
ISAS = {
    f"{BASE}{CFI}": 3, f"{BASE}{CFI}_svadu": 3,
    f"{BASE}{CFI}_ssdbltrp_smdbltrp": 6, f"{BASE}{CFI}_ssdbltrp_smdbltrp_smrnmi": 5,
    f"{BASE}_zimop_zcmop_smrnmi": 2, f"{BASE}_zimop_zcmop_ssdbltrp": 2,
    f"{BASE}_zimop_zcmop": 1, f"{BASE}_zimop_zcmop_zicfilp": 1, f"{BASE}_zimop_zcmop_zicfiss": 1,
}  # fmt: skip
SECTION, ROOM = (12, 60), 2048
LABELS = (0, 0, 1, 0x12345, 0xFFFFF, 0x80000)
SUM, MXR, MPRV, MPP, MPV = 1 << 18, 1 << 19, 1 << 17, 3 << 11, 1 << 39
SIE, SSI = 1 << 1, 1 << 1
SSTATUS, VSSTATUS, HSTATUS = 0x100, 0x200, 0x600
MENVCFG, HENVCFG, SENVCFG, MSECCFG = 0x30A, 0x60A, 0x10A, 0x747
MEPC, SEPC, MIP, SIP, HVIP, ADUE = 0x341, 0x141, 0x344, 0x144, 0x645, 1 << 61
MNSCRATCH, MNEPC, MNSTATUS, MNRET = 0x740, 0x741, 0x744, 0x7020_0073
MNPP, MNPELP, MNPV, NMIE = 3 << 11, 1 << 9, 1 << 7, 1 << 3
HU, SPVP, SPV, SPP = 1 << 9, 1 << 8, 1 << 7, 1 << 8
AMO = ("amoadd.w", "amoadd.d", "amoswap.d", "lr.d", "lr.w", "sc.w")
GUEST_ACCESSES = ("hlv.d", "hlv.wu", "hlvx.wu", "hlvx.hu", "hsv.d", "hsv.b")


@cache
def rows(isa: str) -> Isa:
    """The rows of an ISA string."""
    return Isa(extensions(isa))


class Maker:
    """Makes one program."""

    def __init__(self, seed: str, number: int, instructions: int) -> None:
        self.name = f"{seed}/{number}"
        self.rng = random.Random(self.name)
        [self.isa] = self.rng.choices(list(ISAS), list(ISAS.values()))
        self.known = rows(self.isa)
        self.all = rows(next(iter(ISAS)))  # programs use all instructions: missing ones trap
        self.count = instructions
        self.image = bytearray(layout.END * layout.PAGE)
        self.frame = Frame(self.rng, self.known, self.isa, self.image)
        self.used = {name: layout.address(world.code[0]) for name, world in WORLDS.items()}
        self.sections: list[tuple[int, World]] = []
        self.code = Code(self.all, 0)
        self.world = WORLDS["M"]

    # --- choices ---

    def register(self, *taken: int) -> int:
        """A register that is neither x0 nor a handler's nor one of these."""
        while True:
            number = self.rng.randrange(1, 32)
            if number not in HANDLER_REGISTERS and number not in taken:
                return number

    def csr(self, form: str, number: int, value: int) -> None:
        source = self.register()
        self.code.constant(source, value)
        self.code(form, rd=self.register(source), csr=number, rs1=source)

    def data(self) -> int:
        """A page of data: often one that is a shadow stack first."""
        return self.rng.choice(PAGES[:4] if self.rng.getrandbits(1) else PAGES)

    # --- the whole ---

    def make(self) -> Program:
        made = 0
        while made < self.count:
            made += self.section()
        table = [(address, world.status) for address, world in self.sections]
        self.frame.make(table)
        names = tuple((address, world.name) for address, world in self.sections)
        return Program(self.name, bytes(self.image), self.isa, names, self.count)

    def section(self) -> int:
        """Make a section. Returns its instructions."""
        self.world = world = self.rng.choice(list(WORLDS.values()))
        if self.used[world.name] + ROOM > layout.address(world.code[-1] + 1):
            return self.count
        self.code = code = Code(self.all, self.used[world.name])
        self.sections.append((code.start, world))
        length = self.rng.randrange(*SECTION)
        plan = self.plan()
        while code.count < length:
            [chosen] = self.rng.choices(list(plan), list(plan.values()))
            chosen()
        for _ in range(3):  # a pad may be expected at the first ones
            code.constant(REQUEST, 1)
            code("ecall")
        self.frame.put(code)
        self.used[world.name] = code.pc + -code.pc % 4
        return code.count

    def plan(self) -> dict[Callable[[], None], int]:
        """The snippets of the world and their weights."""
        plan: dict[Callable[[], None], int] = {
            self.constant: 4, self.jump: 12, self.pad: 2, self.wild: 1, self.stack: 12,
            self.pointer: 6, self.swap: 5, self.access: 8, self.block: 1, self.link: 3,
        }  # fmt: skip
        if self.world.name != "U" and self.world.name != "VU":
            plan |= {self.enables: 3, self.status: 6, self.leave: 4}
        if self.world.name == "M" or self.rng.randrange(4) == 0:
            plan[self.leave_rnmi] = 4
        if self.world.name in ("M", "HS", "U"):
            plan[self.guest_access] = 3
        if self.world.name == "M":
            plan |= {self.remap: 5, self.protect: 2, self.enables: 6}
        return plan

    # --- landing pads ---

    def constant(self) -> None:
        self.code.constant(self.register(), integer(self.rng))

    def lpad(self, label: int) -> int:
        return 0x17 | label << 12

    def pad(self) -> None:
        """lpad where none is expected."""
        self.code.bits(self.lpad(self.rng.choice(LABELS)), 4)

    def jump(self) -> None:
        """An indirect jump to a landing pad, a wrong one, or something else."""
        rng, code = self.rng, self.code
        source = rng.choice((1, 5, 7, self.register(), self.register(), self.register()))
        label = rng.choice(LABELS)
        if source != 7:
            code.constant(7, rng.choice((label, label, rng.choice(LABELS))) << 12 | 0x5A5)
        after = code.pc + 8
        kind = rng.choice(("jalr", "jalr", "c.jr", "c.jalr"))
        length = 4 if kind == "jalr" else 2
        target = after + length + 2 * rng.randrange(4)
        if rng.randrange(4):
            target += -target % 4
        offset = rng.choice((0, 4, -8)) if kind == "jalr" else 0
        code.place(source, target - offset)
        if kind == "jalr":
            code("jalr", rd=rng.choice((0, 1, self.register())), rs1=source, imm=offset)
        else:
            code.row(rows(BASE).named[kind], rs1=source)
        code.data += b"\x01\x00" * ((target - code.pc) // 2)
        if rng.randrange(3):
            code.bits(self.lpad(rng.choice((label, label, 0, rng.choice(LABELS)))), 4)
        elif rng.getrandbits(1):
            code.bits(0x0001, 2)
        else:
            code("addi", rd=self.register(), rs1=0, imm=1)

    def wild(self) -> None:
        """A jump to data, which no entry lets anyone execute; in M mode, to no memory."""
        target = self.register(1, 5, 7)
        data = layout.address(self.rng.choice(PAGES[:4]))
        self.code.constant(target, layout.NOWHERE if self.world.name == "M" else data)
        self.code("jalr", rd=self.rng.choice((0, 1)), rs1=target, imm=0)

    def leave(self) -> None:
        """mret or sret to the next instruction, or to a pad, with any xPELP; sometimes with an
        interrupt that is taken before the pad."""
        rng, code, machine = self.rng, self.code, self.world.name == "M"
        status = MSTATUS if machine else SSTATUS
        pelp = MPELP if machine else SPELP
        if rng.randrange(3) == 0:
            self.csr("csrrs", MIP if machine else SIP, SSI)
            self.csr("csrrs", status, SIE)
        if machine:
            modes = [MPP, MPP, *((world.status) for world in WORLDS.values())]
            self.csr("csrrc", status, MPP | MPV | pelp)
            self.csr("csrrs", status, rng.choice(modes) | rng.choice((0, pelp)))
        else:
            self.csr("csrrc", status, SPP | pelp)
            self.csr("csrrs", status, rng.choice((0, SPP, SPP)) | rng.choice((0, pelp)))
            if self.world.name == "HS":
                self.csr(rng.choice(("csrrs", "csrrc", "csrrc")), HSTATUS, SPV)
        place = self.register()
        end = code.pc + 16
        target = end + -end % 4
        code.place(place, target)
        code("csrrw", rd=0, csr=MEPC if machine else SEPC, rs1=place)
        code("mret" if machine else "sret")
        code.data += b"\x01\x00" * ((target - code.pc) // 2)
        if rng.getrandbits(1):
            code.bits(self.lpad(rng.choice((0, 0, 1))), 4)

    def leave_rnmi(self) -> None:
        """mnret to the next instruction or to a pad, as `leave`. It traps below M mode."""
        rng, code = self.rng, self.code
        if "smrnmi" in self.isa:
            modes = [MNPP, MNPP, *(world.status & MNPP for world in WORLDS.values())]
            fields = rng.choice(modes) | rng.choice((0, MNPELP)) | rng.choice((0, 0, MNPV))
            self.csr("csrrc", MNSTATUS, MNPP | MNPV | MNPELP | NMIE)
            self.csr("csrrs", MNSTATUS, fields)
            self.csr("csrrw", MNSCRATCH, integer(rng))
            if rng.randrange(3) == 0:
                self.csr("csrrs", MSTATUS, MPRV)
            self.csr("csrrc", MSTATUS, SDT | MDT)  # Spike's mnret keeps them
            self.csr("csrrc", VSSTATUS, SDT)
        place = self.register()
        end = code.pc + 16
        target = end + -end % 4
        code.place(place, target)
        code("csrrw", rd=0, csr=MNEPC, rs1=place)
        code.bits(MNRET, 4)
        code.data += b"\x01\x00" * ((target - code.pc) // 2)
        if rng.getrandbits(1):
            code.bits(self.lpad(rng.choice((0, 0, 1))), 4)

    # --- shadow stacks ---

    def link(self) -> None:
        """Another return address."""
        self.code.constant(self.rng.choice((1, 5)), integer(self.rng))

    def pointer(self) -> None:
        """Read or write ssp."""
        rng, code = self.rng, self.code
        if rng.randrange(3) == 0:
            rd = self.register()
            code("csrrs", rd=rd, csr=SSP, rs1=0) if rng.getrandbits(1) else code("ssrdp", rd=rd)
            return
        offset = rng.choice((0, 8, 4088, 4, rng.randrange(4096), 8 * rng.randrange(512)))
        self.csr(rng.choice(("csrrw", "csrrw", "csrrs")), SSP, layout.address(self.data(), offset))

    def stack(self) -> None:
        """Pushes, pops that match, pops that may not."""
        rng, code = self.rng, self.code
        names = ("sspush.ra", "sspush.t0", "c.sspush", "sspopchk.ra", "sspopchk.t0", "c.sspopchk")
        if rng.randrange(3):
            push, pop = rng.choice((("sspush.ra", "sspopchk.ra"), ("c.sspush", "sspopchk.ra"),
                                    ("sspush.t0", "c.sspopchk")))  # fmt: skip
            code(push)
            if rng.randrange(3) == 0:
                code("addi", rd=self.register(), rs1=0, imm=5)
            code(pop)
        else:
            code(rng.choice(names))

    def place_data(self, size: int) -> tuple[int, int]:
        """A register with an address of data."""
        base = self.register()
        offset = size * self.rng.randrange(4096 // size)
        if self.rng.randrange(12) == 0:
            offset += self.rng.randrange(size)
        self.code.constant(base, layout.address(self.data(), offset & 4088 | offset & 7))
        return base, offset

    def swap(self) -> None:
        size = self.rng.choice((4, 8))
        base, _ = self.place_data(size)
        aq, rl = self.rng.getrandbits(1), self.rng.getrandbits(1)
        name = "ssamoswap.d" if size == 8 else "ssamoswap.w"
        self.code(name, rd=self.register(), rs1=base, rs2=self.register(), aq=aq, rl=rl)

    def access(self) -> None:
        """A load, a store, or an atomic access to any page."""
        rng = self.rng
        name = rng.choice(("ld", "lbu", "sd", "sb", "sw", *AMO))
        size = 8 if name[-1] == "d" else 4
        base, _ = self.place_data(size)
        if name in AMO:
            given = {} if name.startswith("lr") else {"rs2": self.register()}
            self.code(name, rd=self.register(), rs1=base, aq=0, rl=0, **given)
        elif name[0] == "s":
            self.code(name, rs1=base, rs2=self.register(), imm=0)
        else:
            self.code(name, rd=self.register(), rs1=base, imm=0)

    def block(self) -> None:
        base = self.register()
        self.code.constant(base, layout.address(self.data(), 64 * self.rng.randrange(64)))
        self.code(self.rng.choice(("cbo.zero", "cbo.flush", "cbo.clean")), rs1=base)

    def guest_access(self) -> None:
        """HLV, HLVX and HSV."""
        name = self.rng.choice(GUEST_ACCESSES)
        base, _ = self.place_data(8)
        given = {"rs2": self.register()} if name[1] == "s" else {"rd": self.register()}
        self.code(name, rs1=base, **given)

    # --- control ---

    def enables(self) -> None:
        """Which modes demand pads and have stacks."""
        rng, name = self.rng, self.world.name
        choices = {"M": (MENVCFG, HENVCFG, SENVCFG, MSECCFG), "HS": (HENVCFG, SENVCFG)}
        number = rng.choice(choices.get(name, (SENVCFG,)))
        bits = rng.choice((LPE, SSE, SSE, LPE | SSE))
        if number == MSECCFG:
            if "zicfilp" not in self.isa:
                return
            bits = MLPE
        if number == MENVCFG:
            bits |= rng.choice((0, ADUE if "svadu" in self.isa else 0, DTE))
        self.csr(rng.choice(("csrrs", "csrrs", "csrrc")), number, bits)
        if number in (MENVCFG, HENVCFG):
            self.fences()

    def fences(self) -> None:
        if self.world.name in ("M", "HS"):
            self.code("sfence.vma", rs1=0, rs2=0)
            self.code("hfence.vvma", rs1=0, rs2=0)
            self.code("hfence.gvma", rs1=0, rs2=0)

    def status(self) -> None:
        """Bits on which accesses and returns depend."""
        rng, machine = self.rng, self.world.name == "M"
        number = rng.choice((MSTATUS, SSTATUS, VSSTATUS) if machine else (SSTATUS,))
        bits = rng.choice((SUM, SUM, MXR, SPELP, SDT, SUM | MXR))
        if machine and rng.randrange(4) == 0:
            number, bits = HSTATUS, rng.choice((HU, SPVP))
        self.csr(rng.choice(("csrrs", "csrrs", "csrrc")), number, bits)

    def protect(self) -> None:
        """An access in M mode by the rights of another one."""
        mode = self.rng.choice([world.status for world in WORLDS.values()])
        self.csr("csrrc", MSTATUS, MPP | MPV)
        self.csr("csrrs", MSTATUS, mode)
        base, bit = self.register(), self.register()
        other = self.register(base, bit)
        self.code.constant(base, layout.address(self.data(), 8 * self.rng.randrange(512)))
        self.code.constant(bit, MPRV)
        self.code("csrrs", rd=0, csr=MSTATUS, rs1=bit)
        if self.rng.getrandbits(1):
            self.code("ssamoswap.d", rd=other, rs1=base, rs2=other, aq=0, rl=0)
        else:
            self.code("sd", rs1=base, rs2=other, imm=0)
        self.code("csrrc", rd=0, csr=MSTATUS, rs1=bit)

    def remap(self) -> None:
        """Another entry for a page of data."""
        page = self.data()
        slot, value = self.register(), 0
        value = self.register(slot)
        at, second = first_slot(self.rng, page)
        self.code.constant(slot, at)
        self.code.constant(value, leaf(self.rng, page, second))
        self.code("sd", rs1=slot, rs2=value, imm=0)
        self.fences()


def make(seed: str, number: int, instructions: int = 500) -> Program:
    """Make the program with this seed and number."""
    return Maker(seed, number, instructions).make()


__all__ = ["MDT", "Label", "encode", "make", "rows"]
