"""A hart of rvplat that runs the programs natively, step by step or at full speed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from rvplat.bus.ram import Ram
from rvplat.engine.architecture import enable
from rvplat.engine.native import Core
from rvplat.hart import reset
from rvplat.hart.state import STOP_LIMIT, STOP_WFI, HartState
from rvplat.isa.vector.state import FILE_BYTES
from rvplat.lang import Record
from rvplat.machine.boards.extensions import architecture_for
from rvplat.machine.running.native_records import NativeHart, NativeMachine
from rvplat.machine.running.region_manager import RegionManager
from rvplat.machine.running.region_pages import Page
from tests.region_compiler import Here

from . import layout
from .program import Program, extensions
from .quick import choose, heads
from .spike import Event

_CALL = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)
CLINT_MSIP, CLINT_MTIMECMP = 0x200_0000, 0x200_4000
MSI = 3
FAR = 1 << 22  # instructions: more than any program has, so native code seldom goes step by step
TRIES = 100  # to reach the end of a program
LONGEST = 1 << 20  # the most instructions of a program at full speed


class Ours:
    """The hart, its memory, and the registers of a CLINT that programs use."""

    def __init__(self, isa: str, quick: bool = False) -> None:
        owned = extensions(isa)
        self.core = Core(architecture_for((), True, owned, owned[0].xlen))
        record = self.core.architecture.layout
        self.ram = Ram(layout.BASE, layout.SIZE)
        self.native = NativeMachine()
        self.core.attach(self.native.view)
        self.native.add_ram(self.ram, True)
        self.native.view.clock_virtual = 1
        self.native.view.instructions_per_tick = 1 << 62  # so that the time stays 0
        self.native_hart = NativeHart(0, self.native, self.core.decoder(owned), record)
        self.hart = self.native_hart.view
        self._device = _CALL(self._no_load), _CALL(self._store)
        self.hart.mmio_read, self.hart.mmio_write = (
            ctypes.cast(function, ctypes.c_void_p).value for function in self._device
        )
        self.hart.ialign_mask = self.core.architecture.constants["ialign_mask"]
        enable(self.hart, owned)
        reset.reset(self.hart, owned, layout.BASE)
        self._blocks = [
            (self.native_hart.address, record.size),
            *((block.address, block.size) for block in self.native.blocks),
            (int(self.hart.slot_pages), 8 * self.native.pages),
        ]
        self._fields(record)
        self._read_csr: Callable[..., int] = self.core.export("read_csr")
        self.extensions, self.harts, self.export = owned, [self.native_hart], self.core.export
        self.decoded = [owned]
        self.regions = RegionManager(self, "off")
        self.here = Here(self.regions._tables) if quick else None
        if self.here is not None:
            self.regions._client = self.here
        self._pristine = [ctypes.string_at(*block) for block in self._blocks]

    def fail(self, error: BaseException) -> None:
        """Harts that decode have regions made only in mode "all", so nothing calls this."""
        raise error

    def _fields(self, record: Record) -> None:
        """The fields that are read after every instruction, for faster access than by views."""

        def at(name: str, kind: Any) -> Any:
            return kind.from_address(self.native_hart.address + HartState.fields[name].offset)

        self.pc, self.limit = at("pc", ctypes.c_uint64), at("limit", ctypes.c_int64)
        self.priv, self.virt = at("priv", ctypes.c_uint8), at("virt", ctypes.c_uint8)
        self.stop = at("stop", ctypes.c_uint32)
        self.v_array: Any = None  # the bytes of the vector registers
        if self.hart.has_zve32x != 0:
            address = self.native_hart.address + record.fields["vectors"].offset
            self.v_array = (ctypes.c_uint8 * FILE_BYTES).from_address(address)
        self.x_array, self.f_array = (at(n, ctypes.c_uint64 * 32) for n in ("x", "f"))

    # --- the CLINT ---

    def _no_load(self, hart: int, pa: int, size: int, value: int) -> int:
        self.native_hart.mmio_error.value = 1
        return 0

    def _store(self, hart: int, pa: int, size: int, value: int) -> int:
        if (pa, size) == (CLINT_MSIP, 4):
            self.native_hart.set_line(MSI, bool(value & 1))
        elif (pa, size) == (CLINT_MTIMECMP, 8):
            self.hart.mtimecmp = value
            self.native_hart.alert()
        else:
            self.native_hart.mmio_error.value = 1
        self.native_hart.after_device()
        return 0

    # --- runs ---

    def begin(self, program: Program) -> None:
        """Reset the hart, and load the program. mtimecmp is 0, as in Spike."""
        for (address, _), data in zip(self._blocks, self._pristine, strict=True):
            ctypes.memmove(address, data, len(data))
        self.regions.forget()
        ctypes.memset(self.ram.address, 0, layout.SIZE)
        ctypes.memmove(self.ram.address, program.image, len(program.image))
        self.hart.mtimecmp = 0
        self.hart.geilen = 1  # so that SGEI exists, as in Spike; no interrupt line is driven
        self.hart.tinst_zero = int(not program.transforms)
        self.step = self._stepper()

    def prepare_regions(self, program: Program, events: list[Event]) -> None:
        """Choose how the program's regions are compiled, if that is done here (quick.py)."""
        if self.here is None:
            return
        self.here.effort, known = choose(program)
        if known:
            for start, offsets in heads(events).items():
                self.regions._pages[start] = Page(offsets)

    def _stepper(self) -> Callable[[], None]:
        run, limit, address = self.core.run, self.limit, self.native_hart.address

        def step() -> None:
            limit.value = 1
            run(address)

        return step

    def finish(self) -> bool:
        """Run the program; return whether it ended. It ends in a loop around `wfi`, which doesn't
        wait while an enabled interrupt is pending."""
        for _ in range(TRIES):
            self.limit.value = FAR
            self.core.run(self.native_hart.address)
            if self.tohost():
                return True
            if self.stop.value not in (STOP_WFI, STOP_LIMIT):
                return False
        return False

    def tohost(self) -> int:
        """The program's word for the host."""
        return int.from_bytes(self.memory(layout.address(layout.TOHOST), 8), "little")

    # --- state ---

    def x(self) -> bytes:
        return bytes(self.x_array)

    def f(self) -> bytes:
        return bytes(self.f_array)

    def csr(self, number: int) -> int:
        return self._read_csr(self.hart, number)

    def memory(self, address: int, size: int) -> bytes:
        """Bytes at a physical address."""
        return ctypes.string_at(self.ram.address + address - layout.BASE, size)

    def compared(self) -> bytes:
        """The pages that are compared at the end."""
        return self.memory(layout.address(layout.COMPARED[0]), len(layout.COMPARED) * layout.PAGE)
