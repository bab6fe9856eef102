"""monitor commands. A plugin adds one by the hook `rvplat_monitors`: an object with `name`, `help`
(its first line is the summary) and `run(target, thread, words, say)`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rvplat.gdb.errors import GdbError
from rvplat.gdb.target import Thread

if TYPE_CHECKING:
    from rvplat.gdb.board import BoardTarget

Say = Callable[[str], None]
Run = Callable[["BoardTarget", Thread, Sequence[str], Say], None]


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


def command(function: Run) -> Run:
    """Enter a function of this name."""
    name = function.__name__.rstrip("_")
    lines = [line.strip() for line in (function.__doc__ or "").strip().splitlines()]
    BUILT_IN[name] = BuiltIn(name, "\n".join(lines), function)
    return function


def commands(target: BoardTarget) -> dict[str, Command]:
    """Every command by name: ours, then the plugins'."""
    from rvplat.gdb import monitor_commands  # noqa: F401

    known: dict[str, Command] = dict(BUILT_IN)
    known.update(target.commands)
    return known


def run(target: BoardTarget, thread: Thread, line: str, say: Say) -> None:
    """Do what a line says. GdbError if it can't be done."""
    words = line.split()
    if not words:
        words = ["help"]
    known = commands(target)
    chosen = known.get(words[0])
    if chosen is None:
        near = difflib.get_close_matches(words[0], list(known), n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        raise GdbError(f"unknown monitor command {words[0]!r}{hint} (monitor help lists them)")
    try:
        chosen.run(target, thread, words[1:], say)
    except GdbError:
        raise
    except Exception as error:
        if words[0] in BUILT_IN:
            raise
        raise GdbError(f"monitor {words[0]} raised {type(error).__name__}: {error}") from error


def number(text: str) -> int:
    """A number as Python writes them: 16, 0x10. GdbError if it is none."""
    try:
        return int(text, 0)
    except ValueError:
        raise GdbError(f"{text!r} is not a number: write 4096 or 0x1000") from None


def on_off(words: Sequence[str], now: bool) -> bool:
    """`on` or `off`; nothing asks for what it is now."""
    if not words:
        return now
    if list(words) not in (["on"], ["off"]):
        raise GdbError(f"{' '.join(words)!r}: expected on or off")
    return words[0] == "on"
