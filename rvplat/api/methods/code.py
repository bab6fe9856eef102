"""Disassembly with source lines, and call stacks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

from rvplat.api.errors import BadParameter
from rvplat.api.interfaces import Session
from rvplat.api.names import WorldName, hart_of, vmid_named, world_of
from rvplat.api.registry import method
from rvplat.api.schema import Address, Word, text_of
from rvplat.errors import BusError, DebugInfoError
from rvplat.isa.machinery.disassemble import instruction_length
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.machine.running.hart import Hart
from rvplat.machine.worlds.debug_files import DebugFile
from rvplat.machine.worlds.world import World

MOST_INSTRUCTIONS = 500
LARGEST_SOURCE = 4 << 20
KEPT_SOURCES = 64
KEPT_ROWS = 10_000


class Instruction(TypedDict):
    """An instruction. `symbol` is the symbol at it or before it. `file` and `line` are "" and 0 if
    the program's DWARF does not say them; `source` is the text of the line, if the file is
    there."""

    address: Word
    bits: str
    text: str
    symbol: str
    file: str
    line: int
    source: str


class Call(TypedDict):
    """A call in progress, the innermost first."""

    world: str | int
    pc: Word
    function: str
    offset: int
    file: str
    line: int


@method("still")
def code_disassemble(
    session: Session, address: Address | None = None, count: int = 32, before: int = 0,
    hart: int = 0, world: WorldName = "now",
) -> list[Instruction]:  # fmt: skip
    """Instructions of a world from an address on; without one from the hart's pc. `before`: so many
    before it too, as far as they are of the same symbol. The list ends where nothing is mapped."""
    machine = session.api.machine
    one = hart_of(machine, hart)
    if not 1 <= count <= MOST_INSTRUCTIONS or not 0 <= before <= MOST_INSTRUCTIONS:
        raise BadParameter(f"count={count}, before={before}: expected 1 to {MOST_INSTRUCTIONS}")
    vmid = vmid_named(one, world)
    names = session.api.control.names
    at = one.pc if address is None else names.address(vmid, address) & ~1
    listing = Listing(session, one, world_of(machine, one, world), vmid)
    return [*listing.before(at, before), *listing.after(at, count)]


class Listing:
    """The instructions of a world, with what its files say of them."""

    def __init__(self, session: Session, hart: Hart, world: World, vmid: int | None) -> None:
        self._names = session.api.control.names
        self._world, self._vmid, self._hart = world, vmid, hart.number
        self._disassembler = self._names.disassembler(hart)
        self._files = self._names.files(vmid)
        self._pages: dict[int, bytes] = {}
        self._folders = tuple(
            {folder for file in self._files for folder in file.path.resolve().parents[:2]}
        )

    def after(self, at: int, count: int) -> list[Instruction]:
        """Instructions from an address on."""
        found: list[Instruction] = []
        while len(found) < count:
            try:
                bits = self._bits(at)
            except BusError:
                if not found:
                    raise
                break
            found.append(self._described(at, bits))
            at += instruction_length(bits)
        return found

    def before(self, at: int, count: int) -> list[Instruction]:
        """Instructions before an address: those from the symbol on, because their lengths
        differ."""
        start = self._names.near(self._vmid, at).partition("+")
        first = at - (int(start[2], 0) if start[2] else 0)
        if not count or first == at or at - first > 4 * MOST_INSTRUCTIONS * 4:
            return []
        places: list[tuple[int, int]] = []
        try:
            while first < at:
                bits = self._bits(first)
                places.append((first, bits))
                first += instruction_length(bits)
        except BusError:
            return []
        return [self._described(*one) for one in places[-count:]] if first == at else []

    def _bits(self, at: int) -> int:
        low = self._half(at)
        return low if instruction_length(low) == 2 else low | self._half(at + 2) << 16

    def _half(self, at: int) -> int:
        """Two bytes. A page is read once. BusError if it is not mapped to memory."""
        start = at - at % PAGE_BYTES
        if start not in self._pages:
            self._pages[start] = self._world.read(start, PAGE_BYTES)
        return int.from_bytes(self._pages[start][at - start : at - start + 2], "little")

    def _described(self, at: int, bits: int) -> Instruction:
        """An instruction. A page shows the same ones again and again, while harts stand still."""
        key = (self._vmid, self._hart, at, bits)
        rows: dict[Any, Instruction] = self._names.rows
        if key not in rows:
            if len(rows) >= KEPT_ROWS:
                rows.clear()
            rows[key] = self._row(at, bits)
        return rows[key]

    def _row(self, at: int, bits: int) -> Instruction:
        file, line = self._line(at)
        digits = 2 * instruction_length(bits)
        return {
            "address": text_of(at), "bits": f"{bits:0{digits}x}",
            "text": self._disassembler.text(bits, at), "symbol": self._names.near(self._vmid, at),
            "file": file, "line": line, "source": self._source(file, line),
        }  # fmt: skip

    def _line(self, at: int) -> tuple[str, int]:
        for file in self._files:
            found = _line_at(file, at)
            if found is not None:
                return found
        return "", 0

    def _source(self, file: str, line: int) -> str:
        lines = source_lines(file, self._folders) if file else ()
        return lines[line - 1].rstrip() if 0 < line <= len(lines) else ""


def _line_at(file: DebugFile, at: int) -> tuple[str, int] | None:
    try:
        found = file.line_at(at)
    except DebugInfoError:  # damaged, or none
        return None
    return None if found is None else (found.file, found.line)


@lru_cache(KEPT_SOURCES)
def source_lines(file: str, folders: tuple[Path, ...]) -> tuple[str, ...]:
    """The lines of a source file that DWARF names; none if it is not there. A file that was built
    elsewhere is looked for beside the program, by the end of its path."""
    path = Path(file)
    parts = path.parts[1:] if path.is_absolute() else path.parts
    beside = [folder.joinpath(*parts[n:]) for folder in folders for n in range(len(parts))]
    for one in (path, *beside):
        try:
            if one.is_file() and one.stat().st_size <= LARGEST_SOURCE:
                return tuple(one.read_text(errors="replace").splitlines())
        except OSError:
            continue
    return ()


@method("still")
def code_backtrace(session: Session, hart: int = 0) -> list[Call]:
    """The call stack of a hart's world, and of the host below a guest."""
    machine = session.api.machine
    return [
        {"world": one.world, "pc": text_of(one.pc), "function": one.function,
         "offset": one.offset, "file": one.file, "line": one.line}
        for one in machine.backtrace(hart_of(machine, hart).number)
    ]  # fmt: skip
