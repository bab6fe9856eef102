"""Snippets about page tables, address spaces, memory of guests, and protection."""

from __future__ import annotations

from dataclasses import dataclass

from . import layout
from .assembly import Label
from .generator import HGATP, Generator
from .operands import access_size, integer, is_store
from .tables import FIRST, ONLY, SECOND, A, D, Entry, R, U, W
from .worlds import ADUE, MPP, MPV

MSTATUS, SATP, VSATP, HSTATUS = 0x300, 0x180, 0x280, 0x600
MENVCFG, HENVCFG = 0x30A, 0x60A
MPRV = 1 << 17
LOADS = MPRV | 1 << 18 | 1 << 19  # MPRV, SUM, MXR
PMPCFG0, PMPADDR0 = 0x3A0, 0x3B0

# --- entries of page tables ----------------------------------------------------------------------


def tables(g: Generator) -> None:
    """Write another value to a page-table entry for data or code, and fence."""
    entry = g.spaces.entry()
    new = entry.good if g.rng.randrange(3) == 0 else entry.spoilt(g.rng)
    skip, base = g.only_in_machine_mode(), g.pointer()
    value = g.pointer(base)
    g.constant(value, new)
    g.code.place(base, entry.slot)
    g.code("sd", rs1=base, rs2=value, imm=0)
    _fence(g, entry, base, value)
    g.code.bind(skip)


def _fence(g: Generator, entry: Entry, first: int, second: int) -> None:
    """Fence everything, or the address, the ASID or VMID of the space, or both. Tables of a guest
    may have been used with every VMID, and reads of them depend on the second stage."""
    page, address = _place(g, entry, first)
    space = g.rng.choice([0, 0, second])
    if entry.space.stage == FIRST:
        for _ in g.each_guest(first):
            _fence_once(g, "vvma", entry, (page, address), space)
    elif entry.space.stage == SECOND:
        _fence_once(g, "gvma", entry, (page, address >> 2), space)
        if entry.maps_tables:
            for _ in g.each_guest(first):
                g.code("hfence.vvma", rs1=0, rs2=0)
    else:
        _fence_once(g, "vma", entry, (page, address), space)


def _place(g: Generator, entry: Entry, source: int) -> tuple[int, int]:
    """A register that holds an address that the entry maps, or x0 for all; and the address."""
    inside = g.rng.choice(layout.DATA) * layout.PAGE if entry.level else 0
    address = entry.va + inside + g.rng.randrange(layout.PAGE)
    return (0 if entry.is_pointer or g.rng.getrandbits(1) else source), address


def _fence_once(g: Generator, what: str, entry: Entry, place: tuple[int, int], space: int) -> None:
    """One fence, or its parts of Svinval. `place` is a register (or x0) and its value."""
    page, address = place
    if page:
        g.constant(page, address)
    if space:
        g.constant(space, entry.space.identity)
    letter = "s" if what == "vma" else "h"
    if g.rng.getrandbits(1) or "svinval" not in g.has:
        g.code(f"{letter}fence.{what}", rs1=page, rs2=space)
        return
    g.code("sfence.w.inval")
    g.code(f"{letter}inval.{what}", rs1=page, rs2=space)
    g.code("sfence.inval.ir")


@dataclass(frozen=True)
class Route:
    """A way to use an entry: the values of CSRs, and the distance of the virtual address from the
    address that the entry maps."""

    csrs: tuple[tuple[int, int], ...]
    distance: int = 0


def _route(g: Generator, entry: Entry) -> Route:
    """Choose one of the ways to use an entry."""
    stage, value = entry.space.stage, entry.space.value
    if stage == ONLY:
        return Route(((SATP, value),))
    if stage == FIRST:
        target = entry.space.windows.get(entry.va, layout.BASE)
        fitting = [s.value for s in g.spaces.second if target in (layout.BASE, *s.windows)]
        return Route(((VSATP, value), (HGATP, g.rng.choice(fitting or [g.spaces.bare]))))
    routes = [(0, 0)]
    for space in g.spaces.first:
        routes.append((space.value, 0))
        if entry.maps_tables and not entry.level:
            page = layout.address(g.rng.choice(layout.DATA)) - entry.va
            routes += [(space.value, base - layout.BASE + page) for base in space.windows]
        else:
            window = entry.va & -(1 << layout.LOW_BITS)
            near = [base for base, target in space.windows.items() if target == window]
            routes += [(space.value, base - window) for base in near]
    vsatp, distance = g.rng.choice(routes)
    return Route(((VSATP, vsatp), (HGATP, value)), distance)


