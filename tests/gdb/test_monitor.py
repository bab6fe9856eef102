"""monitor commands, without a client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from rvplat.gdb.board import BoardTarget
from rvplat.gdb.errors import GdbError
from rvplat.gdb.monitor.dispatch import commands
from rvplat.gdb.target import Thread
from rvplat.machine.machine import Machine

Ask = Callable[[str], str]


@pytest.fixture
def target(guest: Path) -> Iterator[BoardTarget]:
    machine = Machine.open("virt", program=guest)
    found = BoardTarget(machine)
    yield found
    found.close()
    machine.close()


@pytest.fixture
def ask(target: BoardTarget) -> Ask:
    def run(line: str) -> str:
        said: list[str] = []
        target.monitor(Thread(1, 1), line, said.append)
        return "".join(said)

    return run


def test_help_lists_all_and_explains_each(ask: Ask, target: BoardTarget) -> None:
    listed = ask("help").splitlines()
    assert [line.split()[0].rstrip(":") for line in listed] == sorted(commands(target))
    for name in commands(target):
        assert ask(f"help {name}").startswith(name)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("worlds", "1: host: hart 0 in it now\n"),
        ("stats", "hart 0: 0 instructions retired\n0 breakpoints\n"),
        ("translate 0x80000000", "0x80000000: 0x80000000\n"),
        ("space", "addresses are virtual\n"),
        ("space physical", "addresses are physical\n"),
        ("stepmask on", "interrupts while stepping: masked\n"),
        ("reset", "the board is out of reset\n"),
        ("devices on", ""),
    ],
)
def test_what_is_said(ask: Ask, line: str, expected: str) -> None:
    assert ask(line) == expected


def test_devices_are_listed(ask: Ask) -> None:
    assert "uart0 (ns16550a)" in ask("devices")


def test_a_walk(ask: Ask) -> None:
    assert "0x80000000" in ask("walk 0x80000000 fetch")


def test_interrupts(ask: Ask) -> None:
    assert ask("interrupts").startswith("hart 0: pending: ")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "hlep",
            "unknown monitor command 'hlep'; did you mean \"help\"? (monitor help lists them)",
        ),
        (
            "help nobody",
            "unknown monitor command 'nobody' (monitor help lists them)",
        ),
        ("translate", "expected translate ADDRESS"),
        ("translate x", "'x' is not a number: write 4096 or 0x1000"),
        ("devices maybe", "'maybe': expected on or off"),
        ("space here", "'here': expected virtual, guest-physical or physical"),
        ("walk", "expected walk ADDRESS [load|store|fetch]"),
        ("walk 1 jump", "expected walk ADDRESS [load|store|fetch]"),
    ],
)
def test_what_cant_be_done(ask: Ask, line: str, problem: str) -> None:
    with pytest.raises(GdbError) as error:
        ask(line)
    assert str(error.value) == problem


def test_a_plugins_command(ask: Ask, target: BoardTarget) -> None:
    def run(
        target: BoardTarget, thread: Thread, words: list[str], say: Callable[[str], None]
    ) -> None:
        if words:
            raise KeyError(words[0])
        say(f"lamp of hart {thread.tid - 1}\n")

    target.commands = {"lamp": SimpleNamespace(name="lamp", help="lamp: the lamp", run=run)}
    assert ask("lamp") == "lamp of hart 0\n"
    assert "lamp: the lamp" in ask("help")
    with pytest.raises(GdbError, match="monitor lamp raised KeyError: 'x'"):
        ask("lamp x")
