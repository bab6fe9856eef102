"""Pages of guests' page tables, by guest physical address: where the second stage lets them be
read. So a walk of the first stage needs no walk of the second for each of its entries.

hfence.gvma and changes of PMP forget what is known here.
"""

from rvplat.hart.state import Hart
from rvplat.hart.tlb import OFFSET_MASK, PAGE_MASK
from rvplat.lang import define, u64

TABLES = 64
VALID = 1  # in table_page

Hart.add("table_page", u64, TABLES)  # guest physical address | VALID
Hart.add("table_guest", u64, TABLES)  # hgatp
Hart.add("table_host", u64, TABLES)  # host address


@define
def known_table(hart, gpa: u64) -> u64:
    """The host address of what is at a guest physical address; 0 if it isn't known."""
    n = gpa >> 12 & (TABLES - 1)
    if hart.table_page[n] != gpa & PAGE_MASK | VALID or hart.table_guest[n] != hart.hgatp:
        return u64(0)
    return hart.table_host[n] + (gpa & OFFSET_MASK)


@define
def remember_table(hart, gpa: u64, host: u64):
    """All of the page may be read through the second stage; host address of an entry in it."""
    n = gpa >> 12 & (TABLES - 1)
    hart.table_page[n] = gpa & PAGE_MASK | VALID
    hart.table_guest[n] = hart.hgatp
    hart.table_host[n] = host - (gpa & OFFSET_MASK)


@define
def forget_tables(hart):
    """The second stage, or PMP, may have changed."""
    for n in range(TABLES):
        hart.table_page[n] = 0
