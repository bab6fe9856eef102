"""Snippets about CSRs, modes and interrupts."""

from __future__ import annotations

from rvplat.isa.machinery.csr_rows import Csr

from .assembly import Label
from .generator import Generator
from .operands import integer
from .worlds import ALL_FORMS, ANY, MPV, PLANS, SPIKE_ONLY, VTSR, VTVM, VTW, Plan, bars

MIP, MIE, MSTATUS, SIP, SIE, SSTATUS = 0x344, 0x304, 0x300, 0x144, 0x104, 0x100
VSSTATUS = 0x200
MEPC, SEPC, HSTATUS = 0x341, 0x141, 0x600
HIDELEG, HIE, HVIP = 0x603, 0x604, 0x645
SSI, GUEST_BITS = 1 << 1, 1 << 2 | 1 << 6 | 1 << 10
FS, MPP, SPP = 3 << 13, 3 << 11, 1 << 8
MPRV = 1 << 17
LOADS = MPRV | 1 << 18 | 1 << 19  # MPRV, SUM, MXR
SPV, SPVP, HU = 1 << 7, 1 << 8, 1 << 9
CLINT_MSIP, CLINT_MTIMECMP = 0x200_0000, 0x200_4000
FORM_NAMES = {"w": "csrrw", "s": "csrrs", "c": "csrrc"}
OFTEN = (
    "fcsr", "fflags", "frm", "mstatus", "sstatus", "medeleg", "mideleg", "mie", "sie", "satp",
    "menvcfg", "senvcfg", "mcounteren", "scounteren", "minstret", "instret", "cycle", "stimecmp",
    "hstatus", "hedeleg", "hideleg", "hie", "hip", "hvip", "hcounteren", "henvcfg", "htimedelta",
    "htval", "htinst", "mtval2", "mtinst", "hgatp", "vsstatus", "vsie", "vsip", "vsatp", "vsepc",
    "vstimecmp", "hstateen0", "mstateen0", "sstateen0", "time", "mseccfg",
    "mcyclecfg", "minstretcfg",
)  # fmt: skip

GUESTS_OWN = (
    "sstatus", "sie", "sip", "stvec", "sscratch", "sepc", "scause", "stval", "satp", "stimecmp",
    "senvcfg", "scounteren", "sstateen0", "time", "cycle", "instret",
)  # fmt: skip


# --- CSRs ----------------------------------------------------------------------------------------


def csrs(g: Generator) -> None:
    """Any instruction on any CSR, or on a number that no CSR has."""
    if g.rng.randrange(12) == 0:
        _absent(g)
        return
    names = GUESTS_OWN if g.world.virtual and g.rng.randrange(3) else OFTEN
    known = [csr for csr in g.isa.csrs if csr.name != "mseccfg" or "smmpm" in g.has]
    often = [csr for csr in known if csr.name in names]
    csr = g.rng.choice(often if g.rng.getrandbits(1) else known)
    plan = PLANS.get(csr.name, ANY)
    early = plan.refresh and g.timer == "machine" and not g.believes_machine
    if not plan.forms or g.rng.randrange(3) == 0 or (early and not plan.fields):
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
    """A read without a write, in any of its forms."""
    name = g.rng.choice(["csrrs", "csrrc", "csrrsi", "csrrci"])
    source = "zimm" if name.endswith("i") else "rs1"
    rd = g.pointer()
    g.code(name, rd=rd, csr=number, **{source: 0})
    if number in g.otherwise:
        g.constant(rd, 0)


def write(g: Generator, csr: Csr, plan: Plan) -> None:
    """A write by one of the forms that the plan allows."""
    form = g.rng.choice(plan.forms)
    rd = 0 if csr.number in g.otherwise else g.register(write=True)
    if plan.forms == ALL_FORMS and g.rng.randrange(3) == 0:
        g.code(FORM_NAMES[form] + "i", rd=rd, csr=csr.number, zimm=g.rng.randrange(32))
        return
    source = g.pointer()
    g.constant(source, plan.value(g))
    g.code(FORM_NAMES[form], rd=rd, csr=csr.number, rs1=source)


def _write_and_settle(g: Generator, csr: Csr, plan: Plan) -> None:
    """A write that Spike or a TLB notices late. It is done in M mode with interrupts disabled; in a
    lower mode only for the supervisor's timer."""
    if g.believes_machine:
        skip = g.only_in_machine_mode()
        write(g, csr, plan)
        g.settle()
        g.code.bind(skip)
    elif plan.fields:
        write(g, csr, Plan("sc", lambda g: integer(g.rng) & plan.fields))
    else:
        write(g, csr, plan)
        g.code("ecall")


