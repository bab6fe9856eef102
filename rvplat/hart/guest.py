"""Loads and stores in a guest's memory from outside (Privileged, "Hypervisor Virtual-Machine Load
and Store Instructions"): the guest's data context is in force for this access only.
"""

from rvplat.hart.acceleration.contexts import select_data, select_guest_data
from rvplat.hart.memory import load_slow, store_slow
from rvplat.hart.trap import Trap
from rvplat.isa.machinery import vocabulary
from rvplat.lang import implement, u64


@implement(vocabulary.guest_load, cold=True)
def guest_load(hart, va: u64, size: u64, execute: bool) -> u64:
    select_guest_data(hart, execute)
    try:
        value = load_slow(hart, va, size)
    except Trap:
        select_data(hart)
        raise Trap  # noqa: B904
    select_data(hart)
    return value


@implement(vocabulary.guest_store, cold=True)
def guest_store(hart, va: u64, size: u64, value: u64):
    select_guest_data(hart, False)
    try:
        store_slow(hart, va, size, value)
    except Trap:
        select_data(hart)
        raise Trap  # noqa: B904
    select_data(hart)
