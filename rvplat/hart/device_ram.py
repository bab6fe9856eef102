"""RAM that holds a device (htif): the device is called for every change of these pages.

A plain aligned store calls the host function that serves devices, and this stores too. Everything
else stores natively and calls the device afterwards: misaligned stores, stores that cross a page,
`cbo.zero`, and atomic instructions.
"""

from rvplat.hart.state import WATCHED, HartState
from rvplat.isa.fp_state import call_out
from rvplat.lang import define, u64

HartState.outside("mmio_touched", u64)  # host function (hart, pa, size, 0): memory has changed
HartState.derived("touched_pa", u64)  # what the current instruction changes
HartState.derived("touched_size", u64)  # bytes; 0: it changes no such memory


@define
def is_watched(hart, region: u64) -> bool:
    """Whether a region of RAM is watched."""
    return hart.machine.ram[region].writable == WATCHED and hart.mmio_touched != 0


@define(cold=True)
def tell_device(hart, region: u64, pa: u64, size: u64):
    """Call the device: its memory was changed."""
    if is_watched(hart, region):
        call_out(hart, hart.mmio_touched, pa, size, 0)


@define(cold=True)
def tell_device_afterwards(hart, region: u64, pa: u64, size: u64):
    """The current instruction is going to change memory."""
    if is_watched(hart, region):
        hart.touched_pa = pa
        hart.touched_size = size
        hart.resync = 1


@define(cold=True)
def tell_touched(hart):
    """For the run loop: an instruction has changed what is watched."""
    size = hart.touched_size
    hart.touched_size = 0
    call_out(hart, hart.mmio_touched, hart.touched_pa, size, 0)
