"""Random programs of the definition language, as text.

A program is one definition with a record and two integers as parameters. It has typed locals,
nested branches, loops with a bounded number of rounds, and a call of a helper that may raise, in a
try. It reads and writes the record, also through a helper whose calls show the order of evaluation.
It reads the fields of structs, and it calls a helper that is specialised on a constant. It assigns
every local before the first branch, so that the checker accepts it.
"""

from __future__ import annotations

from random import Random

TYPES = ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64")
BITS = {name: int(name[1:]) for name in TYPES}
HEAD = '''
from typing import Annotated

from rvplat.lang import (
    FIXED, Record, Struct, Unwind, bswap, clz, ctz, define, popcount, rotl, rotr, sdiv, srem,
    s8, s16, s32, s64, u8, u16, u32, u64,
)

class Odd(Unwind):
    """What the helper raises."""

class Pair(Struct):
    """What a helper gives back as one."""
    low: u32
    high: s64
    even: bool

Box = Record("Box")
Box.add("count", u64)
Box.add("byte", s8)
Box.add("cells", u32, 8)

@define
def next_of(box: Box, a: u64) -> u64:
    box.count = box.count * 5 + (a & 0xFF) + 1
    return box.count

@define
def pair(a: u64, b: s64) -> Pair:
    if a & 1 == 0:
        return Pair(u32(a), b, True)
    return Pair(u32(a >> 32), s64(a) - b, 0)

@define
def scaled(a: u64, by: Annotated[u64, FIXED]) -> u64:
    if by == 1:
        return a
    if by > 3:
        return scaled_twice(a, by - 3)
    return a * by + (100 // (by + 1))

@define
def scaled_twice(a: u64, by: Annotated[u64, FIXED]) -> u64:
    return (a << by) ^ (a >> (by << 1))

@define
def helper(a: u64, b: u64) -> u64:
    if a & 7 == 3:
        raise Odd
    return a * 3 + (b >> 5)

@define
def both(a: u64, b: u64) -> tuple[u64, u32]:
    return a ^ b, u32(a + b)
'''


