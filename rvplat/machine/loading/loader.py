"""Plan the contents of memory and registers at the start of the harts, as QEMU's `virt` does.

Firmware goes to the start of RAM, the kernel above it at a multiple of 2 MiB, the initial RAM disk
well above that, the device tree to the end of RAM (below 3 GiB, where 32-bit DMA reaches). Firmware
gets its hart's number in a0, the address of the device tree in a1 and, if it is OpenSBI's
`fw_dynamic`, that of its information structure in a2 (OpenSBI, docs/firmware/fw_dynamic.md).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Final

from rvplat.bus.ram import Memory
from rvplat.errors import LoaderError
from rvplat.frozen import frozen
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.machine.boards.board import RESET_CODE_BYTES, Board, BoardMemory
from rvplat.machine.loading import wrong_files
from rvplat.machine.loading.devicetree import Chosen, fresh_seed
from rvplat.machine.loading.fdt import FdtError, Node, cells64, to_dtb
from rvplat.machine.loading.fdt_read import from_dtb
from rvplat.machine.loading.images import read_program
from rvplat.machine.loading.linux_images import check_cpio
from rvplat.machine.loading.load_option import LoadOption
from rvplat.machine.loading.program import Loader, Program, Segment
from rvplat.machine.loading.user_files import LARGEST_FILE, read_file

MIB: Final = 1 << 20
GIB: Final = 1 << 30
KERNEL_ALIGNMENT: Final = 2 * MIB
INITRD_DISTANCE: Final = 512 * MIB
DTB_ALIGNMENT: Final = 2 * MIB
LARGEST_DTB: Final = 16 * MIB
DTB_HEADROOM: Final = 16 << 10
DTB_GUESS: Final = 32 << 10
INFO_ROOM: Final = 64
A0, A1, A2 = 10, 11, 12


def reset_code(xlen: int) -> bytes:
    """The code at the reset vector. Its loads have XLEN bits. Three addresses follow it: the
    program's entry, the device tree, the information structure."""
    load = {32: 2 << 12, 64: 3 << 12}[xlen]  # funct3 of lw and ld
    return struct.pack(
        "<6I",
        0x00000297,  # auipc t0, 0
        0x02828603 | load,  # a2, 40(t0)
        0xF1402573,  # csrr  a0, mhartid
        0x02028583 | load,  # a1, 32(t0)
        0x01828283 | load,  # t0, 24(t0)
        0x00028067,  # jr    t0
    )


#: struct fw_dynamic_info: magic, version, next_addr, next_mode, options, boot_hart.
FW_DYNAMIC = {32: struct.Struct("<6I"), 64: struct.Struct("<6Q")}
FW_DYNAMIC_MAGIC: Final = 0x4942534F
FW_DYNAMIC_VERSION: Final = 2
NEXT_MODE_S: Final = 1
#: Paths where distributions install OpenSBI.
SYSTEM_FIRMWARE = (
    Path("/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"),
    Path("/usr/share/opensbi/lp64/generic/firmware/fw_dynamic.bin"),
    Path("/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin"),
    Path("/opt/homebrew/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin"),
)


@frozen
class Software:
    """The software of a machine, read from its files; `append` replaces the board's bootargs."""

    program: Program | None = None
    kernel: Program | None = None
    initrd: bytes | None = None
    append: str | None = None
    dtb: Node | None = None
    initrd_path: Path = Path()
    extra_files: tuple[Program, ...] = ()
    #: ELF files with symbols for debuggers, by the guest's VMID; None is the host.
    symbol_files: Mapping[int | None, Path] = field(default_factory=dict)

    @property
    def symbols(self) -> Mapping[str, int]:
        """The program's symbols, which may include `tohost` and `begin_signature`."""
        return self.program.symbols if self.program else {}


