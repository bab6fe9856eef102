"""Find the instruction whose native code does not return, and the place of its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rvplat.errors import BusError

if TYPE_CHECKING:
    from rvplat.isa.machinery.csr_rows import Csr
    from rvplat.lang import Definition
    from rvplat.machine.running.hart import Hart


def stuck_instruction(hart: Hart) -> tuple[str, str]:
    """(instruction, place of its definition) at the pc of a hart. For an instruction that accesses
    a CSR, the place is that of the CSR's definitions."""
    try:
        bits = int.from_bytes(hart.read(hart.pc, 2), "little")
        if bits & 3 == 3:
            bits |= int.from_bytes(hart.read(hart.pc + 2, 2), "little") << 16
    except BusError:
        return "an instruction", "its memory is not mapped any more"
    entry = next((one for one in hart.table.entries if one.pattern.matches(bits)), None)
    if entry is None:
        return "an instruction", "its memory has changed"
    rows = {row.number: row for row in hart.csrs.values()}
    row = rows.get(bits >> 20) if "csr" in entry.pattern.operands else None
    if row is None:
        return f"the instruction {entry.name}", _place(entry.instruction.definition)
    return f"the instruction {entry.name} of the CSR {row.name}", _csr_place(row)


def _csr_place(row: Csr) -> str:
    """The places of a CSR row's definitions."""
    found = [one for one in (row.read, row.write, row.access) if one is not None]
    return " or ".join(_place(one) for one in found)


def _place(definition: Definition) -> str:
    return f"{definition.place}, in {definition.name}"