def status(g: Generator) -> None:
    """Bits of mstatus, sstatus or vsstatus that loads, traps and floating point depend on."""
    number = MSTATUS if g.believes_machine else g.rng.choice([SSTATUS, SSTATUS, VSSTATUS])
    forbidden = bars(g)
    loads = LOADS | g.rng.choice([0, MPV, MPV | 1 << 11])
    bits, form = g.rng.choice([(loads, "s"), (loads, "c"), (forbidden, "s"), (forbidden, "c"),
                               (FS, "s"), (FS, "s"), (FS, "c")])  # fmt: skip
    value = bits if g.rng.randrange(3) == 0 else bits & integer(g.rng)
    source = g.pointer()
    g.constant(source, FS if bits == FS and form == "s" else value)
    g.code(FORM_NAMES[form], rd=g.register(write=True), csr=number, rs1=source)


def guest_status(g: Generator) -> None:
    """Bits of hstatus: the rights of guests and U mode, and the privilege of HLV and HSV."""
    bits = g.rng.choice([SPVP, SPVP | HU, HU, SPVP, VTSR | VTW | VTVM])
    source = g.pointer()
    g.constant(source, bits & integer(g.rng) if g.rng.getrandbits(1) else bits)
    form = "c" if bits & VTSR and g.rng.randrange(3) else g.rng.choice("sc")
    g.code(FORM_NAMES[form], rd=g.register(write=True), csr=HSTATUS, rs1=source)


# --- modes ---------------------------------------------------------------------------------------


def drops(g: Generator) -> None:
    """mret or sret to the next instruction, in any mode that it can reach."""
    machine = g.believes_machine and g.rng.randrange(4) != 0
    place, bits = g.pointer(), g.pointer()
    if machine:
        _choose(g, bits, MSTATUS, MPP | MPV, [0, 1 << 11, 3 << 11, MPV, MPV | 1 << 11])
    else:
        _choose(g, bits, SSTATUS, SPP, [0, SPP])
        if g.hypervisor and not g.world.virtual:
            _choose(g, bits, HSTATUS, SPV, [0, SPV, SPV])
    g.code.place(place, g.code.pc + 16)
    g.code("csrrw", rd=0, csr=MEPC if machine else SEPC, rs1=place)
    g.code("mret" if machine else "sret")


def _choose(g: Generator, source: int, number: int, mask: int, values: list[int]) -> None:
    """Write one of these values to a field of a CSR."""
    g.constant(source, mask)
    g.code("csrrc", rd=0, csr=number, rs1=source)
    g.constant(source, g.rng.choice(values))
    g.code("csrrs", rd=0, csr=number, rs1=source)


def system(g: Generator) -> None:
    """Fences of translations and of instructions, and waits on reservations; also returns and wfi,
    if they trap."""
    kept = {"M": ("mret", "sret", "wfi"), "HS": ("sret", "wfi"), "VS": ("sret", "wfi")}
    rows = [row for row in g.kinds["system"] if row.name not in kept.get(g.world.name, ())]
    g.emit(g.rng.choice(rows))


# --- interrupts ----------------------------------------------------------------------------------


def interrupts(g: Generator) -> None:
    """Pending bits that software writes, enable bits, delegation."""
    source = g.pointer()
    pending, enables, status = (MIP, MIE, MSTATUS) if g.believes_machine else (SIP, SIE, SSTATUS)
    g.constant(source, g.rng.choice([SSI, 0x222, integer(g.rng)]))
    g.code(g.rng.choice(["csrrs", "csrrs", "csrrc"]), rd=0, csr=pending, rs1=source)
    g.constant(source, PLANS["mie"].value(g))
    g.code(g.rng.choice(["csrrw", "csrrs", "csrrc"]), rd=g.register(True), csr=enables, rs1=source)
    g.code("csrrsi", rd=0, csr=status, zimm=g.rng.choice([0, 8, 2, 10]))


def clint(g: Generator) -> None:
    """M mode's software interrupt and timer."""
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
    """wfi while an enabled interrupt is pending, so that it ends at once or is illegal."""
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


def injections(g: Generator) -> None:
    """Interrupts of a guest: pending bits, delegation, enable bits, and then sometimes SIE."""
    source = g.pointer()
    for number, form in ((HIDELEG, "w"), (HVIP, "w"), (HIE, "s")):
        if g.rng.randrange(4):
            g.constant(source, g.rng.choice([GUEST_BITS, GUEST_BITS & integer(g.rng)]))
            if number == HIE:
                g.constant(source, PLANS["hie"].value(g))
            g.code(FORM_NAMES[form], rd=g.register(write=True), csr=number, rs1=source)
    g.code(g.rng.choice(["csrrsi", "csrrsi", "csrrci"]), rd=0, csr=VSSTATUS, zimm=2)
