"""`plic`: the platform-level interrupt controller.

Manual: https://github.com/riscv/riscv-plic-spec/blob/master/riscv-plic.adoc (1.0.0). Context 2h is
hart h's M mode, 2h+1 its S mode, and there are seven priority levels, as on QEMU's `virt`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rvplat.bus import Device, FdtNode, Hole, InterruptController, MipBit, Register, setting
from rvplat.hookspecs import hookimpl

LEVELS = 7
EXTERNAL = (MipBit.MEIP, MipBit.SEIP)


@dataclass(frozen=True)
class PlicSettings:
    """The keys of a PLIC on a board."""

    sources: int = setting(
        "number of interrupt sources, numbered from 1", 95, minimum=1, maximum=1023
    )
    edge_triggered: tuple[int, ...] = setting(
        "sources that interrupt once for each signal of their device, and not for as long as their "
        "line stays high", (), minimum=1, maximum=1023,
    )  # fmt: skip
    window: int = setting("size of the window in bytes", 0x600000, minimum=0x202000)


class Plic(InterruptController):
    """Sets of sources are integers: bit n is source n. Sources are level-sensitive, unless the
    settings say otherwise."""

    model = "plic"
    compatible = ("sifive,plic-1.0.0", "riscv,plic0")
    settings_type = PlicSettings
    state = ("levels", "waiting", "claimed", "repeated", "enabled")

    settings: PlicSettings
    priority: list[int]
    threshold: list[int]
    levels: int  #: inputs that are high
    waiting: int  #: pending sources: forwarded by the gateway and not yet claimed
    claimed: int  #: sources claimed and not completed: their gateways forward nothing
    repeated: int  #: edge-triggered sources signalled again since they were claimed
    edges: int  #: edge-triggered sources
    enabled: list[int]  #: sources that are enabled, by context
    above: list[int]  #: sources whose priority exceeds n, by n
    outputs: list[bool]

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

    def setup(self) -> None:
        self.edges = sum(1 << number for number in set(self.settings.edge_triggered))

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
        self.levels = self.waiting = self.claimed = self.repeated = 0
        self.enabled = [0] * self.contexts
        self.above = [0] * (LEVELS + 1)
        self.outputs = [False] * self.contexts
        for context in range(self.contexts):
            self._drive(context, False)

    def set_input(self, number: int, level: bool) -> None:
        """The gateway: a high level becomes one request, which is never withdrawn ("Interrupt
        Gateways"). A claimed edge-triggered source remembers one more signal."""
        bit = 1 << number
        if not level:
            self.levels &= ~bit
            return
        self.levels |= bit
        if self.claimed & bit:
            self.repeated |= bit & self.edges
        elif not self.waiting & bit:
            self.waiting |= bit
            self.notify()

    def notify(self) -> None:
        """Drive every context's external interrupt ("Interrupt Notifications")."""
        for context, enabled in enumerate(self.enabled):
            level = self.waiting & enabled & self.above[self.threshold[context]] != 0
            if level != self.outputs[context]:
                self._drive(context, level)

    def _drive(self, context: int, level: bool) -> None:
        self.outputs[context] = level
        self.wiring.set_hart_line(context >> 1, EXTERNAL[context & 1], level)

    def write_priority(self, index: int, value: int) -> None:
        """Set the priority of source `index` + 1. Priority 0 never interrupts."""
        self.priority[index] = value
        bit = 1 << index + 1
        self.above = [
            rest | bit if value > level else rest & ~bit for level, rest in enumerate(self.above)
        ]
        self.notify()

    def read_pending(self, word: int) -> int:
        """The pending bits of 32 sources."""
        return self.waiting >> 32 * word & 0xFFFF_FFFF

    def read_enable(self, index: int) -> int:
        """The enable bits of 32 sources for context `index` // 32."""
        return self.enabled[index >> 5] >> 32 * (index & 31) & 0xFFFF_FFFF

    def write_enable(self, index: int, value: int) -> None:
        """Set the enable bits. Those of source 0 and of sources that don't exist stay zero."""
        context, shift = index >> 5, 32 * (index & 31)
        there = (1 << self.settings.sources + 1) - 2
        rest = self.enabled[context] & ~(0xFFFF_FFFF << shift)
        self.enabled[context] = rest | value << shift & there
        self.notify()

    def write_threshold(self, context: int, value: int) -> None:
        """Set the threshold. It masks priorities up to its value."""
        self.threshold[context] = value
        self.notify()

    def read_claim(self, context: int) -> int:
        """Claim the pending source of the highest priority, whatever the threshold is."""
        candidates = self.waiting & self.enabled[context]
        for level in range(LEVELS - 1, -1, -1):
            best = candidates & self.above[level]
            if best:
                bit = best & -best
                self.waiting &= ~bit
                self.claimed |= bit
                self.notify()
                return bit.bit_length() - 1
        return 0

    def write_claim(self, context: int, value: int) -> None:
        """Completion of a source. Its gateway forwards another request if its input is still high,
        or if it is edge-triggered and was signalled meanwhile."""
        bit = 1 << value if value <= self.settings.sources else 0
        if bit & self.claimed & self.enabled[context]:
            self.claimed &= ~bit
            again = self.repeated if bit & self.edges else self.levels
            self.repeated &= ~bit
            if again & bit:
                self.waiting |= bit
                self.notify()

    def fdt(self, node: FdtNode) -> None:
        node.set("#address-cells", 0)
        node.set("#interrupt-cells", self.interrupt_cells)
        node.set("interrupt-controller")
        node.set("interrupts-extended", *node.hart_interrupts(*EXTERNAL))
        node.set("riscv,ndev", self.settings.sources)

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        for index, value in enumerate(self.priority):
            self.write_priority(index, value)
        for context, level in enumerate(self.outputs):
            self._drive(context, level)


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [Plic]
