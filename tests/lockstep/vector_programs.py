"""Random programs of vector instructions: python -m tests.lockstep.vectors runs them.

The body runs in straight line, in U, S, VS or VU mode (vector_frames.py). x28 to x31 belong to the
handler.
"""

from __future__ import annotations

import random
import struct
from functools import cache

from rvplat.isa.machinery.extension import Instruction

from . import layout
from .assembly import Code, Isa, encode, signed
from .operands import double, half, integer, single
from .program import Program, extensions
from .vector_frames import (
    CLOSED_PAGES,
    COMMAND,
    FOR_VSSTATUS,
    MODES,
    STOP,
    VS,
    VS_INITIAL,
    Frame,
)

STRICT = "_zicsr_zifencei"
CRYPTOGRAPHY = "_zvbb_zvbc_zvkng_zvksg"
SMALL = "_zvbb_zvkg_zvkned_zvknha_zvksed_zvksh"  # what Zve32x may have
ISAS = {
    f"rv64gcv{STRICT}_zicclsm": 128, f"rv64gcv_zvl256b{STRICT}": 256,
    f"rv64gcv_zvl512b{STRICT}_zicclsm": 512, f"rv64gcv_zvl1024b{STRICT}": 1024,
    f"rv64imac_zve32x_zvl128b{STRICT}": 128, f"rv64imac_zve64x_zvl128b{STRICT}": 128,
    f"rv64imafc_zve32f_zvl128b{STRICT}": 128, f"rv64imafdc_zve64f_zvl256b{STRICT}": 256,
    f"rv64imafdc_zve64d_zvl128b{STRICT}": 128,
    f"rv64gcv{STRICT}_zicclsm{CRYPTOGRAPHY}": 128, f"rv64gcv_zvl256b{STRICT}{CRYPTOGRAPHY}": 256,
    f"rv64gcv_zvl1024b{STRICT}{CRYPTOGRAPHY}": 1024,
    f"rv64gcv{STRICT}_zfbfmin_zvfbfmin_zvfbfwma_zfh_zvfh": 128,
    f"rv64gcv_zvl256b{STRICT}_zicclsm_zfh_zvfh": 256,
    f"rv64imafc_zve32f_zvl128b{STRICT}_zvfh": 128, f"rv64gcv{STRICT}_zvfhmin": 128,
    f"rv64imac_zve32x_zvl128b{STRICT}{SMALL}": 128, f"rv64imac_zve64x_zvl512b{STRICT}{SMALL}": 512,
}  # fmt: skip
NARROW_ISAS = {isa.replace("rv64", "rv32"): vlen for isa, vlen in ISAS.items()}
H_ISAS = {isa.replace("_", "h_", 1): vlen for isa, vlen in (ISAS | NARROW_ISAS).items()}
VSTART, VXSAT, VXRM, VCSR, FRM, FFLAGS = 0x008, 0x009, 0x00A, 0x00F, 0x002, 0x001
SSTATUS = 0x100
LOADS, STORES, OP_VE = 0x07, 0x27, 0x77
OF_ZVFHMIN = ("vfwcvt.f.f.v", "vfncvt.f.f.w")
WIDENING = ("vw", "vns", "vnc", "vfw", "vfnc")
OFFSETS = dict(zip((8, 16, 32, 64), layout.DATA[-5:-1], strict=True))  # pages of offsets, by width


@cache
def rows(isa: str) -> tuple[Isa, list[Instruction]]:
    """The rows of an ISA string, and those among them that are vector instructions."""
    found = Isa(extensions(isa))
    vector = [row for row in found.rows if row.extension.name.startswith("Zv")]
    return found, vector  # type: ignore[return-value]


