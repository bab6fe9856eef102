"""One hart that runs an instruction twice: by the reference, and natively from the same state.

Both runs use the same memory, one after the other, so that what holds host addresses is alike;
what they leave is compared byte by byte. The instruction stands in a page of `wfi`, which ends a
run; so do the trap handlers. The page is long enough for branches to stay in it.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from rvplat.bus.ram import Ram
from rvplat.engine.architecture import enable
from rvplat.engine.native import Core
from rvplat.engine.reference import Reference
from rvplat.hart import reset
from rvplat.hart.acceleration.tlb import NO_TAG
from rvplat.hart.csr import csr_write
from rvplat.hart.state import CONTEXTS, DATA_ENTRIES, TlbEntry
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.privileged import Status
from rvplat.lang import u32, u64
from rvplat.machine.boards.catalogue import shipped_extensions
from rvplat.machine.boards.extensions import architecture_for
from rvplat.machine.running.native_records import NativeHart, NativeMachine

BASE, SIZE = 0x8000_0000, 0x8000
CODE = BASE + 0x1000  # pages of wfi with the instruction among them
DATA = BASE + 0x4000  # two pages of operands
HANDLER = BASE + 0x3000
WFI = 0x1050_0073
LIMIT = 1 << 20  # far enough for native code not to go step by step
STEPS = 64  # an instruction that ends up in a loop runs this often, natively step by step
FAULTS = 0x1000_0000  # no memory and no device
OFF_BY_DESIGN = {
    "budget", "limit", "instret_base",  # compared as retired instructions
    "tlb_misses",  # native code fetches what the reference does not, and keeps it longer
    "passes", "samples", "other_samples", "region_samples",  # only the native run loop has them
    "hot", "hot_count",  # as it takes samples from time to time
    "search_due", "search_changed", "last_slot",  # of searches, also where there is none
    "left_slot", "kept_stale",  # of regions, which the reference does not have
    "next_pc", "pc_bias", "stepping", "attention", "fp_host", "slot_pool_used", "scratch_bits",
    "fetch_ctx", "pmp_from", "pmp_length", "pmp_grants",  # the reference fetches anew each time
}  # fmt: skip
CSR = {"mtvec": 0x305, "stvec": 0x105, "pmpcfg0": 0x3A0, "pmpaddr0": 0x3B0}
_CALL = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)


def scalar_extensions() -> list[Extension]:
    """What ships, without the vector extensions."""
    shipped = shipped_extensions().values()
    return [one for one in shipped if not any(".vector." in module for module in one.rows_in)]


def take_traps(hart: Any) -> None:
    """Let M mode take its traps, as firmware does after reset: clear mstatus.MDT (Smdbltrp), set
    mnstatus.NMIE (Smrnmi)."""
    hart.mstatus = int(hart.mstatus) & ~Status.MDT
    hart.rnmi_masked = 0


class Twin:
    """The hart, its memory, and both ways to run it."""

    def __init__(self, extensions: list[Extension], compressed: bool) -> None:
        xlen = extensions[0].xlen
        self.core = Core(architecture_for((), compressed, extensions, xlen))
        self.layout = self.core.architecture.layout
        self.reference = Reference(extensions)
        self.ram = Ram(BASE, SIZE)
        self.machine = NativeMachine()
        self.core.attach(self.machine.view)
        self.machine.add_ram(self.ram, True)
        self.machine.view.clock_virtual = 1
        self.machine.view.instructions_per_tick = 1
        self.native = NativeHart(0, self.machine, self.core.decoder(extensions), self.layout)
        self.hart = self.native.view
        self._refuse = _CALL(self._no_device)
        self.hart.mmio_read = ctypes.cast(self._refuse, ctypes.c_void_p).value
        self.hart.mmio_write = self.hart.mmio_read
        self.hart.ialign_mask = self.core.architecture.constants["ialign_mask"]
        self.mask = (1 << xlen) - 1
        self.hart.mtimecmp = (1 << 64) - 1
        enable(self.hart, extensions)
        reset.reset(self.hart, extensions, CODE)
        self._set_up()
        for at in range(0, SIZE, 4):
            ctypes.memmove(self.ram.address + at, WFI.to_bytes(4, "little"), 4)
        self._blocks = [
            (self.native.address, self.layout.size),
            (self.ram.address, SIZE),
            *((block.address, block.size) for block in self.machine.blocks),
            (int(self.hart.slot_pages), 8 * self.machine.pages),
        ]
        self._pristine = self.save()
        self.context_changed = self.core.export("context_changed")

    def _no_device(self, hart: int, pa: int, size: int, value: int) -> int:
        self.hart.mmio_error = 1
        return 0

    def _set_up(self) -> None:
        take_traps(self.hart)
        self.csr("mtvec", HANDLER)
        self.csr("stvec", HANDLER)
        self.csr("pmpaddr0", (1 << 54) - 1)
        self.csr("pmpcfg0", 0x1F)

    def csr(self, name: str, value: int) -> None:
        """Write a CSR of those above from outside."""
        csr_write(self.hart, u32(CSR[name]), u64(value))

    # --- state as bytes ---

    def save(self) -> list[bytes]:
        """All state that a run can change."""
        return [ctypes.string_at(address, size) for address, size in self._blocks]

    def restore(self, saved: list[bytes]) -> None:
        for (address, _), data in zip(self._blocks, saved, strict=True):
            ctypes.memmove(address, data, len(data))

    def begin(self) -> None:
        """A hart out of reset, memory full of wfi."""
        self.restore(self._pristine)

    def poke(self, address: int, data: bytes) -> None:
        ctypes.memmove(self.ram.address + address - BASE, data, len(data))

    # --- the two runs ---

    def differences(self) -> list[str]:
        """Run both ways from the state as it stands: what they leave different, field by field."""
        start = self.save()
        count = self.reference.run(self.hart, STEPS)
        retired, expected = self._retired(), self.save()
        self.restore(start)
        self.hart.limit = STEPS if count == STEPS else LIMIT
        self.core.run(self.native.address)
        found = self._compare(expected, self.save())
        if self._retired() != retired:
            found.append(f"retired: {retired} by the reference, {self._retired()} natively")
        return found

    def _retired(self) -> int:
        return (int(self.hart.instret_base) - int(self.hart.budget)) & ((1 << 64) - 1)

    def _compare(self, expected: list[bytes], found: list[bytes]) -> list[str]:
        result = []
        before = self._withhold_write_tags(expected[0], found[0])
        for field in self.layout.fields.values():
            if field.name in OFF_BY_DESIGN:
                continue
            end = field.offset + field.stride * max(field.count, 1)
            old, new = before[field.offset : end], found[0][field.offset : end]
            for i in range(0, len(old) if old != new else 0, field.stride):
                if old[i : i + field.stride] != new[i : i + field.stride]:
                    where = f"{field.name}[{i // field.stride}]" if field.count else field.name
                    if field.stride > 8:  # a record: the 8 bytes that are different
                        at = next(n for n in range(field.stride) if old[i + n] != new[i + n])
                        where, i = f"{where} + {at // 8 * 8}", i + at // 8 * 8
                    a, b = (v[i : i + min(field.stride, 8)][::-1].hex() for v in (old, new))
                    result.append(f"{where}: {a} by the reference, {b} natively")
        if expected[1] != found[1]:
            at = next(i for i in range(SIZE) if expected[1][i] != found[1][i])
            result.append(f"memory differs at {BASE + at:#x}")
        return result

    def _withhold_write_tags(self, expected: bytes, found: bytes) -> bytes:
        """What the reference leaves, without the write tags of pages that native code was made
        from. Natively these are withheld, so that stores there are noticed."""
        contexts = self.layout.fields["ctx"]
        at = contexts.offset
        if expected[at:][: contexts.stride * CONTEXTS] == found[at:][: contexts.stride * CONTEXTS]:
            return expected
        result = bytearray(expected)
        for entries in (self.hart.ctx[i].entries for i in range(CONTEXTS)):
            for entry in (entries[i] for i in range(DATA_ENTRIES)):
                place = entry._address - self.native.address + TlbEntry.fields["write_tag"].offset
                if entry.write_tag == NO_TAG and self._has_native_code(int(entry.page)):
                    result[place : place + 8] = found[place : place + 8]
        return bytes(result)

    def _has_native_code(self, page: int) -> bool:
        number = (page - BASE) >> 12
        slots = ctypes.c_uint64.from_address(int(self.hart.slot_pages) + 8 * number)
        return number in range(SIZE >> 12) and slots.value != 0


@functools.cache
def twin(compressed: bool = True) -> Twin:
    """A hart with every scalar extension, or all of these but the compressed ones."""
    wanted = scalar_extensions()
    return Twin([e for e in wanted if compressed or not e.name.startswith(("C", "Zc"))], compressed)