def remaps(g: Generator) -> None:
    """Access a mapping by MPRV or by HLV and HSV, write another value to its entry, fence, and
    access the same page and another page of its superpage."""
    entry = g.spaces.entry()
    skip, bits = g.only_in_machine_mode(), g.pointer()
    first, second = g.pointer(bits), g.pointer(bits)
    route = _route(g, entry)
    virtual = MPV if entry.space.stage != ONLY else 0
    by_hlv = virtual != 0 and g.rng.getrandbits(1) == 1
    pages = [page for page in (*layout.DATA[1:], *layout.CODE) if entry.level or page == entry.page]
    places = [g.rng.choice(pages or layout.DATA) for _ in range(2)]
    _go(g, route, bits)
    g.constant(bits, MPP | MPV | LOADS)
    g.code("csrrc", rd=0, csr=MSTATUS, rs1=bits)
    loads = MPRV | virtual | g.rng.choice([0, 1 << 11]) | LOADS & integer(g.rng)
    g.constant(bits, loads & ~MPRV if by_hlv else loads)
    g.code("csrrs", rd=0, csr=MSTATUS, rs1=bits)
    _access(g, first, entry, places[0], route.distance, by_hlv)
    g.constant(bits, MPRV)
    g.code("csrrc", rd=0, csr=MSTATUS, rs1=bits)
    g.code.place(first, entry.slot)
    g.constant(bits, g.rng.choice([entry.good, entry.spoilt(g.rng)]))
    g.code("sd", rs1=first, rs2=bits, imm=0)
    _fence(g, entry, bits, second)
    _go(g, route, bits)
    g.constant(bits, loads & (MPRV | MPP | MPV) if not by_hlv else 0)
    g.code("csrrs", rd=0, csr=MSTATUS, rs1=bits)
    for place in g.rng.sample(places, 2):
        _access(g, first, entry, place, route.distance, by_hlv)
    g.constant(bits, MPRV)
    g.code("csrrc", rd=0, csr=MSTATUS, rs1=bits)
    g.code.bind(skip)


def _go(g: Generator, route: Route, source: int) -> None:
    """Switch to the address space of a route."""
    for number, value in route.csrs:
        g.constant(source, value)
        g.code("csrrw", rd=0, csr=number, rs1=source)


def _access(
    g: Generator, base: int, entry: Entry, page: int, distance: int = 0, by_hlv: bool = False
) -> None:
    """Load or store a doubleword in a page that an entry maps; code is only loaded."""
    start = layout.address(page) - layout.BASE if entry.level else 0
    place = entry.va + distance + start + 8 * g.rng.randrange(512)
    g.constant(base, place & (1 << 64) - 1)
    load = g.rng.getrandbits(1) or page in layout.CODE
    if by_hlv:
        if load:
            name = g.rng.choice(["hlv.d", "hlv.d", "hlvx.wu", "hlv.b"])
            g.code(name, rd=g.pointer(base), rs1=base)
        else:
            g.code("hsv.d", rs1=base, rs2=g.register())
    elif load:
        g.code("ld", rd=g.pointer(base), rs1=base, imm=0)
    else:
        g.code("sd", rs1=base, rs2=g.register(), imm=0)


def own_tables(g: Generator) -> None:
    """Like `remaps`, but by a guest in VS mode, while it has page tables and VTVM allows its
    fences."""
    entry = g.spaces.own_entry()
    if entry is None:
        return
    skip, flag = Label(), g.pointer()
    first = g.pointer(flag)
    second = g.pointer(flag, first)
    g.constant(flag, 0)
    g.code("csrrs", rd=flag, csr=SATP, rs1=0)
    g.code.branch(g.isa.named["beq"], skip, rs1=flag, rs2=0)
    g.constant(flag, entry.space.value)
    g.code("csrrw", rd=0, csr=SATP, rs1=flag)
    _access(g, first, entry, entry.page)
    g.constant(first, entry.slot)
    g.constant(flag, g.rng.choice([entry.good, entry.spoilt(g.rng)]))
    g.code("sd", rs1=first, rs2=flag, imm=0)
    _fence_once(g, "vma", entry, _place(g, entry, first), g.rng.choice([0, second]))
    for _ in range(2):
        _access(g, first, entry, entry.page)
    g.code.bind(skip)


