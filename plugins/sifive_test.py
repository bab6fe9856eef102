"""`sifive_test`: the guest powers the machine off or resets it.

Manual: https://www.qemu.org/docs/master/system/riscv/virt.html ("SiFive Test MMIO device").
"""

from __future__ import annotations

from collections.abc import Sequence

from rvplat.bus import Device, FdtNode, Power, Register, afterwards, native
from rvplat.hookspecs import hookimpl
from rvplat.lang import u32

FAIL, PASS, RESET = 0x3333, 0x5555, 0x7777


class SifiveTest(Device):
    """It has one register. The upper half of a FAIL command is the exit status."""

    model = "sifive_test"
    compatible = ("sifive,test1", "sifive,test0", "syscon")
    node_name = "test"
    size = 0x1000
    registers = (
        Register(0x0, "FINISH", "CODE[31:16] COMMAND[15:0]", "wo", widths=(2, 4)),
    )  # fmt: skip

    finish: u32

    @native
    def write_finish(self, value: u32) -> None:
        """Take a command."""
        self.finish = value
        self.obey()

    @afterwards
    def obey(self) -> None:
        """Do the command. An unknown one has no effect and is logged."""
        command, code = self.finish & 0xFFFF, self.finish >> 16
        self.finish = u32(0)
        if command == PASS:
            self.wiring.power(Power.OFF, 0)
        elif command == FAIL:
            self.wiring.power(Power.FAIL, code)
        elif command == RESET:
            self.wiring.power(Power.RESET, 0)
        else:
            self.tell(f"command {command:#x} is unknown")

    def fdt(self, node: FdtNode) -> None:
        for name, value in (("poweroff", PASS), ("reboot", RESET)):
            child = node.root_child(name)
            child.set("compatible", f"syscon-{name}")
            child.set("regmap", node.phandle)
            child.set("offset", 0)
            child.set("value", value)


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [SifiveTest]
