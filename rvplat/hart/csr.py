"""Access to CSRs by number: the rows of a machine's extensions as three tables.

A hart has a CSR if csr_present says so; the number's own bits say from which mode, and whether it
is read-only (Privileged, "CSR Address Mapping Conventions"); the row's `access` says the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rvplat.frozen import frozen
from rvplat.hart.added_csrs import added_guard, added_read, added_write
from rvplat.isa.machinery import vocabulary
from rvplat.isa.machinery.csr_rows import Csr
from rvplat.isa.machinery.vocabulary import illegal, virtual_instruction
from rvplat.isa.privileged import MACHINE, SUPERVISOR, USER, Irq
from rvplat.lang import Definition, Dispatch, define, implement, u32, u64

# csr_present of a CSR that the hart has. Bit m is set if the number's own bits allow the access in
# mode m = 4 V + priv, and the row has no further condition.
PRESENT = 0x40
GUARDED = 0x80  # and its row has a condition of access
IN_MODES = (0b11_1011, 0b10_1010, 0b00_1010, 0b00_1000)  # by the number's privilege bits
MIP = 0x344
HYPERVISOR = 2  # the privilege bits of H's registers and the VS bank
TO_VIRTUAL = 0x100  # from an S CSR's number to its VS CSR's

readers = Dispatch("csr_readers", args=("hart", u32), returns=u64)
writers = Dispatch("csr_writers", args=("hart", u64, u32))
guards = Dispatch("csr_guards", args=("hart", bool, u32))
readers.default = added_read
writers.default = added_write
guards.default = added_guard


@implement(vocabulary.csr_check)
def csr_check(hart, number: u32, write: bool):
    """Illegal: a CSR that is absent, privileged, read-only and written, or barred by its row."""
    mode = hart.virt << 2 | hart.priv
    if hart.csr_present[number] >> mode & 1 == 0 or (write and number >> 10 == 3):
        csr_examine(hart, number, write)


@define(cold=True)
def csr_examine(hart, number: u32, write: bool):
    """The checks that need more than the mode.

    Numbers with privilege bits 10 are the hypervisor's, for S mode with V=0 and M mode. What HS
    mode might access is a virtual instruction of a guest that isn't let in ("Trap Cause Codes").
    """
    state = hart.csr_present[number]
    lowest = number >> 8 & 3
    if state == 0 or (lowest == MACHINE and hart.priv != MACHINE):
        illegal(hart)
    if write and number >> 10 == 3:
        illegal(hart)
    if lowest != USER and hart.priv == USER and hart.virt == 0:
        illegal(hart)
    if state & GUARDED != 0:
        guards(hart, write, number)
    if hart.virt != 0 and (lowest == HYPERVISOR or (lowest == SUPERVISOR and hart.priv == USER)):
        virtual_instruction(hart)


@implement(vocabulary.csr_in_force)
def csr_in_force(hart, number: u32) -> u32:
    """With V=1, an S CSR that has a VS CSR is that one ("Hypervisor and Virtual Supervisor CSRs");
    senvcfg, scounteren and the like have none."""
    if hart.virt != 0 and number >> 8 == SUPERVISOR and hart.csr_present[number + TO_VIRTUAL] != 0:
        return number + TO_VIRTUAL
    return number


@implement(vocabulary.csr_read)
def csr_read(hart, number: u32) -> u64:
    """The value, without a check."""
    return readers(hart, number)


@implement(vocabulary.csr_write)
def csr_write(hart, number: u32, value: u64):
    """Write, without a check."""
    writers(hart, value, number)


@implement(vocabulary.csr_stored)
def csr_stored(hart, number: u32, value: u64) -> u64:
    """csrrs and csrrc on mip: a read of SEIP includes the PLIC's line; the value that is written
    back doesn't ("Machine Interrupt Registers")."""
    if number == MIP:
        return (value & ~Irq.SEI) | (hart.mip & Irq.SEI)
    return value


@frozen
class CsrTable(Mapping[int, Definition]):
    """The rows of a Dispatch table: of each CSR that has one, its reader, writer or guard."""

    csrs: Mapping[int, Csr]
    row: Callable[[Csr], Definition | None]

    def __getitem__(self, number: int) -> Definition:
        found = self.row(self.csrs[number])
        if found is None:
            raise KeyError(number)
        return found

    def __iter__(self) -> Iterator[int]:
        return (number for number, csr in self.csrs.items() if self.row(csr) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def tables(csrs: Mapping[int, Csr]) -> dict[Dispatch, CsrTable]:
    """The tables by which harts that can have these CSRs (by number) access them."""
    return {
        readers: CsrTable(csrs, lambda row: row.reader),
        writers: CsrTable(csrs, lambda row: None if row.read_only else row.writer),
        guards: CsrTable(csrs, lambda row: row.access),
    }


def enable(hart: Any, rows: Iterable[Csr]) -> None:
    """Give a hart the rows' CSRs, at their reset values."""
    for row in rows:
        free = IN_MODES[row.number >> 8 & 3] if row.access is None else GUARDED
        hart.csr_present[row.number] = PRESENT | free
        if row.storage:
            setattr(hart, row.name, row.reset)