@frozen
class LoadPlan:
    """Memory and registers before the first instruction; call `apply` after every reset."""

    segments: tuple[Segment, ...]
    #: The pc of every hart.
    entry: int
    #: For each hart, its x registers by number; the others are zero.
    registers: tuple[Mapping[int, int], ...]
    symbols: Mapping[str, int] = field(default_factory=dict, repr=False)
    #: Where things are, for messages: "program", "kernel", "initrd", "dtb".
    places: Mapping[str, int] = field(default_factory=dict)

    def apply(self, memory: Memory) -> None:
        """Write everything to memory."""
        for segment in self.segments:
            view = memory.view(segment.address, segment.size)
            view[: len(segment.data)] = segment.data
            _clear(view[len(segment.data) :])
            memory.written(segment.address, segment.size)


def _clear(view: memoryview) -> None:
    zeros = bytes(min(len(view), MIB))
    for start in range(0, len(view), MIB):
        part = view[start : start + MIB]
        part[:] = zeros[: len(part)]


def read_software(
    board: Board,
    program: Path | None = None,
    kernel: Path | None = None,
    initrd: Path | None = None,
    append: str | None = None,
    dtb: Path | None = None,
    loaders: Sequence[Loader] = (),
    extra_files: Sequence[LoadOption] = (),
) -> Software:
    """Read the files in the arguments; the board's `[boot]` supplies missing ones.

    A kernel without firmware gets the OpenSBI of the host's distribution.

    Raises:
        LoaderError: a file is missing or has the wrong format.
    """
    program, kernel = program or board.boot.program, kernel or board.boot.kernel
    initrd, dtb = initrd or board.boot.initrd, dtb or board.boot.dtb
    if kernel is not None and program is None:
        program = system_firmware()
    software = Software(append=append, extra_files=tuple(piece.read() for piece in extra_files))
    if program is not None:
        firmware = read_program(program, "the program", loaders).at(board.main_memory.base)
        _check_width(firmware, board)
        wrong_files.tell_of_no_firmware(firmware)
        software = replace(software, program=firmware)
    if kernel is not None:
        software = replace(software, kernel=read_program(kernel, "the kernel", loaders))
        _check_width(software.kernel, board)
    if initrd is not None:
        room = min(LARGEST_FILE, board.main_memory.size)
        data = read_file(initrd, "the initrd", room, ", the RAM of the board; --memory gives more")
        wrong_files.refuse_containers(initrd, data)
        check_cpio(initrd, data)
        software = replace(software, initrd=data, initrd_path=initrd)
    return replace(software, dtb=_read_dtb(dtb)) if dtb is not None else software


def _check_width(program: Program | None, board: Board) -> None:
    """LoaderError if a program was built for another XLEN than that of the harts."""
    xlen = board.harts.xlen
    if program is not None and program.bits not in (0, xlen):
        found = f"{program.path}: a {program.bits}-bit ELF file; expected one for {xlen}-bit RISC-V"
        raise LoaderError(f"{found} (harts.isa says RV{xlen})")


def system_firmware() -> Path:
    """The OpenSBI of the host's distribution.

    Raises:
        LoaderError: it is not installed.
    """
    for path in SYSTEM_FIRMWARE:
        if path.is_file():
            return path
    raise LoaderError(
        "a kernel needs firmware, and this host has no OpenSBI: name one as PROGRAM, such as "
        "OpenSBI's fw_dynamic.bin (Debian: package opensbi; or `rvplat guest debian DIR`)"
    )


def _read_dtb(path: Path) -> Node:
    data = read_file(path, "the device tree", LARGEST_DTB)
    try:
        return from_dtb(data)
    except FdtError as error:
        what = wrong_files.no_tree(data, str(error))
        raise LoaderError(f"{path}: the device tree: {what}") from error


TreeMaker = Callable[[Chosen], Node]
"""Make the board's device tree, with the loader's values in `chosen`."""


def plan_load(board: Board, software: Software, device_tree: TreeMaker) -> LoadPlan:
    """Choose the addresses of all parts.

    Raises:
        LoaderError: something does not fit into the board's memory.
    """
    return _Planner(board, software, device_tree).plan()


