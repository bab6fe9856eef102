"""Harts with real memory, whose definitions run under CPython or as native code.

`bench.load(...)` and the like give the value, or the `Fault` that was raised. Page tables are built
with `map`, from a pool of pages at the end of RAM.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rvplat.hart.implementations  # noqa: F401
from rvplat.engine.architecture import Architecture, enable
from rvplat.hart import atomics, cacheblocks, fetch, memory, mmu, pmp, translate
from rvplat.hart.acceleration import invalidate, tlb, young_pages
from rvplat.hart.state import MachineState
from rvplat.hart.trap import Trap
from rvplat.isa.machinery import vocabulary
from rvplat.isa.priv_m import reset_status
from rvplat.isa.sv import satp_write
from rvplat.lang import Definition, address_of, u64
from rvplat.lang.native.exported import Raised, caller
from rvplat.lang.native.functions import module_text
from rvplat.lang.native.native_code import NativeCode
from rvplat.lang.native.objects import compile_text
from rvplat.lang.native.unit import Unit
from rvplat.machine.boards.catalogue import base_extensions

RAM = 0x8000_0000
RAM_BYTES = 1 << 20
ROM = 0x1000_0000
ROM_BYTES = 1 << 13
DEVICE = 0x2000_0000  # reads give DEVICE_VALUE, writes are noted
REFUSED = 0x3000_0000  # no device
DEVICE_VALUE = 0x1122_3344_5566_7788
DECODE = 0xDEC0DE  # stands for the handler of undecoded slots

V, R, W, X, U, G, A, D = (1 << i for i in range(8))
N = 1 << 63
PBMT_NC, PBMT_IO = 1 << 61, 2 << 61
LEAF = V | R | W | X | A | D

LAYOUT = Architecture(base_extensions()).layout


@dataclass(frozen=True)
class Fault:
    """A trap that was raised."""

    cause: int
    tval: int


@functools.cache
def native(names: tuple[str, ...]) -> NativeCode:
    """The native code of the definitions below."""
    unit = Unit({"hart": LAYOUT, "rs1": u64, "rs2": u64})
    for name in names:
        unit.export(DEFINITIONS[name], name)
    return NativeCode(compile_text(module_text(unit)))


def _implementation(word: Any) -> Definition:
    found: Definition = word.implementation
    return found


WORDS = [
    "load_u8", "load_u16", "load_u32", "load_u64", "store_u8", "store_u16", "store_u32",
    "store_u64", "amo_address", "load_reserved_u32", "load_reserved_u64", "store_conditional_u32",
    "store_conditional_u64", "zero_block", "cache_block_check", "flush_translations",
    "protection_changed", "synchronise_instructions", "context_changed", "csr_write", "csr_read",
]  # fmt: skip
PLAIN: list[Any] = [
    mmu.walk, mmu.debug_translate, pmp.pmp_grant, translate.translate, fetch.fetch_instruction,
    fetch.translate_fetch, tlb.fetch_fill, tlb.flush_everything, invalidate.invalidate_code,
    invalidate.dma_written, invalidate.mark_lines, invalidate.lines_settled,
    invalidate.drop_all_slots, invalidate.note_late_store, young_pages.pass_young, satp_write,
]  # fmt: skip
DEFINITIONS: dict[str, Definition] = {
    **{name: _implementation(getattr(vocabulary, name)) for name in WORDS},
    **{definition.name: definition for definition in PLAIN},
}
assert memory and atomics and cacheblocks
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)


def _buffer(size: int, align: int = 4096) -> tuple[Any, int]:
    """Zeroed memory and an aligned address in it."""
    data = ctypes.create_string_buffer(size + align)
    return data, (ctypes.addressof(data) + align - 1) & -align


class Bench:
    """A machine of `harts` harts; hart 0 is the one that most methods use."""

    def __init__(self, kind: str, harts: int = 1, without: str = "") -> None:
        self.kind = kind
        self._kept: list[Any] = []
        self.machine = MachineState.view(self._memory(MachineState.size))
        self.device_reads: list[tuple[int, int]] = []
        self.device_writes: list[tuple[int, int, int]] = []
        self._first_page = 0
        self.ram = self._region(RAM, RAM_BYTES, writable=True)
        self.rom = self._region(ROM, ROM_BYTES, writable=False)
        self.machine.decode_handler = DECODE
        self.machine.clock_virtual = self.machine.instructions_per_tick = 1
        self.harts = [self._hart(i, frozenset(without.split())) for i in range(harts)]
        self.machine.hart_count = harts
        self.hart = self.harts[0]
        self._pool = RAM + RAM_BYTES
        self.root = self.page()

    def _memory(self, size: int) -> int:
        data, address = _buffer(size)
        self._kept.append(data)
        return address

    def _region(self, base: int, size: int, writable: bool) -> int:
        region = self.machine.ram[int(self.machine.ram_count)]
        region.base, region.size, region.writable = base, size, int(writable)
        region.host = self._memory(size)
        region.code = self._memory(size >> 9)
        region.written = self._memory(size >> 10)
        region.regions = self._memory(size >> 9)
        region.first_page = self._first_page
        self._first_page += size >> 12
        self.machine.ram_count += 1
        return int(region.host)

    def _hart(self, number: int, without: frozenset[str]) -> Any:
        hart = LAYOUT.view(self._memory(LAYOUT.size))
        hart.machine = address_of(self.machine)
        self.machine.harts[number] = address_of(hart)
        hart.hart_id = number
        hart.young_passed = young_pages.AWAY
        hart.priv = 3
        extensions = [e for e in base_extensions() if e.name.lower() not in without]
        enable(hart, extensions)
        reset_status(hart)
        hart.slot_pages = self._memory(8 * self._first_page)
        self._callbacks(hart)
        self.on(hart, "context_changed")
        self.on(hart, "protection_changed")
        return hart

    def _callbacks(self, hart: Any) -> None:
        def read(_hart: int, pa: int, size: int, _zero: int) -> int:
            self.device_reads.append((pa, size))
            hart.mmio_error = int(pa >= REFUSED)
            return DEVICE_VALUE & ((1 << (8 * size)) - 1)

        def write(_hart: int, pa: int, size: int, value: int) -> int:
            self.device_writes.append((pa, size, value))
            hart.mmio_error = int(pa >= REFUSED)
            return 0

        for name, function in (("mmio_read", read), ("mmio_write", write)):
            callback = _CALLBACK(function)
            self._kept.append(callback)
            setattr(hart, name, ctypes.cast(callback, ctypes.c_void_p).value)

    # --- calling definitions ---

    def on(self, hart: Any, name: str, *arguments: int) -> Any:
        """Call a definition on a hart: its value or values, or a Fault."""
        definition = DEFINITIONS[name]
        address = address_of(hart)
        if "hart" in definition.signature.names:
            arguments = (address, *arguments)
        if self.kind == "reference":
            values = zip(arguments, definition.signature.types, strict=True)
            try:
                result = definition(*(hart if v == address else (t or u64)(v) for v, t in values))
            except Trap:
                return Fault(int(hart.trap_cause), int(hart.trap_tval))
            return tuple(map(int, result)) if isinstance(result, tuple) else result
        return self._native(hart, name, definition, arguments)

    def _native(
        self, hart: Any, name: str, definition: Definition, arguments: tuple[int, ...]
    ) -> Any:
        function = caller(definition, native(tuple(DEFINITIONS)).address(name))
        try:
            return function(*map(int, arguments))
        except Raised:
            return Fault(int(hart.trap_cause), int(hart.trap_tval))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in DEFINITIONS:
            raise AttributeError(name)
        return functools.partial(self.on, self.hart, name)

    def load(self, va: int, size: int = 8) -> Any:
        return self.on(self.hart, f"load_u{8 * size}", va)

    def store(self, va: int, value: int, size: int = 8) -> Any:
        return self.on(self.hart, f"store_u{8 * size}", va, value)

    def fetch(self, pc: int) -> Any:
        return self.on(self.hart, "fetch_instruction", pc)

    # --- state ---

    def enter(self, priv: int, *, satp: int | None = None, mstatus: int = 0) -> None:
        """Be in a mode."""
        self.hart.priv = priv
        self.hart.mstatus = mstatus
        if satp is not None:
            self.hart.satp = satp
        self.context_changed()

    def allow_all(self) -> None:
        """One PMP entry that lets S and U mode do everything."""
        self.pmp(0, cfg=0x1F, address=(1 << 54) - 1)

    def pmp(self, entry: int, *, cfg: int, address: int) -> None:
        """Set an entry as reset would, whatever is locked."""
        self.hart.pmp_cfg[entry] = cfg
        self.hart.pmp_address[entry] = address
        self.protection_changed()

    # --- physical memory ---

    def host(self, pa: int) -> int:
        """The host address of a byte of RAM or ROM."""
        return self.ram + pa - RAM if pa >= RAM else self.rom + pa - ROM

    def peek(self, pa: int, size: int = 8) -> int:
        return int.from_bytes(ctypes.string_at(self.host(pa), size), "little")

    def poke(self, pa: int, value: int, size: int = 8) -> None:
        ctypes.memmove(self.host(pa), int(value).to_bytes(size, "little"), size)

    # --- page tables ---

    def page(self) -> int:
        """A fresh page for a table."""
        self._pool -= 4096
        ctypes.memset(self.host(self._pool), 0, 4096)
        return self._pool

    def map(self, va: int, pa: int, flags: int = LEAF, *, level: int = 0, levels: int = 3) -> int:
        """Map a page or superpage; the physical address of its PTE."""
        table = self.root
        for i in range(levels - 1, level, -1):
            at = table + (va >> (12 + 9 * i) & 511) * 8
            if not self.peek(at) & V:
                self.poke(at, self.page() >> 12 << 10 | V)
            table = (self.peek(at) >> 10 & ((1 << 44) - 1)) << 12
        at = table + (va >> (12 + 9 * level) & 511) * 8
        self.poke(at, pa >> 12 << 10 | flags)
        return at

    def satp(self, mode: int = 8, asid: int = 0) -> int:
        """satp for the bench's root table."""
        return mode << 60 | asid << 44 | self.root >> 12

    def paged(self, priv: int = 1, mode: int = 8, mstatus: int = 0) -> None:
        """Be in S or U mode with paging and no PMP in the way."""
        self.allow_all()
        self.enter(priv, satp=self.satp(mode), mstatus=mstatus)