class Writer:
    """Writes one definition. `depth` limits the nesting of expressions and statements."""

    def __init__(self, random: Random, name: str) -> None:
        self.random = random
        self.name = name
        self.lines: list[str] = []
        self.locals: dict[str, str] = {"a": "u64", "b": "s64"}
        self.loops = 0

    def text(self) -> str:
        self.line(0, "@define")
        self.line(0, f"def {self.name}(box: Box, a: u64, b: s64) -> u64:")
        for number in range(self.random.randint(2, 5)):
            kind = self.random.choice(TYPES)
            self.line(1, f"v{number} = {kind}({self.expression('u64', 2)})")
            self.locals[f"v{number}"] = kind
        for _ in range(self.random.randint(3, 8)):
            self.statement(1, 3)
        self.line(1, "for i in range(8):")
        self.line(2, "a = a * 7 + u64(box.cells[i])")
        self.line(1, "a = a * 7 + box.count + u64(box.byte)")
        total = " + ".join(f"u64({name}) * {3 + i}" for i, name in enumerate(self.locals))
        self.line(1, f"return {total}")
        return "\n".join(self.lines)

    def line(self, indent: int, text: str) -> None:
        self.lines.append("    " * indent + text)

    # --- statements ---

    def statement(self, indent: int, depth: int) -> None:
        kinds = ["assign", "assign", "augment"]
        if depth:
            kinds += ["branch", "count", "repeat", "attempt", "unpack", "leave", "store", "store",
                      "struct", "scale"]  # fmt: skip
        getattr(self, "write_" + self.random.choice(kinds))(indent, depth)

    def block(self, indent: int, depth: int) -> None:
        for _ in range(self.random.randint(1, 3)):
            self.statement(indent, depth - 1)

    def target(self) -> tuple[str, str]:
        return self.random.choice(list(self.locals.items()))

    def write_assign(self, indent: int, depth: int) -> None:
        name, kind = self.target()
        self.line(indent, f"{name} = {self.expression(kind, 3)}")

    def write_augment(self, indent: int, depth: int) -> None:
        name, kind = self.target()
        operator = self.random.choice(["+", "-", "*", "&", "|", "^"])
        self.line(indent, f"{name} {operator}= {self.expression(kind, 2)}")

    def write_branch(self, indent: int, depth: int) -> None:
        self.line(indent, f"if {self.condition(2)}:")
        self.block(indent + 1, depth)
        if self.random.random() < 0.5:
            self.line(indent, "else:")
            self.block(indent + 1, depth)

    def write_count(self, indent: int, depth: int) -> None:
        """A for loop; its variable is a u64 that can be read in the loop."""
        name = f"i{self.loops}"
        self.loops += 1
        bounds = self.random.choice(
            [f"{self.expression('u64', 1)} & 7", "5", "3, 9", "7, -3, -2", "-2, 3",
             f"{self.expression('u8', 1)} & 3, 6"]
        )  # fmt: skip
        self.line(indent, f"for {name} in range({bounds}):")
        self.locals[name] = "u64"
        self.block(indent + 1, depth)
        if self.random.random() < 0.3:
            self.line(indent + 1, f"if {self.condition(1)}:")
            self.line(indent + 2, self.random.choice(["break", "continue"]))
            self.block(indent + 1, 1)
        del self.locals[name]

    def write_repeat(self, indent: int, depth: int) -> None:
        """A while loop of at most some rounds."""
        name = f"n{self.loops}"
        self.loops += 1
        self.line(indent, f"{name} = u32({self.random.randint(1, 6)})")
        self.line(indent, f"while {name} != 0 and {self.condition(1)}:")
        self.line(indent + 1, f"{name} -= 1")
        self.block(indent + 1, depth)

    def write_attempt(self, indent: int, depth: int) -> None:
        name = self.random.choice([n for n, kind in self.locals.items() if kind == "u64"])
        call = f"helper({self.expression('u64', 1)}, {self.expression('u64', 1)})"
        if self.random.random() < 0.1:
            self.line(indent, f"{name} = {call}")  # without a try: an exception leaves the program
            return
        self.line(indent, "try:")
        self.line(indent + 1, f"{name} = {call}")
        self.line(indent, "except Odd:")
        self.block(indent + 1, depth)

    def write_unpack(self, indent: int, depth: int) -> None:
        name = f"p{self.loops}"
        self.loops += 1
        call = f"both({self.expression('u64', 1)}, {self.expression('u64', 1)})"
        self.line(indent, f"{name}, {name}_low = {call}")
        place, _ = self.random.choice([x for x in self.locals.items() if x[1] == "u64"])
        self.line(indent, f"{place} = {name} ^ u64({name}_low)")

    def write_store(self, indent: int, depth: int) -> None:
        """A store to a field or element. Its index and its value may both change the record."""
        place, kind = self.random.choice([("box.byte", "s8"), (self.cell(), "u32")])
        operator = self.random.choice(["", "", "+", "-", "*", "^", "<<", ">>"])
        self.line(indent, f"{place} {operator}= {self.expression(kind, 2)}")

    def cell(self) -> str:
        return f"box.cells[{self.expression('u64', 1)} & 7]"

    def write_struct(self, indent: int, depth: int) -> None:
        name = f"pair{self.loops}"
        self.loops += 1
        self.line(indent, f"{name} = pair({self.expression('u64', 1)}, {self.leaf('s64')})")
        part = f"u64({name}.{self.random.choice(['low', 'high', 'even'])})"
        place, _ = self.random.choice([x for x in self.locals.items() if x[1] == "u64"])
        self.line(indent, f"{place} = {place} * 3 + {part}")

    def write_scale(self, indent: int, depth: int) -> None:
        place, _ = self.random.choice([x for x in self.locals.items() if x[1] == "u64"])
        by = self.random.randint(1, 6)
        self.line(indent, f"{place} = scaled({self.expression('u64', 1)}, {by})")

    def write_leave(self, indent: int, depth: int) -> None:
        self.line(indent, f"if {self.condition(2)}:")
        self.line(indent + 1, f"return {self.expression('u64', 2)}")

    # --- expressions ---

    def condition(self, depth: int) -> str:
        if depth and self.random.random() < 0.3:
            joined = self.random.choice([" and ", " or "])
            return f"({self.condition(depth - 1)}{joined}{self.condition(depth - 1)})"
        if self.random.random() < 0.15:
            return f"not ({self.condition(max(depth - 1, 0))})"
        kind = self.random.choice(TYPES)
        relation = self.random.choice(["==", "!=", "<", "<=", ">", ">="])
        return f"{self.expression(kind, depth)} {relation} {self.expression(kind, depth)}"

    def expression(self, kind: str, depth: int) -> str:
        """An expression of the type."""
        if depth == 0 or self.random.random() < 0.2:
            return self.leaf(kind)
        made: str = getattr(self, "make_" + self.random.choice(MAKERS))(kind, depth - 1)
        return made

    def leaf(self, kind: str) -> str:
        names = [name for name, other in self.locals.items() if other == kind]
        if names and self.random.random() < 0.6:
            return self.random.choice(names)
        if self.random.random() < 0.3:
            return self.from_record(kind)
        bits = BITS[kind]
        value = self.random.choice([0, 1, 2, 3, 7, (1 << bits) - 1, 1 << (bits - 1),
                                    self.random.getrandbits(bits)])  # fmt: skip
        return f"{kind}({value:#x})"

    def from_record(self, kind: str) -> str:
        if kind == "u64":
            return self.random.choice(["box.count", f"next_of(box, u64({self.number('u64')}))"])
        if kind == "u32":
            return f"box.cells[{self.random.choice(['a', 'box.count', 'next_of(box, a)'])} & 7]"
        return "box.byte" if kind == "s8" else f"{kind}({self.number(kind)})"

    def number(self, kind: str) -> str:
        return hex(self.random.getrandbits(BITS[kind]))

    def make_binary(self, kind: str, depth: int) -> str:
        operator = self.random.choice(["+", "-", "*", "&", "|", "^"])
        right = self.expression(kind, depth)
        if self.random.random() < 0.2:
            right = str(self.random.choice([0, 1, -1, 5, 0x7F]))
        return f"({self.expression(kind, depth)} {operator} {right})"

    def make_shift(self, kind: str, depth: int) -> str:
        operator = self.random.choice(["<<", ">>"])
        amount = str(self.random.randrange(BITS[kind]))
        if self.random.random() < 0.5:
            amount = self.expression(self.random.choice(TYPES), depth)
        return f"({self.expression(kind, depth)} {operator} {amount})"

    def make_unary(self, kind: str, depth: int) -> str:
        return f"({self.random.choice('-~')}{self.expression(kind, depth)})"

    def make_convert(self, kind: str, depth: int) -> str:
        other = self.random.choice(TYPES)
        return f"{kind}({self.expression(other, depth)})"

    def make_choice(self, kind: str, depth: int) -> str:
        then, otherwise = self.expression(kind, depth), self.expression(kind, depth)
        return f"({then} if {self.condition(depth)} else {otherwise})"

    def make_divide(self, kind: str, depth: int) -> str:
        if kind.startswith("u"):
            operator = self.random.choice(["//", "%"])
            divisor = f"({self.expression(kind, depth)} | 1)"
            if self.random.random() < 0.2:
                return f"({self.random.choice([0, 5, 100])} {operator} {divisor})"
            return f"({self.expression(kind, depth)} {operator} {divisor})"
        if BITS[kind] < 32:
            return self.make_binary(kind, depth)
        word = self.random.choice(["sdiv", "srem"])
        return f"{word}({self.expression(kind, depth)}, {kind}({self.random.choice([1, 3, 10])}))"

    def make_count(self, kind: str, depth: int) -> str:
        unsigned = "u" + kind[1:]
        words = ["clz", "ctz", "popcount"] + (["bswap"] if BITS[kind] > 8 else [])
        counted = f"{self.random.choice(words)}({self.expression(unsigned, depth)})"
        return counted if kind == unsigned else f"{kind}({counted})"

    def make_rotate(self, kind: str, depth: int) -> str:
        unsigned = "u" + kind[1:]
        inner = self.expression(unsigned, depth)
        turned = f"{self.random.choice(['rotl', 'rotr'])}({inner}, {self.leaf(unsigned)})"
        return turned if kind == unsigned else f"{kind}({turned})"


MAKERS = ("binary", "binary", "shift", "unary", "convert", "choice", "divide", "count", "rotate")


def programs(seed: int, count: int) -> str:
    """A module of `count` definitions p0, p1, ..."""
    random = Random(seed)
    return HEAD + "\n\n" + "\n\n".join(Writer(random, f"p{n}").text() for n in range(count)) + "\n"
