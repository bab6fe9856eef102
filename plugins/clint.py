"""`clint`: the core-local interruptor: `mtime`, and for each hart `msip` and `mtimecmp`.

Manual: https://github.com/riscvarchive/riscv-aclint/blob/main/riscv-aclint.adoc, section 1.2 (the
CLINT's layout); https://static.dev.sifive.com/FU540-C000-v1.0.pdf, chapter 9.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence, Sequence
from typing import Any

from rvplat.bus import MAX_HARTS, Device, FdtNode, Hole, MipBit, Register, State, native
from rvplat.hookspecs import hookimpl
from rvplat.lang import u32, u64

NEVER = (1 << 64) - 1


class Clint(Device):
    """It drives the harts' MSIP lines and sends each hart its `mtimecmp`."""

    model = "clint"
    compatible = ("sifive,clint0", "riscv,clint0")
    size = 0x10000
    state = ("mtime", State("msip", u32, MAX_HARTS), State("mtimecmp", u64, MAX_HARTS))

    msip: MutableSequence[u32]
    mtimecmp: MutableSequence[u64]
    mtime: int

    def rows(self) -> tuple[Register | Hole, ...]:
        harts = self.wiring.harts
        return (
            Register(0x0000, "MSIP",     "-[31:1] MSIP[0]", count=harts),
            Register(0x4000, "MTIMECMP", "MTIMECMP[63:0]",  width=8, widths=(4, 8), count=harts, reset=NEVER),  # noqa: E501
            Register(0xBFF8, "MTIME",    "MTIME[63:0]",     width=8, widths=(4, 8)),
            Hole(0x0000, 0x4000, widths=(4,)),  # harts that the machine doesn't have
            Hole(0x4000, 0x7FF8, widths=(4, 8)),
        )  # fmt: skip

    def reset(self) -> None:
        super().reset()
        self.wiring.clock.set(0)
        self._drive()

    @native
    def write_msip(self, hart: u64, value: u32) -> None:
        """Raise or clear a hart's software interrupt."""
        self.msip[hart] = value
        self.set_hart_line(hart, MipBit.MSIP, value != 0)

    @native
    def write_mtimecmp(self, hart: u64, value: u64) -> None:
        """Set a hart's `mtimecmp`. The hart itself compares it with `mtime` and raises MTIP."""
        self.mtimecmp[hart] = value
        self.set_timer(hart, value)

    @native
    def read_mtime(self) -> u64:
        """The platform's time."""
        return self.now()

    def write_mtime(self, value: int) -> None:
        """Set the platform's time."""
        self.wiring.clock.set(value)

    def _drive(self) -> None:
        for hart in range(self.wiring.harts):
            self.write_msip(u64(hart), self.msip[hart])
            self.write_mtimecmp(u64(hart), self.mtimecmp[hart])

    def fdt(self, node: FdtNode) -> None:
        node.set("interrupts-extended", *node.hart_interrupts(MipBit.MSIP, MipBit.MTIP))

    def save(self) -> dict[str, Any]:
        self.mtime = self.wiring.clock.now()
        return super().save()

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        self.wiring.clock.set(self.mtime)
        self._drive()


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [Clint]
