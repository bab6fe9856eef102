"""A hart with H and 2 MiB of RAM, which runs single instructions in any of the five modes.

`bench.step(word)` runs an instruction and returns None, or the `Trap` that was taken. `map_guest`
and `map_host` make the guest's page tables of the first and of the second stage.
"""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from typing import Any

from rvplat.bus.ram import Ram
from rvplat.engine.architecture import Architecture, enable
from rvplat.engine.native import Core
from rvplat.engine.reference import Reference
from rvplat.hart import reset
from rvplat.hart.state import CONTEXTS
from rvplat.isa.machinery.vocabulary import context_changed, csr_read, csr_write, protection_changed
from rvplat.isa.privileged import INTERRUPT, HStatus, Status
from rvplat.lang import u32, u64
from rvplat.machine.boards.catalogue import base_extensions, shipped_extensions
from rvplat.machine.running.native_records import NativeHart, NativeMachine

RAM, SIZE = 0x8000_0000, 0x20_0000
CODE = RAM + 0x1000  # physical address of the page that instructions run in
PAGES = RAM + 0x2_0000  # free pages begin here
HANDLERS = {"M": RAM + 0x8000, "HS": RAM + 0x9000, "VS": RAM + 0xA000}
NO_DEVICE = 0x1000_0000
MODES = {"M": (3, 0), "HS": (1, 0), "U": (0, 0), "VS": (1, 1), "VU": (0, 1)}
BELOW_M = ["HS", "U", "VS", "VU"]
ALL_MODES = ["M", *BELOW_M]
ONES = (1 << 64) - 1

V, R, W, X, U, G, A, D = (1 << i for i in range(8))
N, NC, IO = 1 << 63, 1 << 61, 2 << 61
LEAF = V | R | W | X | A | D
ILLEGAL, VIRTUAL = 2, 22
LOAD, STORE, FETCH = "load", "store", "fetch"
LEVELS = {0: 0, 8: 3, 9: 4, 10: 5}  # by MODE

_CALL = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)
# Extensions with native code of their own, for `further`.
FURTHER = "Zimop Zcmop Zicfilp Zicfiss Ssdbltrp Smdbltrp Smrnmi"
KNOWN = [*base_extensions(), *(shipped_extensions()[name] for name in FURTHER.split())]
ROWS = {row.name: row for e in KNOWN for row in e.instructions}
NUMBERS = {row.name: row.number for e in KNOWN for row in e.csrs}
NOP = 0x13


def word(name: str, **operands: int) -> int:
    """Encode an instruction by its name, with these operands."""
    return int(ROWS[name].pattern.encode(**operands))


def csr_word(op: str, name: str, rd: int = 5, rs1: int = 6) -> int:
    """Encode `csrrw`, `csrrs` or `csrrc` on a CSR, by its name."""
    return word(op, csr=NUMBERS[name], rd=rd, rs1=rs1)


@dataclass(frozen=True)
class Trap:
    """A trap that was taken: the mode that handles it, and the values in that mode's CSRs. For VS
    mode, tval2 and the fields after it are 0. `virt` and `priv` are the mode that the trap came
    from, as MPV and MPP (or the corresponding fields) give it."""

    mode: str
    cause: int
    tval: int = 0
    tval2: int = 0
    tinst: int = 0
    gva: int = 0
    virt: int = 0
    priv: int = 0


@functools.cache
def native_core(compressed: bool, further: tuple[str, ...] = ()) -> Core:
    """Of every extension that all machines have, and of further ones; `compressed`: for harts that
    all have C."""
    added = tuple(shipped_extensions()[name] for name in further)
    return Core(Architecture(base_extensions(), added, compressed))


