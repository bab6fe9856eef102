"""From one frame to its caller: by call frame information, else by the frame pointer.

The frame pointer s0 points just above the saved ra and s0 (RISC-V ELF psABI, "Frame Pointer
Convention").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rvplat.debuginfo.faults import NotThere
from rvplat.debuginfo.frames import RA, SP
from rvplat.errors import DebugInfoError
from rvplat.frozen import frozen
from rvplat.machine.worlds.debug_files import DebugFile, KnownFiles

FP = 8
LARGEST_FRAME = 1 << 16
Load = Callable[[int, int], int]


@frozen
class Registers:
    """What is known of a frame: its pc, and registers by number. `innermost`: no call has left
    it."""

    pc: int
    x: Mapping[int, int]
    innermost: bool = False

    @property
    def instruction(self) -> int:
        """An address in the instruction that the frame is at: a return address is after it, perhaps
        in the next function."""
        return self.pc if self.innermost else self.pc - 1


class Unwinder:
    """Finds callers in a world. `load` reads memory (NotThere if there is none); `start_of`
    is the entry of the function of an address, if it is known."""

    def __init__(
        self, files: KnownFiles, load: Load, word: int,
        start_of: Callable[[int], int | None],
    ) -> None:  # fmt: skip
        self._files = files
        self._load = load
        self._word = word
        self._start_of = start_of

    def caller(self, frame: Registers) -> Registers | None:
        """The caller; None if there is none, or it can't be found."""
        try:
            for file in list(self._files.files):
                if self._has_rules(file, frame):
                    return self._by_rules(file, frame)
            return self._by_frame_pointer(frame)
        except NotThere:
            return None

    def _has_rules(self, file: DebugFile, frame: Registers) -> bool:
        try:
            return file.info.has_rules(frame.instruction - file.moved)
        except DebugInfoError as error:
            self._files.spoilt(file, error)
            return False

    def _by_rules(self, file: DebugFile, frame: Registers) -> Registers | None:
        at = frame.instruction - file.moved
        try:
            found = file.info.caller(at, frame.x, self._load)
        except DebugInfoError as error:
            self._files.spoilt(file, error)
            return None
        if found is None or (not frame.innermost and found.cfa <= frame.x.get(SP, 0)):
            return None
        return Registers(found.pc, found.registers)

    def _by_frame_pointer(self, frame: Registers) -> Registers | None:
        """A frame without rules: compilers that keep a frame pointer, and assembly."""
        fp, ra = frame.x.get(FP, 0), frame.x.get(RA, 0)
        start = self._start_of(frame.pc)
        if frame.innermost and ra and start is not None and self._start_of(ra - 1) != start:
            return Registers(ra, {FP: self._callers_fp(fp, ra), SP: frame.x.get(SP, 0)})
        if fp % self._word or fp <= frame.x.get(SP, 0) - self._word or not fp:
            return None
        ra, before = self._saved(fp, 1), self._saved(fp, 2)
        if before and before <= fp:
            return None
        return Registers(ra, {FP: before, SP: fp})

    def _callers_fp(self, fp: int, ra: int) -> int:
        """The caller's frame pointer, where ra still holds the return address: the function has
        called no other. Before it has saved anything, it is that of the caller."""
        try:
            above = self._saved(fp, 1)
            if above == ra:
                return self._saved(fp, 2)
            return above if fp < above < fp + LARGEST_FRAME else fp  # a leaf doesn't save ra
        except NotThere:
            return fp

    def _saved(self, fp: int, n: int) -> int:
        """The nth word below the frame pointer."""
        return self._load(fp - n * self._word, self._word)
