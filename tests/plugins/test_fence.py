"""Python's fence, and what devices order by it."""

from __future__ import annotations

import ctypes
import platform

from rvplat_plugins.virtio_mmio import VirtioMmio
from rvplat_plugins.virtqueue import INDEX, Chain, Virtqueue

from rvplat import Machine
from rvplat.bus import Memory, Ram, Wiring, barrier, fence

FENCES = {
    "x86_64": (b"\x0f\xae\xf0", b"\xf0\x83"),  # mfence, lock or
    "aarch64": (b"\xbf\x3b\x03\xd5",),  # dmb ish
}


def test_python_s_barrier_is_the_host_s_fence() -> None:
    with Machine.open("virt"):
        barrier()
        address = ctypes.cast(fence._fence, ctypes.c_void_p).value  # type: ignore[arg-type]
        assert address
        machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(
            platform.machine(), platform.machine()
        )
        code = ctypes.string_at(address, 32)
        assert any(fence in code for fence in FENCES[machine]), code.hex()
    barrier()  # it outlives the machine


def test_a_buffer_is_told_written_before_the_used_index_says_so() -> None:
    """Who sees the index may run what is in the buffer: old code must be gone by then."""
    memory = Memory()
    memory.add(Ram(0x8000_0000, 1 << 16))
    queue = Virtqueue(VirtioMmio(wiring=Wiring(memory=memory)), 0, 8)
    queue.descriptors, queue.driver, queue.device = 0x8000_0000, 0x8000_1000, 0x8000_2000
    queue.enable()
    told = []

    def written(pa: int, size: int) -> None:
        told.append((pa, size, memory.read_int(0x8000_2000 + 2 * INDEX, 2)))

    memory.written = written
    queue.push(Chain(3, writable=[(0x8000_3000, 64), (0x8000_4000, 64)]), 100)
    assert told[:2] == [(0x8000_3000, 64, 0), (0x8000_4000, 36, 0)]
    assert told[-1][2] == 1
