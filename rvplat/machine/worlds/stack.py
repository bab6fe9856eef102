"""`machine.backtrace`: the call stacks of a hart's world, and of the host below a guest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

from rvplat.debuginfo.faults import NotThere
from rvplat.debuginfo.frames import SP
from rvplat.errors import BusError, DebugInfoError, LoaderError
from rvplat.frozen import frozen
from rvplat.machine.loading.symbol_files import SymbolTable
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.stop import GuestOrHost
from rvplat.machine.running.system import System
from rvplat.machine.worlds.debug_files import KnownFiles, debug_files
from rvplat.machine.worlds.unwinding import Registers, Unwinder
from rvplat.machine.worlds.world import World, number_of, text_of

MOST_FRAMES = 64


@frozen
class Frame:
    """A call in progress. `pc` is the address of the next instruction, or where the call returns
    to; `world` is "host" or a VMID. `function` is empty if it is not known, `offset` counts from
    its entry, `file` is empty and `line` 0 if there is no line information."""

    world: GuestOrHost
    pc: int
    function: str = ""
    offset: int = 0
    file: str = ""
    line: int = 0
    sp: int = 0

    def __str__(self) -> str:
        name = f" in {self.function}" if self.function else ""
        past = f"+{self.offset:#x}" if self.function and self.offset else ""
        place = f" ({self.file}:{self.line})" if self.line else ""
        return f"{self.pc:#x}{name}{past}{place}"


class Backtrace(Sequence[Frame]):
    """Frames, the innermost first. Those of the host follow those of the guest that runs on it.
    `str` gives each a line. `problems`: why parts of the debug information were not used."""

    def __init__(self, frames: Sequence[Frame], problems: Sequence[str] = ()) -> None:
        self._frames = tuple(frames)
        self.problems = tuple(problems)

    @overload
    def __getitem__(self, index: int) -> Frame: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Frame]: ...

    def __getitem__(self, index: int | slice) -> Frame | Sequence[Frame]:
        return self._frames[index]

    def __len__(self) -> int:
        return len(self._frames)

    def __str__(self) -> str:
        lines, last = [], None
        for number, frame in enumerate(self._frames):
            if frame.world != last and (last is not None or frame.world != "host"):
                lines.append(f"{text_of(frame.world)}:")
            last = frame.world
            lines.append(f"#{number:<2} {frame}")
        return "\n".join([*lines, *(f"note: {one}" for one in self.problems)])

    __repr__ = __str__


def backtrace(machine: System, hart: Hart) -> Backtrace:
    """The call stack of a hart's world; if that is a guest, then the host's, if the hart has kept
    its registers (`keep_worlds`)."""
    plain = hart.plain
    here: GuestOrHost = number_of(plain) - 1 if plain.virt else "host"
    registers = {n: int(plain.x[n]) for n in range(1, 32)}
    problems: list[str] = []
    frames = _frames(machine, hart, here, Registers(int(plain.pc), registers, True), problems)
    kept = plain.kept_worlds[0]
    if plain.virt and plain.keep_worlds and int(kept.known):
        below = Registers(int(kept.pc), {n: int(kept.x[n]) for n in range(1, 32)}, True)
        frames += _frames(machine, hart, "host", below, problems)
    return Backtrace(frames, problems)


def _frames(
    machine: System, hart: Hart, name: GuestOrHost, first: Registers, problems: list[str]
) -> list[Frame]:
    """The frames of one world."""
    world = World(machine, hart, name)
    try:
        vmid = None if isinstance(name, str) else name
        files = KnownFiles(debug_files(machine.software, vmid))
        symbols = world.symbols
    except LoaderError as error:  # the file was readable when the machine was built
        problems.append(str(error))
        files, symbols = KnownFiles([]), {}
    describe = _Describer(name, files, symbols)

    def load(address: int, size: int) -> int:
        try:
            return int.from_bytes(world.read(address, size), "little")
        except (BusError, ValueError) as error:
            raise NotThere(str(error)) from None

    unwinder = Unwinder(files, load, machine.board.harts.xlen // 8, describe.start_of)
    found: list[Frame] = []
    frame, seen = first, set()
    while len(found) < MOST_FRAMES:
        found.append(describe.frame(frame))
        seen.add((frame.pc, frame.x.get(SP)))
        caller = unwinder.caller(frame)
        if caller is None or not describe.is_code(caller) or (caller.pc, caller.x[SP]) in seen:
            break
        frame = caller
    problems += files.problems
    return found


class _Describer:
    """Names the places of a world's program."""

    def __init__(self, world: GuestOrHost, files: KnownFiles, symbols: Mapping[str, int]) -> None:
        self._world = world
        self._files = files
        self._table = SymbolTable(symbols)
        self._has_symbols = bool(symbols)

    def start_of(self, address: int) -> int | None:
        """The last symbol before an address, or at it: its function's entry."""
        found = self._table.find(address)
        return None if found is None else address - found[1]

    def is_code(self, caller: Registers) -> bool:
        """Whether a return address can be one: in a program without symbols it only isn't 0."""
        if caller.pc == 0 or SP not in caller.x:
            return False
        return not self._has_symbols or self._table.find(caller.pc) is not None

    def frame(self, registers: Registers) -> Frame:
        """A frame with what is known of its place."""
        at = registers.instruction
        function, entry = self._named(at)
        file, line = self._line(at)
        offset = registers.pc - entry if function else 0
        sp = registers.x.get(SP, 0)
        return Frame(self._world, registers.pc, function, offset, file, line, sp)

    def _asked(self, question: str, at: int) -> tuple[Any, int]:
        """The first answer of a file, and the distance that the file was moved."""
        for file in list(self._files.files):
            try:
                found = getattr(file, question)(at)
            except DebugInfoError as error:
                self._files.spoilt(file, error)
                continue
            if found is not None:
                return found, file.moved
        return None, 0

    def _named(self, at: int) -> tuple[str, int]:
        found, moved = self._asked("function_at", at)
        if found is not None:
            return found.name, found.entry + moved
        symbol = self._table.find(at)
        return (symbol[0], at - symbol[1]) if symbol is not None else ("", 0)

    def _line(self, at: int) -> tuple[str, int]:
        found, _ = self._asked("line_at", at)
        return (found.file, found.line) if found is not None else ("", 0)
