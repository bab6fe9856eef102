"""What a monitor command is. A plugin adds one by the hook `rvplat_monitors`: an object with
`name`, `help` (its first line is the summary) and `run(target, thread, words, say)`.

A command finds the machine at `target.machine`. Harts may be running: a command that reads or
changes registers or memory does it inside `target.control.quiet()`, where every hart is stopped.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from rvplat.errors import LoaderError
from rvplat.frozen import frozen
from rvplat.gdb.evaluation.bytecode import Evaluator
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import HOST_PID, Thread
from rvplat.gdb.target.machine_target import MachineTarget
from rvplat.hart.debugging.worlds import VMID_MASK
from rvplat.machine.debugging.errors import DebuggingError

Say = Callable[[str], None]


Run = Callable[[MachineTarget, Thread, Sequence[str], Say], None]


class Command(Protocol):
    """A monitor command."""

    @property
    def name(self) -> str: ...

    @property
    def help(self) -> str: ...

    @property
    def run(self) -> Run: ...


@frozen
class BuiltIn:
    """A command that is a function; its docstring is its help."""

    name: str
    help: str
    run: Run


BUILT_IN: dict[str, BuiltIn] = {}


def command(function: Run) -> BuiltIn:
    """Make a function of this name a command."""
    name = function.__name__.rstrip("_")
    lines = [line.removeprefix("    ") for line in (function.__doc__ or "").strip().splitlines()]
    BUILT_IN[name] = BuiltIn(name, "\n".join(lines), function)
    return BUILT_IN[name]


def number(text: str) -> int:
    """A number such as 16 or 0x10. GdbError for another text."""
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


def symbols_for(
    target: MachineTarget, thread: Thread | None, guest: int | None = None
) -> Mapping[str, int]:
    """Addresses by name: the symbols of the guest with a VMID, or of the world that a thread is in,
    and the board's program's where those don't have the name."""
    if guest is None and thread is not None and thread.pid != HOST_PID:
        guest = target.worlds.get(thread.pid).vmid
    try:
        return target.machine.debugged.arguments.symbols(guest)
    except LoaderError as error:
        raise GdbError(str(error)) from None


def address(
    target: MachineTarget, text: str, thread: Thread | None = None, guest: int | None = None
) -> int:
    """An address: a number, a symbol of the guest with a VMID or of the thread's world, or, with a
    thread, an expression without spaces: $pc, $sp+8. GdbError if it is none of these."""
    symbols = symbols_for(target, thread, guest)
    if text[:1].isdigit() and text.isalnum():
        value = number(text)
        if value >> 64:
            raise GdbError(f"{value:#x} has more than 64 bits")
        return value
    if text in symbols:
        return int(symbols[text])
    if thread is not None and not text.isidentifier():
        try:
            code = target.machine.debugged.arguments.compile(text, symbols)
        except DebuggingError as error:
            raise GdbError(str(error)) from None
        return Evaluator(_ThreadState(target, thread), lambda said: None).run(code)
    names = [name for name in symbols if not name.startswith("$")]  # no mapping symbols
    near = difflib.get_close_matches(text, names, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    raise GdbError(f"{text!r} is no number and no known symbol{hint}")


@frozen
class _ThreadState:
    """What expressions read: the registers and the memory of the selected thread."""

    target: MachineTarget
    thread: Thread

    def register(self, number: int) -> int:
        return self.target.read_register(self.thread, number)

    def memory(self, address: int, size: int) -> bytes:
        data = self.target.read_memory(self.thread, address, size)
        if len(data) < size:
            raise GdbError(f"{address + len(data):#x} is not mapped")
        return data


def on_off(words: Sequence[str], now: bool) -> bool:
    """The value of the word on or off; without a word the value now."""
    if not words:
        return now
    if list(words) not in (["on"], ["off"]):
        raise GdbError(f"{' '.join(words)!r}: expected on or off")
    return words[0] == "on"
