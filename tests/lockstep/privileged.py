"""Snippets on CSRs, modes, interrupts, page tables and protection."""

from __future__ import annotations

from rvplat.isa.csr import Csr

from . import layout
from .assembly import Label
from .generator import Generator
from .operands import integer
from .tables import Entry, spoilt
from .worlds import ALL_FORMS, ANY, OTHERWISE, PLANS, SPIKE_ONLY, Plan, bars

MIP, MIE, MSTATUS, SIP, SIE, SSTATUS = 0x344, 0x304, 0x300, 0x144, 0x104, 0x100
MEPC, SEPC, SATP = 0x341, 0x141, 0x180
SSI = 1 << 1
FS, MPP, SPP = 3 << 13, 3 << 11, 1 << 8
MPRV = 1 << 17
LOADS = MPRV | 1 << 18 | 1 << 19  # MPRV, SUM, MXR
CLINT_MSIP, CLINT_MTIMECMP = 0x200_0000, 0x200_4000
PMPCFG0, PMPADDR0 = 0x3A0, 0x3B0
FORM_NAMES = {"w": "csrrw", "s": "csrrs", "c": "csrrc"}
OFTEN = (
    "fcsr", "fflags", "frm", "mstatus", "sstatus", "medeleg", "mideleg", "mie", "sie", "satp",
    "menvcfg", "senvcfg", "mcounteren", "scounteren", "minstret", "instret", "cycle", "stimecmp",
)  # fmt: skip


# --- CSRs ----------------------------------------------------------------------------------------


def csrs(g: Generator) -> None:
    """Any instruction on any CSR, or on a number that no CSR has."""
    if g.rng.randrange(12) == 0:
        _absent(g)
        return
    often = [csr for csr in g.isa.csrs if csr.name in OFTEN]
    csr = g.rng.choice(often if g.rng.getrandbits(1) else g.isa.csrs)
    plan = PLANS.get(csr.name, ANY)
    if not plan.forms or g.rng.randrange(3) == 0:
        read(g, csr.number)
    elif plan.refresh:
        _write_and_settle(g, csr, plan)
    else:
        write(g, csr, plan)


def _absent(g: Generator) -> None:
    known = {csr.number for csr in g.isa.csrs}
    number = g.rng.getrandbits(12)
    if number not in known | SPIKE_ONLY:
        g.emit(g.rng.choice(g.kinds["csr"]), csr=number)


def read(g: Generator, number: int) -> None:
    """A read that doesn't write, in any of its forms."""
    name = g.rng.choice(["csrrs", "csrrc", "csrrsi", "csrrci"])
    source = "zimm" if name.endswith("i") else "rs1"
    rd = g.pointer()
    g.code(name, rd=rd, csr=number, **{source: 0})
    if number in OTHERWISE:
        g.constant(rd, 0)


def write(g: Generator, csr: Csr, plan: Plan) -> None:
    """A write by one of the forms that the plan allows."""
    form = g.rng.choice(plan.forms)
    rd = g.register(write=True)
    if plan.forms == ALL_FORMS and g.rng.randrange(3) == 0:
        g.code(FORM_NAMES[form] + "i", rd=rd, csr=csr.number, zimm=g.rng.randrange(32))
        return
    source = g.pointer()
    g.constant(source, plan.value(g))
    g.code(FORM_NAMES[form], rd=rd, csr=csr.number, rs1=source)


def _write_and_settle(g: Generator, csr: Csr, plan: Plan) -> None:
    """What Spike or a TLB notices late: in M mode with interrupts off, and in a lower mode only
    the supervisor's timer."""
    if g.believes_machine:
        skip = g.only_in_machine_mode()
        write(g, csr, plan)
        g.settle()
        g.code.bind(skip)
    else:
        write(g, csr, plan)
        g.code("ecall")


def status(g: Generator) -> None:
    """Bits of mstatus or sstatus that loads, traps and floating point depend on."""
    number = MSTATUS if g.believes_machine else SSTATUS
    forbidden = bars(g)
    bits, form = g.rng.choice([(LOADS, "s"), (LOADS, "c"), (forbidden, "s"), (forbidden, "c"),
                               (FS, "s"), (FS, "s"), (FS, "c")])  # fmt: skip
    value = bits if g.rng.randrange(3) == 0 else bits & integer(g.rng)
    source = g.pointer()
    g.constant(source, FS if bits == FS and form == "s" else value)
    g.code(FORM_NAMES[form], rd=g.register(write=True), csr=number, rs1=source)


# --- modes ---------------------------------------------------------------------------------------


