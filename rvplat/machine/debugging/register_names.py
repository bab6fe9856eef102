"""The names of registers in conditions, and the numbers that agent bytecode has for them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from rvplat.engine.agent import REG_ASID, REG_CSR, REG_F, REG_PC, REG_PRIV, REG_VIRT, REG_VMID
from rvplat.isa.machinery.csr_rows import Csr
from rvplat.isa.machinery.disassemble import F_NAMES, X_NAMES
from rvplat.isa.machinery.extension import Extension
from rvplat.machine.debugging.errors import DebuggingError
from rvplat.machine.debugging.expressions import Register

FIELDS_SUFFIX = "_fields"  # gdb shows the fields of mstatus as $mstatus_fields
_X = {
    **{f"x{n}": n for n in range(32)}, **{name: n for n, name in enumerate(X_NAMES)}, "fp": 8,
}  # fmt: skip
_F = {
    **{f"f{n}": REG_F + n for n in range(32)},
    **{name: REG_F + n for n, name in enumerate(F_NAMES)},
}
_OTHERS = {"pc": REG_PC, "priv": REG_PRIV, "mode": REG_PRIV, "virt": REG_VIRT, "vmid": REG_VMID,
           "asid": REG_ASID}  # fmt: skip


class RegisterNames:
    """The registers of a hart that has these extensions."""

    def __init__(self, extensions: Iterable[Extension]) -> None:
        extensions = list(extensions)
        self._csrs: dict[str, Csr] = {row.name: row for one in extensions for row in one.csrs}
        has_f = any(one.name == "F" for one in extensions)
        self._numbers = {**_X, **_OTHERS, **(_F if has_f else {})}

    def find(self, name: str) -> Register:
        """A register by its name, or a field of a CSR: mstatus.MPP, or mstatus_fields.MPP.

        Raises:
            DebuggingError: there is none.
        """
        number = self._numbers.get(name)
        if number is not None:
            return Register(number, signed=number < REG_PC)
        csr, dot, part = name.partition(".")
        csr = csr.removesuffix(FIELDS_SUFFIX)
        row = self._csrs.get(csr)
        if row is None:
            near = difflib.get_close_matches(csr, [*self._csrs], n=1)
            hint = f"; did you mean ${near[0]}?" if near else ""
            raise DebuggingError(f"there is no register ${csr}{hint}")
        if not dot:
            return Register(REG_CSR + row.number)
        field = next((field for field in row.fields if field.name == part), None)
        if field is None:
            fields = ", ".join(field.name for field in row.fields) or "none"
            raise DebuggingError(f"${csr} has no field {part!r}: {fields}")
        return Register(REG_CSR + row.number, field.high, field.low)
