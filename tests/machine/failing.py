"""A board with a device that fails in several ways, chosen by its registers or a timer."""

from pathlib import Path

BASE = 0x1001_0000
PLUGIN = '''\
import threading
from rvplat.bus import Device, Register
from rvplat.hookspecs import hookimpl

class Bad(Device):
    """A device that fails on command."""

    model = "bad"
    size = 0x1000
    registers = (
        Register(0x00, "RAISES", "V[31:0]"),
        Register(0x04, "NUMBER", "V[31:0]", "ro"),
        Register(0x08, "ALARM", "V[31:0]", "wo"),
        Register(0x0C, "THREAD", "V[31:0]", "wo"),
        Register(0x10, "EXITS", "V[31:0]", "ro"),
    )

    def read_raises(self):
        return {}["no such key"]

    def write_raises(self, value):
        raise ValueError(f"{value} is not\\nfor me")

    def read_number(self):
        return None

    def write_alarm(self, value):
        clock = self.wiring.clock
        clock.call_at(clock.now(), lambda: self.ring(value))

    def ring(self, value):
        1 / 0

    def write_thread(self, value):
        thread = threading.Thread(target=self.work, name="worker")
        thread.start()
        thread.join()

    def work(self):
        raise RuntimeError("in a thread")

    def read_exits(self):
        raise SystemExit(0)

@hookimpl
def rvplat_devices():
    return [Bad]
'''
BOARD = """\
extends = "virt"
plugins = ["faulty.py"]
[devices.bad]
model = "bad"
base = 0x1001_0000
"""


def board(folder: Path, plugin: str = PLUGIN) -> Path:
    """The board's file, with the plugin beside it. The plugin is loaded again only if it
    changes."""
    file = folder / "faulty.py"
    if not file.exists() or file.read_text() != plugin:
        file.write_text(plugin)
    path = folder / "bad.toml"
    path.write_text(BOARD)
    return path


def line_of(text: str) -> int:
    """The number of the plugin's line with this text."""
    return next(n for n, line in enumerate(PLUGIN.splitlines(), 1) if text in line)
