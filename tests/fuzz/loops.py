"""Loops for trials with regions: code that runs often, calls functions, jumps through tables, and
rewrites itself or page tables. They use x1, x5, x6, x7, x28, and x15 for a page whose mapping they
change; what they compute is in x16 to x27."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.fuzz.words import POINTERS, ROWS, load_address, word

LINK, COUNTER, ONE, HERE, TWO, MOVED = 1, 5, 6, 7, 28, 15
RESULTS = range(16, 28)
THREE = ("add", "sub", "xor", "sltu", "mul", "divu", "remw", "sraw", "addw", "andn", "sh2add")
IMMEDIATE = ("addi", "xori", "slti", "addiw", "andi")
LOADS = ("lb", "lhu", "lw", "ld", "lwu", "fld", "flw")
STORES = ("sb", "sh", "sw", "sd", "fsw", "fsd")
FLOATS = ("fadd.d", "fmul.s", "fmin.s", "fsgnjx.d", "fcvt.d.l", "fcvt.w.s", "feq.d")
ROUNDS = (3, 40, 700, 2000)


def tame(rng: Random) -> bytes:
    """An instruction that computes, loads or stores, and goes on with the next."""
    kind = rng.randrange(8)
    given = {"rd": rng.choice(RESULTS), "rs1": rng.choice(RESULTS), "rs2": rng.choice(RESULTS)}
    given["imm"] = rng.randrange(-2048, 2048)
    name = rng.choice((THREE, THREE, THREE, IMMEDIATE, IMMEDIATE, LOADS, STORES, FLOATS)[kind])
    if kind in (5, 6):
        given |= {"rs1": rng.choice(POINTERS), "imm": rng.choice([0, 8, 16, 64, -8])}
    operands = ROWS[name].pattern.operands
    return word(name, **{n: value for n, value in given.items() if n in operands})


def some(rng: Random, most: int) -> bytes:
    """A few such instructions, now and then of two bytes."""
    parts = [tame(rng) for _ in range(rng.randrange(most))]
    if rng.random() < 0.5:
        parts.append(word("c.addi", rd=rng.choice(RESULTS), imm=rng.randrange(1, 32)))
    return b"".join(parts)


def counted(rng: Random, body: bytes) -> bytes:
    """A loop."""
    body += word("addi", rd=COUNTER, rs1=COUNTER, imm=-1)
    head = word("addi", rd=COUNTER, rs1=0, imm=rng.choice(ROUNDS))
    return head + body + word("bne", rs1=COUNTER, rs2=0, imm=-len(body))


def plain(rng: Random) -> bytes:
    """A loop with branches forward in it."""
    body = some(rng, 4)
    for _ in range(rng.randrange(4)):
        skipped = some(rng, 5)
        rs1, rs2 = rng.choice(RESULTS), rng.choice(RESULTS)
        name = rng.choice(["beq", "bltu", "bge"])
        body += word(name, rs1=rs1, rs2=rs2, imm=4 + len(skipped)) + skipped
    return counted(rng, body)


def patches(rng: Random) -> bytes:
    """A loop that changes the immediate of one of its instructions in each round. The instruction
    is often in another line than the code before it."""
    before = some(rng, 40)
    at = 4 + 4 + 20 + len(before)  # from the start: auipc, addi, the change
    change = word("lw", rd=ONE, rs1=HERE, imm=at) + word("lui", rd=TWO, imm=1 << 20)
    change += word("add", rd=ONE, rs1=ONE, rs2=TWO) + word("sw", rs1=HERE, rs2=ONE, imm=at)
    fence = word("fence.i") if rng.random() < 0.8 else word("addi", rd=0, rs1=0, imm=0)
    changed = word("addi", rd=rng.choice(RESULTS), rs1=rng.choice(RESULTS), imm=1)
    body = change + fence + before + changed + some(rng, 8)
    return word("auipc", rd=HERE, imm=0) + counted(rng, body)


def calls(rng: Random) -> bytes:
    """A loop that calls two functions, which follow it."""
    functions = [some(rng, 6) + word("jalr", rd=0, rs1=LINK, imm=0) for _ in range(2)]
    parts = [some(rng, 4), some(rng, 4), some(rng, 4)]
    ending = 12  # of the loop: addi, bne, and the jump over the functions
    second = 4 + len(parts[2]) + ending + len(functions[0])
    first = 4 + len(parts[1]) + 4 + len(parts[2]) + ending
    body = parts[0] + word("jal", rd=LINK, imm=first) + parts[1]
    body += word("jal", rd=LINK, imm=second) + parts[2]
    over = word("jal", rd=0, imm=4 + sum(map(len, functions)))
    return counted(rng, body) + over + b"".join(functions)


def cases(rng: Random) -> bytes:
    """A loop with an indirect jump to one of four cases of 16 bytes."""
    start = 4 + 4 + 16 + 4  # from auipc to the first case
    jump = word("andi", rd=ONE, rs1=COUNTER, imm=3) + word("slli", rd=ONE, rs1=ONE, shamt=4)
    jump += word("add", rd=ONE, rs1=ONE, rs2=HERE) + word("addi", rd=0, rs1=0, imm=0)
    jump += word("jalr", rd=0, rs1=ONE, imm=start)
    each = [tame(rng) + tame(rng) + tame(rng) + word("jal", rd=0, imm=64 - 12 - 16 * n)
            for n in range(4)]  # fmt: skip
    return word("auipc", rd=HERE, imm=0) + counted(rng, jump + b"".join(each) + some(rng, 4))


def remaps(rng: Random, last_tables: Sequence[int], base: int) -> bytes:
    """A loop that accesses a page and, in each round, changes bits of the page's entry in a table
    of the last level: its page, its permissions, A, D or V. All is mapped to itself from `base`."""
    number = rng.randrange(48, 512)
    entry, page = rng.choice(last_tables) + 8 * number, base + (number << 12)
    bits = rng.choice([1 << 10, 1 << 10, 1 << 2, 1 << 1, 1 << 6, 1 << 7, 1])
    fences = ("sfence.vma", "sfence.vma", "sfence.vma", "hfence.vvma", "hfence.gvma")
    fence = word(rng.choice(fences), rs1=rng.choice([0, MOVED]), rs2=0)
    unfenced = word("addi", rd=0, rs1=0, imm=0)
    access = some(rng, 3)
    for name in rng.choices(["ld", "sd", "lbu", "sw"], k=rng.randrange(1, 4)):
        given = {"rd": rng.choice(RESULTS), "rs2": rng.choice(RESULTS), "rs1": MOVED}
        given["imm"] = 8 * rng.randrange(200)
        operands = ROWS[name].pattern.operands
        access += word(name, **{n: value for n, value in given.items() if n in operands})
    change = word("ld", rd=ONE, rs1=HERE, imm=0) + word("xori", rd=ONE, rs1=ONE, imm=bits)
    change += word("sd", rs1=HERE, rs2=ONE, imm=0)
    body = access + change + (fence if rng.random() < 0.9 else unfenced) + access
    return load_address(HERE, entry) + load_address(MOVED, page) + counted(rng, body)


def loop(rng: Random, last_tables: Sequence[int], base: int) -> bytes:
    """Any of these."""
    if rng.random() < 0.2:
        return remaps(rng, last_tables, base)
    return rng.choice([plain, patches, patches, calls, cases])(rng)
