"""Images of RAM (bus/images.py), as harts see them."""

from rvplat.hart.acceleration.guest_tables import forget_tables
from rvplat.hart.acceleration.tlb import flush_everything
from rvplat.lang import define


@define(cold=True)
def memory_replaced(hart):
    """An image was restored: page tables in RAM may be others."""
    forget_tables(hart)
    flush_everything(hart)
    hart.kept_stale = 1
