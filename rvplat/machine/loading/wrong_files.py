"""Messages for files of the wrong kind: they name the kind and a remedy."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from rvplat.errors import LoaderError
from rvplat.formats import Kind, recognise
from rvplat.machine.boards.board import LAST_ADDRESS, Board
from rvplat.machine.loading.program import Program, Segment

log = logging.getLogger("rvplat.loader")

#: The addresses of flash in QEMU's `virt`.
QEMU_FLASH: Final = range(0x2000_0000, 0x2400_0000)
#: Illegal in every ISA ("Base Instruction-Length Encoding").
NO_INSTRUCTIONS: Final = (b"\0\0", b"\xff\xff")


def refuse_containers(path: Path, data: bytes) -> None:
    """Refuse an initrd that no kernel can read, and warn of one that few can. Linux reads archives
    and file systems, compressed or not; other kernels read other formats.

    Raises:
        LoaderError: the file is a disk image in a container format, or an image of a flash chip.
    """
    found = recognise(data)
    if found is None or found.kind in (Kind.COMPRESSED, Kind.ARCHIVE):
        return
    if found.kind in (Kind.DISK, Kind.FLASH):
        raise LoaderError(f"{path}: the initrd: {found}")
    log.warning("%s: the initrd is %s", path, found.name)


def no_tree(data: bytes, why: str) -> str:
    """The kind of a file that is not a device tree; `why` if it is one or its kind is unknown."""
    found = recognise(data)
    known = found is not None and found.kind is not Kind.TREE
    return f"{found}; expected a device tree blob" if known else why


def tell_of_no_firmware(program: Program) -> None:
    """Warn of a program that probably fails. A Linux Image would start in M mode, for which few
    kernels are built; a raw file that begins with an illegal instruction may be a file system.
    """
    if program.kind == "raw" and bytes(program.segments[0].data[:2]) in NO_INSTRUCTIONS:
        log.warning(
            "%s: loaded as a raw binary, but its first bytes are no instruction: is it a disk or "
            "flash image, or linked for another place?", program.path,
        )  # fmt: skip
    if program.kind == "linux":
        log.warning(
            "%s: a Linux Image as the program starts without firmware, in M mode; --kernel starts "
            "it in S mode, after the firmware", program.path,
        )  # fmt: skip


def misplaced(board: Board, program: Program, segment: Segment) -> str:
    """The message for a segment that is outside the board's memory; "" if it is inside."""
    regions = board.memory.values()
    if any(one.base <= segment.address and segment.end <= one.base + one.size for one in regions):
        return ""
    memory = ", ".join(f"{one.base:#x} to {one.base + one.size - 1:#x}" for one in regions)
    return (
        f"{program.path}: {segment.size:#x} bytes for {segment.address:#x} are outside the "
        f"board's memory ({memory}){outside(board, program, segment)}"
    )


def outside(board: Board, program: Program, segment: Segment) -> str:
    """The probable reason why a segment is outside the board's memory, if its address shows one."""
    if segment.address > LAST_ADDRESS:
        return (
            "; it is linked at virtual addresses: use the Image of Linux, or an ELF file whose "
            "segments have physical addresses"
        )
    if segment.address in QEMU_FLASH:
        return "; QEMU's virt has flash there, the board has none: link it for RAM"
    if program.start < board.main_memory.base:
        return f"; link it for the RAM at {board.main_memory.base:#x}"
    return ""
