"""Locks between threads of the host, in native code: of harts, regions and devices.

Who waits for one lets other threads run, and does nothing else. `relax` would be wrong, because it
is the guest's: on a virtual clock it ends the hart's turn. What the harts do would then depend on
when another thread had the lock.
"""

from rvplat.hart.state import MachineState
from rvplat.lang import atomic_store_u32, call_host, compare_exchange_u32, define, u32, u64


@define
def let_threads_run(machine: MachineState):
    """Let another thread go on, which has a lock. Harts that share one thread have no function for
    it: they look again at once."""
    if machine.yield_fn != 0:
        call_host(machine.yield_fn, u64(0), u64(0), u64(0), u64(0))


@define
def take_lock(machine: MachineState, lock: u64):
    """Wait for the lock, a u32 at a host address, and take it. It is never held for long."""
    while not compare_exchange_u32(lock, u32(0), u32(1)):
        let_threads_run(machine)


@define
def release_lock(lock: u64):
    """Release the lock."""
    atomic_store_u32(lock, u32(0))
