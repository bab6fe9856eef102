"""Where things are in a random program's memory: pages of one MiB of RAM.

Everything is found from the low 20 bits of an address, so that the windows of virtual memory that
map the MiB elsewhere (tables.py) need no other table.
"""

from __future__ import annotations

PAGE = 4096
BASE = 0x8000_0000
SIZE = 1 << 20
LOW_BITS = 20

BOOT = 0  # page numbers
MACHINE_HANDLER = 1
SUPERVISOR_HANDLER = 2
TOHOST = 3
MACHINE_DESK = 4
DUMP = 5
SUPERVISOR_DESK = 6
CODE = range(8, 16)  # the program's sections
DATA = range(16, 32)  # 64 KiB, on a boundary of 64 KiB for Svnapot
TABLES = range(32, 64)  # page tables
SHADOW = range(64, 80)  # the first 16 pages as they were built: handlers look up lengths there
END = 80

COMPARED = range(MACHINE_DESK, SHADOW[0])  # pages that are compared when a program has ended

POOL = DATA[8]  # a page of data with operands worth loading
SPLIT = DATA[0]  # the page that PMP divides
TWINS = (DATA[14], DATA[15])  # mapped and protected alike: stores may cross from one to the other

# Desks, by offset: the machine's and the supervisor's handlers alike.
SAVED = 0  # mstatus as the handler found it
REQUEST = 8  # what the program asks of the handler
LOG_AT = 16  # offset of the next record in the log
NEXT = 24  # address of the section that comes next
SECTIONS = 0x100  # (address, mstatus bits) of every section
LOG = 0x7E0  # a ring of records: cause, pc, value, status
LOG_MASK = 0x7E0
RECORD = 32
REGISTERS = 0x800  # on the page DUMP: what x and then f registers begin with

NOWHERE = 0x3000_0000  # neither memory nor a device, here as in Spike


def address(page: int, offset: int = 0) -> int:
    """The physical address of a place in a page."""
    return BASE + page * PAGE + offset


def page_of(pa: int) -> int:
    """The number of the page that holds a physical address."""
    return (pa - BASE) // PAGE
