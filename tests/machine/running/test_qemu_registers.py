"""Compare the registers of `virt`'s devices after a reset with QEMU's.

docs/qemu-virt.md lists the intended differences.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.errors import BusError
from tests.machine.small_guests import LOOP, guest

QEMU = shutil.which("qemu-system-riscv64")
VIRTIO0, EMPTY = 0x1000_1000, 0x1000_8000
FEATURES, QUEUE_SIZE_MAX, MCR = VIRTIO0 + 0x10, VIRTIO0 + 0x34, 0x1000_0004
SEG_MAX = VIRTIO0 + 0x10C  # two less than the queue's size; QEMU's follows its own default
#: (address, size of each, count). Gaps without registers are not read.
ASKED = (
    (VIRTIO0, 4, 24),
    (VIRTIO0 + 0x60, 4, 5),
    (VIRTIO0 + 0x100, 4, 4),  # capacity, size_max, seg_max
    (EMPTY, 4, 29),
    (0x0C00_0004, 4, 95),
    (0x0C00_1000, 4, 3),
    (0x0C00_2000, 4, 3),
    (0x0C20_0000, 4, 2),
    (0x0200_0000, 4, 1),
    (0x0010_0000, 4, 1),
    (0x0010_1008, 4, 6),  # the alarm; the time differs
    *((0x1000_0000 + register, 1, 1) for register in range(8)),
)
#: Features that only QEMU's disk or only rvplat's offers; see docs/qemu-virt.md.
OTHER_FEATURES = sum(1 << bit for bit in (4, 7, 10, 11, 13, 27))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("disk") / "disk.img"
    path.write_bytes(bytes(1 << 20))
    return path


def of_qemu(image: Path, legacy: bool) -> dict[int, int]:
    """The values that QEMU's monitor prints."""
    command = [
        str(QEMU), "-M", "virt", "-S", "-display", "none", "-serial", "null", "-bios", "none",
        "-monitor", "stdio", "-global", f"virtio-mmio.force-legacy={str(legacy).lower()}",
        "-drive", f"file={image},if=none,format=raw,id=x0,snapshot=on",
        "-device", "virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0",
    ]  # fmt: skip
    letters = {1: "b", 4: "w"}
    asks = [f"xp /{count}x{letters[size]} {address:#x}" for address, size, count in ASKED]
    done = subprocess.run(
        command, input="\n".join([*asks, "quit", ""]), text=True, capture_output=True, timeout=60,
        check=True,
    )  # fmt: skip
    found = {}
    for address, values in re.findall(r"^([0-9a-f]{16}): (.*)$", done.stdout, re.MULTILINE):
        words = values.split()
        size = len(words[0]) // 2 - 1
        for index, word in enumerate(words):
            found[int(address, 16) + size * index] = int(word, 16)
    return found


@pytest.mark.skipif(QEMU is None, reason="qemu-system-riscv64 is not installed")
@pytest.mark.parametrize("legacy", [True, False])
def test_registers_after_reset(image: Path, legacy: bool) -> None:
    theirs = of_qemu(image, legacy)
    disk = {"model": "virtio-blk", "image": str(image), "snapshot": True}
    slots = {f"devices.virtio{n}.force_legacy": False for n in range(8) if not legacy}
    different = {}
    with Machine.open("virt", guest(LOOP), settings={**slots, "devices.virtio0": disk}) as machine:
        for address, size, count in ASKED:
            for where in range(address, address + size * count, size):
                try:
                    ours = machine.bus.read(where, size)
                except BusError:
                    ours = -1
                if where == FEATURES:
                    assert (ours ^ theirs[where]) & ~OTHER_FEATURES == 0
                elif ours != theirs[where]:
                    different[where] = (ours, theirs[where])
    assert different == {QUEUE_SIZE_MAX: (512, 1024), SEG_MAX: (510, 254), MCR: (0, 8)}
