"""Random states. A kick writes one into a hart, which then continues in some mode through mret."""

from __future__ import annotations

from random import Random

from rvplat.isa.machinery.csr_rows import Csr
from rvplat.isa.privileged import Status
from tests.fuzz.image import (
    BASE,
    CODE,
    DATA,
    ENTER,
    HANDLERS,
    LEAF,
    ONES,
    PAGE,
    TABLES,
    USER_CODE,
    Image,
    U,
    pointer,
    pte,
    rubbish,
)

WORLDS = {"M": (3, 0), "HS": (1, 0), "U": (0, 0), "VS": (1, 1), "VU": (0, 1)}
ROOTS = {"satp": "first", "vsatp": "first", "hgatp": "second"}
VECTORS = {"mtvec": "m", "stvec": "s", "vstvec": "v"}
OPEN = {"medeleg", "mideleg", "hedeleg", "hideleg", "mcounteren", "scounteren", "hcounteren",
        "menvcfg", "henvcfg", "senvcfg", "mstateen0", "hstateen0", "sstateen0"}  # fmt: skip
NAPOT_ALL = 0x1F
LOCKED = 0x8080_8080_8080_8080

Change = tuple[str, str, int]  # ("csr" or "x" or "f" or "pc", name or number, value)


def number(rng: Random) -> int:
    """Any 64 bits, with corner cases more often."""
    return rng.choice([0, ONES, rng.getrandbits(64), 1 << rng.randrange(64), rng.getrandbits(12)])


def csr_value(rng: Random, row: Csr, image: Image, wild: float) -> int:
    """A value for a CSR: a sensible one, or with probability `wild` any value."""
    name = row.name
    if name.startswith("pmp"):
        return pmp_value(rng, name)
    if rng.random() < (wild / 4 if name in VECTORS else wild):
        return number(rng)
    if name in ROOTS:
        tables = rng.choice(getattr(image, ROOTS[name]))
        return int(tables.value(rng.choice(image.modes), rng.randrange(2)))
    if name in VECTORS:
        return HANDLERS[VECTORS[name]] | rng.choice([0, 0, 0, 1])
    if name == "medeleg" and rng.random() < 0.5:  # causes in which a handler in HS mode would loop
        return ONES & ~(1 << 12 | 1 << 1 | 1 << 2 | 1 << 20)
    if name in OPEN:
        return ONES if rng.random() > 3 * wild else ONES & ~(1 << rng.randrange(64))
    if name in ("mie", "sie", "hie", "vsie") and rng.random() < 0.5:
        return 0
    if name.endswith("epc"):
        return code_address(rng)
    if name.endswith("timecmp"):
        return rng.choice([ONES, rng.getrandbits(16), rng.getrandbits(64)])
    return number(rng)


def pmp_value(rng: Random, name: str) -> int:
    """Mostly the last entry permits everything; the others sometimes split pages."""
    if name == "pmpcfg2":
        value = NAPOT_ALL << 56
    elif name == "pmpaddr15":
        return ONES
    else:
        value = 0
    if rng.random() < 0.1:
        return pointer(rng) >> 2 if name.startswith("pmpaddr") else value | rng.getrandbits(64)
    if rng.random() < 0.3 and name.startswith("pmpaddr"):
        return pointer(rng) >> 2 | (1 << rng.randrange(16)) - 1
    if rng.random() < 0.1:
        return value | rng.getrandbits(56) & ~LOCKED
    return value


def code_address(rng: Random, user: bool | None = None) -> int:
    """An address to run at: in code (of U mode, if `user`), sometimes at the end of a page, or
    anywhere."""
    pages = CODE + USER_CODE if user is None else USER_CODE if user else CODE
    if rng.random() < 0.05:
        return pointer(rng) & ~1
    inside = rng.choice([0, rng.randrange(PAGE) & ~3, rng.randrange(PAGE) & ~1, PAGE - 2])
    return rng.choice(pages) + inside


