"""A hart out of reset (Privileged, "Reset")."""

from __future__ import annotations

import ctypes

from rvplat.engine.architecture import Architecture, enable
from rvplat.hart.reset import reset
from rvplat.hart.state import STOP_BREAK, STOP_NONE, MachineState
from rvplat.isa.privileged import MACHINE, Irq, Status
from rvplat.lang import address_of
from rvplat.machine.boards.catalogue import base_extensions

EXTENSIONS = list(base_extensions())
LAYOUT = Architecture(tuple(EXTENSIONS)).layout


def test_a_hart_that_ran_begins_anew() -> None:
    blocks = [ctypes.create_string_buffer(size) for size in (LAYOUT.size, MachineState.size)]
    hart, machine = (
        record.view(ctypes.addressof(block))
        for record, block in zip((LAYOUT, MachineState), blocks, strict=True)
    )
    machine.clock_virtual = machine.instructions_per_tick = 1
    hart.machine = address_of(machine)
    enable(hart, EXTENSIONS)
    for name in ("mscratch", "mcause", "medeleg", "mie", "mstatus", "minstret", "frm", "satp"):
        setattr(hart, name, 5)
    hart.mstatus = (1 << 64) - 1
    hart.x[7] = hart.f[9] = hart.instret_base = 99
    hart.pmp_cfg[3] = 0x9F
    hart.virt = hart.trap_gva = 1
    hart.stop = STOP_BREAK
    hart.irq_lines = Irq.MEI
    hart.mtimecmp = 1000
    reset(hart, EXTENSIONS, 0x8000_0000)
    assert (hart.priv, hart.pc, hart.stop) == (MACHINE, 0x8000_0000, STOP_NONE)
    assert hart.mstatus == Status.UXL_64 | Status.SXL_64
    for name in ("mscratch", "mcause", "medeleg", "mie", "minstret", "frm", "satp", "virt"):
        assert getattr(hart, name) == 0, name
    assert hart.stimecmp == (1 << 64) - 1
    assert (hart.x[7], hart.f[9], hart.instret_base, hart.pmp_cfg[3]) == (0, 0, 0, 0)
    assert (hart.irq_lines, hart.mtimecmp) == (Irq.MEI, 1000), "devices drive these"