class Bench:
    """`kind` is "reference" or "native"; `without` names extensions that the hart lacks, `further`
    those that it has besides."""

    def __init__(
        self, kind: str, without: str = "", geilen: int = 0, tinst: str = "transformed",
        further: str = "",
    ):  # fmt: skip
        absent = set(without.split())
        names = tuple(further.split())
        known = [*base_extensions(), *(shipped_extensions()[name] for name in names)]
        self.extensions = [e for e in known if e.name.lower() not in absent]
        self.kind = kind
        core = native_core("zca" not in absent, names)
        self._run = core.run
        self._reference = Reference(self.extensions)
        self.ram = Ram(RAM, SIZE)
        self.machine = NativeMachine()
        core.attach(self.machine.view)
        self.machine.add_ram(self.ram, True)
        self.machine.view.clock_virtual = 1
        self.machine.view.instructions_per_tick = 1 << 40
        self.native = NativeHart(
            0, self.machine, core.decoder(self.extensions), core.architecture.layout
        )
        self.hart: Any = self.native.view
        self.device: int | None = None  # what a device answers at all addresses outside RAM
        self._answer = _CALL(self._ask_device)
        self.hart.mmio_read = ctypes.cast(self._answer, ctypes.c_void_p).value
        self.hart.mmio_write = self.hart.mmio_read
        self.hart.ialign_mask = core.architecture.constants["ialign_mask"]
        self.hart.mtimecmp = ONES
        self.hart.geilen = geilen
        self.hart.tinst_zero = int(tinst == "zero")
        enable(self.hart, self.extensions)
        self._free = PAGES
        self.begin()

    def _ask_device(self, hart: int, pa: int, size: int, value: int) -> int:
        if self.device is None:
            self.hart.mmio_error = 1
            return 0
        return self.device

    def begin(self) -> None:
        """Reset: M mode, handlers in place, all traps to M mode, PMP permits everything."""
        ctypes.memset(self.ram.address, 0, SIZE)
        for contexts, choice in (
            (self.hart.ctx, self.hart.data),
            (self.hart.fetch_ctx, self.hart.fetches),
        ):  # as in a new hart: tests see which translations are kept
            for n in range(CONTEXTS):
                contexts[n].regime = 0
            choice.victim = 0
        reset.reset(self.hart, self.extensions, CODE)
        self._free = PAGES
        self.device = None
        self.guest_root = self.host_root = 0
        self.guest_mode = self.host_mode = 0
        for name, handler in (("mtvec", "M"), ("stvec", "HS"), ("vstvec", "VS")):
            self[name] = HANDLERS[handler]
        self["pmpaddr0"], self["pmpcfg0"] = (1 << 54) - 1, 0x1F
        protection_changed(self.hart)

    # --- access to CSRs from outside, by their own names, in any mode ---

    def __getitem__(self, name: str) -> int:
        return int(csr_read(self.hart, u32(NUMBERS[name])))

    def __setitem__(self, name: str, value: int) -> None:
        csr_write(self.hart, u32(NUMBERS[name]), u64(value))

    def delegate(
        self, medeleg: int = ONES, mideleg: int = ONES, hedeleg: int = 0, hideleg: int = 0
    ) -> None:
        """Delegate traps and interrupts to lower modes."""
        self["medeleg"], self["mideleg"] = medeleg, mideleg
        self["hedeleg"], self["hideleg"] = hedeleg, hideleg

    # --- running ---

    def enter(self, mode: str, pc: int = CODE) -> None:
        """Put the hart into a mode, as a trap return would."""
        self.hart.priv, self.hart.virt = MODES[mode]
        self.hart.pc = pc
        self.hart.fp_ready = 0
        context_changed(self.hart)

    @property
    def mode(self) -> str:
        at = int(self.hart.priv), int(self.hart.virt)
        return next(name for name, value in MODES.items() if value == at)

    def step(self, bits: int, mode: str = "", pa: int = 0) -> Trap | None:
        """Put an instruction at a physical address (by default in the page CODE), and run it."""
        if mode:
            self.enter(mode)
        self.poke(pa or CODE, bits, 4 if bits & 3 == 3 else 2)
        return self.go()

    def go(self, count: int = 1) -> Trap | None:
        """Run the instruction at hart.pc; take an interrupt that is due before or after it."""
        hart = self.hart
        hart.resync = 1
        if self.kind == "reference":
            self._reference.run(hart, count)
        else:
            hart.limit = count - int(hart.budget)
            self._run(self.native.address)
        return self.trap()

    def trap(self) -> Trap | None:
        """The trap whose handler the hart has entered; None if it is at no handler."""
        pc = int(self.hart.pc)
        found = [n for n, at in HANDLERS.items() if at <= pc < at + 0x1000 and self.mode == n]
        return self._read_trap(found[0]) if found else None

    def _read_trap(self, mode: str) -> Trap:
        if mode == "VS":
            status = self["vsstatus"]
            spp = int(status & Status.SPP != 0)
            return Trap("VS", self["vscause"], self["vstval"], virt=1, priv=spp)
        if mode == "HS":
            hstatus, spp = self["hstatus"], int(self["mstatus"] & Status.SPP != 0)
            return Trap(
                "HS", self["scause"], self["stval"], self["htval"], self["htinst"],
                int(hstatus & HStatus.GVA != 0), int(hstatus & HStatus.SPV != 0), spp,
            )  # fmt: skip
        status = self["mstatus"]
        return Trap(
            "M", self["mcause"], self["mtval"], self["mtval2"], self["mtinst"],
            int(status & Status.GVA != 0), int(status & Status.MPV != 0), status >> 11 & 3,
        )  # fmt: skip

    def outcome(self, bits: int, mode: str) -> str:
        """Run an instruction; return "ok", "illegal", "virtual" or the cause's number."""
        found = self.step(bits, mode)
        if found is None:
            return "ok"
        if found.cause in (ILLEGAL, VIRTUAL):
            assert found.tval == bits, "xtval holds the instruction"
            assert found.gva == 0
        return {ILLEGAL: "illegal", VIRTUAL: "virtual"}.get(found.cause, str(found.cause))

    def interrupted(self) -> tuple[str, int] | None:
        """The mode and number of the interrupt that is taken before the next instruction."""
        found = self.go(0)
        if found is None or not found.cause & INTERRUPT:
            return None
        return found.mode, found.cause & ~INTERRUPT

    # --- memory ---

    def poke(self, pa: int, value: int, size: int = 8) -> None:
        data = (value & ONES).to_bytes(8, "little")[:size]
        ctypes.memmove(self.ram.address + pa - RAM, data, size)

    def peek(self, pa: int, size: int = 8) -> int:
        return int.from_bytes(ctypes.string_at(self.ram.address + pa - RAM, size), "little")

    def page(self, count: int = 1) -> int:
        """New pages filled with zeros. Four pages are aligned to 16 KiB."""
        if count == 4:
            self._free = (self._free + 0x3FFF) & ~0x3FFF
        found = self._free
        self._free += 0x1000 * count
        return found

    # --- the two stages ---

    def two_stages(
        self, guest_mode: int = 8, host_mode: int = 8, vmid: int = 1, asid: int = 1
    ) -> None:
        """Make tables for both stages that map the page CODE to itself."""
        self.guest_mode, self.host_mode = guest_mode, host_mode
        if host_mode:
            self.host_root = self.page(4)
            self["hgatp"] = host_mode << 60 | vmid << 44 | self.host_root >> 12
            self.map_host(CODE, CODE)
        if guest_mode:
            self.guest_root = self.page()
            self._share(self.guest_root)
            self["vsatp"] = guest_mode << 60 | asid << 44 | self.guest_root >> 12
            self.map_guest(CODE, CODE)

    def _share(self, page: int) -> None:
        """Map the page of a guest's table to itself in the second stage."""
        if self.host_mode:
            self.map_host(page, page)

    def map_guest(self, va: int, gpa: int, flags: int = LEAF, level: int = 0) -> int:
        """First stage: map a virtual address to a guest physical one. The entry's address."""
        return self._map(self.guest_root, self.guest_mode, va, gpa, flags, level, guest=True)

    def map_host(self, gpa: int, pa: int, flags: int = LEAF | U, level: int = 0) -> int:
        """Second stage: map a guest physical address to a physical one."""
        return self._map(self.host_root, self.host_mode, gpa, pa, flags, level, guest=False)

    def _map(
        self, root: int, mode: int, va: int, pa: int, flags: int, level: int, guest: bool
    ) -> int:  # fmt: skip
        table = root
        top = LEVELS[mode] - 1
        for i in range(top, level, -1):
            mask = 0x7FF if i == top and not guest else 0x1FF
            at = table + (va >> (12 + 9 * i) & mask) * 8
            if not self.peek(at) & V:
                fresh = self.page()
                if guest:
                    self._share(fresh)
                self.poke(at, fresh >> 12 << 10 | V)
            table = (self.peek(at) >> 10 & ((1 << 44) - 1)) << 12
        mask = 0x7FF if level == top and not guest else 0x1FF
        at = table + (va >> (12 + 9 * level) & mask) * 8
        self.poke(at, pa >> 12 << 10 | flags)
        return at

    # --- accesses by instructions ---

    def access(self, kind: str, va: int, mode: str = "VS") -> Trap | None:
        """Load eight bytes to x5, store x7, or fetch (there must be a nop)."""
        self.hart.x[6] = va
        if kind == FETCH:
            self.enter(mode, va)
            return self.go()
        bits = word("ld", rd=5, rs1=6) if kind == LOAD else word("sd", rs1=6, rs2=7)
        return self.step(bits, mode)
