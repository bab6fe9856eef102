"""The layout of a random program's memory: the pages of one MiB of RAM.

The low 20 bits of an address identify the place, so the same layout holds in the windows of virtual
memory that map the MiB elsewhere (tables.py).
"""

from __future__ import annotations

PAGE = 4096
BASE = 0x8000_0000
SIZE = 1 << 20
LOW_BITS = 20

BOOT = 0  # page numbers
MACHINE_HANDLER = 1
SUPERVISOR_HANDLER = 2
GUEST_HANDLER = 3
ENDING = 4
TOHOST = 5
MACHINE_DESK = 6
SUPERVISOR_DESK = 7
GUEST_DESK = 8
DUMP = 9
VALUES = 10  # the initial values of CSRs
CODE = range(16, 32)  # the program's sections
DATA = range(32, 48)  # 64 KiB, on a boundary of 64 KiB for Svnapot
TABLES = range(48, 160)  # page tables
SHADOW = range(160, 192)  # an unchanged copy of the code, where handlers look up lengths
SHADOW_DISTANCE = SHADOW[0] * PAGE  # from the code to its copy, in bytes
END = 192

COMPARED = range(MACHINE_DESK, SHADOW[0])  # pages that are compared when a program has ended

POOL = DATA[8]  # a page of data with interesting operands
SPLIT = DATA[0]  # the page that PMP divides
TWINS = (DATA[14], DATA[15])  # mapped and protected alike, so that stores may cross between them

# Desks, by offset: alike for all handlers.
SAVED = 0  # mstatus as the handler found it
REQUEST = 8  # what the program asks of the handler
LOG_AT = 16  # offset of the next record in the log
NEXT = 24  # address of the section that comes next
SECTIONS = 0x100  # (address, mstatus bits) of every section
LOG = 0x780  # a ring of records: cause, pc, value, status; with H three more
LOG_MASK = 0x7C0
RECORD = 64
REGISTERS = 0xE00  # on the page DUMP: the initial values of the x and then the f registers

NOWHERE = 0x3000_0000  # neither memory nor a device, here and in Spike


def address(page: int, offset: int = 0) -> int:
    """The physical address of a place in a page."""
    return BASE + page * PAGE + offset


def page_of(pa: int) -> int:
    """The number of the page with a physical address, or with a guest physical address in any
    window."""
    return (pa & (1 << LOW_BITS) - 1) // PAGE
