"""What a monitor command is. A plugin adds one by the hook `rvplat_monitors`: an object with
`name`, `help` (its first line is the summary) and `run(board, thread, words, say)`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rvplat.errors import LoaderError
from rvplat.gdb.evaluation.bytecode import Runner
from rvplat.gdb.evaluation.expressions import compile_expression
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.target.hart_control import Control
from rvplat.gdb.target.interfaces import HOST_PID, Process, Thread
from rvplat.gdb.target.registers import Registers
from rvplat.gdb.target.stop_conditions import Stops
from rvplat.gdb.target.world_memory import Sight
from rvplat.gdb.target.worlds import WorldTable
from rvplat.hart.debugging.worlds import VMID_MASK
from rvplat.machine.inspection.mappings import Mapping as Range
from rvplat.machine.loading.symbol_files import symbols_of
from rvplat.machine.machine import Machine

Say = Callable[[str], None]


class Board(Protocol):
    """What commands may use of the board that is debugged. Its harts are still while registers or
    memory are looked at: inside `control.quiet()`, where they may be running."""

    machine: Machine
    control: Control
    registers: Registers
    sight: Sight
    worlds: WorldTable
    stops: Stops
    masked: bool  # interrupts, while stepping
    commands: Mapping[str, Command]  # the plugins'

    def processes(self) -> Sequence[Process]:
        """The worlds, and which harts are in them."""
        ...

    def look_up(self, thread: Thread, va: int) -> int | None:
        """The physical address of a virtual one in a thread's world; None: not mapped."""
        ...

    def say(self, text: str) -> None:
        """Text for the client's user when something runs; from any thread."""
        ...

    def read_register(self, thread: Thread, number: int) -> int:
        """A register of a thread's, by gdb's number."""
        ...

    def read_memory(self, thread: Thread, address: int, length: int) -> bytes:
        """Memory as a thread's world has it, as much as can be read."""
        ...

    def mappings(self, thread: Thread) -> Sequence[Range]:
        """What the page tables of a thread's world map."""
        ...

    def power_off(self) -> None:
        """Power the board off; the client is told when it next lets it run."""
        ...

    def restart(self) -> None:
        """Power-on reset; every hart is stopped."""
        ...


Run = Callable[[Board, Thread, Sequence[str], Say], None]


class Command(Protocol):
    """A monitor command."""

    @property
    def name(self) -> str: ...

    @property
    def help(self) -> str: ...

    @property
    def run(self) -> Run: ...


@dataclass(frozen=True)
class BuiltIn:
    """A command that is a function; its docstring is its help."""

    name: str
    help: str
    run: Run


BUILT_IN: dict[str, BuiltIn] = {}


def command(function: Run) -> BuiltIn:
    """Enter a function of this name."""
    name = function.__name__.rstrip("_")
    lines = [line.removeprefix("    ") for line in (function.__doc__ or "").strip().splitlines()]
    BUILT_IN[name] = BuiltIn(name, "\n".join(lines), function)
    return BUILT_IN[name]


def number(text: str) -> int:
    """A number as Python writes them: 16, 0x10. GdbError if it is none."""
    try:
        return int(text, 0)
    except ValueError:
        raise GdbError(f"{text!r} is not a number: write 4096 or 0x1000") from None


def within(key: str, text: str, most: int) -> int:
    """The number of KEY=NUMBER. GdbError if it is more than `most`."""
    value = number(text)
    if not 0 <= value <= most:
        raise GdbError(f"{key}={text}: expected 0 to {most}")
    return value


def vmid(text: str) -> int:
    """The number of vmid=NUMBER."""
    return within("vmid", text, VMID_MASK)


def symbols_for(board: Board, thread: Thread | None, guest: int | None = None) -> Mapping[str, int]:
    """Addresses by name: the symbols of the guest with a VMID, or of the world that a thread is in,
    and the board's program's where those don't have the name."""
    if guest is None and thread is not None and thread.pid != HOST_PID:
        guest = board.worlds.get(thread.pid).vmid
    try:
        host = symbols_of(board.machine.software, None)
        return host if guest is None else {**host, **symbols_of(board.machine.software, guest)}
    except LoaderError as error:
        raise GdbError(str(error)) from None


def address(board: Board, text: str, thread: Thread | None = None, guest: int | None = None) -> int:
    """An address: a number, a symbol of the guest with a VMID or of the thread's world, or, where
    registers are a thread's, an expression without spaces: $pc, $sp+8. GdbError if it is none of
    these."""
    symbols = symbols_for(board, thread, guest)
    if text[:1].isdigit() and text.isalnum():
        value = number(text)
        if value >> 64:
            raise GdbError(f"{value:#x} has more than 64 bits")
        return value
    if text in symbols:
        return int(symbols[text])
    if thread is not None and not text.isidentifier():
        code = compile_expression(text, board.registers.named, symbols)
        return Runner(_Eyes(board, thread), lambda said: None).run(code)
    names = [name for name in symbols if not name.startswith("$")]  # no mapping symbols
    near = difflib.get_close_matches(text, names, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    raise GdbError(f"{text!r} is no number and no known symbol{hint}")


@dataclass(frozen=True)
class _Eyes:
    """What an expression sees: the selected thread."""

    board: Board
    thread: Thread

    def register(self, number: int) -> int:
        return self.board.read_register(self.thread, number)

    def memory(self, address: int, size: int) -> bytes:
        data = self.board.read_memory(self.thread, address, size)
        if len(data) < size:
            raise GdbError(f"{address + len(data):#x} is not mapped")
        return data


def on_off(words: Sequence[str], now: bool) -> bool:
    """`on` or `off`; nothing asks for what it is now."""
    if not words:
        return now
    if list(words) not in (["on"], ["off"]):
        raise GdbError(f"{' '.join(words)!r}: expected on or off")
    return words[0] == "on"
