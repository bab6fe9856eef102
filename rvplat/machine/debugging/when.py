"""`When`: what `machine.when` returns."""

from __future__ import annotations

from rvplat.frozen import frozen
from rvplat.machine.running.stop import GuestOrHost, Stop


@frozen
class When:
    """Where a search in time has ended. It is true if the condition holds there.

    `stop` says why the run ended; its reason is "when" if the condition holds. `work` is the number
    of instructions of all harts so far. If the condition does not hold, `detail` may say why, and
    the rest has no meaning. Else:

    hart, instret, world, mode  the hart whose instruction made it true, and the state after it:
                                retired instructions, "host" or a VMID, "M", "HS", "U", "VS", "VU"
    pc, began_in, symbol        where the instruction was, and the world in which it began
    bits, instruction           the instruction, as a number and disassembled; 0 and empty if its
                                fetch trapped
    interrupt                   the cause of an interrupt that was taken after it, or None
    next_pc, next_symbol        the next instruction
    """

    stop: Stop
    work: int
    hart: int = 0
    instret: int = 0
    world: GuestOrHost = "host"
    mode: str = ""
    pc: int = 0
    began_in: GuestOrHost = "host"
    symbol: str = ""
    bits: int = 0
    instruction: str = ""
    interrupt: int | None = None
    next_pc: int = 0
    next_symbol: str = ""
    detail: str = ""

    def __bool__(self) -> bool:
        return self.stop.reason == "when"

    def __str__(self) -> str:
        if not self:
            more = f"; {self.detail}" if self.detail else ""
            return f"not found in {self.work:,} instructions: {self.stop}{more}"
        began = _of(self.began_in) if self.began_in != self.world else ""
        lines = [
            f"after {self.work:,} instructions: hart {self.hart}, instret {self.instret:,}, "
            f"{self.mode} mode{_of(self.world) if self.world != 'host' else ''}",
            f"{_at(self.pc, self.symbol)}{began}: {self.instruction or 'its fetch trapped'}",
        ]
        if self.interrupt is not None:
            lines.append(f"then interrupt {self.interrupt} was taken")
        lines.append(f"next: {_at(self.next_pc, self.next_symbol)}")
        return "\n".join(lines)


def _of(world: GuestOrHost) -> str:
    return " in the host" if world == "host" else f" in the guest with VMID {world}"


def _at(address: int, symbol: str) -> str:
    return f"{address:#x} <{symbol}>" if symbol else f"{address:#x}"
