"""The call stacks of samples, from what a hart has noted (hart/debugging/stack_walks.py)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise

from rvplat.debuginfo.faults import NotThere
from rvplat.debuginfo.frames import RA, SP
from rvplat.errors import DebugInfoError
from rvplat.hart.debugging.stack_walks import StackWalk
from rvplat.isa.privileged import MACHINE, PAGE_MASK, SUPERVISOR, USER
from rvplat.machine.loading.symbol_files import SymbolTable, symbols_of
from rvplat.machine.running.system import System
from rvplat.machine.worlds.debug_files import DebugFile, KnownFiles, debug_files
from rvplat.machine.worlds.unwinding import FP, Registers, Unwinder

HOST_WORLDS = {USER: "U", SUPERVISOR: "HS", MACHINE: "M"}
GUEST_WORLDS = {USER: "VU", SUPERVISOR: "VS"}
MOST_FRAMES = 64
MOST_KNOWN = 1 << 15  # stacks whose names are kept
_HEAD = struct.Struct("=6Q")  # StackWalk, up to the arrays
_PC = struct.Struct("=Q")
_FPS, _RAS, _WORDS = (StackWalk.fields[name].offset for name in ("fps", "ras", "stack"))

Key = tuple[int, bytes, bytes]  # the world, and both walks' keys; that of the host may be empty
Stack = tuple[str, ...]  # names: the world, functions from the outermost on; perhaps again so


def world_name(world: int) -> str:
    """The name of a sample's world: M, HS, U, or VS and VU with the VMID."""
    mode, vmid = world & 3, world >> 3
    return f"{GUEST_WORLDS[mode]} of VMID {vmid}" if world & 4 else HOST_WORLDS[mode]


def walk_key(data: bytes, at: int) -> bytes:
    """What decides the names of a StackWalk at an offset."""
    *_, depth, words = _HEAD.unpack_from(data, at)
    fps, ras, stack = at + _FPS, at + _RAS, at + _WORDS
    return b"".join(
        (
            data[at : at + _FPS],
            data[fps : fps + 8 * depth],
            data[ras : ras + 8 * depth],
            data[stack : stack + 8 * words],
        )
    )


class Walk:
    """A StackWalk by its key. `word`: the bytes of a register."""

    def __init__(self, key: bytes, word: int) -> None:
        self._pc, self._ra, self._sp, self._fp, self._depth, self._count = _HEAD.unpack_from(key)
        self._key = key
        self._word = word

    @property
    def registers(self) -> Registers:
        """The innermost frame."""
        return Registers(self._pc, {RA: self._ra, SP: self._sp, FP: self._fp}, True)

    def memory(self) -> dict[int, int]:
        """The words that are known, by address."""
        depth, count = self._depth, self._count
        values = struct.unpack_from(f"={2 * depth + count}Q", self._key, _HEAD.size)
        fps, ras, words = values[:depth], values[depth : 2 * depth], values[2 * depth :]
        found = {self._sp + n * self._word: value for n, value in enumerate(words)}
        for fp, ra, above in zip(fps, ras, (*fps, 0)[1:], strict=True):
            found[fp - self._word] = ra or above  # a leaf has saved s0 alone
            found[fp - 2 * self._word] = above
        return found


class _SampleUnwinder(Unwinder):
    """An unwinder that remembers which instructions have rules, and where functions begin."""

    def __init__(self, files: KnownFiles, word: int, table: SymbolTable) -> None:
        super().__init__(files, self._known_word, word, self.start_of)
        self.known: dict[int, int] = {}
        self._table = table
        self._ruled: dict[tuple[int, str], bool] = {}
        self._symbols: dict[int, tuple[str, int] | None] = {}

    def _known_word(self, address: int, size: int) -> int:
        found = self.known.get(address)
        if found is None:
            raise NotThere(f"the word at {address:#x} was not noted")
        return found

    def _has_rules(self, file: DebugFile, frame: Registers) -> bool:
        key = frame.instruction, str(file.path)
        found = self._ruled.get(key)
        if found is None:
            found = self._ruled[key] = super()._has_rules(file, frame)
        return found

    def has_rules(self, frame: Registers) -> bool:
        """Whether some file has call frame information for a frame."""
        return any(self._has_rules(one, frame) for one in list(self._files.files))

    def symbol(self, address: int) -> tuple[str, int] | None:
        """The symbol of an address, and the bytes from there."""
        if address not in self._symbols:
            self._symbols[address] = self._table.find(address)
        return self._symbols[address]

    def start_of(self, address: int) -> int | None:
        """The entry of the function of an address."""
        found = self.symbol(address)
        return None if found is None else address - found[1]


