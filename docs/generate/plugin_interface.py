"""What plugins use: the base of devices, their registers and settings, the clock, extensions."""

from __future__ import annotations

from importlib import import_module

from generate.markdown import docstring
from generate.python_interface import class_text, function_text
from rvplat import bus
from rvplat.isa import Extension
from rvplat.isa.machinery.csr_rows import Csr


def page() -> str:
    """`rvplat.isa`, then `rvplat.bus`."""
    parts = [
        class_text(Extension),
        class_text(Csr),
        "## Instruction patterns",
        _doc("isa.machinery.encoding"),
    ]
    parts += ["## Assembly syntax", _doc("isa.machinery.disassemble")]
    parts += [class_text(bus.Device), "## Tables of registers", _doc("bus.registers")]
    parts += [class_text(one) for one in (bus.Register, bus.Hole)]
    parts += [function_text(bus.setting), _doc("bus.settings")]
    parts += ["## Native devices", _doc("bus.natives"), class_text(bus.State)]
    parts += [function_text(one) for one in (bus.native, bus.afterwards, bus.soon)]
    parts += [class_text(bus.DeviceAlarm)]
    parts += [class_text(one) for one in (bus.Wiring, bus.Line, bus.Clock, bus.Alarm, bus.BusLock)]
    parts += [class_text(one) for one in (bus.InterruptController, bus.Console)]
    return "\n\n".join(parts)


def _doc(module: str) -> str:
    return docstring(import_module(f"rvplat.{module}"))