def kick(rng: Random, csrs: list[Csr], image: Image) -> list[Change]:
    """The changes of a hart, in order. The hart continues with an mret to any mode, or at a new pc
    in its current mode."""
    changes: list[Change] = []
    wild = rng.choice([0.01, 0.01, 0.1, 0.3])
    if rng.random() < 0.7:  # writes to these CSRs flush everything
        csrs = [row for row in csrs if not row.name.startswith("pmp")]
    some = csrs if rng.random() < 0.7 else rng.sample(csrs, rng.randrange(len(csrs)))
    order = rng.sample(some, len(some))
    changes += [
        ("csr", row.name, csr_value(rng, row, image, wild)) for row in order if not row.read_only
    ]
    changes += [("x", str(n), number(rng)) for n in range(1, 32)]
    changes += [("x", str(n), pointer(rng)) for n in range(8, 16)]
    changes += [("f", str(n), number(rng)) for n in range(32)]
    if rng.random() < 0.05:
        return [*changes, ("pc", "", code_address(rng))]
    priv, virt = WORLDS[rng.choices(list(WORLDS), [1, 2, 2, 3, 3])[0]]
    status = rng.getrandbits(64) & ~(Status.MPP | Status.MPV | Status.TSR | Status.MPRV)
    status |= priv << Status.MPP_SHIFT | (Status.MPV if virt else 0) | rng.choice([0, Status.FS])
    changes += [("csr", "mstatus", status), ("csr", "mepc", code_address(rng, priv == 0))]
    return [*changes, ("priv", "", 3), ("pc", "", ENTER)]


CALM = {"medeleg": 0, "mideleg": 0, "mie": 0, "hgatp": 0, "vsatp": 0, "menvcfg": ONES}


def calm_kick(rng: Random, csrs: list[Csr], image: Image) -> list[Change]:
    """The changes of a hart that then executes much and traps little: M mode skips what traps, most
    registers are small numbers or pointers to data, and translation is off or maps pages to
    themselves."""
    known = {row.name for row in csrs}
    chosen = CALM | {"mtvec": HANDLERS["m"], "mcounteren": ONES, "scounteren": ONES}
    tables = rng.choice(image.first)
    chosen["satp"] = tables.value(rng.choice([0, *image.modes]), rng.randrange(2))
    changes: list[Change] = [("csr", n, value) for n, value in chosen.items() if n in known]
    changes += [("x", str(n), rng.choice([number(rng), rng.getrandbits(8)])) for n in range(1, 32)]
    data = [BASE + rng.choice(DATA) * PAGE + rng.randrange(PAGE // 8) * 8 for _ in range(8)]
    near = code_address(rng) & -8
    pointers = [rng.choice([at, at, near]) for at in data]
    changes += [("x", str(8 + n), at) for n, at in enumerate(pointers)]
    changes += [("f", str(n), number(rng)) for n in range(32)]
    priv = rng.choice([3, 3, 1, 0])
    changes += [("csr", "mstatus", priv << Status.MPP_SHIFT | Status.FS)]
    changes += [("csr", "mepc", code_address(rng, priv == 0))]
    return [*changes, ("priv", "", 3), ("pc", "", ENTER)]


def spoil(rng: Random, image: Image) -> list[tuple[int, bytes]]:
    """The writes of a kick to memory, from outside: (address, bytes)."""
    writes = []
    for _ in range(rng.choice([0, 1, 8])):
        at = rng.randrange(len(image.data) // 8) * 8
        writes.append((BASE + at, rng.randbytes(8)))
    for _ in range(rng.choice([0, 1, 8])):
        at = BASE + rng.choice(TABLES) * PAGE
        entry = rubbish(rng, at).to_bytes(8, "little")
        writes.append((at + rng.randrange(512) * 8, entry))
    for _ in range(rng.choice([0, 0, 2])):  # change tables without a fence
        moved = (rng.choice(image.first).last - BASE) // PAGE
        entry = pte(BASE + rng.choice(TABLES) * PAGE, LEAF | U).to_bytes(8, "little")
        writes.append((rng.choice(image.second).last + moved * 8, entry))
    if rng.random() < 0.3:  # restore everything
        writes.append((BASE, bytes(image.data)))
    return writes


def lines(rng: Random, geilen: int) -> list[tuple[int, bool]]:
    """Guest external interrupts that devices drive: (number, level)."""
    some = rng.sample(range(1, geilen + 1), min(geilen, rng.choice([0, 1, 4])))
    return [(number, rng.random() < 0.5) for number in some]
