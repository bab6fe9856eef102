"""The Python interface of a hart: registers, CSRs by name, memory through its translation.

    hart = machine.harts[0]
    hart.pc, hart.x["a0"], hart.csr("mstatus.MPP"), hart.read(hart.pc, 4)

It needs a stopped machine: while the machine runs, it raises RuntimeError.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

from rvplat.arguments import MASK64, integer, word
from rvplat.bus.ram import Memory
from rvplat.engine.decode_table import Table
from rvplat.engine.exports import Raised
from rvplat.errors import BusError, nearest
from rvplat.isa.machinery.csr_rows import Csr, CsrField
from rvplat.isa.machinery.disassemble import F_NAMES, X_NAMES
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.privileged import MACHINE, PAGE_BYTES, SUPERVISOR, USER
from rvplat.machine.running.native_records import NativeHart, NativeMachine
from rvplat.machine.running.public_names import PublicNames
from rvplat.tables import html_table

if TYPE_CHECKING:
    from rvplat.lang import Record


class RegisterFile(Sequence[int]):
    """32 registers of `width` bits, by number or ABI name. x0 stays zero."""

    def __init__(
        self, cells: Any, names: Sequence[str], zero: bool, hart: Hart, width: int
    ) -> None:
        self._cells = cells
        self._width = width
        self._numbers = {name: n for n, name in enumerate(names)}
        self._zero = zero
        self._still, self._to_change = hart._still, hart._to_change

    def _number(self, key: int | str) -> int:
        if isinstance(key, str):
            if key not in self._numbers:
                raise LookupError(f"no register {key!r}{_hint(key, self._numbers)}")
            return self._numbers[key]
        if isinstance(key, bool) or not isinstance(key, int):
            raise TypeError(f"no register {key!r}: expected its number or ABI name")
        if not 0 <= key < 32:
            raise IndexError(f"no register {key}: there are 32")
        return key

    def __getitem__(self, key: Any) -> Any:
        self._still()
        if isinstance(key, slice):
            return [int(self._cells[n]) for n in range(*key.indices(32))]
        return int(self._cells[self._number(key)])

    def __setitem__(self, key: int | str, value: int) -> None:
        number = self._number(key)
        bits = word("value", value, self._width)
        self._to_change()
        if number or not self._zero:
            self._cells[number] = bits

    def __len__(self) -> int:
        return 32

    def __iter__(self) -> Iterator[int]:
        return iter(self[0:32])


class VectorFile(Sequence[int]):
    """32 vector registers, by number or as "v0". A value has VLEN bits, element 0 lowest."""

    def __init__(self, hart: Hart) -> None:
        self._hart = hart
        self._still, self._to_change = hart._still, hart._to_change

    def _bytes(self, key: int | str) -> Any:
        """The bytes of a register, in place."""
        self._still()
        number = key
        if isinstance(key, str):
            number = int(key[1:]) if re.fullmatch(r"v\d+", key) else -1
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(f"no register {key!r}: expected its number or name")
        if not 0 <= number < 32:
            raise LookupError(f"no register {key!r}: there are v0 to v31")
        size = int(self._hart.view.vlen_bytes)
        if size == 0:
            raise LookupError("the hart has no vector registers")
        return (ctypes.c_uint8 * size).from_buffer(self._hart.vector_bytes(), number * size)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return [self[n] for n in range(*key.indices(32))]
        return int.from_bytes(bytes(self._bytes(key)), "little")

    def __setitem__(self, key: int | str, value: int) -> None:
        cells = self._bytes(key)
        bits = integer("value", value, 0, (1 << 8 * len(cells)) - 1)
        self._to_change()
        cells[:] = bits.to_bytes(len(cells), "little")

    def __len__(self) -> int:
        return 32


def _hint(name: str, names: Mapping[str, Any]) -> str:
    found = nearest(name, names)
    return f"; did you mean {found!r}?" if found else ""


class Owner(Protocol):
    """The part of a machine that its harts use (system.py)."""

    @property
    def running(self) -> bool: ...

    def stands_still(self, hart: Hart) -> bool: ...

    @property
    def memory(self) -> Memory: ...

    def export(self, name: str) -> Callable[..., Any]: ...


class Hart(NativeHart, metaclass=PublicNames):
    """One hart of a stopped machine. While the machine runs, all members raise RuntimeError.

    Values have XLEN bits (those of f 64) and are unsigned when read; negative values are written in
    two's complement.
    A value of the wrong type raises TypeError, a value out of range ValueError, an unknown register
    or CSR LookupError, and an address without memory BusError.
    """

    public = (
        "number", "state", "pc", "x", "f", "v", "priv", "virt", "mode", "instret", "csrs", "csr",
        "set_csr", "translate", "read", "write", "raise_rnmi",
    )  # fmt: skip
    number: int
    """Its number, mhartid."""

    def __init__(
        self, number: int, machine: NativeMachine, table: Table, layout: Record, owner: Owner,
        extensions: Sequence[Extension], absent_csrs: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(number, machine, table, layout)
        self._owner = owner
        self.extensions = extensions
        self._absent = frozenset(absent_csrs)
        self._xlen = extensions[0].xlen if extensions else 64
        self._x = RegisterFile(self.field("x"), X_NAMES, True, self, self._xlen)
        self._f = RegisterFile(self.field("f"), F_NAMES, False, self, 64)

    def __repr__(self) -> str:
        return f"<hart {self.number}, {self.state}>"

    def _repr_html_(self) -> str:
        """For notebooks: the mode, pc and integer registers."""
        name = f"hart {self.number}, {self.state}"
        if not self._owner.stands_still(self):
            return html_table(name, (), ())
        cells = [f"{reg} {value:#x}" for reg, value in zip(X_NAMES, self.x, strict=True)]
        rows = [cells[n : n + 4] for n in range(0, 32, 4)]
        head = (f"mode {self.mode}", f"pc {self.pc:#x}", f"instret {self.instret}", "")
        return html_table(name, head, rows)

    @property
    def mode(self) -> str:
        """The mode's name: M, S, U, VS or VU."""
        return ("V" if self.virt else "") + {MACHINE: "M", SUPERVISOR: "S", USER: "U"}[self.priv]

    def _still(self) -> None:
        if not self._owner.stands_still(self):
            raise RuntimeError(f"hart {self.number} runs: pause the machine first")

    def _to_change(self) -> None:
        """The caller is about to change something."""
        self._still()
        self.on_change()

    @property
    def state(self) -> Literal["running", "stopped", "waiting"]:
        """Whether the hart runs, is stopped, or is stopped in a WFI."""
        if self._owner.running:
            return "running"
        return "waiting" if self.waiting else "stopped"

    def __dir__(self) -> list[str]:
        return [*self.public]

    # --- registers ---

    @property
    def x(self) -> RegisterFile:
        """The integer registers, by number or ABI name: `hart.x[10]`, `hart.x["a0"] = 5`."""
        return self._x

    @property
    def f(self) -> RegisterFile:
        """The floating-point registers, by number or ABI name, as 64 bits (floats NaN-boxed)."""
        return self._f

    @cached_property
    def v(self) -> VectorFile:
        """The vector registers, by number or name, as numbers of VLEN bits. An access raises
        LookupError on a hart without vectors."""
        return VectorFile(self)

    def vector_bytes(self) -> Any:
        """The bytes of all vector registers, in place. The hart has some."""
        address = self.address + self.layout.fields["vectors"].offset
        return (ctypes.c_uint8 * (32 * int(self.view.vlen_bytes))).from_address(address)

    @property
    def pc(self) -> int:
        """The address of the next instruction. A write clears bit 0 of the value (IALIGN), ends the
        wait of a hart in WFI and its critical error, and lets it go on where there is no landing
        pad."""
        self._still()
        return int(self.view.pc)

    @pc.setter
    def pc(self, value: int) -> None:
        self._still()
        pc = word("pc", value, self._xlen) & ~1
        self._to_change()
        self.view.pc = pc
        self.view.elp = self.view.critical = 0
        self.waiting = False

    @property
    def priv(self) -> int:
        """The privilege mode: 0 U, 1 S, 3 M."""
        self._still()
        return int(self.view.priv)

    @priv.setter
    def priv(self, value: int) -> None:
        self._still()
        if isinstance(value, bool) or value not in (USER, SUPERVISOR, MACHINE):
            raise ValueError(f"privilege {value}: expected 0 (U), 1 (S) or 3 (M)")
        self._to_change()
        self._owner.export("set_mode")(self.address, value, self.view.virt)

    @property
    def virt(self) -> int:
        """The virtualization mode, V."""
        self._still()
        return int(self.view.virt)

    @property
    def instret(self) -> int:
        """The number of instructions that the hart has retired since the last reset."""
        self._still()
        return self.retired

    # --- CSRs ---

    @cached_property
    def csrs(self) -> Mapping[str, Csr]:
        """The rows of the hart's CSRs, by name."""
        rows = (row for one in self.extensions for row in one.csrs)
        return {row.name: row for row in rows if row.name not in self._absent}

    def withhold_csrs(self) -> None:
        """After a reset: the hart lacks the CSRs that its board names."""
        for row in (row for one in self.extensions for row in one.csrs):
            if row.name in self._absent:
                self.view.csr_present[row.number] = 0

    def csr(self, name: str | int) -> int:
        """The value of a CSR, or of a field of it: "mstatus", "mstatus.MPP", 0x300.

        Raises:
            LookupError: the hart has no such CSR, or it can't be read now.
        """
        self._still()
        row, field = self._find(name)
        try:
            value = int(self._owner.export("read_csr")(self.address, row.number))
        except Raised:
            raise LookupError(f"{row.name} can't be read now") from None
        return field.extract(value) if field else value

    def set_csr(self, name: str | int, value: int) -> None:
        """Write a CSR, or a field of it, as M mode would: illegal values become legal ones.

        Raises:
            LookupError: the hart has no such CSR, or it can't be written now.
            ValueError: the CSR is read-only, or the value has more bits than the field.
        """
        self._still()
        row, field = self._find(name)
        if row.read_only:
            raise ValueError(f"{row.name} is read-only")
        if field:
            most = (1 << (field.high - field.low + 1)) - 1
            value = integer(f"{row.name}.{field.name}", value, 0, most) << field.low
            value |= self.csr(row.name) & ~(most << field.low)
        bits = word(row.name, value, self._xlen)
        self._to_change()
        try:
            self._owner.export("write_csr")(self.address, bits, row.number)
        except Raised:
            raise LookupError(f"{row.name} can't be written now") from None

    def _find(self, name: str | int) -> tuple[Csr, CsrField | None]:
        if isinstance(name, int) and not isinstance(name, bool):
            found = next((row for row in self.csrs.values() if row.number == name), None)
            if found is None:
                raise LookupError(f"hart {self.number} has no CSR {name:#x}")
            return found, None
        if not isinstance(name, str):
            raise TypeError(f"no CSR {name!r}: expected its name or number, or NAME.FIELD")
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

    def raise_rnmi(self, cause: int = 0) -> None:
        """Raise a resumable non-maskable interrupt with a cause from 0 to 63. The hart takes it
        once, as soon as mnstatus.NMIE is set.

        Raises:
            LookupError: the hart has no Smrnmi.
        """
        self._to_change()
        if not self.plain.has_smrnmi:
            raise LookupError(f"hart {self.number} has no Smrnmi")
        self.plain.rnmi_once |= 1 << integer("cause", cause, 0, 63)
        self.alert()

    # --- memory ---

    def translate(self, va: int) -> int | None:
        """The physical address that a virtual one maps to in the hart's mode; None: not mapped.

        It ignores permissions and changes nothing: no fault, no A or D bit.
        """
        self._still()
        found = self._owner.export("debug_translate")(self.address, word("va", va, self._xlen))
        return int(found.pa) if found.mapped else None

    def read(self, va: int, size: int) -> bytes:
        """Read `size` bytes of memory at a virtual address, translated in the hart's mode.

        Raises:
            BusError: the address is not mapped, or not to memory (`bus` reads devices).
        """
        memory = self._owner.memory
        return b"".join(memory.read(pa, n) for pa, n in self._page_parts(va, size))

    def write(self, va: int, data: bytes) -> None:
        """Write memory at a virtual address, even if it is write-protected or code.

        Raises:
            BusError: the address is not mapped, or not to memory. If a page is not mapped, nothing
                is written.
        """
        parts = list(self._page_parts(va, len(data)))
        at = 0
        for pa, n in parts:
            self._owner.memory.write(pa, data[at : at + n])
            at += n

    def _page_parts(self, va: int, size: int) -> Iterator[tuple[int, int]]:
        """(physical address, number of bytes) in each page."""
        va, size = word("va", va, self._xlen), integer("size", size, 0, MASK64)
        while size > 0:
            n = min(size, PAGE_BYTES - va % PAGE_BYTES)
            pa = self.translate(va)
            if pa is None:
                raise BusError(f"hart {self.number}: virtual address {va:#x} is not mapped")
            yield pa, n
            va, size = va + n, size - n