class _Planner:
    def __init__(self, board: Board, software: Software, device_tree: TreeMaker) -> None:
        self.board = board
        self.software = software
        self.device_tree = device_tree
        self.main: BoardMemory = self.board.main_memory
        self.segments: list[Segment] = []
        self.places: dict[str, int] = {}

    def plan(self) -> LoadPlan:
        program = self._place_program()
        kernel = self._place_kernel(program)
        above = self._end_of(program, kernel)
        initrd = self._initrd_range(kernel.start if kernel else above, above)
        dtb = self._place_dtb(self._tree(initrd), max(above, initrd[1] if initrd else 0))
        info = dtb - INFO_ROOM
        self._put(info, _firmware_info(kernel.entry if kernel else 0, self.board.harts.xlen))
        self._place_initrd(initrd, above, info)
        self._place_extra_files()
        entry = self._reset_code(program.entry if program else self.main.base, dtb, info)
        registers = tuple({A0: hart, A1: dtb, A2: info} for hart in range(self.board.harts.count))
        return LoadPlan(tuple(self.segments), entry, registers, self.software.symbols, self.places)

    def _put(self, address: int, data: bytes) -> None:
        self.segments.append(Segment(address, data, len(data)))

    def _add(self, name: str, program: Program) -> Program:
        for segment in program.segments:
            if problem := wrong_files.misplaced(self.board, program, segment):
                raise LoaderError(problem)
            self.segments.append(segment)
        self.places[name] = program.start
        return program

    def _end_of(self, *programs: Program | None) -> int:
        """The first address of the main RAM above all these programs."""
        main = range(self.main.base, self.main.base + self.main.size)
        loaded = [one for one in programs if one]
        ends = [part.end for one in loaded for part in one.segments if part.address in main]
        ends += [one.start + one.room for one in loaded if one.start in main]
        return max(ends, default=self.main.base)

    def _place_program(self) -> Program | None:
        program = self.software.program
        return self._add("program", program.at(self.main.base)) if program else None

    def _place_kernel(self, program: Program | None) -> Program | None:
        kernel = self.software.kernel
        if kernel is None:
            return None
        above = max(self._end_of(program), self.main.base + max(kernel.offset, 1))
        base = _up(above, KERNEL_ALIGNMENT)
        kernel = kernel.at(base)
        end = self.main.base + self.main.size
        if kernel.start < end < kernel.end and kernel.kind != "elf":
            raise LoaderError(
                f"{kernel.path}: the kernel is too large: it needs {kernel.end - kernel.start:#x} "
                f"bytes at {kernel.start:#x}, and RAM ends at {end:#x}"
            )
        if program:
            _refuse_overlap(program, kernel)
        return self._add("kernel", kernel)

    def _place_extra_files(self) -> None:
        """Place the files of `--load` at their addresses; they must not overlap another part."""
        for piece in self.software.extra_files:
            for segment in piece.segments:
                for other in self.segments:
                    if segment.address < other.end and other.address < segment.end:
                        raise LoaderError(
                            f"{piece.path}: {segment.address:#x} to {segment.end - 1:#x} overlaps "
                            f"{self._owner(other)} at {other.address:#x} to {other.end - 1:#x}"
                        )
            self._add(str(piece.path), piece)

    def _owner(self, segment: Segment) -> str:
        """The part that a segment belongs to, for messages."""
        names = [name for name, start in self.places.items() if start <= segment.address]
        return max(names, key=lambda name: self.places[name], default="what is loaded")

    def _initrd_range(self, kernel: int, above: int) -> tuple[int, int] | None:
        """The range of the initrd: well above the kernel, or else just below the device tree."""
        data = self.software.initrd
        if data is None:
            return None
        wanted = kernel + min(self.main.size // 2, INITRD_DISTANCE)
        start = _up(max(wanted, above), PAGE_BYTES)
        limit = self._dtb_address(DTB_GUESS, above) - INFO_ROOM
        if start + len(data) > limit:
            start = _down(limit - len(data), PAGE_BYTES)
        if start < above:
            raise self._no_room_for_initrd(len(data), limit - above)
        return start, start + len(data)

    def _place_initrd(self, found: tuple[int, int] | None, above: int, limit: int) -> None:
        if found is None or self.software.initrd is None:
            return
        if found[0] < above or found[1] > limit:
            raise self._no_room_for_initrd(found[1] - found[0], limit - above)
        self.places["initrd"] = found[0]
        self._put(found[0], self.software.initrd)

    def _no_room_for_initrd(self, size: int, room: int) -> LoaderError:
        return LoaderError(
            f"{self.software.initrd_path}: the initrd is too large: it has {size:#x} bytes, and "
            f"{max(0, room):#x} are free above the kernel; --memory gives more"
        )

    def _tree(self, initrd: tuple[int, int] | None) -> bytes:
        """The DTB: the board's, or the user's with the loader's values in `chosen` added."""
        # A reproducible run needs the same seed each time.
        repeatable = self.board.general.clock == "virtual"
        seed = hashlib.sha256(self.board.name.encode()).digest() if repeatable else fresh_seed()
        chosen = Chosen(self.software.append, initrd, seed)
        if self.software.dtb is None:
            return to_dtb(self.device_tree(chosen))
        root = self.software.dtb
        node = root.get("chosen") or root.child("chosen")
        if chosen.bootargs is not None:
            node.set("bootargs", chosen.bootargs)
        if initrd:
            node.set("linux,initrd-start", *cells64(initrd[0]))
            node.set("linux,initrd-end", *cells64(initrd[1]))
        return to_dtb(root)

    def _dtb_address(self, size: int, above: int) -> int:
        """An address near the end of RAM. Room follows the tree: firmware extends it in place."""
        end = self.main.base + self.main.size
        top = min(end, 3 * GIB) if self.main.base < 3 * GIB else end
        address = _down(top - size - DTB_HEADROOM, DTB_ALIGNMENT)
        if address - INFO_ROOM >= max(above, self.main.base):
            return address
        return _down(top - size - DTB_HEADROOM, PAGE_BYTES)

    def _place_dtb(self, tree: bytes, above: int) -> int:
        address = self._dtb_address(len(tree), above)
        if address - INFO_ROOM < max(above, self.main.base):
            raise LoaderError(
                f"no room for the device tree ({len(tree):#x} bytes): what is loaded ends at "
                f"{above:#x}, RAM at {self.main.base + self.main.size:#x}"
            )
        self.places["dtb"] = address
        self._put(address, tree)
        return address

    def _reset_code(self, entry: int, dtb: int, info: int) -> int:
        """The first pc: the program's entry, or the reset vector, whose code jumps to the entry."""
        vector = self.board.boot.reset_vector
        if vector is None:
            return entry
        self._put(vector, reset_code(self.board.harts.xlen) + struct.pack("<3Q", entry, dtb, info))
        assert self.segments[-1].size == RESET_CODE_BYTES
        return vector


def _firmware_info(next_address: int, xlen: int) -> bytes:
    """Tell `fw_dynamic` what to start in S mode, and on which hart: always 0, so that boots are
    reproducible."""
    version = FW_DYNAMIC_VERSION
    return FW_DYNAMIC[xlen].pack(FW_DYNAMIC_MAGIC, version, next_address, NEXT_MODE_S, 0, 0)


def _refuse_overlap(program: Program, kernel: Program) -> None:
    for one in program.segments:
        for two in kernel.segments:
            if one.address < two.end and two.address < one.end:
                raise LoaderError(
                    f"{kernel.path}: the kernel at {two.address:#x} to {two.end - 1:#x} overlaps "
                    f"{program.path} at {one.address:#x} to {one.end - 1:#x}"
                )


def _up(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def _down(value: int, alignment: int) -> int:
    return value // alignment * alignment
