"""Pages of guests' page tables, by guest physical address: where the second stage lets them be
read. So a walk of the first stage needs no walk of the second for each of its entries. And the last
tables of the second stage, so that a walk of it needs no look at those above.

hfence.gvma and changes of PMP forget what is known here.
"""

from rvplat.hart.acceleration.tlb import OFFSET_MASK, PAGE_MASK
from rvplat.hart.state import Hart
from rvplat.lang import define, u64

TABLES = 64
VALID = 1  # in table_page and last_gpa
REACH = 21  # log2 of what a last table maps

Hart.add("table_page", u64, TABLES)  # guest physical address | VALID
Hart.add("table_guest", u64, TABLES)  # hgatp
Hart.add("table_host", u64, TABLES)  # host address

Hart.add("last_gpa", u64, TABLES)  # the first guest physical address that the table maps | VALID
Hart.add("last_guest", u64, TABLES)  # hgatp
Hart.add("last_table", u64, TABLES)  # physical address


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
        hart.last_gpa[n] = 0


@define
def known_last(hart, gpa: u64) -> u64:
    """The physical address of the second stage's last table for an address; 0 if it isn't known."""
    n = gpa >> REACH & (TABLES - 1)
    if hart.last_gpa[n] != gpa >> REACH << REACH | VALID or hart.last_guest[n] != hart.hgatp:
        return u64(0)
    return hart.last_table[n]


@define
def remember_last(hart, gpa: u64, table: u64):
    """The second stage came to this table."""
    n = gpa >> REACH & (TABLES - 1)
    hart.last_gpa[n] = gpa >> REACH << REACH | VALID
    hart.last_guest[n] = hart.hgatp
    hart.last_table[n] = table
