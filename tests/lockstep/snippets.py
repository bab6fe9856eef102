"""Snippets of unprivileged instructions."""

from __future__ import annotations

from collections.abc import Callable

from rvplat.isa.machinery.extension import Row

from . import layout
from .assembly import Label, encode
from .generator import WILD, Generator
from .operands import access_size, floating, half, integer, is_store

ADDRESS_BYTES = 8  # the length of the code that Code.place appends
PLAIN_EXTENSIONS = ("I", "Zmmul", "M", "Zca")
RA, SP = 1, 2  # some compressed instructions write them


def integers(g: Generator) -> None:
    """An integer instruction, half of the time with a new operand that is a corner case."""
    row = g.rng.choice(g.kinds["integer"])
    values = g.operands(row)
    source = values.get("rs1") or values.get("rs2")
    if g.rng.getrandbits(1) and source and source not in g.locked:
        g.constant(source, integer(g.rng))
    g.code.row(row, **values)


def floats(g: Generator) -> None:
    """A floating-point instruction on the current values of registers."""
    g.emit(g.rng.choice(g.kinds["float"]))


def float_operand(g: Generator) -> None:
    """Load a corner case into an f register, through an integer register."""
    source = g.pointer()
    g.constant(source, floating(g.rng))
    mover = g.rng.choice(["fmv.d.x", "fmv.d.x", "fmv.w.x"])
    g.code(mover, rd=g.rng.randrange(32), rs1=source)


HALF = ("Zfh", "Zfhmin", "Zfbfmin")


def halves(g: Generator, row: Row | None = None) -> None:
    """A half-precision instruction, mostly on new operands that are halves."""
    rows = [row for row in g.kinds["float"] if row.extension.name in HALF]
    row, source = row or g.rng.choice(rows), g.pointer()
    values = g.operands(row)
    for name in ("rs1", "rs2", "rs3"):
        if name in values and f"f{name}" in row.syntax and g.rng.randrange(4):
            g.constant(source, half(g.rng))
            g.code("fmv.h.x", rd=values[name], rs1=source)
    g.code.row(row, **values)


def hints(g: Generator) -> None:
    """A hint, fence or prefetch."""
    g.emit(g.rng.choice(g.kinds["hint"]))


def refresh(g: Generator) -> None:
    """Load operands from the pool into several registers."""
    base = g.pointer()
    g.address(base, layout.address(layout.POOL))
    for _ in range(g.rng.randrange(2, 6)):
        offset = 8 * g.rng.randrange(256)
        if g.rng.getrandbits(1):
            g.code("fld", rd=g.rng.randrange(32), rs1=base, imm=offset)
        else:
            g.code("ld", rd=g.pointer(base), rs1=base, imm=offset)


def memory(g: Generator, row: Row | None = None) -> None:
    """A load or store at an address of data; sometimes several with the same base."""
    row = row or g.rng.choice(g.kinds["memory"])
    size = access_size(row)
    crosses = "twins" if is_store(row) else "any"
    if "rs1" in row.pattern.operands:
        base = g.pointer() if row.pattern.length == 4 else _low_pointer(g)
        values = g.operands(row, rs1=base)
    else:
        base, values = SP, g.operands(row)
    if base in g.locked:
        return
    offset = values.get("imm", values.get("uimm", 0))
    g.address(base, (g.target(size, crosses) - offset) & (1 << 64) - 1)
    g.code.row(row, **values)


def _low_pointer(g: Generator) -> int:
    """A register from x8 to x15 for a pointer; it is a loop's counter if no other is left."""
    free = {*range(8, 16)} - {*g.temporaries} - g.locked
    chosen: int = g.rng.choice(sorted(free))
    return chosen


