"""Finding the last change of some bytes of RAM in a run that is repeated (machine/history/).

The bytes' page never counts as saved, so it has no write tags, and each write of it asks
(saved_pages.py): whoever writes, in any world, and devices too. What changed since the last write
asked was changed by that write.
"""

from rvplat.bus.natives.image_log import ImageLog
from rvplat.hart.state import HartState, MachineState
from rvplat.lang import atomic_store_u32, define, read_u8, record_at, u8, u32, u64

MachineState.add("turn_hart", u64)  # the hart that has its turn, or had the last one
MachineState.add("turn_end", u64)  # `work` of all harts at the end of what it may execute now

_hart_at = record_at(HartState)


@define
def work_now(machine: MachineState) -> u64:
    """The instructions that all harts have executed, without the one that is being executed."""
    hart = _hart_at(machine.harts[machine.turn_hart])
    return machine.turn_end - u64(hart.limit + hart.budget)


@define
def have_changed(log: ImageLog) -> bool:
    """Whether the bytes are others than at the last look."""
    found = False
    for i in range(u64(log.looked_size)):
        now = read_u8(log.looked_host + i)
        if u8(log.looked[i]) != now:
            log.looked[i] = now
            found = True
    return found


@define(cold=True)
def note_write(machine: MachineState):
    """The page is going to be written."""
    log = machine.images
    if have_changed(log):
        log.changer = log.writer
    log.writer = work_now(machine) + 1


@define
def begin_looking(hart, page: u64, host: u64, size: u32):
    """From here on note who changes bytes at a host address, in a page that isn't saved yet."""
    log = hart.machine.images
    log.looked_host = host
    log.looked_size = size
    log.looked_page = page + 1
    log.looked_epoch = 0
    log.writer = u64(0)
    have_changed(log)
    log.changer = u64(0)


@define
def end_looking(hart) -> u64:
    """The `work` before the last change, plus 1; 0 if there was none."""
    log = hart.machine.images
    if have_changed(log):
        log.changer = log.writer
    if log.looked_epoch == log.epoch and log.epoch != 0:
        atomic_store_u32(log.saved + (log.looked_page - 1) * 4, log.epoch)
    log.looked_page = u64(0)
    return log.changer
