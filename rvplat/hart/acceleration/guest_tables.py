"""Two caches for the page tables of guests.

The first maps pages of guests' page tables from guest physical to host addresses, where the second
stage allows reads: a walk of the first stage then needs no walk of the second for each entry. The
second holds the last-level tables of the second stage: a walk of it then skips the levels above.

hfence.gvma and changes of PMP clear both.
"""

from rvplat.hart.state import HartState
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import OFFSET_MASK, PAGE_MASK
from rvplat.lang import define, u64

TABLES = 64
VALID = 1  # in table_page and last_gpa

HartState.derived("table_page", u64, TABLES)  # guest physical address | VALID
HartState.derived("table_guest", u64, TABLES)  # hgatp
HartState.derived("table_host", u64, TABLES)  # host address

HartState.derived("last_gpa", u64, TABLES)  # the first guest address that the table maps | VALID
HartState.derived("last_guest", u64, TABLES)  # hgatp
HartState.derived("last_table", u64, TABLES)  # physical address


@define
def reach() -> u64:
    """log2 of what a last table maps."""
    return u64(21) if ux.bits == 64 else u64(22)


@define
def known_table(hart, gpa: u64) -> u64:
    """The host address of a guest physical address; 0 if it isn't in the cache."""
    n = gpa >> 12 & (TABLES - 1)
    if hart.table_page[n] != gpa & PAGE_MASK | VALID or hart.table_guest[n] != hart.hgatp:
        return u64(0)
    return hart.table_host[n] + (gpa & OFFSET_MASK)


@define
def remember_table(hart, gpa: u64, host: u64):
    """The second stage allows reads of the whole page; `host` is gpa's host address."""
    n = gpa >> 12 & (TABLES - 1)
    hart.table_page[n] = gpa & PAGE_MASK | VALID
    hart.table_guest[n] = hart.hgatp
    hart.table_host[n] = host - (gpa & OFFSET_MASK)


@define
def forget_tables(hart):
    """Clear both: the second stage, or PMP, may have changed."""
    for n in range(TABLES):
        hart.table_page[n] = 0
        hart.last_gpa[n] = 0


@define
def known_last(hart, gpa: u64) -> u64:
    """The physical address of the second stage's last-level table for an address; 0: not known."""
    n = gpa >> reach() & (TABLES - 1)
    if hart.last_gpa[n] != gpa >> reach() << reach() | VALID or hart.last_guest[n] != hart.hgatp:
        return u64(0)
    return hart.last_table[n]


@define
def remember_last(hart, gpa: u64, table: u64):
    """A walk of the second stage ended in this last-level table."""
    n = gpa >> reach() & (TABLES - 1)
    hart.last_gpa[n] = gpa >> reach() << reach() | VALID
    hart.last_guest[n] = hart.hgatp
    hart.last_table[n] = table