def key_of(world: int, data: bytes, at: int) -> Key:
    """The key of a sample whose two walks are at an offset of the data."""
    host = at + StackWalk.size
    (pc,) = _PC.unpack_from(data, host)
    return world, walk_key(data, at), walk_key(data, host) if pc else b""


class WorldStacks:
    """The stacks of the host, or of a guest. Files are read at once, because that takes long."""

    def __init__(self, machine: System, vmid: int | None) -> None:
        symbols = symbols_of(machine.software, vmid)
        files = KnownFiles(debug_files(machine.software, vmid))
        for file in list(files.files):
            try:
                file.info.has_frames  # noqa: B018
            except DebugInfoError as error:
                files.spoilt(file, error)
        self.has_frames = any(one.info.has_frames for one in files.files)
        self.word = machine.board.harts.xlen // 8
        self._has_symbols = bool(symbols)
        self._unwinder = _SampleUnwinder(files, self.word, SymbolTable(symbols))

    def names(self, walk: Walk, below: bool) -> list[str]:
        """The functions of a walk, the innermost first. `below`: it is the host's below a guest,
        where assembly may have moved sp."""
        self._unwinder.known = walk.memory()
        frames = [walk.registers]
        if below and not self._unwinder.has_rules(frames[0]):
            caller = self._unwinder.caller(frames[0])
            if caller is not None and caller.pc:
                fp = caller.x.get(FP, 0)
                frames.append(Registers(caller.pc, {FP: fp}))
        while len(frames) < MOST_FRAMES:
            caller = self._unwinder.caller(frames[-1])
            if caller is None or caller.pc == 0:
                break
            frames.append(caller)
        while len(frames) > 1 and self._is_nameless(frames[-1]):
            frames.pop()
        return list(_without_repeats(self._name(one.instruction) for one in frames))

    def _is_nameless(self, frame: Registers) -> bool:
        """Whether a frame may be none: its world has symbols, but none for it. One between others
        may be in a module of a kernel."""
        return self._has_symbols and self._unwinder.symbol(frame.instruction) is None

    def _name(self, address: int) -> str:
        found = self._unwinder.symbol(address)
        return found[0] if found else f"page {address & PAGE_MASK:#x}"


def _without_repeats(names: Iterator[str]) -> Iterator[str]:
    """A page that calls itself is told of once."""
    every = list(names)
    for one, inner in pairwise(["", *every]):
        if inner != one or not inner.startswith("page "):
            yield inner


class Stacks:
    """Names the stacks of samples."""

    def __init__(self, machine: System) -> None:
        software = machine.software
        self._worlds: dict[int | None, WorldStacks] = {
            vmid: WorldStacks(machine, vmid) for vmid in {None, *software.symbol_files}
        }
        self._machine = machine
        self._known: dict[Key, Stack] = {}

    @property
    def has_frames(self) -> bool:
        """Whether some file has call frame information."""
        return any(one.has_frames for one in self._worlds.values())

    def stack(self, key: Key) -> Stack:
        """The names of a sample's stack, from the outermost frame on."""
        found = self._known.get(key)
        if found is None:
            if len(self._known) == MOST_KNOWN:
                self._known.clear()
            found = self._known[key] = self._named(*key)
        return found

    def _named(self, world: int, here: bytes, host: bytes) -> Stack:
        names: list[str] = []
        word = self._worlds[None].word
        if host:
            below = self._worlds[None].names(Walk(host, word), below=True)
            names += [HOST_WORLDS[SUPERVISOR], *reversed(below)]
        stacks = self._stacks_of(world >> 3 if world & 4 else None)
        own = stacks.names(Walk(here, word), below=False)
        return (*names, world_name(world), *reversed(own))

    def _stacks_of(self, vmid: int | None) -> WorldStacks:
        """The stacks of a world; of one without files they have no names."""
        if vmid in self._worlds:
            return self._worlds[vmid]
        found = self._worlds[vmid] = WorldStacks(self._machine, vmid)
        return found
