"""Snippets of programs for RV32, and how often each world has them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache

from rvplat.isa.machinery.extension import Row

from . import layout, snippets, worlds
from .assembly import Isa
from .generator import Generator, Snippet
from .operands import integer, kind_of

MSTATUS, MSTATUSH = 0x300, 0x310
FS = 3 << 13
LATER = {"mtvec", "medeleg", "mie", "mcountinhibit"}  # a write would change the program's course
FIOM = 1 << 0
SATP, SSTATUS, SUM, MXR = 0x180, 0x100, 1 << 18, 1 << 19
SV32, ASID_SHIFT = 1 << 31, 22
ROOT, TABLE = layout.TABLES[0], layout.TABLES[1]
SECOND_ROOT, SECOND_TABLE = layout.TABLES[16], layout.TABLES[20]  # the root has four pages
VSATP, HGATP, VSSTATUS = 0x280, 0x680, 0x200
HSTATUS, SPVP, HU = 0x600, 1 << 8, 1 << 9
MPRV, MPP, MPV = 1 << 17, 3 << 11, 1 << 7  # MPV is mstatush's
VMID_SHIFT, VMIDS, ASIDS = 22, 1 << 7, 1 << 9
VTVM, ONLY_VGEIN, GUEST_LINE = 1 << 20, 1 << 12, 1 << 1  # VGEIN of more than GEILEN is WARL
WINDOWS = [layout.BASE, 0x4000_0000, 0xC000_0000, 0xC040_0000]
PTE_V, PTE_R, PTE_W, PTE_X, PTE_U, PTE_G, PTE_A, PTE_D = (1 << n for n in range(8))
USABLE = PTE_V | PTE_R | PTE_W | PTE_A | PTE_D
OTHERWISE = {*worlds.OTHERWISE, *worlds.TINST, 0xC81}  # time, identity, transformed instructions
MISSING = {0x312, 0x612}  # medelegh and hedelegh (Privileged 1.13), which Spike lacks
#: CSRs that programs write with any value.
WRITTEN = (
    "mscratch", "mepc", "mcause", "mtval", "sscratch", "sepc", "scause", "stval", "fcsr", "fflags",
    "frm", "mcounteren", "scounteren", "minstret", "minstreth", "mcycle", "mcycleh", "menvcfg",
    "menvcfgh", "senvcfg", "mcountinhibit", "medeleg", "mie", "mtvec", "stvec", "mhartid",
    "pmpaddr7", "mhpmcounter3", "mhpmcounter3h", "mhpmevent3", "cycleh", "instreth", "mstatush",
)  # fmt: skip
#: Those of H. No interrupt is enabled, and no trap is delegated to HS mode first.
OF_H = (
    "vsscratch", "vsepc", "vscause", "vstval", "vstvec", "vsstatus", "hstatus", "hedeleg",
    "hideleg", "hvip", "htval", "mtval2", "htinst", "mtinst", "hcounteren", "htimedelta",
    "htimedeltah", "henvcfg", "henvcfgh", "hgeie",
)  # fmt: skip
# Bits that are never set: worlds.py says why.
NEVER = {"hstatus": ONLY_VGEIN, "hgeie": GUEST_LINE, "hedeleg": 1 << 0 | 3 << 18}
#: Extensions of which other snippets make few instructions.
SELDOM = (
    "Zfbfmin", "Zacas", "Zabha", "Zaamo", "Zilsd", "Zclsd", "Zfa", "Zbkb", "Zbkx", "Zknd", "Zkne",
    "Zknh", "Zksed", "Zksh", "Zbc", "Zba", "Zicond", "Zcb", "Zcmop", "Zimop", "Zcd", "Zcf",
)  # fmt: skip


def refresh(g: Generator) -> None:
    """Load operands from the pool into several registers."""
    base = g.pointer()
    g.address(base, layout.address(layout.POOL))
    for _ in range(g.rng.randrange(2, 6)):
        offset = 8 * g.rng.randrange(256)
        row = g.rng.choice(("fld", "fld", "flw", "lw", "lw") if "fld" in g.isa.named else ("lw",))
        rd = g.rng.randrange(32) if row[0] == "f" else g.pointer(base)
        g.code(row, rd=rd, rs1=base, imm=offset)


def csrs(g: Generator) -> None:
    """Any instruction on a CSR: a read of any one, or a write of some."""
    csr = g.rng.choice([row for row in g.isa.csrs if row.number not in MISSING])
    written = WRITTEN + OF_H if g.rng.randrange(2) else WRITTEN
    if g.rng.randrange(2):
        csr = g.rng.choice([row for row in g.isa.csrs if row.name in written])
    rd = 0 if csr.number in OTHERWISE else g.pointer()
    if csr.name in written and csr.name not in LATER and g.rng.randrange(4):
        source = g.pointer()
        value = integer(g.rng) & ~NEVER.get(csr.name, 0)
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


def seldom(g: Generator) -> None:
    """An instruction of an extension that has few."""
    row = g.rng.choice(g.rng.choice(extension_rows(g.isa)))
    match kind_of(row):
        case "memory":
            snippets.memory(g, row)
        case "atomic":
            snippets.atomics(g, row)
        case "float" if row.extension.name in snippets.HALF:
            snippets.halves(g, row)
        case _:
            g.emit(row)


@cache
def extension_rows(isa: Isa) -> list[list[Row]]:
    """The rows of each extension of SELDOM."""
    found: dict[str, list[Row]] = {}
    for row in isa.rows:
        if row.extension.name in SELDOM:
            found.setdefault(row.extension.name, []).append(row)
    return list(found.values())


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
    names = ("hlv.b", "hlv.bu", "hlv.h", "hlv.hu", "hlvx.hu", "hlv.w", "hlvx.wu")
    for _ in range(g.rng.randrange(1, 5)):
        if g.rng.randrange(3):
            g.code(g.rng.choice(names), rd=g.pointer(base), rs1=base)
        else:
            g.code(g.rng.choice(("hsv.b", "hsv.h", "hsv.w")), rs1=base, rs2=g.pointer())


def guest_fences(g: Generator) -> None:
    """Fences for guests, with any operands: each of them may be x0, or hold an address or a number
    of an address space."""
    name = g.rng.choice(("hfence.vvma", "hfence.gvma", "hinval.vvma", "hinval.gvma", "sfence.vma",
                         "sinval.vma", "sfence.w.inval", "sfence.inval.ir"))  # fmt: skip
    if "w.inval" in name or name.endswith(".ir"):
        g.code(name)
        return
    place, space = g.rng.choice((0, g.pointer())), g.rng.choice((0, g.pointer()))
    if place:
        at = g.rng.choice(WINDOWS) + g.rng.choice(layout.DATA) * layout.PAGE
        g.constant(place, at >> (2 if name.endswith("gvma") else 0))
    if space and space != place:
        g.constant(space, g.rng.randrange(ASIDS))
    g.code(name, rs1=place, rs2=space)


def guest_spaces(g: Generator) -> None:
    """Another value of hgatp or vsatp: Bare, or the tables with some number; and fences."""
    source = g.pointer()
    if g.rng.getrandbits(1):
        root, shift, numbers, csr = SECOND_ROOT, VMID_SHIFT, VMIDS, HGATP
    else:
        root, shift, numbers, csr = ROOT, ASID_SHIFT, ASIDS, VSATP
    value = SV32 | g.rng.randrange(numbers) << shift | layout.address(root) >> 12
    g.constant(source, g.rng.choice((0, value, value, value)))
    g.code("csrrw", rd=g.register(write=True), csr=csr, rs1=source)
    g.code("hfence.gvma", rs1=0, rs2=0)
    g.code("hfence.vvma", rs1=0, rs2=0)


def borrowed(g: Generator) -> None:
    """In M mode a load or store with the rights of another mode (MPRV)."""
    bits, virtual = g.pointer(), g.pointer()
    base = g.pointer(bits)
    name = g.rng.choice(("lw", "lbu", "lh", "sw", "sb", "lhu"))
    g.address(base, layout.address(g.rng.choice(layout.DATA), 4 * g.rng.randrange(1024)))
    g.constant(bits, MPP)
    g.code("csrrc", rd=0, csr=MSTATUS, rs1=bits)
    g.constant(virtual, MPV)
    g.code(g.rng.choice(("csrrs", "csrrc")), rd=0, csr=MSTATUSH, rs1=virtual)
    g.constant(bits, MPRV | g.rng.choice((0, 1, 3)) << 11)
    g.address(base, layout.address(g.rng.choice(layout.DATA), 4 * g.rng.randrange(1024)))
    g.code("csrrs", rd=0, csr=MSTATUS, rs1=bits)
    values = {"rs2": g.register()} if name[0] == "s" else {"rd": g.pointer(base, bits)}
    g.code(name, rs1=base, imm=0, **values)
    g.constant(bits, MPRV)
    g.code("csrrc", rd=0, csr=MSTATUS, rs1=bits)


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
    seldom: 40, snippets.halves: 6,
}  # fmt: skip
PLANS: dict[str, Mapping[Snippet, int]] = {
    "M": {**PLAN, remaps: 20, spaces: 3, sums: 3, borrowed: 8},
    "HS": {**PLAN, spaces: 4, sums: 8}, "U": PLAN,
}  # fmt: skip
# With H. In VS mode, `spaces` writes vsatp.
WITH_H: dict[str, Mapping[Snippet, int]] = {
    "M": {**PLANS["M"], guest_accesses: 16, second_stage: 12, guest_fences: 6, guest_spaces: 2},
    "HS": {**PLANS["HS"], guest_accesses: 24, guest_fences: 8, guest_spaces: 2},
    "U": {**PLAN, guest_accesses: 6, guest_fences: 1},
    "VS": {**PLANS["HS"], guest_accesses: 1, guest_fences: 2}, "VU": {**PLAN, guest_fences: 1},
}  # fmt: skip
#: On harts without floating point.
INTEGERS: dict[str, Mapping[Snippet, int]] = {
    world: {
        snippet: weight
        for snippet, weight in plan.items()
        if snippet not in (snippets.floats, snippets.halves, float_status)
    }
    for world, plan in PLANS.items()
}
