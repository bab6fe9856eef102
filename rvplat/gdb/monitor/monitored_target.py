"""The machine's target with monitor commands."""

from __future__ import annotations

from collections.abc import Callable

from rvplat.gdb.monitor import dispatch
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.gdb.target.machine_target import MachineTarget
from rvplat.machine.machine import Machine


class MonitoredTarget(MachineTarget):
    """A machine that gdb debugs, with every command of `monitor`. PluginError if a plugin's command
    has the name of a built-in one."""

    def __init__(self, machine: Machine) -> None:
        dispatch.refuse_clashes(machine)
        super().__init__(machine)

    def monitor(self, thread: Thread, line: str, say: Callable[[str], None]) -> None:
        dispatch.run(self, thread, line, say)
