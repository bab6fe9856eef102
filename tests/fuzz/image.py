"""The contents of a trial's memory: code, trap handlers, page tables of both stages, data.

Everything is in the first 2 MiB of RAM, so that one table of the last level maps all of it. Tables
map most of it to itself. Their other entries are rubbish: loops, pointers to devices or outside
memory, reserved bits.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.fuzz import loops
from tests.fuzz.words import Words, load_address, load_number, word

BASE = 0x8000_0000
BYTES = 0x20_0000
PAGE = 4096
ENTER = BASE  # an mret
HANDLERS = {"m": BASE + 0x2000, "s": BASE + 0x4000, "v": BASE + 0x6000}
RELOAD = BASE + 0x8000  # pointers that handlers load
CODE = [BASE + PAGE * n for n in range(16, 32)]
USER_CODE = [BASE + PAGE * n for n in range(32, 48)]
TABLES = range(64, 192)  # numbers of pages
DATA = range(192, 512)
FIRST_GIB = BASE >> 30
V, R, W, X, U, G, A, D = (1 << n for n in range(8))
LEAF = V | R | W | X | A | D
ONES = (1 << 64) - 1

HTIF = BASE + 300 * PAGE  # the device in RAM, on boards that have it
# Devices of the `virt` board: test, RTC, CLINT, PLIC, UART, virtio; an address without memory, ROM,
# the end of RAM.
PLACES = [
    0x10_0000, 0x10_1000, 0x200_0000, 0x200_4000, 0x200_BFF8, 0xC00_0000, 0xC00_2000, 0xC20_0000,
    0xC20_1004, 0x1000_0000, 0x1000_1000, 0x1000_2000, 0x1000_8000, 0x3000_0000, 0x1000, 0xFFF8,
    0, 0x8040_0000 - 8, 0x8040_0000, 1 << 56, (1 << 56) - 8, 1 << 63, ONES - 7, ONES, 1 << 38,
    (1 << 64) - (1 << 38), 0x7FFF_FFFC, HTIF, HTIF + 8,
]  # fmt: skip


def pte(address: int, flags: int) -> int:
    """An entry for a physical address."""
    return (address >> 12 & ((1 << 44) - 1)) << 10 | flags


@dataclass(frozen=True)
class Tables:
    """A set of tables: the root by MODE of satp, vsatp or hgatp, and the last table."""

    roots: dict[int, int]
    last: int

    def value(self, mode: int, number: int) -> int:
        """The value of the register, with an ASID or a VMID."""
        return mode << 60 | number << 44 | self.roots.get(mode, BASE) >> 12


@dataclass
class Image:
    """The bytes, and the page tables in them."""

    data: bytearray
    first: list[Tables]
    second: list[Tables]
    modes: list[int] = field(default_factory=list)  # used MODEs; few, so that states recur

    def entries(self, page: int) -> memoryview:
        """The entries of a page, which can be written."""
        at = page - BASE
        return memoryview(self.data)[at : at + PAGE].cast("Q")


class Maker:
    """Makes an image."""

    def __init__(self, rng: Random, words: Words, calm: bool = False) -> None:
        self.rng = rng
        self.calm = calm
        self.words = words
        self.image = Image(bytearray(BYTES), [], [])
        self._free = TABLES.start

    def make(self) -> Image:
        """The whole image."""
        for page in DATA:
            if self.rng.random() < 0.2:
                self._put(BASE + page * PAGE, self.rng.randbytes(PAGE))
        self.image.first = [self._tables(wide=False) for _ in range(3)]
        self.image.second = [self._tables(wide=True) for _ in range(2)]
        for at in CODE + USER_CODE:
            self._put(at, self._calm_code() if self.calm else self.words.code(self.rng, PAGE))
        self.image.modes = self.rng.choices([0, 8, 9, 10], [1, 3, 3, 3], k=2)
        for kind, at in HANDLERS.items():
            skips = self.calm and kind == "m"
            self._put(at, skipper(self.rng) if skips else handler(self.rng, self.words, kind))
        self._put(RELOAD, struct.pack("<8Q", *(pointer(self.rng) for _ in range(8))))
        self._put(ENTER, word("mret"))
        return self.image

    def _put(self, address: int, data: bytes) -> None:
        self.image.data[address - BASE : address - BASE + len(data)] = data

    def _calm_code(self) -> bytes:
        """A page of loops, with some random instructions between them."""
        rng, data = self.rng, b""
        last_tables = [tables.last for tables in (*self.image.first, *self.image.second)]
        while len(data) < PAGE:
            data += loops.loop(rng, last_tables, BASE) + b"".join(
                rng.choices(self.words.pool, k=rng.randrange(6))
            )
        return data[:PAGE]

    # --- tables ---

    def _page(self, count: int = 1) -> int:
        self._free += -self._free % count
        found = BASE + self._free * PAGE
        self._free += count
        return found

    def _tables(self, wide: bool) -> Tables:
        """Tables of three, four and five levels that share their lower ones."""
        last = self._page()
        self._fill_last(last, wide)
        below, roots = last, {}
        for level in range(1, 5):
            index = FIRST_GIB if level == 2 else 0
            if wide and level >= 2:
                roots[level + 6] = self._upper(level, index, below, 4)
            below = self._upper(level, index, below, 1)
            if level >= 2:
                roots.setdefault(level + 6, below)
        return Tables(roots, last)

    def _upper(self, level: int, index: int, below: int, pages: int) -> int:
        """A table above the last level. The entry at `index` points to the table below; the others
        are mostly invalid."""
        page = self._page(pages)
        for n in range(pages):
            entries = self.image.entries(page + n * PAGE)
            for _ in range(self.rng.choice([0, 4, 40])):
                entries[self.rng.randrange(512)] = self._rubbish(page)
        entries = self.image.entries(page)
        entries[index] = pte(below, V)
        if level == 2:
            entries[0] = pte(0, LEAF | self.rng.choice([0, U]))
        if self.rng.random() < 0.04:
            entries[index] = self._rubbish(page)
        if self.rng.random() < 0.06 and level <= 2:
            entries[index] = pte(BASE >> 30 << 30 if level == 2 else BASE, LEAF | U)
        return page

    def _fill_last(self, page: int, wide: bool) -> None:
        """Fill a table of the last level: pages are mapped to themselves, elsewhere, or wrongly."""
        rng = self.rng
        spoilt = rng.choice([0.02, 0.1, 0.3])
        flags = [LEAF, LEAF, LEAF & ~D, LEAF & ~A, LEAF & ~W, V | R]
        entries = self.image.entries(page)
        for n in range(512):
            user = U if wide or (n >= 32 and (n < 48 or rng.random() < 0.5)) else 0
            code = n < 16 or (n < 48 and rng.random() < 0.8)
            entries[n] = pte(BASE + n * PAGE, (LEAF if code else rng.choice(flags)) | user)
            if code:
                continue
            if rng.random() < spoilt / 2:
                entries[n] = pte(BASE + rng.randrange(512) * PAGE, rng.choice(flags) | user)
            if rng.random() < spoilt:
                entries[n] = self._rubbish(page)

    def _rubbish(self, page: int) -> int:
        """A random entry, which may be bad."""
        return rubbish(self.rng, page)


def rubbish(rng: Random, page: int) -> int:
    """A bad page-table entry. `page` is the page that contains it."""
    known: list[Callable[[], int]] = [
        lambda: rng.getrandbits(64),
        lambda: 0,
        lambda: pte(page, V),  # a loop
        lambda: pte(BASE + rng.choice(TABLES) * PAGE, V),
        lambda: pte(rng.choice(PLACES), V),  # a table in a device, or nowhere
        lambda: pte(rng.choice(PLACES), LEAF | rng.choice([0, U])),
        lambda: pte(BASE + rng.randrange(512) * PAGE, rng.getrandbits(8)),
        lambda: pte(BASE + rng.randrange(512) * PAGE, LEAF | U | 1 << rng.randrange(54, 64)),
        lambda: pte(BASE + rng.randrange(512) * PAGE, V | 1 << rng.choice([4, 6, 7, 58, 61, 63])),
        lambda: pte(BASE + rng.randrange(32) * 0x1_0000 + 0x8000, LEAF | U | 1 << 63),
    ]
    return rng.choice(known)()


# --- addresses and handlers ----------------------------------------------------------------------


def pointer(rng: Random) -> int:
    """An address for an access through a register, which may be bad."""
    page = BASE + rng.choice([rng.choice(DATA), rng.choice(TABLES), rng.randrange(512)]) * PAGE
    inside = rng.choice(
        [0, 0, 8, rng.randrange(PAGE), rng.randrange(PAGE) & ~7, PAGE - 4, PAGE - 1]
    )
    if rng.random() < 0.75:
        return page + inside
    if rng.random() < 0.7:
        return rng.choice(PLACES) + rng.choice([0, 0, 0, 4, 8, rng.randrange(256) & ~3]) & ONES
    return rng.getrandbits(rng.choice([64, 57, 48, 39, 32]))


# Instructions that handlers may also contain.
QUIET = {
    "m": ("sfence.vma", "hfence.gvma", "hfence.vvma", "fence.i", "add", "c.mv", "fence", "sltu"),
    "s": ("sfence.vma", "fence.i", "hfence.vvma", "hfence.gvma", "add", "c.mv", "fence", "xor"),
    "v": ("fence.i", "add", "c.mv", "sfence.vma", "fence", "sltu"),
}
CSR_OF = {
    "m": {"epc": 0x341, "status": 0x300, "back": "mret"},
    "s": {"epc": 0x141, "status": 0x100, "back": "sret"},
    "v": {"epc": 0x141, "status": 0x100, "back": "sret"},
}


def skipper(rng: Random) -> bytes:
    """Two pages with a trap handler of M mode that goes on after the instruction, or after a fetch
    that faulted, at some code. It clobbers x29 to x31."""
    elsewhere = load_address(29, rng.choice(CODE) + rng.randrange(1024) * 4)
    text = word("csrrs", rd=30, csr=0x342, rs1=0)
    text += word("csrrs", rd=29, csr=0x341, rs1=0) + word("addi", rd=29, rs1=29, imm=4)
    for cause in (1, 12):  # access fault, page fault
        text += word("addi", rd=31, rs1=0, imm=cause)
        text += word("bne", rs1=30, rs2=31, imm=4 + len(elsewhere)) + elsewhere
    text += word("csrrw", rd=0, csr=0x341, rs1=29) + word("mret")
    return text.ljust(2 * PAGE, b"\0")


def handler(rng: Random, words: Words, kind: str) -> bytes:
    """A page with a trap handler: a table of jumps for vectored interrupts, then code that
    continues after the instruction, or elsewhere, perhaps in another mode. It clobbers x28 to
    x31."""
    body = 0x400
    table = b"".join(word("jal", rd=0, imm=body - 4 * n) for n in range(64))
    names = CSR_OF[kind]
    epc, status = int(str(names["epc"])), int(str(names["status"]))
    text = words.few(rng, QUIET[kind])
    if rng.random() < 0.5:
        text += load_address(31, RELOAD)
        text += b"".join(word("ld", rd=8 + n, rs1=31, imm=8 * n) for n in range(8))
    if rng.random() < 0.8:
        text += word("csrrs", rd=30, csr=epc, rs1=0)
        text += word("addi", rd=30, rs1=30, imm=rng.choice([4, 4, 4, 2, 8]))
    else:
        text += load_address(30, rng.choice(CODE + USER_CODE) + rng.randrange(1024) * 4)
    text += word("csrrw", rd=0, csr=epc, rs1=30)
    text += words.few(rng, QUIET[kind])
    for op in ("csrrc", "csrrs"):
        if rng.random() < 0.4:
            text += load_number(29, rng.getrandbits(32)) + word(op, rd=0, csr=status, rs1=29)
    if kind == "s" and rng.random() < 0.5:
        text += word(rng.choice(["csrrsi", "csrrci"]), rd=0, csr=0x600, zimm=rng.getrandbits(5))
    text += word(str(names["back"]))
    return (table.ljust(body, b"\0") + text).ljust(2 * PAGE, b"\0")[: 2 * PAGE]
