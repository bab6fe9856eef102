"""The state while a program is generated: the code, the free registers, what may follow.

Snippets (snippets.py, privileged.py, translation.py) are functions of a Generator. A snippet leaves
the mode and the control flow as they were, so branches may skip it, and loops may repeat blocks of
snippets.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rvplat.isa.machinery.extension import Row

from . import layout
from .assembly import Code, Isa, Label, encode
from .operands import by_kind, immediate
from .tables import Spaces
from .worlds import MACHINE, OTHERWISE, TINST, World

Snippet = Callable[["Generator"], None]
STATUS_MIE = 8
HGATP = 0x680
WILD = (
    layout.NOWHERE, layout.NOWHERE + 0xFFC, layout.BASE + layout.SIZE, 0x1234_5678_9ABC_DEF0,
    0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFF0, 0x0000_0040_0000_0000, 0x00FF_FFFF_FFFF_FF00,
)  # fmt: skip


@dataclass
class Generator:
    """The random choices and the code of the snippets."""

    rng: random.Random
    isa: Isa
    temporaries: frozenset[int]  # registers that only the handlers write
    request: int  # the one of them that holds the program's request
    exit_cause: int  # cause of the instruction with which lower modes leave a section: 2 or 9
    timer: str  # in which mode a write of stimecmp has an effect: "none", "machine", "supervisor"
    guest_timer: bool  # whether vstimecmp has an effect
    has: str  # the hart's ISA string
    hypervisor: bool  # whether that has H
    transforms: bool  # whether htinst and mtinst hold transformed instructions
    protect: bool  # whether the program writes PMP
    spaces: Spaces
    plans: dict[str, Mapping[Snippet, int]]
    locked: set[int] = field(default_factory=set)
    depth: int = 0

    def __post_init__(self) -> None:
        self.kinds = by_kind(self.isa)
        self.code = Code(self.isa, 0)
        self.world: World
        self.windows = {virtual: self.spaces.windows(virtual) for virtual in (False, True)}
        self.otherwise = OTHERWISE | TINST if self.transforms else OTHERWISE

    # --- operands ---

    def register(self, write: bool = False, low: bool = False) -> int:
        """A register that a snippet may use: any for reading; for writing, none that is a loop's
        counter. With `low` it is one of x8 to x15."""
        while True:
            number = self.rng.randrange(8, 16) if low else self.rng.randrange(32)
            if number in self.temporaries or (write and number in self.locked):
                continue
            return number

    def pointer(self, *taken: int) -> int:
        """A register for a value: not x0, and not one of these."""
        while True:
            number = self.register(write=True)
            if number and number not in taken:
                return number

    def operands(self, row: Row, **fixed: int) -> dict[str, int]:
        """Random operands for the row; `fixed` are given. ValueError if none are found."""
        for _ in range(60):
            values = {name: self._operand(row, name) for name in row.pattern.operands}
            values.update(fixed)
            try:
                bits = encode(row, **values)
            except ValueError:
                continue
            if self.isa.find(bits) is row and not self._pairs_badly(row, values):
                return values
        raise ValueError(f"{row.name}: no operands with {fixed}")

    def _pairs_badly(self, row: Row, values: Mapping[str, int]) -> bool:
        """Whether the second register of a pair is one that a snippet may not use."""
        held = row.pattern.operands
        if row.extension.name == "Zilsd" and values.get("rd") == 0:
            return True  # Spike makes no access then
        paired = [n for n in ("rd", "rs2") if n in held and min(p.to for p in held[n].pieces)]
        pairs = {values[name] + 1 for name in paired}
        return not pairs.isdisjoint(self.temporaries | self.locked)

    def _operand(self, row: Row, name: str) -> int:
        operand = row.pattern.operands[name]
        if name in ("rd", "rs1", "rs2", "rs3"):
            if f"f{name}" in row.syntax or "fli" in row.syntax.split():
                return self.rng.randrange(32) if operand.width == 5 else self.rng.randrange(8, 16)
            return self.register(write=name == "rd", low=operand.base == 8)
        if name == "rm":
            return self.rng.choice([7, 7, 7, 0, 1, 2, 3, 4, self.rng.randrange(8)])
        low = min(piece.to for piece in operand.pieces)
        return immediate(self.rng, operand.width - low, operand.signed) << low

    def emit(self, row: Row, **fixed: int) -> None:
        """Append an instruction of the row."""
        self.code.row(row, **self.operands(row, **fixed))

    def constant(self, rd: int, value: int) -> None:
        """Load a constant."""
        self.code.constant(rd, value)

    def address(self, rd: int, target: int, tags: bool = True) -> None:
        """Load the address of a place in the program's memory: mostly relative to the pc, sometimes
        in a window, or with tags for pointer masking. An address outside the program's memory is
        loaded unchanged."""
        inside = layout.BASE <= target < layout.BASE + layout.SIZE
        if not inside:
            self.constant(rd, target)
        elif tags and "ssnpm" in self.has and self.rng.randrange(6) == 0:
            self.constant(rd, self.tagged(target))
        elif self.rng.randrange(5):
            self.code.place(rd, target)
        else:
            low = target & (1 << layout.LOW_BITS) - 1
            self.constant(rd, self.rng.choice(self.windows[self.world.virtual]) + low)

    def tagged(self, target: int) -> int:
        """An address with other bits where pointer masking may ignore them."""
        tag = self.rng.choice([self.rng.getrandbits(7) << 57, self.rng.getrandbits(16) << 48])
        return target ^ tag

    def target(self, size: int, crosses: str = "none", pages: Sequence[int] = layout.DATA) -> int:
        """An address in data for an access of `size` bytes.

        Args:
            crosses: which page boundaries it may cross: "none", "any", or only that of the "twins".
        """
        kind = self.rng.randrange(16)
        if kind == 0:
            return self.rng.choice(WILD)
        if kind == 1 and size > 1 and crosses != "none":
            first = layout.TWINS[0] if crosses == "twins" else self.rng.choice(layout.DATA[:-1])
            return layout.address(first + 1) - self.rng.randrange(1, size)
        page = self.rng.choice([*pages, layout.POOL, layout.POOL])
        if kind < 4:
            return layout.address(page, layout.PAGE - size)
        if kind < 7 and crosses != "none":
            return layout.address(page, self.rng.randrange(layout.PAGE - size + 1))
        return layout.address(page, self.rng.randrange(layout.PAGE // size) * size)

    # --- blocks ---

    def block(self, length: int) -> None:
        """Append snippets up to this number of instructions, with branches over some of them."""
        end = self.code.count + length
        waiting: list[tuple[int, Label]] = []
        step = 0
        while self.code.count < end:
            if self.rng.randrange(8) == 0:
                waiting.append((step + self.rng.randrange(1, 4), self.forward()))
            self.snippet()
            step += 1
            for due, label in waiting:
                if due == step:
                    self.code.bind(label)
            waiting = [(due, label) for due, label in waiting if due > step]
        for _, label in waiting:
            self.code.bind(label)

    def snippet(self) -> None:
        """Append one of the world's snippets."""
        plans = self.plans[self.world.name]
        [chosen] = self.rng.choices(list(plans), list(plans.values()))
        chosen(self)

    def forward(self) -> Label:
        """Append a branch or jump to a label, which is bound later."""
        label = Label()
        row = self.rng.choice(self.kinds["branch"])
        given = {n: self._operand(row, n) for n in row.pattern.operands if n != "imm"}
        self.code.branch(row, label, **given)
        return label

    # --- parts of snippets ---

    def only_in_machine_mode(self) -> Label:
        """Code that continues with interrupts disabled in M mode, and in other modes jumps to the
        returned label, which the caller binds."""
        skip, flag = Label(), self.pointer()
        csrrci, beq = self.isa.named["csrrci"], self.isa.named["beq"]
        self.constant(flag, 0)
        self.code.row(csrrci, rd=flag, csr=0x300, zimm=STATUS_MIE)
        self.code.branch(beq, skip, rs1=flag, rs2=0)
        return skip

    def settle(self) -> None:
        """Take a trap, after which Spike checks its timers. Drop all translations, and clear a
        timer interrupt that software made pending."""
        bit = self.pointer()
        self.code("ecall")
        self.constant(bit, 1 << 5)
        self.code("csrrc", rd=0, csr=0x344, rs1=bit)
        self.code("sfence.vma", rs1=0, rs2=0)
        if self.hypervisor:
            for _ in self.each_guest(bit):
                self.code("hfence.vvma", rs1=0, rs2=0)
            self.code("hfence.gvma", rs1=0, rs2=0)

    def each_guest(self, source: int) -> Iterator[int]:
        """For each VMID, put a value with it into hgatp and yield it, because hfence.vvma applies
        to the VMID in hgatp."""
        values = self.spaces.hgatps()
        for value in values:
            if len(values) > 1:
                self.constant(source, value)
                self.code("csrrw", rd=0, csr=HGATP, rs1=source)
            yield value

    def leave(self) -> None:
        """Ask the handlers for the next section."""
        self.constant(self.request, 1)
        if self.exit_cause == 2:
            self.code.bits(0, 2)  # the defined illegal instruction
        else:
            self.code("ecall")

    @property
    def believes_machine(self) -> bool:
        """Whether the section is meant to run in M mode."""
        return self.world.name == MACHINE
