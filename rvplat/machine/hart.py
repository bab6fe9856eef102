"""A hart as Python sees it: registers, CSRs by name, memory through its translation.

    hart = machine.harts[0]
    hart.pc, hart.x["a0"], hart.csr("mstatus.MPP"), hart.read(hart.pc, 4)

All of it is for harts that stand still: while the machine runs it raises RuntimeError.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, Protocol

from rvplat.bus.ram import Memory
from rvplat.engine.decode import Table
from rvplat.engine.exports import Raised
from rvplat.errors import BusError, nearest
from rvplat.isa.csr import Csr, CsrField
from rvplat.isa.disassemble import F_NAMES, X_NAMES
from rvplat.isa.extension import Extension
from rvplat.isa.privileged import MACHINE, SUPERVISOR, USER
from rvplat.machine.cells import PAGE, HartCell, MachineCell

MASK64 = (1 << 64) - 1


class RegisterFile(Sequence[int]):
    """32 registers, by number or ABI name. x0 keeps its zero."""

    def __init__(self, cells: Any, names: Sequence[str], zero: bool, still: Callable[[], None]):
        self._cells = cells
        self._numbers = {name: n for n, name in enumerate(names)}
        self._zero = zero
        self._still = still

    def _number(self, key: int | str) -> int:
        if isinstance(key, str):
            if key not in self._numbers:
                raise LookupError(f"no register {key!r}{_hint(key, self._numbers)}")
            return self._numbers[key]
        if not 0 <= key < 32:
            raise IndexError(f"no register {key}: there are 32")
        return key

    def __getitem__(self, key: Any) -> Any:
        self._still()
        if isinstance(key, slice):
            return [int(self._cells[n]) for n in range(*key.indices(32))]
        return int(self._cells[self._number(key)])

    def __setitem__(self, key: int | str, value: int) -> None:
        self._still()
        number = self._number(key)
        if number or not self._zero:
            self._cells[number] = value & MASK64

    def __len__(self) -> int:
        return 32

    def __iter__(self) -> Iterator[int]:
        return iter(self[0:32])


def _hint(name: str, names: Mapping[str, Any]) -> str:
    found = nearest(name, names)
    return f"; did you mean {found!r}?" if found else ""


class Owner(Protocol):
    """The machine that a hart is of (system.py)."""

    @property
    def running(self) -> bool: ...

    @property
    def memory(self) -> Memory: ...

    def export(self, name: str) -> Callable[..., Any]: ...


class Hart(HartCell):
    """One hart. `x` and `f` are its registers (`f` NaN-boxed), `view` is the whole record."""

    def __init__(
        self, number: int, machine: MachineCell, table: Table, owner: Owner,
        extensions: Sequence[Extension],
    ) -> None:  # fmt: skip
        super().__init__(number, machine, table)
        self._owner = owner
        self._extensions = extensions
        self.x = RegisterFile(self.field("x", ctypes.c_uint64), X_NAMES, True, self._still)
        self.f = RegisterFile(self.field("f", ctypes.c_uint64), F_NAMES, False, self._still)

    def __repr__(self) -> str:
        return f"<hart {self.number}, {self.state}>"

    def _still(self) -> None:
        if self._owner.running:
            raise RuntimeError(f"hart {self.number} runs: pause the machine first")

    @property
    def state(self) -> Literal["running", "stopped", "waiting"]:
        """Whether it runs, stands still, or stands still in the middle of a WFI."""
        if self._owner.running:
            return "running"
        return "waiting" if self.waiting else "stopped"

    # --- registers ---

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        self._still()
        return int(self.view.pc)

    @pc.setter
    def pc(self, value: int) -> None:
        self._still()
        self.view.pc = value & MASK64 & ~1
        self.waiting = False

    @property
    def priv(self) -> int:
        """The privilege mode: 0 U, 1 S, 3 M."""
        self._still()
        return int(self.view.priv)

    @priv.setter
    def priv(self, value: int) -> None:
        self._still()
        if value not in (USER, SUPERVISOR, MACHINE):
            raise ValueError(f"privilege {value}: expected 0 (U), 1 (S) or 3 (M)")
        self.view.priv = value
        self._owner.export("context_changed")(self.address)

    @property
    def virt(self) -> int:
        """The virtualization mode, V."""
        self._still()
        return int(self.view.virt)

    @property
    def instret(self) -> int:
        """Instructions that it has retired since the last reset."""
        self._still()
        return self.retired

    # --- CSRs ---

    @cached_property
    def csrs(self) -> Mapping[str, Csr]:
        """The rows of its CSRs, by name."""
        return {row.name: row for one in self._extensions for row in one.csrs}

    def csr(self, name: str) -> int:
        """The value of a CSR, or of a field of it: "mstatus", "mstatus.MPP"."""
        self._still()
        row, field = self._find(name)
        try:
            value = int(self._owner.export("read_csr")(self.address, row.number))
        except Raised:
            raise LookupError(f"{row.name} can't be read now") from None
        return field.extract(value) if field else value

    def set_csr(self, name: str, value: int) -> None:
        """Write a CSR, or a field of it: as M mode would, so that illegal values become legal."""
        self._still()
        row, field = self._find(name)
        if row.read_only:
            raise ValueError(f"{row.name} is read-only")
        if field:
            mask = ((1 << (field.high - field.low + 1)) - 1) << field.low
            value = self.csr(row.name) & ~mask | value << field.low & mask
        try:
            self._owner.export("write_csr")(self.address, value & MASK64, row.number)
        except Raised:
            raise LookupError(f"{row.name} can't be written now") from None

    def _find(self, name: str) -> tuple[Csr, CsrField | None]:
        csr, dot, part = name.partition(".")
        row = self.csrs.get(csr)
        if row is None:
            raise LookupError(f"hart {self.number} has no CSR {csr!r}{_hint(csr, self.csrs)}")
        if not dot:
            return row, None
        fields = {field.name: field for field in row.fields}
        if part not in fields:
            raise LookupError(f"{csr} has no field {part!r}{_hint(part, fields)}")
        return row, fields[part]

    # --- memory ---

    def translate(self, va: int) -> int | None:
        """The physical address of a virtual one as the hart's mode maps it; None: not mapped.

        Nothing is checked but the mapping, and nothing changes: no fault, no A or D bit.
        """
        self._still()
        pa = int(self._owner.export("debug_page")(self.address, va & MASK64))
        return None if pa == MASK64 else pa

    def read(self, va: int, size: int) -> bytes:
        """Memory at a virtual address. BusError where nothing is mapped, or no memory is."""
        memory = self._owner.memory
        return b"".join(memory.read(pa, n) for pa, n in self._pieces(va, size))

    def write(self, va: int, data: bytes) -> None:
        """Write memory at a virtual address, permitted or not; code may be written too."""
        pieces = list(self._pieces(va, len(data)))
        at = 0
        for pa, n in pieces:
            self._owner.memory.write(pa, data[at : at + n])
            at += n

    def _pieces(self, va: int, size: int) -> Iterator[tuple[int, int]]:
        """(physical address, bytes) of each page."""
        while size > 0:
            n = min(size, PAGE - va % PAGE)
            pa = self.translate(va)
            if pa is None:
                raise BusError(f"hart {self.number}: virtual address {va:#x} is not mapped")
            yield pa, n
            va, size = va + n, size - n