def drops(g: Generator) -> None:
    """mret or sret to what comes next, in M mode to any mode."""
    machine = g.believes_machine and g.rng.randrange(4) != 0
    number, mask, epc = (MSTATUS, MPP, MEPC) if machine else (SSTATUS, SPP, SEPC)
    place, bits = g.pointer(), g.pointer()
    g.constant(bits, mask)
    g.code("csrrc", rd=0, csr=number, rs1=bits)
    g.constant(bits, g.rng.choice([0, 1 << 11, 3 << 11]) if machine else g.rng.choice([0, SPP]))
    g.code("csrrs", rd=0, csr=number, rs1=bits)
    g.code.place(place, g.code.pc + 16)
    g.code("csrrw", rd=0, csr=epc, rs1=place)
    g.code("mret" if machine else "sret")


def system(g: Generator) -> None:
    """Fences of translations and of instructions, waits on reservations; returns and wfi where
    they are illegal."""
    kept = {"M": ("mret", "sret", "wfi"), "S": ("sret", "wfi"), "U": ()}[g.world.name]
    rows = [row for row in g.kinds["system"] if row.name not in kept]
    g.emit(g.rng.choice(rows))


# --- interrupts ----------------------------------------------------------------------------------


def interrupts(g: Generator) -> None:
    """Software's pending bits, enables, delegation."""
    source = g.pointer()
    pending, enables, status = (MIP, MIE, MSTATUS) if g.believes_machine else (SIP, SIE, SSTATUS)
    g.constant(source, g.rng.choice([SSI, 0x222, integer(g.rng)]))
    g.code(g.rng.choice(["csrrs", "csrrs", "csrrc"]), rd=0, csr=pending, rs1=source)
    g.constant(source, PLANS["mie"].value(g))
    g.code(g.rng.choice(["csrrw", "csrrs", "csrrc"]), rd=g.register(True), csr=enables, rs1=source)
    g.code("csrrsi", rd=0, csr=status, zimm=g.rng.choice([0, 8, 2, 10]))


def clint(g: Generator) -> None:
    """The machine's software interrupt and timer."""
    skip, place = g.only_in_machine_mode(), g.pointer()
    if g.rng.getrandbits(1):
        g.constant(place, CLINT_MSIP)
        store, chosen = "sw", g.rng.getrandbits(1)
    else:
        g.constant(place, CLINT_MTIMECMP)
        store, chosen = "sd", g.rng.choice([0, (1 << 64) - 1])
    value = g.pointer(place)
    g.constant(value, chosen)
    g.code(store, rs1=place, rs2=value, imm=0)
    read(g, MIP)
    g.code.bind(skip)


def waits(g: Generator) -> None:
    """wfi, if an interrupt that is enabled is pending: it goes on at once, or is illegal."""
    pending, enables, status = (MIP, MIE, MSTATUS) if g.believes_machine else (SIP, SIE, SSTATUS)
    seen = g.pointer()
    enabled = g.pointer(seen)
    skip = Label()
    g.constant(seen, 0)
    g.code("csrrci", rd=0, csr=status, zimm=8 if g.believes_machine else 2)
    g.code("csrrsi", rd=0, csr=pending, zimm=SSI)
    g.code("csrrsi", rd=0, csr=enables, zimm=SSI)
    g.code("csrrs", rd=seen, csr=pending, rs1=0)
    g.code("csrrs", rd=enabled, csr=enables, rs1=0)
    g.code("and", rd=seen, rs1=seen, rs2=enabled)
    g.code.branch(g.isa.named["beq"], skip, rs1=seen, rs2=0)
    g.code("wfi")
    g.code.bind(skip)


# --- translation and protection ------------------------------------------------------------------


def tables(g: Generator) -> None:
    """Another value for a page-table entry of data or code, and a fence."""
    entry = g.rng.choice(g.entries)
    new = entry.good if g.rng.randrange(3) == 0 else spoilt(g.rng, entry.good)
    skip, base = g.only_in_machine_mode(), g.pointer()
    value = g.pointer(base)
    g.constant(value, new)
    g.code.place(base, entry.slot)
    g.code("sd", rs1=base, rs2=value, imm=0)
    _fence(g, entry, base, value)
    g.code.bind(skip)


def _fence(g: Generator, entry: Entry, first: int, second: int) -> None:
    """Of everything, or of the address, the address space or both."""
    page, space = 0, g.rng.choice([0, 0, second])
    if not entry.is_pointer and g.rng.getrandbits(1):
        page = first
        inside = g.rng.choice(layout.DATA) * layout.PAGE if entry.level else 0
        g.constant(page, entry.va + inside + g.rng.randrange(layout.PAGE))
    if space:
        g.constant(space, entry.satp >> 44 & 0xFFFF)
    if g.rng.getrandbits(1) or "svinval" not in g.has:
        g.code("sfence.vma", rs1=page, rs2=space)
        return
    g.code("sfence.w.inval")
    g.code("sinval.vma", rs1=page, rs2=space)
    g.code("sfence.inval.ir")


