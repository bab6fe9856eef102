"""Plugins whose code does not return: a device's accesses and alarms, instructions, a CSR."""

import atexit
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from tests.machine.failing import board
from tests.machine.small_guests import guest

PLUGIN = '''\
import os
import time
from rvplat.bus import Device, Register
from rvplat.hookspecs import hookimpl
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import load_u64
from rvplat.hart.trap import Trap
from rvplat.lang import define, u32, u64

if "IN_A_HURRY" in os.environ:  # set by tests of the command, whose process is another
    from rvplat.machine.running import watchdog
    watchdog.LOOK_S, watchdog.GRACE_S, watchdog.SLOW_S = 0.1, 0.5, 0.5

class Bad(Device):
    """Does not come back."""

    model = "bad"
    size = 0x1000
    uses_console = True
    registers = (
        Register(0x00, "LOOPS", "V[31:0]"),
        Register(0x04, "SLEEPS", "V[31:0]", "ro"),
        Register(0x08, "ALARM", "V[31:0]", "wo"),
        Register(0x0C, "AGAIN", "V[31:0]", "wo"),
        Register(0x10, "STUBBORN", "V[31:0]", "ro"),
    )

    def begin(self):
        self.wiring.console.write(b"in the loop")
        os.write(2, b"in the loop")

    def read_loops(self):
        self.begin()
        while True:
            pass

    def write_loops(self, value):
        self.begin()
        while True:
            self.loops = value

    def read_sleeps(self):
        self.begin()
        time.sleep(1_000_000)

    def read_stubborn(self):
        self.begin()
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass

    def write_alarm(self, value):
        clock = self.wiring.clock
        clock.call_at(clock.now() + 1, self.read_loops)

    def write_again(self, value):
        self.ring()

    def ring(self):
        self.wiring.clock.call_at(self.wiring.clock.now(), self.ring)

Xloop = Extension("Xloop", version="0.1", standing="ratified", title="Loops", requires=("Zicsr",))

@define
def turn(n: u64) -> u64:
    """Never 0, and knows nothing of the hart."""
    while n != 0:
        n = n ^ 1 | 2
    return n

@Xloop.instruction("0000000 rs2 rs1 000 rd 0001011", "spin rd, rs1, rs2")
def spin(hart, rd, rs1, rs2):
    """Never ends."""
    hart.x[rd] = turn(hart.x[rs1] + 5)

@Xloop.instruction("0000001 rs2 rs1 000 rd 0001011", "climb rd, rs1, rs2")
def climb(hart, rd, rs1, rs2):
    """Never ends, and writes."""
    while True:
        hart.x[rd] = hart.x[rd] + 1

@Xloop.instruction("0000010 rs2 rs1 000 rd 0001011", "count rd, rs1, rs2")
def count(hart, rd, rs1, rs2):
    """Takes rs1 turns, all of them."""
    n = u64(0)
    for i in range(hart.x[rs1]):
        n = n + (i & 1 ^ 1 | 1)
    hart.x[rd] = n

@Xloop.instruction("0000011 rs2 rs1 000 rd 0001011", "tries rd, rs1, rs2")
def tries(hart, rd, rs1, rs2):
    """Never ends, inside of a try."""
    n = u64(0)
    while n == 0:
        try:
            while n == 0:
                n = n & load_u64(hart, hart.x[rs1])
        except Trap:
            n = n & 0
    hart.x[rd] = n

@define
def read_endless(hart, number: u32) -> u64:
    n = u64(1)
    while n != 0:
        n = n | 1
    return n

Xloop.csr(0xCC0, "endless", read=read_endless, storage=False)

@hookimpl
def rvplat_devices():
    return [Bad]

@hookimpl
def rvplat_extensions():
    return [Xloop]
'''
SPIN, CLIMB, COUNT = 0x0000_050B, 0x0200_050B, 0x0405_050B  # spin a0, x0, x0; count a0, a0, x0
TRIES = 0x0605_050B  # tries a0, a0, x0
READ_ENDLESS = 0xCC00_2573  # csrr a0, endless
BAD = "  li s0, 0x10010000\n"
#: For each case: the program, the start of the failure's text, and the function that is stuck.
WAYS = {
    "load": (BAD + "  lw t0, 0(s0)\n", "bad: a load of 4 at 0x10010000", "read_loops"),
    "store": (BAD + "  sw t0, 0(s0)\n", "bad: a store of 4 at 0x10010000", "write_loops"),
    "alarm": (BAD + "  sw t0, 8(s0)\n1: j 1b\n", "bad: an alarm", "read_loops"),
    "instruction": (f"  .word {SPIN}\n", "the instruction spin", "spin"),
    "a loop that writes": (f"  .word {CLIMB}\n", "the instruction climb", "climb"),
    "a loop in a try": (f"  lla a0, 1f\n1: .word {TRIES}\n", "the instruction tries", "tries"),
    "CSR": (f"  .word {READ_ENDLESS}\n", "the instruction csrrs of the CSR endless",
            "read_endless"),
}  # fmt: skip
#: Cases that neither an exception nor a flag ends.
HOPELESS = {
    "sleep": (BAD + "  lw t0, 4(s0)\n", "bad: a load of 4 at 0x10010004", "read_sleeps"),
    "stubborn": (BAD + "  lw t0, 16(s0)\n", "bad: a load of 4 at 0x10010010", "read_stubborn"),
}
SETTINGS = {"harts.isa": "rv64imac_zicsr_xloop"}


@cache
def shared_folder() -> Path:
    """The plugin's folder for all tests of a process, so that the plugin is loaded once."""
    path = Path(tempfile.mkdtemp(prefix="rvplat-stuck-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def stuck_board(folder: Path) -> str:
    return str(board(folder, PLUGIN))


def stuck_guest(way: str) -> Path:
    return guest({**WAYS, **HOPELESS}[way][0] + "1: j 1b\n")


def until(condition: Any, timeout_s: float = 60) -> None:
    """Wait for a condition that no event reports."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