def marks(g: Generator) -> None:
    """An access that sets A or D in an entry of a guest, while the second stage maps the table
    writable or not; then load both entries."""
    pair = g.spaces.pair()
    if pair is None:
        return
    entry, behind = pair
    skip, place = g.only_in_machine_mode(), g.pointer()
    value = g.pointer(place)
    g.constant(value, ADUE)
    for number in (MENVCFG, HENVCFG):
        g.code(g.rng.choice(["csrrs"] * 5 + ["csrrc"]), rd=0, csr=number, rs1=value)
    for one, lacking in ((entry, (D, A | D)), (behind, (0, W, D, W | D, A | D))):
        g.code.place(place, one.slot)
        g.constant(value, (one.good | R | W | A | D) & ~g.rng.choice(lacking))
        g.code("sd", rs1=place, rs2=value, imm=0)
    for _ in g.each_guest(value):
        g.code("hfence.vvma", rs1=0, rs2=0)
    g.code("hfence.gvma", rs1=0, rs2=0)
    _go(g, Route(((VSATP, entry.space.value), (HGATP, behind.space.value))), value)
    g.constant(value, 1 << 8)
    g.code("csrrs" if entry.good & U == 0 else "csrrc", rd=0, csr=HSTATUS, rs1=value)
    _access(g, value, entry, entry.page, by_hlv=True)
    for one in pair:
        g.code.place(place, one.slot)
        g.code("ld", rd=g.pointer(place), rs1=place, imm=0)
    g.code.bind(skip)


# --- spaces --------------------------------------------------------------------------------------


def spaces(g: Generator) -> None:
    """Switch to another address space, or to none."""
    source = g.pointer()
    g.constant(source, g.spaces.vsatp() if g.world.virtual else g.spaces.satp())
    g.code("csrrw", rd=g.register(write=True), csr=SATP, rs1=source)
    if g.rng.getrandbits(1):
        g.code("sfence.vma", rs1=0, rs2=0)


def guests(g: Generator) -> None:
    """Switch one or both stages to those of another guest."""
    source = g.pointer()
    if g.rng.randrange(3):
        g.constant(source, g.spaces.hgatp())
        g.code("csrrw", rd=g.register(write=True), csr=HGATP, rs1=source)
    if g.rng.randrange(3):
        g.constant(source, g.spaces.vsatp())
        g.code("csrrw", rd=g.register(write=True), csr=VSATP, rs1=source)
    if g.rng.randrange(4) == 0:
        g.code(g.rng.choice(["hfence.vvma", "hfence.gvma"]), rs1=0, rs2=0)


def guest_memory(g: Generator) -> None:
    """HLV, HLVX or HSV at an address of a guest, sometimes several with the same base."""
    base = g.pointer()
    for _ in range(g.rng.choice([1, 1, 2, 3])):
        row = g.rng.choice(g.kinds["guest"])
        size = access_size(row)
        target = g.target(size, "twins" if is_store(row) else "any")
        if layout.BASE <= target < layout.BASE + layout.SIZE and g.rng.randrange(3):
            window = g.rng.choice(g.windows[True])
            target = window + target - layout.BASE & (1 << 64) - 1
        if "ssnpm" in g.has and g.rng.randrange(4) == 0:
            target = g.tagged(target)
        g.constant(base, target)
        g.emit(row, rs1=base)


# --- protection ----------------------------------------------------------------------------------


def protection(g: Generator) -> None:
    """Write one PMP entry, or two for a range, over data or code. Locked entries permit reads."""
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
    """A range that is also legal for NAPOT. It is fine-grained in the page SPLIT, and otherwise
    consists of pairs of pages, so that TWINS stay alike: of code and data, or of page tables."""
    if g.rng.randrange(3) == 0:
        size = 8 << g.rng.randrange(9)
        offset = g.rng.randrange(0, layout.PAGE, size)
        return (low := layout.address(layout.SPLIT, offset)), low + size
    if g.rng.randrange(8) == 0:
        size = 2 * layout.PAGE
        low = layout.address(g.rng.randrange(layout.TABLES[0], layout.TABLES[0] + 48, 2))
        return low, low + size
    size = 2 * layout.PAGE << g.rng.randrange(3)
    first, last = layout.address(layout.CODE[0]), layout.address(layout.DATA[-1] + 1)
    low = g.rng.randrange(-(-first // size) * size, last, size)
    return low, low + size
