"""Changes of the mode: for a trap, and for a return from one."""

from rvplat.hart.counters import enter_firmware
from rvplat.hart.debugging.timeline_events import note_mode
from rvplat.hart.debugging.world_switches import switch_world
from rvplat.isa.hpm import restart_counters
from rvplat.isa.machinery import vocabulary
from rvplat.isa.machinery.vocabulary import context_changed
from rvplat.isa.privileged import MACHINE
from rvplat.lang import define, implement, u8, u64


@define
def change_mode(hart, priv: u64, virt: u64):
    """Change the mode and the translation context; the run loop then checks for interrupts."""
    hart.priv = u8(priv)
    if hart.virt != u8(virt):
        switch_world(hart, virt)
    if hart.timeline_ring != 0:
        note_mode(hart)
    context_changed(hart)


@define(cold=True)
def change_filtered(hart, priv: u64, virt: u64, counted: u64):
    """Change the mode where some counters don't count in every mode."""
    change_mode(hart, priv, virt)
    restart_counters(hart, counted)


@implement(vocabulary.enter_privilege, cold=True)
def enter_privilege(hart, priv: u64, virt: u64):
    """A return from a trap is counted in the mode that it leaves ("Counter Behavior" of
    Smcntrpmf)."""
    if hart.hpm_filtered != 0:
        change_filtered(hart, priv, virt, u64(1))
    else:
        change_mode(hart, priv, virt)


@define(cold=True)
def enter_handler(hart, priv: u64, virt: u64):
    """Change the mode for a trap: no instruction retires."""
    if hart.machine.shared != 0 and priv == MACHINE and hart.priv != MACHINE:
        enter_firmware(hart)
    if hart.hpm_filtered != 0:
        change_filtered(hart, priv, virt, u64(0))
    else:
        change_mode(hart, priv, virt)
