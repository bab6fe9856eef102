"""A hart's registers by gdb's numbers."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

from rvplat.engine.agent import REG_ASID, REG_CSR, REG_F, REG_PC, REG_PRIV, REG_VIRT, REG_VMID
from rvplat.engine.exports import Raised
from rvplat.gdb.protocol.errors import GdbError, Unavailable
from rvplat.gdb.target.target_description import (
    FP_CSRS,
    MODES,
    REG_MODE,
    REG_V,
    Layout,
    csr_itself,
    layout_of,
)
from rvplat.hart.state import HartState
from rvplat.isa.machinery.csr_rows import Csr
from rvplat.isa.privileged import MACHINE
from rvplat.machine.inspection.mappings import root_csr
from rvplat.machine.machine import Machine
from rvplat.machine.running.hart import Hart

PRIVS = (REG_PRIV, REG_MODE)
SUPERVISOR_BITS = 1  # the privilege in the numbers of supervisor CSRs
FRAME = (1, 2, 8)  # ra, sp, s0
TO_VS = 0x100  # from a supervisor CSR's number to its VS twin's


class Registers:
    """Reads and writes registers of harts that are stopped."""

    def __init__(self, machine: Machine) -> None:
        self._rows: dict[int, Csr] = {
            row.number: row for extension in machine.extensions for row in extension.csrs
        }
        names = {extension.name for extension in machine.extensions}
        self.layout: Layout = layout_of(
            self._rows.values(), names, machine.board.vlen, machine.board.harts.xlen
        )
        self._word = self.layout.sizes[REG_PC]
        self._read = machine.core.export("read_csr")
        self._write = machine.core.export("write_csr")
        self._set = machine.core.export("set_mode")
        self._x = [self._array(hart, "x") for hart in machine.harts]
        self._f = [self._array(hart, "f") for hart in machine.harts]
        self._harts = machine.harts

    @staticmethod
    def _array(hart: Hart, name: str) -> Any:
        place = HartState.fields[name]
        return (ctypes.c_uint64 * place.count).from_address(hart.address + place.offset)

    def names(self) -> Iterable[Csr]:
        """The rows of the CSRs."""
        return self._rows.values()

    def mode(self, hart: int) -> str:
        """The mode that a hart is in."""
        view = self._harts[hart].plain
        return MODES[int(view.priv) | int(view.virt) << 2]

    def size(self, number: int) -> int:
        """Bytes."""
        size = self.layout.sizes.get(number)
        if size is None:
            raise GdbError(f"there is no register {number}")
        return size

    def is_csr(self, number: int) -> bool:
        """Whether a register is a CSR, or its fields."""
        return csr_itself(number) - REG_CSR in self._rows

    def csr_number(self, number: int, guest: bool) -> int:
        """The number of a CSR in a world: a guest's supervisor CSRs are the VS CSRs."""
        twin = number + TO_VS
        if guest and number >> 8 & 3 == SUPERVISOR_BITS and twin in self._rows:
            return twin
        return number

    def read(self, hart: int, number: int, guest: bool = False) -> int:
        """A register's value."""
        self.size(number)
        number = csr_itself(number)
        if number >= REG_V:
            return self._read_vector(hart, number - REG_V)
        view = self._harts[hart].plain
        if number < REG_PC:
            return int(self._x[hart][number])
        if number == REG_PC:
            return int(view.pc)
        if number < REG_CSR:
            return int(self._f[hart][number - REG_F])
        if number < REG_PRIV:
            return self._read_csr(hart, self.csr_number(number - REG_CSR, guest))
        return self._special(view, number)

    def _read_csr(self, hart: int, number: int) -> int:
        """A CSR. The board's harts may differ: the description has what some hart has."""
        view = self._harts[hart].plain
        if not view.csr_present[number]:
            raise Unavailable(f"hart {hart} has no {self._rows[number].name}")
        try:
            return int(self._read(view, number))
        except Raised:
            raise Unavailable(f"{self._rows[number].name} can't be read now") from None

    def read_general(self, hart: int) -> list[int]:
        """The values of the layout's general registers: x, pc, f."""
        every = [*self._x[hart][:32], self._harts[hart].plain.pc, *self._f[hart]]
        return every[: len(self.layout.general)]

    def read_kept(self, kept: Any, state: dict[str, int], number: int) -> int:
        """A register of a world that the hart has left; `kept` are the registers at that time."""
        self.size(number)
        number = csr_itself(number)
        virt = state.get("virt", 0)
        roots = {0x680: "hgatp", 0x280: "vsatp", 0x180: "vsatp"} if virt else {}
        name = roots.get(number - REG_CSR)
        if name is not None:
            return root_csr(state[name], 8 * self._word)
        if number == REG_VIRT:
            return virt
        if number == REG_VMID and state:
            return state.get("hgatp", 0) >> 44 & 0x3FFF
        if number == REG_ASID and virt:
            return state["vsatp"] >> 44 & 0xFFFF
        if kept is None or (number > REG_PC and number not in PRIVS):
            raise Unavailable("no hart is in this world now")
        if number in PRIVS:
            return int(kept.priv) | virt << 2
        return int(kept.pc) if number == REG_PC else int(kept.x[number])

    def frame(self, hart: int) -> list[tuple[int, int, int]]:
        """(number, bytes, value) of the registers that show where a hart is: pc, ra, sp, s0."""
        x = self._x[hart]
        size = self._word
        return [(REG_PC, size, self._harts[hart].plain.pc), *((n, size, x[n]) for n in FRAME)]

    def read_general_kept(self, kept: Any, state: dict[str, int]) -> list[int | None]:
        """The general registers of a world that the hart has left; None for unknown ones."""
        found: list[int | None] = []
        for number, _ in self.layout.general:
            try:
                found.append(self.read_kept(kept, state, number))
            except Unavailable:
                found.append(None)
        return found

    @staticmethod
    def _special(view: Any, number: int) -> int:
        virt = int(view.virt)
        if number in PRIVS:
            return int(view.priv) | virt << 2
        if number == REG_VIRT:
            return virt
        context = view.fetch_ctx[int(view.fetches.context)]
        if number == REG_VMID:
            return int(context.guest) >> 44 & 0x3FFF if virt else 0
        assert number == REG_ASID
        return int(context.root) >> 44 & 0xFFFF

    def write(self, hart: int, number: int, value: int, guest: bool = False) -> None:
        """Change a register."""
        self.size(number)
        number = csr_itself(number)
        view = self._harts[hart].plain
        if number >= REG_V:
            self._write_vector(hart, number - REG_V, value)
        elif number < REG_PC:
            if number:
                self._x[hart][number] = value & (1 << 8 * self._word) - 1
        elif number == REG_PC:
            view.pc = value & ~1
            view.critical = 0
            view.elp = 0  # a debugger may go on where there is no landing pad
        elif number < REG_CSR:
            wide = self.layout.sizes[number] == 8
            self._f[hart][number - REG_F] = value if wide else value | 0xFFFF_FFFF << 32
        elif number < REG_PRIV:
            self._write_csr(hart, self.csr_number(number - REG_CSR, guest), value)
        elif number in PRIVS:
            self._set_mode(view, value)
        else:
            raise GdbError("virt, vmid and asid can't be written: write priv, hgatp or satp")

    def _read_vector(self, hart: int, n: int) -> int:
        """A vector register. The description has the longest; a shorter one ends with zeros."""
        if not self._harts[hart].plain.vlen_bytes:
            raise Unavailable(f"hart {hart} has no vector registers")
        return int(self._harts[hart].v[n])

    def _write_vector(self, hart: int, n: int, value: int) -> None:
        vlen = 8 * int(self._harts[hart].plain.vlen_bytes)
        if value >> vlen:
            raise GdbError(f"the vector registers of hart {hart} have {vlen} bits")
        if vlen:
            self._harts[hart].v[n] = value

    def _write_csr(self, hart: int, number: int, value: int) -> None:
        view, row = self._harts[hart].plain, self._rows[number]
        if not view.csr_present[number]:
            raise GdbError(f"hart {hart} has no {row.name}")
        if row.read_only:
            raise GdbError(f"{row.name} is read-only")
        if number in FP_CSRS and int(self._read(view, number)) == value:
            return  # a write would make FS Dirty, and gdb writes these back after each call
        try:
            self._write(view, value, number)
        except Raised:
            raise GdbError(f"{row.name} can't be written now") from None

    def _set_mode(self, view: Any, value: int) -> None:
        """Write priv: 0 U, 1 S, 3 M; 4 is added for V=1."""
        modes = {0, 1, MACHINE} | ({4, 5} if 0x680 in self._rows else set())
        if value not in modes:
            named = ", ".join(f"{n} ({MODES[n]})" for n in sorted(modes))
            raise GdbError(f"priv can be {named}, not {value}")
        self._set(view, value & 3, value >> 2)