def atomics(g: Generator, row: Row | None = None) -> None:
    """An AMO, or a pair of LR and SC, or one of them alone. Half of the compare-and-swaps find what
    they expect."""
    row = row or g.rng.choice(g.kinds["atomic"])
    size, base = access_size(row), g.pointer()
    target = g.target(size, pages=layout.DATA[1:]) & ~(size - 1)
    if "zicclsm" not in g.has and g.rng.randrange(6) == 0:
        target += g.rng.randrange(size)
    reserves = row.extension.name == "Zalrsc"
    if reserves and "ssnpm" in g.has and not layout.BASE <= target < layout.BASE + layout.SIZE:
        target = layout.address(layout.DATA[1])
    g.address(base, target, tags=not reserves)
    if row.name.startswith("amocas"):
        values = g.operands(row, rs1=base)
        if g.rng.getrandbits(1) and base not in (values["rd"], values["rd"] + 1):
            word = min(size, g.isa.xlen // 8)
            for n in range(size // word):
                load = {1: "lb", 2: "lh", 4: "lw", 8: "ld"}[word]
                g.code(load, rd=values["rd"] + n, rs1=base, imm=n * word)
        g.code.row(row, **values)
        return
    if row.extension.name != "Zalrsc" or g.rng.randrange(8) == 0:
        g.emit(row, rs1=base)
        return
    suffix = ".d" if size == 8 else ".w"
    g.code("lr" + suffix, rd=g.pointer(base), rs1=base, aq=g.rng.getrandbits(1), rl=0)
    if g.rng.randrange(4) == 0:
        g.code("addi", rd=base, rs1=base, imm=g.rng.choice([size, -size, 0, 64]))
    values = g.operands(g.isa.named["sc" + suffix], rs1=base)
    g.code("sc" + suffix, **values)
    if g.rng.randrange(4) == 0 and values["rd"] != base:
        g.code("sc" + suffix, **values)


def blocks(g: Generator) -> None:
    """A cache-block operation."""
    row, base = g.rng.choice(g.kinds["block"]), g.pointer()
    target = g.target(64, pages=layout.DATA[1:]) & ~63
    if row.name != "cbo.zero":
        target += g.rng.randrange(64)
    g.address(base, target)
    g.code.row(row, rs1=base)


# --- control flow --------------------------------------------------------------------------------


def loops(g: Generator) -> None:
    """A loop that runs a block a few times."""
    if not g.depth:
        _repeat(g, g.rng.randrange(2, 5), lambda: g.block(g.rng.randrange(3, 12)))


def busy(g: Generator) -> None:
    """A loop of instructions that don't trap, which interrupts may interrupt."""
    rows = [row for row in g.kinds["integer"] if row.extension.name in PLAIN_EXTENSIONS]

    def body() -> None:
        for _ in range(g.rng.randrange(4, 12)):
            g.emit(g.rng.choice(rows))

    if not g.depth:
        _repeat(g, g.rng.randrange(40, 180), body)


def sweeps(g: Generator) -> None:
    """Loads and stores in several pages of data, or in the lines of one page."""
    if g.depth:
        return
    rows = [r for r in g.kinds["memory"] if "rs1" in r.pattern.operands and r.pattern.length == 4]
    base = g.pointer(RA, SP)
    stride = g.pointer(RA, SP, base)
    turns = g.rng.randrange(3, 8)
    step = g.rng.choice([1, 1, 1, -1, 0])
    first = g.rng.choice(layout.DATA[turns:-turns] if step else layout.DATA)
    g.address(base, layout.address(first, 8 * g.rng.randrange(64)))
    g.constant(stride, step * layout.PAGE or 8 * g.rng.randrange(1, 17))
    g.locked |= {base, stride}

    def body() -> None:
        for _ in range(g.rng.randrange(1, 4)):
            row = g.rng.choice(rows)
            size = access_size(row)
            g.emit(row, rs1=base, imm=size * g.rng.randrange(2048 // size))
        g.code("add", rd=base, rs1=base, rs2=stride)

    _repeat(g, turns, body)
    g.locked -= {base, stride}


def _repeat(g: Generator, turns: int, body: Callable[[], None]) -> None:
    """A loop."""
    counter = g.pointer(RA, SP)
    g.constant(counter, turns)
    g.locked.add(counter)
    g.depth += 1
    top = g.code.here()
    body()
    g.depth -= 1
    g.code("addi", rd=counter, rs1=counter, imm=-1)
    g.code.branch(g.isa.named["bne"], top, rs1=counter, rs2=0)
    g.locked.discard(counter)


def jumps(g: Generator) -> None:
    """A jump through a register over some data."""
    row, target = g.rng.choice(g.kinds["jump"]), g.pointer()
    values = g.operands(row, rs1=target)
    data = g.rng.randbytes(2 * g.rng.randrange(8))
    end = g.code.pc + ADDRESS_BYTES + row.pattern.length + len(data)
    odd = g.rng.getrandbits(1)  # bit 0 of a target is ignored
    g.code.place(target, end - (values.get("imm", 0) & ~1) + odd * (values.get("imm", 0) & 1 ^ 1))
    g.code.row(row, **values)
    g.code.data += data


def beside(g: Generator) -> None:
    """Loads and stores of data between instructions, which isn't executed."""
    base = g.pointer()
    rows = [r for r in g.kinds["memory"] if "rs1" in r.pattern.operands and r.pattern.length == 4]
    size = 16 * g.rng.randrange(1, 5)
    after = Label()
    g.code.jump(after)
    first = g.code.pc
    g.code.data += g.rng.randbytes(size)
    g.code.bind(after)
    for _ in range(g.rng.randrange(1, 4)):
        row = g.rng.choice(rows)
        aligned = first + -first % 8
        place = aligned + g.rng.randrange(0, size - 8, access_size(row))
        if place // layout.PAGE != (place + 7) // layout.PAGE:
            continue  # the store would cross into another page
        values = g.operands(row, rs1=base)
        g.code.place(base, place - values["imm"])
        g.code.row(row, **values)


def wild_jump(g: Generator) -> None:
    """A jump to a place without instructions. The handlers continue with the next section."""
    target = g.pointer()
    g.constant(target, g.rng.choice(WILD) & ~1)
    g.code("jalr", rd=g.register(write=True), rs1=target, imm=0)


def illegal(g: Generator) -> None:
    """Bits that no row decodes."""
    while True:
        if g.rng.getrandbits(1):
            bits, length = g.rng.getrandbits(32) | 3, 4
            if g.rng.getrandbits(1):  # near an instruction
                row = g.rng.choice(g.isa.rows)
                bits = row.pattern.match | 1 << g.rng.randrange(32) | 3
            if bits & 0x1F == 0x1F:  # of more than 32 bits
                continue
        else:
            bits, length = g.rng.getrandbits(16), 2
            if bits & 3 == 3:
                continue
        if g.isa.find(bits) is None:
            g.code.bits(bits, length)
            return


def calls(g: Generator) -> None:
    """ecall and ebreak: the handlers return past them."""
    row = g.isa.named[g.rng.choice(["ecall", "ebreak", "c.ebreak"])]
    g.code.row(row)


def patches(g: Generator) -> None:
    """A store to an instruction that is executed afterwards, with a fence.i in between."""
    place = g.pointer()
    value = g.pointer(place)
    rows = [row for row in g.kinds["integer"] if row.pattern.length == 4]
    row = g.rng.choice(rows)
    g.constant(value, encode(row, **g.operands(row)))
    patched = g.code.pc + ADDRESS_BYTES + 8
    if patched & layout.PAGE - 1 > layout.PAGE - 4:
        return  # the store would cross into another page
    g.code.place(place, patched)
    g.code("sw", rs1=place, rs2=value, imm=0)
    g.code("fence.i")
    g.emit(g.rng.choice(rows))
