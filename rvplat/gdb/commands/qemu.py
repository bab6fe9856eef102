"""QEMU's own packets (QEMU manual, "GDB usage"), which pwndbg, GEF and scripts send. QEMU accepts
queries with q and with Q."""

from __future__ import annotations

from rvplat.gdb.protocol.errors import GdbError, Unsupported
from rvplat.gdb.protocol.interfaces import STEP_BITS, QemuLike
from rvplat.gdb.protocol.packets import QEMU, number
from rvplat.gdb.protocol.session import Session


@QEMU.packet("qqemu", "Qqemu")
def qemu(session: Session, text: bytes) -> bytes:
    """qqemu.sstepbits, .sstep, .PhyMemMode, .Supported: ask; Qqemu.sstep=HEX, .PhyMemMode:(0|1):
    set."""
    target = session.target
    assert isinstance(target, QemuLike)
    name, separator, value = text.replace(b":", b"=", 1).partition(b"=")
    if separator:
        return _set(target, name, value)
    if name == b".sstepbits":
        return ",".join(f"{name}={bit:x}" for name, bit in STEP_BITS.items()).encode()
    if name == b".sstep":
        return b"0x%x" % target.sstep
    if name == b".PhyMemMode":
        return b"%d" % target.physical
    if name == b".Supported":
        return b"sstepbits;sstep;PhyMemMode"
    raise Unsupported


def _set(target: QemuLike, name: bytes, value: bytes) -> bytes:
    wanted = number(value)
    if name == b".sstep":
        if wanted & ~sum(STEP_BITS.values()) or not wanted & STEP_BITS["ENABLE"]:
            raise GdbError(f"sstep {wanted:#x}: expected 1, and 2 for NOIRQ and 4 for NOTIMER")
        target.sstep = wanted
    elif name == b".PhyMemMode":
        target.physical = wanted != 0
    else:
        raise Unsupported
    return b"OK"
