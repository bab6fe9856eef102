"""Native devices: state and register accesses in the definition language (`rvplat.lang`).

    class Lamp(Device):
        registers = (
            Register(0x0, "SWITCH", "-[31:1] ON[0]"),
            Register(0x4, "COUNT", "N[31:0]", "ro"),
        )
        interrupts = ("irq",)

        @native
        def write_switch(self, value: u32) -> None:
            if value != self.switch:
                self.count += 1
            self.switch = value
            self.irq.set(value != 0)

A class with a `native` method, a `State` row or `is_native = True` is native. Its registers, its
`State` rows, its interrupt lines and its alarms are then fields of a record (`Device.layout`).
Definitions use the fields as `self.NAME`, and so does Python. Harts run the definitions as native
code; CPython runs the same text as the reference, for instance for a device without a machine.
"""

from rvplat.bus.natives.alarms import DeviceAlarm
from rvplat.bus.natives.layout import FieldProperty
from rvplat.bus.natives.methods import NativeMethod, afterwards, native, soon, unlocked
from rvplat.bus.natives.parts import NativeParts
from rvplat.bus.natives.records import State

__all__ = [
    "DeviceAlarm", "FieldProperty", "NativeMethod", "NativeParts", "State", "afterwards", "native",
    "soon", "unlocked",
]  # fmt: skip
