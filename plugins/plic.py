"""`plic`: the platform-level interrupt controller.

Manual: https://github.com/riscv/riscv-plic-spec/blob/master/riscv-plic.adoc (1.0.0). Context 2h is
hart h's M mode, 2h+1 its S mode, and there are seven priority levels, as on QEMU's `virt`.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Any

from rvplat.bus import (
    MAX_HARTS,
    Device,
    FdtNode,
    Hole,
    InterruptController,
    MipBit,
    Register,
    Route,
    RouteOutput,
    State,
    native,
    setting,
)
from rvplat.hookspecs import hookimpl
from rvplat.lang import ctz, u8, u32, u64

MOST_SOURCES = 1023
WORDS = 32  # of 32 sources
CONTEXTS = 2 * MAX_HARTS
EXTERNAL = (MipBit.MEIP, MipBit.SEIP)


@dataclass(frozen=True)
class PlicSettings:
    """The keys of a PLIC on a board."""

    sources: int = setting(
        "number of interrupt sources, numbered from 1", 95, minimum=1, maximum=MOST_SOURCES
    )
    edge_triggered: tuple[int, ...] = setting(
        "sources that interrupt once for each signal of their device, and not for as long as their "
        "line stays high", (), minimum=1, maximum=MOST_SOURCES,
    )  # fmt: skip
    window: int = setting("size of the window in bytes", 0x600000, minimum=0x202000)


class Plic(InterruptController):
    """Sets of sources are arrays: bit n & 31 of word n // 32 is source n. Sources are
    level-sensitive, unless the settings say otherwise."""

    model = "plic"
    compatible = ("sifive,plic-1.0.0", "riscv,plic0")
    settings_type = PlicSettings
    state = (
        State("priority", u32, MOST_SOURCES),
        State("threshold", u32, CONTEXTS),
        State("enable", u32, CONTEXTS * WORDS),
        State("levels", u32, WORDS),  # inputs that are high
        State("waiting", u32, WORDS),  # pending: forwarded by the gateway and not yet claimed
        State("claimed", u32, WORDS),  # claimed and not completed: their gateways forward nothing
        State("repeated", u32, WORDS),  # edge-triggered, and signalled again since the claim
        State("outputs", u8, CONTEXTS),  # levels of the contexts' external interrupts
        State("edges", u32, WORDS, saved=False),  # edge-triggered sources
        State("sources_there", u32, saved=False),
        State("words_there", u32, saved=False),
        State("contexts_there", u32, saved=False),
    )

    settings: PlicSettings
    priority: MutableSequence[u32]
    threshold: MutableSequence[u32]
    enable: MutableSequence[u32]
    levels: MutableSequence[u32]
    waiting: MutableSequence[u32]
    claimed: MutableSequence[u32]
    repeated: MutableSequence[u32]
    outputs: MutableSequence[u8]
    edges: MutableSequence[u32]
    sources_there: u32
    words_there: u32
    contexts_there: u32

    @classmethod
    def window(cls, settings: PlicSettings) -> int:
        return settings.window

    @classmethod
    def sources(cls, settings: PlicSettings) -> range:
        return range(1, settings.sources + 1)

    @property
    def contexts(self) -> int:
        """The number of contexts: M and S mode of each hart."""
        return 2 * self.wiring.harts

    def rows(self) -> tuple[Register | Hole, ...]:
        sources, contexts = self.settings.sources, self.contexts
        words = sources // 32 + 1
        return (
            Register(0x000004, "PRIORITY",  "-[31:3] PRIORITY[2:0]",  count=sources),
            Register(0x001000, "PENDING",   "PENDING[31:0]", "ro",    count=words),
            Register(0x002000, "ENABLE",    "ENABLE[31:0]",           count=contexts * 32),
            Register(0x200000, "THRESHOLD", "-[31:3] THRESHOLD[2:0]", count=contexts, stride=0x1000),  # noqa: E501
            Register(0x200004, "CLAIM",     "ID[31:0]",               count=contexts, stride=0x1000),  # noqa: E501
            Hole(0x0, self.settings.window, widths=(4,)),
        )  # fmt: skip

    def reset(self) -> None:
        super().reset()
        self.sources_there, self.contexts_there = u32(self.settings.sources), u32(self.contexts)
        self.words_there = u32(self.settings.sources // 32 + 1)
        for number in self.settings.edge_triggered:
            self.edges[number >> 5] |= 1 << (number & 31)
        for context in range(self.contexts):
            self.drive(u64(context), False)

    @native
    def set_input(self, number: u64, level: bool) -> None:
        """The gateway: a high level becomes one request, which is never withdrawn ("Interrupt
        Gateways"). A claimed edge-triggered source remembers one more signal."""
        word = number >> 5
        bit = u32(1) << (number & 31)
        if not level:
            self.levels[word] &= ~bit
            return
        self.levels[word] |= bit
        if self.claimed[word] & bit != 0:
            self.repeated[word] |= bit & self.edges[word]
        elif self.waiting[word] & bit == 0:
            self.waiting[word] |= bit
            self.notify()

    @native
    def best(self, context: u64) -> u64:
        """The pending source of the highest priority that a context has enabled; of several the
        lowest. 0 if there is none: priority 0 never interrupts."""
        found = u64(0)
        most = u32(0)
        for word in range(self.words_there):
            left = self.waiting[word] & self.enable[context * WORDS + word]
            while left != 0:
                number = word * 32 + u64(ctz(left))
                left &= left - 1
                if self.priority[number - 1] > most:
                    most = self.priority[number - 1]
                    found = number
        return found

    @native
    def notify(self) -> None:
        """Drive every context's external interrupt ("Interrupt Notifications")."""
        for context in range(self.contexts_there):
            best = self.best(context)
            level = best != 0 and self.priority[best - 1] > self.threshold[context]
            if level != (self.outputs[context] != 0):
                self.drive(context, level)

    @native
    def drive(self, context: u64, level: bool) -> None:
        """Drive a context's external interrupt."""
        self.outputs[context] = u8(level)
        bit = u64(MipBit.MEIP) if context & 1 == 0 else u64(MipBit.SEIP)
        self.set_hart_line(context >> 1, bit, level)

    @native
    def write_priority(self, index: u64, value: u32) -> None:
        """Set the priority of source `index` + 1."""
        self.priority[index] = value
        self.notify()

    @native
    def read_pending(self, word: u64) -> u32:
        """The pending bits of 32 sources."""
        return self.waiting[word]

    @native
    def write_enable(self, index: u64, value: u32) -> None:
        """Set the enable bits of 32 sources for context `index` // 32. Those of source 0 and of
        sources that don't exist stay zero."""
        there = ~u32(0)
        first = u32(index % WORDS) * 32
        if first == 0:
            there = ~u32(1)
        if first > self.sources_there:
            there = u32(0)
        elif self.sources_there - first < 31:
            there &= (u32(2) << (self.sources_there - first)) - 1
        self.enable[index] = value & there
        self.notify()

    @native
    def write_threshold(self, context: u64, value: u32) -> None:
        """Set the threshold. It masks priorities up to its value."""
        self.threshold[context] = value
        self.notify()

    @native
    def read_claim(self, context: u64) -> u32:
        """Claim the pending source of the highest priority, whatever the threshold is."""
        best = self.best(context)
        if best != 0:
            bit = u32(1) << (best & 31)
            self.waiting[best >> 5] &= ~bit
            self.claimed[best >> 5] |= bit
            self.notify()
        return u32(best)

    @native
    def write_claim(self, context: u64, value: u32) -> None:
        """Completion of a source. Its gateway forwards another request if its input is still high,
        or if it is edge-triggered and was signalled meanwhile."""
        if value > self.sources_there:
            return
        word = u64(value) >> 5
        bit = u32(1) << (value & 31)
        if bit & self.claimed[word] & self.enable[context * WORDS + word] == 0:
            return
        self.claimed[word] &= ~bit
        again = self.repeated[word] if bit & self.edges[word] != 0 else self.levels[word]
        self.repeated[word] &= ~bit
        if again & bit != 0:
            self.waiting[word] |= bit
            self.notify()

    def route(self, number: int) -> Route:
        word, bit = number >> 5, 1 << (number & 31)
        priority = int(self.priority[number - 1])
        outputs = tuple(
            RouteOutput(
                context >> 1, EXTERNAL[context & 1],
                bool(int(self.enable[context * WORDS + word]) & bit),
                priority > int(self.threshold[context]), int(self.threshold[context]),
                bool(self.outputs[context]),
            )
            for context in range(self.contexts)
        )  # fmt: skip
        pending, claimed = (int(one[word]) & bit for one in (self.waiting, self.claimed))
        return Route(bool(pending), bool(claimed), priority, outputs)

    def fdt(self, node: FdtNode) -> None:
        node.set("#address-cells", 0)
        node.set("#interrupt-cells", self.interrupt_cells)
        node.set("interrupt-controller")
        node.set("interrupts-extended", *node.hart_interrupts(*EXTERNAL))
        node.set("riscv,ndev", self.settings.sources)

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        for context in range(self.contexts):
            self.drive(u64(context), bool(self.outputs[context]))


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [Plic]
