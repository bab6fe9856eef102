"""RAM that a device is carved out of (htif): the device hears of every change of its pages.

A plain aligned store goes to the host function that serves devices, which stores as well. Whatever
changes such memory in another way, natively, tells the device afterwards: stores that are not
aligned, or reach into another page, `cbo.zero`, and atomic instructions, which are atomic by the
host's own and tell when they are done.
"""

from rvplat.hart.state import WATCHED, Hart
from rvplat.isa.fp_state import call_out
from rvplat.lang import define, u64

Hart.add("mmio_touched", u64)  # host function (hart, pa, size, 0): memory there has changed
Hart.add("touched_pa", u64)  # what the current instruction changes
Hart.add("touched_size", u64)  # bytes; 0: nothing that is watched


@define
def is_watched(hart, region: u64) -> bool:
    """Whether a region of RAM is watched."""
    return hart.machine.ram[region].writable == WATCHED and hart.mmio_touched != 0


@define(cold=True)
def tell_device(hart, region: u64, pa: u64, size: u64):
    """Memory was changed."""
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