class Maker:
    """Makes one program."""

    def __init__(self, seed: str, number: int, instructions: int, xlen: int) -> None:
        self.name = f"{seed}/{number}"
        self.rng = random.Random(self.name)
        isas = ISAS if xlen == 64 else NARROW_ISAS
        self.isa = self.rng.choice(list(isas))
        self.vlen = isas[self.isa]
        self.mode = self.rng.choice(MODES)
        if self.mode.virtual:
            self.isa = self.isa.replace("_", "h_", 1)
        self.known, self.vector = rows(self.isa)
        self.memory = [row for row in self.vector if row.pattern.match & 0x7F in (LOADS, STORES)]
        self.added = [row for row in self.vector if row.extension.name not in ("Zve32x", "Zve32f")]
        if "zvfh" in self.isa:
            self.added += [row for row in self.vector if row.extension.name == "Zve32f"]
        self.image = bytearray(layout.END * layout.PAGE)
        self.count = instructions
        self.lmul, self.sew = 1, 0  # the registers of a group, and vsew, as vtype was set last
        self.elen = 64 if "zve32" not in self.isa else 32
        self.code = Code(self.known, layout.address(layout.CODE[0]))
        self.frame = Frame(self.rng, self.known, self.mode, self.image)

    # --- the body ---

    def register(self) -> int:
        return self.rng.randrange(STOP)

    def make(self) -> Program:
        rng, code = self.rng, self.code
        self.load_all()
        while code.count < self.count:
            kind = rng.randrange(20)
            if kind < 3:
                self.configure()
            elif kind == 3:
                code.constant(rng.randrange(1, STOP), integer(rng))
            elif kind == 4:
                self.control()
            elif kind == 5 and rng.randrange(2 if self.mode.stages else 4) == 0:
                self.call()
            elif kind == 6 and rng.randrange(4) == 0:
                self.load_all()
            elif kind == 8 and rng.randrange(6) == 0:
                self.status()
            elif kind == 7 and rng.randrange(4) == 0:
                self.load_float()
            elif kind > 15 and self.mode.stages:
                self.instruction(rng.choice(self.memory))
            else:
                more = self.added if self.added and rng.randrange(2) else self.vector
                self.instruction(rng.choice(more))
        code("addi", rd=STOP, rs1=0, imm=1)
        code("ecall")
        for make in (self.frame.start, self.frame.handler, self.frame.tables):
            make()
        self.frame.put(code)
        for page in layout.DATA:
            at = page * layout.PAGE
            self.image[at : at + layout.PAGE] = self.data()
        for width, page in OFFSETS.items():
            count = layout.PAGE * 8 // width
            limit = min(1 << width, 6000)
            offsets = (rng.randrange(limit) & -rng.choice((1, 1, 8)) for _ in range(count))
            data = b"".join(one.to_bytes(width // 8, "little") for one in offsets)
            self.image[page * layout.PAGE : (page + 1) * layout.PAGE] = data
        sections = ((self.code.start, self.mode.name),)
        return Program(self.name, bytes(self.image), self.isa, sections, self.count)

    def data(self) -> bytes:
        """A page: random bytes, small integers, or floating-point numbers."""
        rng, kind = self.rng, self.rng.randrange(5 if "zvfh" in self.isa else 4)
        if kind == 0:
            return rng.randbytes(layout.PAGE)
        if kind == 1:
            return bytes(rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF)) for _ in range(layout.PAGE))
        if kind == 2:
            return struct.pack("<1024I", *(single(rng) for _ in range(1024)))
        if kind == 4:
            return struct.pack("<2048H", *(half(rng) for _ in range(2048)))
        return struct.pack("<512Q", *(double(rng) for _ in range(512)))

    def load_all(self) -> None:
        """Load all vector registers."""
        page = self.rng.choice(layout.DATA[:-1])
        self.code("csrrwi", rd=0, csr=VSTART, zimm=0)
        for first in range(0, 32, 8):
            self.code.place(1, layout.address(page, first * self.vlen // 8))
            width = self.rng.choice((8, 16, 32))
            self.code(f"vl1re{width}.v", vd=first, rs1=1, nf=7)

    def load_float(self) -> None:
        """Load an f register, if the hart has them."""
        name = self.rng.choice(("flw", "fld", "flh") if "zvfh" in self.isa else ("flw", "fld"))
        if name in self.known.named:
            place = layout.address(self.rng.choice(layout.DATA[5:-6]), self.rng.randrange(250) * 8)
            self.code.place(1, place)
            self.code(name, rd=self.rng.randrange(32), rs1=1, imm=0)

    def fit(self, row: Instruction) -> None:
        """Mostly set a vtype with which the row is legal, if the present one isn't such."""
        widens = row.name.startswith(WIDENING)
        least, most = self.widths(row)
        groups = row.pattern.match & 0x7F == OP_VE
        bad = not least <= self.sew <= most or (widens and self.lmul == 8) or (
            groups and self.rng.randrange(8) == 0
        )  # fmt: skip
        if bad and least <= most and self.rng.randrange(8):
            lmul = self.rng.choice((0, 1, 1, 2, 3, 7) if groups else (0, 0, 1, 1, 2, 7))
            vtype = lmul | self.rng.randint(least, most) << 3 | self.rng.randrange(4) << 6
            self.configure(vtype, 8 if groups else 1)

    def widths(self, row: Instruction) -> tuple[int, int]:
        """The least and the greatest vsew with which the row is legal."""
        widens, least = row.name.startswith(WIDENING), 0
        if row.pattern.match & 0x7F == OP_VE:
            return 2, 3 if row.name.startswith("vsha2") and self.elen == 64 else 2
        if row.name.startswith("vclmul"):
            return 3, 3
        if "bf16" in row.name:
            return 1, 1
        if row.extension.name == "Zve32f":
            least = 1 if row.name.startswith("vfncvt") else 2
        if "x." in row.name and row.name.startswith("vfwcvt.f"):
            least = 1
        if least and (self.isa.endswith("zvfh") or (row.name in OF_ZVFHMIN and "zvfh" in self.isa)):
            least = 0 if least == 1 and row.name not in OF_ZVFHMIN else 1
        most = 3 if self.elen == 64 else 2
        return least, most - 1 if widens else most

    def configure(self, vtype: int = -1, multiple: int = 1) -> None:
        """Set vtype and vl, mostly to what is legal; AVL mostly to a multiple of a number."""
        rng, code = self.rng, self.code
        if vtype >= 0:
            pass
        elif rng.randrange(8):
            vtype = rng.choice((0, 0, 0, 1, 1, 2, 3, 5, 6, 7))
            vtype |= rng.randrange(4 if self.elen == 64 else 3) << 3 | rng.randrange(4) << 6
        else:
            vtype = rng.randrange(rng.choice((256, 1024)))
        self.sew = vtype >> 3 & 7
        self.lmul = 1 << (vtype & 3) if vtype & 4 == 0 else 1
        kind = rng.randrange(8)
        if kind == 2 and rng.randrange(4):
            kind = 3
        if kind == 0:
            code("vsetivli", rd=self.register(), uimm=rng.randrange(32), vtypei=vtype)
        elif kind == 1:
            code("vsetvli", rd=self.register(), rs1=0, vtypei=vtype)
        elif kind == 2:
            code("vsetvli", rd=0, rs1=0, vtypei=vtype)
        else:
            avl = rng.choice((0, 1, 2, 3, rng.randrange(40), rng.randrange(1100), 5000))
            if rng.randrange(8):
                avl *= multiple
            code.constant(1, avl)
            if rng.randrange(4):
                code("vsetvli", rd=self.register(), rs1=1, vtypei=vtype)
            else:
                code.constant(2, rng.choice((vtype, vtype, vtype | 1 << rng.randrange(64))))
                code("vsetvl", rd=self.register(), rs1=1, rs2=2)

    def call(self) -> None:
        """Have pages closed, and sometimes VS changed."""
        masks = (0, 0, 0, VS, VS_INITIAL, VS & ~VS_INITIAL)
        command = self.rng.choice(masks) | self.rng.choice(masks) << FOR_VSSTATUS
        self.code.constant(COMMAND, command)
        self.code("ecall")

    def status(self) -> None:
        """Read sstatus, and sometimes change its VS."""
        mask = self.rng.choice((0, 0, VS, VS_INITIAL, VS & ~VS_INITIAL))
        self.code.constant(COMMAND, mask)
        name = self.rng.choice(("csrrc", "csrrs"))
        self.code(name, rd=self.register(), csr=SSTATUS, rs1=COMMAND)

    def control(self) -> None:
        """Write or read a CSR."""
        rng, code = self.rng, self.code
        number = rng.choice((VSTART, VXSAT, VXRM, VCSR, FRM, FFLAGS, 0xC20, 0xC21, 0xC22))
        if number == FRM and rng.randrange(4):
            number = VXRM
        value = rng.randrange(32) if number != FRM else rng.randrange(5 + rng.randrange(2))
        if number == VSTART and rng.randrange(3):
            value = 0
        code(rng.choice(("csrrwi", "csrrsi")), rd=self.register(), csr=number, zimm=value)
        if number == FRM and value == 5:  # every floating-point instruction is illegal
            self.instruction(rng.choice(self.vector))
            code("csrrwi", rd=0, csr=FRM, zimm=rng.randrange(5))
        if number == VSTART and value and rng.randrange(2):
            self.instruction(rng.choice(self.memory))

    def instruction(self, row: Instruction) -> None:
        """An instruction whose registers mostly fit LMUL."""
        rng = self.rng
        self.fit(row)
        widens = row.name.startswith(WIDENING)
        step = min(8, self.lmul * 2 if widens else self.lmul)
        if rng.randrange(8) == 0:
            step = rng.choice((1, 1, 2, 4, 8))
        for _ in range(50):
            values = {name: self.operand(row, name, step) for name in row.pattern.operands}
            if "nf" in values and rng.randrange(2):
                values["nf"] = 0
            try:
                bits = encode(row, **values)
            except ValueError:
                continue
            if self.known.find(bits) is row and allowed(row, values):
                break
        else:
            return
        if row.pattern.match & 0x7F in (LOADS, STORES):
            self.address(row, values)
        if "{nregs}" in row.syntax:  # Spike takes a vstart from EVL on as the end
            start = rng.choice((0, 0, rng.randrange(self.vlen // 64)))
            self.code("csrrwi", rd=0, csr=VSTART, zimm=start)
        elif rng.randrange(6) == 0:
            self.code("csrrwi", rd=0, csr=VSTART, zimm=0)
        self.code.row(row, **values)

    def operand(self, row: Instruction, name: str, step: int) -> int:
        operand = row.pattern.operands[name]
        if name in ("vd", "vs1", "vs2", "vs3"):
            register = self.rng.randrange(32)
            return register if self.rng.randrange(12) == 0 else register // step * step
        if name == "rd":
            return self.register()
        if name in ("rs1", "rs2"):
            return self.rng.randrange(32) if f"f{name}" in row.syntax else self.register()
        value = self.rng.getrandbits(operand.width)
        return signed(value, operand.width) if operand.signed else value

    def address(self, row: Instruction, values: dict[str, int]) -> None:
        """Put an address into rs1, and a stride into rs2."""
        rng = self.rng
        base = values["rs1"] = rng.randrange(3, STOP)
        shut = rng.choice(CLOSED_PAGES)
        page = rng.choice((*layout.DATA[2:-6], shut, shut, shut - 1, shut - 1))
        near = layout.PAGE - 8 * rng.randrange(1, 20)
        offset = rng.choice((0, rng.randrange(512) * 8, rng.randrange(4096), near))
        target = layout.address(page, offset)
        if rng.randrange(16) == 0:
            target = layout.BASE + layout.SIZE - 8 * rng.randrange(16)
        self.code.constant(base, target)
        if "rs2" in values:
            stride = values["rs2"] = rng.choice([n for n in range(1, STOP) if n != base])
            size = rng.choice((0, 1, 2, 4, 8, 16, -4, -8, rng.randrange(-64, 64)))
            self.code.constant(stride, size)
        if "vs2" in values and rng.randrange(8):
            self.small_offsets(values["vs2"], row.name)

    def small_offsets(self, register: int, name: str) -> None:
        """Load offsets that stay in the data into registers."""
        page = OFFSETS[{"8": 8, "16": 16, "32": 32, "64": 64}[name.split("ei")[1].split(".")[0]]]
        register, count = register // 8 * 8, 8
        self.code("csrrwi", rd=0, csr=VSTART, zimm=0)
        self.code.place(1, layout.address(page, self.rng.randrange(4) * 512))
        self.code("vl1re8.v", vd=register, rs1=1, nf=count - 1)


def allowed(row: Instruction, values: dict[str, int]) -> bool:
    """Whether Spike treats an encoding as the manual says, whatever LMUL is. It doesn't refuse that
    a register is read with two EEWs ("Vector Operands")."""
    sources = [values[name] for name in ("vs1", "vs2", "vs3") if name in values]
    masked = values.get("vm") == 0 or row.name == "vfmerge.vfm"
    if masked and 0 in sources and not row.name.endswith(".m"):
        return False
    if "vs3" in values and "vs2" in values:
        return values["vs2"] // 8 not in (values["vs3"] // 8, (values["vs3"] + 7) // 8)
    mixed = ("vrgatherei16", "vwred", "vfwred")
    if row.name.endswith((".wv", ".vm")) or row.name.startswith(mixed):
        return values["vs1"] // 8 != values["vs2"] // 8
    return True


def make(seed: str, number: int, instructions: int = 500, xlen: int = 64) -> Program:
    """Make the program with this seed and number."""
    return Maker(seed, number, instructions, xlen).make()
