"""A random program: an image of memory that depends only on a seed and a number."""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cache

from rvplat.isa.machinery.extension import Extension
from rvplat.machine.boards.catalogue import shipped_extensions
from rvplat.machine.boards.isa_string import PRIVILEGED, resolve_isa, xlen_of

from . import layout, privileged, runtime, snippets, tables, translation
from .assembly import Code, Isa
from .generator import Generator, Snippet
from .operands import floating, integer, pool
from .worlds import (
    ANY,
    EVERYTHING,
    FEW,
    ILLEGAL,
    ISAS,
    PLANS,
    SPIKE_ONLY,
    STATE_CONTEXT,
    STATE_INDIRECT,
    SUPERVISOR_CALL,
    WORLDS,
    World,
)

CALM: dict[Snippet, int] = {
    snippets.integers: 30, snippets.floats: 26, snippets.float_operand: 8, snippets.refresh: 6,
    snippets.hints: 2, snippets.loops: 5, snippets.jumps: 6, snippets.patches: 5,
}  # fmt: skip
COMMON: dict[Snippet, int] = {
    **CALM, snippets.memory: 28, snippets.atomics: 10, snippets.blocks: 3, snippets.wild_jump: 1,
    snippets.illegal: 4, snippets.calls: 2, snippets.beside: 4, privileged.system: 3,
}  # fmt: skip
SELDOM = {snippet: -(-weight // 3) for snippet, weight in COMMON.items()}
GUEST: dict[Snippet, int] = {
    **SELDOM, snippets.busy: 8, snippets.sweeps: 10, snippets.memory: 36, snippets.atomics: 8,
    translation.guest_memory: 1,
}  # fmt: skip
SUPERVISOR: dict[Snippet, int] = {
    privileged.csrs: 14, privileged.status: 6, privileged.drops: 2, privileged.interrupts: 3,
    privileged.waits: 1, translation.spaces: 3,
}  # fmt: skip
HYPERVISOR: dict[Snippet, int] = {
    **SUPERVISOR, privileged.csrs: 16, privileged.guest_status: 3, privileged.injections: 7,
    privileged.drops: 5, translation.guests: 5, translation.guest_memory: 16,
}  # fmt: skip
MACHINE: dict[Snippet, int] = {
    **HYPERVISOR, privileged.csrs: 20, privileged.clint: 2, translation.tables: 8,
    translation.remaps: 36, translation.marks: 24, translation.spaces: 6, translation.protection: 6,
}  # fmt: skip
SNIPPETS: dict[str, Mapping[Snippet, int]] = {
    "M": SELDOM | MACHINE,
    "HS": SELDOM | HYPERVISOR,
    "U": COMMON | {privileged.csrs: 6, privileged.status: 1, translation.guest_memory: 3},
    "VS": GUEST
    | SUPERVISOR
    | {
        privileged.csrs: 9,
        privileged.status: 4,
        translation.own_tables: 12,
    },
    "VU": GUEST | {privileged.csrs: 3, privileged.status: 1},
}
WITH_HALVES: dict[str, Mapping[Snippet, int]] = {
    world: {**plan, snippets.halves: 12} for world, plan in SNIPPETS.items()
}
SECTION, GUEST_SECTION = (8, 40), (16, 56)  # instructions
ROOM = 2048  # the most bytes of a section

MSTATUS, VSSTATUS, STIMECMP, VSTIMECMP = 0x300, 0x200, 0x14D, 0x24D
MTVEC, HGATP, MSTATEEN0, HSTATEEN0 = 0x305, 0x680, 0x30C, 0x60C
FS, SUM, MXR = 3 << 13, 1 << 18, 1 << 19
PLANNED = (
    "stvec", "medeleg", "mideleg", "satp", "menvcfg", "senvcfg", "mie", "vstvec", "hedeleg",
    "hideleg", "hstatus", "vsatp", "henvcfg", "htimedelta", "mseccfg",
)  # fmt: skip
ALWAYS = {"stvec", "vstvec", "hgatp"}  # CSRs whose initial value is always a planned one
PMPADDR0, PMPCFG0, PMPCFG2 = 0x3B0, 0x3A0, 0x3A2
CLEARED = (0x344, 0x320, 0xB00, 0xB02, 0x003, PMPCFG0, 0x645)
SCRATCHED = (0x340, 0x341, 0x342, 0x343, 0x140, 0x141, 0x142, 0x143,
             0x240, 0x241, 0x242, 0x243, 0x643, 0x64A, 0x34A, 0x34B)  # fmt: skip
COUNTER_ENABLES, HCOUNTEREN = (0x306, 0x106), 0x606
TIMER_BIT = 2
ALIKE = {*range(0xB04, 0xB20), *range(0x324, 0x340), *range(0xC04, 0xC20)}  # counters that stand


@dataclass(frozen=True)
class Program:
    """A program that both Spike and the hart run."""

    name: str
    image: bytes
    isa: str
    sections: tuple[tuple[int, str], ...]  # (address, world) in their order
    instructions: int
    transforms: bool = False  # whether htinst and mtinst hold transformed instructions


@cache
def isa(few: bool = True) -> Isa:
    """The rows that programs are made of."""
    return Isa(extensions(EVERYTHING if few else EVERYTHING.removesuffix(FEW)))


def extensions(text: str) -> list[Extension]:
    """The extensions of a hart with an ISA string."""
    known = shipped_extensions()
    further = [name for name in PRIVILEGED if xlen_of(text) in known[name].widths]
    found, faults = resolve_isa(text, known, False, further)
    if faults:
        raise ValueError(f"{text}: {faults}")
    return found


@cache
def numbers(text: str) -> frozenset[int]:
    """The CSRs of a hart with an ISA string."""
    return frozenset(csr.number for csr in Isa(extensions(text)).csrs)


def dumped(text: str, otherwise: Set[int]) -> list[int]:
    """The CSRs whose values are compared at the end."""
    return sorted(numbers(text) - SPIKE_ONLY - otherwise - ALIKE | PMP_READ)


PMP_READ = {PMPCFG0, PMPCFG2, *range(PMPADDR0, PMPADDR0 + 16)}


class Maker:
    """Makes one program."""

    def __init__(self, seed: str, number: int, instructions: int, few: bool) -> None:
        self.name = f"{seed}/{number}"
        self.rng = rng = random.Random(self.name)
        self.instructions = instructions
        self.image = bytearray(layout.END * layout.PAGE)
        self.known = isa(few)
        [self.isa] = rng.choices(list(ISAS), list(ISAS.values()))
        if not few:
            self.isa = self.isa.removesuffix(FEW)
        hypervisor = "h" in self.isa.partition("_")[0]
        registers = runtime.draw(rng)
        exit_cause = rng.choice([ILLEGAL, SUPERVISOR_CALL, SUPERVISOR_CALL])
        timer = rng.choice(["none", "machine", "supervisor"]) if "sstc" in self.isa else "none"
        self.generator = g = Generator(
            rng, self.known, registers.all, registers.request, exit_cause, timer,
            timer != "none" and rng.randrange(3) != 0, self.isa, hypervisor,
            hypervisor and rng.randrange(3) == 0, rng.randrange(3) == 0,
            tables.Spaces(rng, self.image, hypervisor),
            WITH_HALVES if few else SNIPPETS,
        )  # fmt: skip
        self.style = runtime.Style(
            self.known, registers, exit_cause, hypervisor, g.transforms,
            hypervisor and exit_cause != ILLEGAL and rng.randrange(2) == 0,
        )  # fmt: skip
        self.sections: list[tuple[int, World]] = []
        self.used = {name: layout.address(world.code[0]) for name, world in WORLDS.items()}

    def put(self, address: int, data: bytes) -> None:
        at = address - layout.BASE
        self.image[at : at + len(data)] = data

    def put_code(self, code: Code) -> None:
        self.put(code.start, bytes(code.data))

    # --- sections ---

    def fill(self) -> None:
        """Make sections until there are enough instructions, or no room is left."""
        count = 0
        while count < self.instructions:
            roomy = [world for world in WORLDS.values() if self._room(world)]
            if not roomy:
                return
            [world] = self.rng.choices(roomy, [world.weight for world in roomy])
            count += self._section(world)

    def _room(self, world: World) -> bool:
        return self.used[world.name] + ROOM <= layout.address(world.code[-1] + 1)

    def _section(self, world: World) -> int:
        """Make one section. Some begin just before the end of a page."""
        g, rng = self.generator, self.rng
        start = self.used[world.name] + 2 * rng.randrange(8)
        near = (start | layout.PAGE - 1) + 1 - 2 * rng.randrange(1, 40)
        if rng.randrange(4) == 0 and near > start and near + ROOM <= layout.address(world.code[-1]):
            start = near
        g.world, g.code = world, Code(self.known, start)
        g.block(rng.randrange(*(GUEST_SECTION if world.virtual else SECTION)))
        g.leave()
        self.put_code(g.code)
        self.used[world.name] = g.code.pc
        self.sections.append((start, world))
        return g.code.count

    # --- the rest of memory ---

    def initial_csrs(self) -> dict[int, int]:
        """The initial value of every CSR that the program depends on."""
        g, rng = self.generator, self.rng
        timer = 0 if g.timer == "machine" else TIMER_BIT
        states = ~(STATE_CONTEXT | STATE_INDIRECT) & (1 << 64) - 1
        values = {
            MSTATUS: FS | rng.choice([0, SUM, SUM | MXR]),  # first: fcsr depends on it
            MTVEC: PLANS["mtvec"].value(g),
            **dict.fromkeys((MSTATEEN0, HSTATEEN0), rng.choice([states, states, 0])),
            **{
                csr.number: self._planned(csr.name)
                for csr in self.known.csrs
                if csr.name in PLANNED
            },
            **dict.fromkeys(CLEARED, 0),
            **{number: integer(rng) for number in SCRATCHED},
            **{number: integer(rng) & ~TIMER_BIT | timer for number in COUNTER_ENABLES},
            HCOUNTEREN: integer(rng),
            VSSTATUS: FS | rng.choice([0, SUM, SUM, SUM | MXR]),
            HGATP: g.spaces.hgatp(),
            **dict.fromkeys((STIMECMP, VSTIMECMP), (1 << 64) - 1),
            **{PMPADDR0 + n: layout.address(layout.CODE[0]) >> 2 for n in range(15)},
            PMPADDR0 + 15: (1 << 54) - 1,
            PMPCFG2: 0x1F << 56,
        }
        present = numbers(self.isa) | PMP_READ
        return {number: value for number, value in values.items() if number in present}

    def _planned(self, name: str) -> int:
        plain = name not in ALWAYS and self.rng.randrange(3) == 0
        return 0 if plain else PLANS.get(name, ANY).value(self.generator)

    def surroundings(self) -> None:
        """Make the start, the handlers, the end, and data."""
        g, rng, style = self.generator, self.rng, self.style
        g.world = WORLDS["M"]
        csrs = self.initial_csrs()
        end = runtime.end(style, dumped(self.isa, g.otherwise))
        self.put_code(runtime.start(style, csrs))
        self.put_code(end)
        self.put_code(runtime.machine_handler(style))
        for side, registers in (
            (runtime.SUPERVISOR, style.registers.supervisor), (runtime.GUEST, style.registers.guest)
        ):  # fmt: skip
            self.put_code(runtime.supervisor_handler(style, side, registers))
        desk = layout.address(layout.MACHINE_DESK)
        self.put(desk + layout.NEXT, struct.pack("<Q", desk + layout.SECTIONS))
        self.put(desk + layout.SECTIONS, self._section_table(end.start))
        self.put(layout.address(layout.VALUES), struct.pack(f"<{len(csrs)}Q", *csrs.values()))
        numbers = [integer(rng) for _ in range(32)] + [floating(rng) for _ in range(32)]
        self.put(layout.address(layout.DUMP, layout.REGISTERS), struct.pack("<64Q", *numbers))
        for page in layout.DATA:
            content = pool(rng) if page == layout.POOL else rng.randbytes(layout.PAGE)
            self.put(layout.address(page), content)
        code = self.image[: len(layout.SHADOW) * layout.PAGE]
        self.put(layout.address(layout.SHADOW[0]), bytes(code))

    def _section_table(self, end: int) -> bytes:
        """The entry address and the mstatus bits of each section; the last entry is the end."""
        rows = []
        for address, world in self.sections:
            window = layout.BASE
            if world.name != "M" and self.rng.randrange(4) == 0:
                window = self.rng.choice(self.generator.windows[world.virtual])
            rows.append((window + (address - layout.BASE), world.status))
        rows.append((end, 3 << 11))
        return b"".join(struct.pack("<QQ", *row) for row in rows)


def make(seed: str, number: int, instructions: int = 500, few: bool = True) -> Program:
    """Make the program with this seed and number, with or without the rows of FEW."""
    maker = Maker(seed, number, instructions, few)
    maker.fill()
    maker.surroundings()
    return Program(
        maker.name, bytes(maker.image), maker.isa,
        tuple((address, world.name) for address, world in maker.sections),
        instructions, maker.generator.transforms,
    )  # fmt: skip