def remaps(g: Generator) -> None:
    """An access of a mapping by way of MPRV, another value for its entry, a fence, and accesses
    of the same page and of another one of its superpage."""
    entry = g.rng.choice(g.entries)
    skip, bits = g.only_in_machine_mode(), g.pointer()
    first, second = g.pointer(bits), g.pointer(bits)
    pages = [page for page in (*layout.DATA[1:], *layout.CODE) if entry.level or page == entry.page]
    places = [g.rng.choice(pages or layout.DATA) for _ in range(2)]
    g.constant(bits, entry.satp)
    g.code("csrrw", rd=0, csr=SATP, rs1=bits)
    g.constant(bits, MPP | LOADS)
    g.code("csrrc", rd=0, csr=MSTATUS, rs1=bits)
    g.constant(bits, MPRV | g.rng.choice([0, 1 << 11]) | LOADS & integer(g.rng))
    g.code("csrrs", rd=0, csr=MSTATUS, rs1=bits)
    _access(g, first, entry, places[0])
    g.constant(bits, MPRV)
    g.code("csrrc", rd=0, csr=MSTATUS, rs1=bits)
    g.code.place(first, entry.slot)
    g.constant(bits, g.rng.choice([entry.good, spoilt(g.rng, entry.good)]))
    g.code("sd", rs1=first, rs2=bits, imm=0)
    _fence(g, entry, bits, second)
    g.constant(bits, MPRV)
    g.code("csrrs", rd=0, csr=MSTATUS, rs1=bits)
    for place in g.rng.sample(places, 2):
        _access(g, first, entry, place)
    g.code("csrrc", rd=0, csr=MSTATUS, rs1=bits)
    g.code.bind(skip)


def _access(g: Generator, base: int, entry: Entry, page: int) -> None:
    """A load or a store of a doubleword of a page that an entry maps; of code only loads."""
    start = layout.address(page) - layout.BASE if entry.level else 0
    g.constant(base, entry.va + start + 8 * g.rng.randrange(512))
    if g.rng.getrandbits(1) or page in layout.CODE:
        g.code("ld", rd=g.pointer(base), rs1=base, imm=0)
    else:
        g.code("sd", rs1=base, rs2=g.register(), imm=0)


def spaces(g: Generator) -> None:
    """Another address space, or none."""
    source = g.pointer()
    g.constant(source, g.rng.choice(g.roots))
    g.code("csrrw", rd=g.register(write=True), csr=SATP, rs1=source)
    if g.rng.getrandbits(1):
        g.code("sfence.vma", rs1=0, rs2=0)


def protection(g: Generator) -> None:
    """One PMP entry, or two for a range: over data or code pages, locked ones always readable."""
    if not g.protect:
        return
    entry = g.rng.randrange(1, 15)
    low, high = _bounds(g)
    fine = layout.page_of(low) == layout.SPLIT
    mode = g.rng.choice(["tor", "napot", "na4" if fine else "napot", "off"])
    source = g.pointer()
    permissions = g.rng.choice([0, 1, 3, 4, 5, 7, 7])
    if mode == "tor":
        g.constant(source, low >> 2)
        g.code("csrrw", rd=0, csr=PMPADDR0 + entry - 1, rs1=source)
        g.constant(source, high >> 2)
    elif mode == "napot":
        g.constant(source, low >> 2 | (high - low >> 3) - 1)
    else:
        g.constant(source, low >> 2)
    g.code("csrrw", rd=0, csr=PMPADDR0 + entry, rs1=source)
    locked = g.rng.randrange(8) == 0 and mode != "off"
    cfg = permissions | {"off": 0, "tor": 8, "na4": 16, "napot": 24}[mode]
    cfg = cfg | 0x81 if locked else cfg
    number, shift = PMPCFG0 + entry // 8 * 2, entry % 8 * 8
    g.constant(source, 0xFF << shift)
    g.code("csrrc", rd=0, csr=number, rs1=source)
    g.constant(source, cfg << shift)
    g.code("csrrs", rd=g.register(write=True), csr=number, rs1=source)


def _bounds(g: Generator) -> tuple[int, int]:
    """A range that is legal for NAPOT too: finely in the page that may be split, else in pairs of
    pages, so that twins stay alike: of code and data, or of page tables."""
    if g.rng.randrange(3) == 0:
        size = 8 << g.rng.randrange(9)
        offset = g.rng.randrange(0, layout.PAGE, size)
        return (low := layout.address(layout.SPLIT, offset)), low + size
    if g.rng.randrange(8) == 0:
        size = 2 * layout.PAGE
        low = layout.address(g.rng.randrange(layout.TABLES[0], layout.TABLES[0] + 12, 2))
        return low, low + size
    size = 2 * layout.PAGE << g.rng.randrange(3)
    first, last = layout.address(layout.CODE[0]), layout.address(layout.DATA[-1] + 1)
    low = g.rng.randrange(-(-first // size) * size, last, size)
    return low, low + size
