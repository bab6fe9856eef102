"""monitor commands, without a client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rvplat.errors import PluginError
from rvplat.gdb.monitor.dispatch import commands
from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.guests import hypervisor_elf
from rvplat.machine.machine import Machine

Ask = Callable[[str], str]


@pytest.fixture
def target(guest: Path) -> Iterator[MonitoredTarget]:
    machine = Machine.open("virt", program=guest)
    found = MonitoredTarget(machine)
    yield found
    found.close()
    machine.close()


@pytest.fixture
def ask(target: MonitoredTarget) -> Ask:
    def run(line: str) -> str:
        said: list[str] = []
        target.monitor(Thread(1, 1), line, said.append)
        return "".join(said)

    return run


def test_help_lists_all_and_explains_each(ask: Ask, target: MonitoredTarget) -> None:
    listed = ask("help").splitlines()
    assert [line.split()[0].rstrip(":") for line in listed] == sorted(commands(target))
    assert all(line.endswith(".") for line in listed), "a line is a whole sentence"
    for name in commands(target):
        assert ask(f"help {name}").startswith(name)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("worlds", "1: host: hart 0 in it now\n"),
        ("stats", "hart 0: 0 instructions\n0 breakpoints, 0 watched pages\n"),
        ("translate 0x80000000", "0x80000000: 0x80000000, ram\n"),
        ("translate 0x10000005", "0x10000005: 0x10000005, uart0\n"),
        ("translate 0x40000000", "0x40000000: 0x40000000, where nothing is\n"),
        ("interrupts", "hart 0: nothing is enabled\n"),
        ("space", "addresses are virtual\n"),
        ("space physical", "addresses are physical\n"),
        ("stepmask on", "interrupts while stepping: masked\n"),
        (
            "reset",
            "the board is reset; to see its registers: maintenance flush register-cache\n",
        ),
        ("devices on", ""),
    ],
)
def test_what_is_said(ask: Ask, line: str, expected: str) -> None:
    assert ask(line) == expected


def test_devices_are_listed(ask: Ask) -> None:
    assert "uart0 (ns16550a)" in ask("devices")


def test_a_walk(ask: Ask) -> None:
    assert "0x80000000" in ask("walk 0x80000000 fetch")


def test_interrupts(ask: Ask, target: MonitoredTarget) -> None:
    hart = target.machine.harts[0]
    for name, value in (("mie", 0x666), ("mip", 0x22), ("mideleg", 0x222), ("hideleg", 0x444)):
        hart.set_csr(name, value)
    assert ask("interrupts").splitlines() == [
        "hart 0:",
        "  SSI: pending and enabled, for S mode",
        "  VSSI: enabled, for VS mode",
        "  STI: pending and enabled, for S mode",
        "  VSTI: enabled, for VS mode",
        "  SEI: enabled, for S mode",
        "  VSEI: enabled, for VS mode",
    ]


def test_statistics_of_guests(tmp_path: Path) -> None:
    machine = Machine.open("virt", program=hypervisor_elf(), settings={"clock": "virtual"})
    machine.run(max_instructions=5_000_000)
    target = MonitoredTarget(machine)
    said: list[str] = []
    target.monitor(Thread(1, 1), "stats", said.append)
    target.close()
    machine.close()
    assert said[0].startswith("hart 0: 4999")
    assert "store guest page" in said[1]
    assert "instructions in guests (VMID 1 " in said[2]


def test_whose_walk_it_is() -> None:
    """gdb 13 doesn't say, before a monitor command, which inferior is selected."""
    machine = Machine.open("virt", program=hypervisor_elf(), settings={"clock": "virtual"})
    machine.run(max_instructions=6_500_000)
    target = MonitoredTarget(machine)
    said: list[str] = []
    for line in ("", " vmid=1", " store vmid=2", " vmid=2 fetch"):
        target.monitor(Thread(1, 1), f"walk 0xffffffc080000100{line}", said.append)
    with pytest.raises(GdbError, match="VMID 3"):
        target.monitor(Thread(1, 1), "walk 0x80000000 vmid=3", said.append)
    target.close()
    machine.close()
    assert [text.splitlines()[0].partition(" mode, ")[2] for text in said] == [
        "host", "guest with VMID 1", "guest with VMID 2", "guest with VMID 2",
    ]  # fmt: skip
    assert [text.split()[0] for text in said] == ["load", "load", "store", "fetch"]


def test_symbols_are_addresses(ask: Ask, target: MonitoredTarget) -> None:
    at = target.machine.symbols["work"]
    assert ask("translate work") == f"{at:#x}: {at:#x}, ram\n"
    assert f"{at:#x}" in ask("walk work fetch")


def test_settings_are_a_clients(ask: Ask, target: MonitoredTarget) -> None:
    for line in ("space physical", "devices on", "stepmask on"):
        ask(line)
    target.detach()
    target.attach()
    assert ask("space") == "addresses are virtual\n"
    assert ask("devices").endswith("device registers: off\n")
    assert ask("stepmask") == "interrupts while stepping: taken\n"


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
        ("translate x", "'x' is no number and no known symbol"),
        ("translate 0x", "'0x' is not a number: write 4096 or 0x1000"),
        ("walk 99999999999999999999", "0x56bc75e2d630fffff has more than 64 bits"),
        ("devices maybe", "'maybe': expected on or off"),
        ("space here", "'here': expected virtual, guest-physical or physical"),
        ("walk", "expected walk ADDRESS [load|store|fetch] [vmid=N]"),
        ("walk 1 jump", "expected walk ADDRESS [load|store|fetch] [vmid=N]"),
        ("walk 1 vmid=1 vmid=2", "expected walk ADDRESS [load|store|fetch] [vmid=N]"),
        ("walk 1 vmid=16384", "vmid=16384: expected 0 to 16383"),
        ("interrupts off", "'off': interrupts takes nothing"),
        ("snapshot", "'': expected snapshot save NAME, snapshot load NAME or snapshot list"),
        ("snapshot load x", "no snapshot 'x': monitor snapshot list lists those in memory"),
        ("snapshot load ./x", f"{Path('x').resolve()}: No such file or directory"),
        ("reset hart 1", "'hart 1': expected reset, or reset halt, init or run"),
    ],
)
def test_what_cant_be_done(ask: Ask, line: str, problem: str) -> None:
    with pytest.raises(GdbError) as error:
        ask(line)
    assert str(error.value) == problem


def test_snapshots(ask: Ask, target: MonitoredTarget, tmp_path: Path) -> None:
    hart = target.machine.harts[0]
    assert ask("snapshot list") == "no snapshots in memory\n"
    pc = hart.pc
    assert ask("snapshot save here") == "saved as here\n"
    file = tmp_path / "later.snap"
    hart.pc, hart.x["s3"] = pc + 8, 77
    assert ask(f"snapshot save {file}") == f"saved to {file}\n"
    assert ask("snapshot list") == f"here: hart 0 at {pc:#x}\n"
    said = "to see its registers: maintenance flush register-cache\n"
    assert ask("snapshot load here") == f"the board is as in here; {said}"
    assert (hart.pc, hart.x["s3"]) == (pc, 0)
    assert ask(f"snapshot load {file}") == f"the board is as in {file}; {said}"
    assert (hart.pc, hart.x["s3"]) == (pc + 8, 77)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(GdbError, match="a torn snapshot: it ends early"):
        ask(f"snapshot load {file}")


def test_a_plugins_command(ask: Ask, target: MonitoredTarget) -> None:
    def run(
        target: MonitoredTarget, thread: Thread, words: list[str], say: Callable[[str], None]
    ) -> None:
        if words:
            raise KeyError(words[0])
        say(f"lamp of hart {thread.tid - 1}\n")

    lamp = SimpleNamespace(name="lamp", help="lamp: the lamp", run=run)
    plugins: Any = SimpleNamespace(monitors={"lamp": lamp})
    target.machine.plugins = plugins
    assert ask("lamp") == "lamp of hart 0\n"
    assert "lamp: the lamp" in ask("help")
    with pytest.raises(GdbError, match="monitor lamp raised KeyError: 'x'"):
        ask("lamp x")
    assert [one.operation for one in target.machine.failures] == ["monitor lamp"]


EGGS = Path(__file__).parents[2] / "plugins/examples/egg_timer.py"


def test_the_hook_of_plugins(guest: Path) -> None:
    """The command of a plugin that is loaded as any user's is."""
    settings = {"devices.egg.model": "egg-timer", "devices.egg.base": 0x3000_0000,
                "devices.egg.interrupts": [40]}  # fmt: skip
    with Machine.open("virt", guest, plugin_paths=[EGGS], settings=settings) as machine:
        target = MonitoredTarget(machine)
        said: list[str] = []
        for line in ("eggs", "help eggs", "help"):
            target.monitor(Thread(1, 1), line, said.append)
        target.close()
    assert said[:2] == ["egg: 0\n", "eggs: the egg timers, and the ticks that they have left\n"]
    assert said[1] in said[2:]


def test_a_plugin_may_not_take_our_names(guest: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "walker.py"
    plugin.write_text(EGGS.read_text().replace('name = "eggs"', 'name = "walk"'))
    machine = Machine.open("virt", guest, plugin_paths=[plugin])
    with machine, pytest.raises(PluginError) as error:
        MonitoredTarget(machine)
    assert str(error.value) == "plugin walker: monitor command 'walk' is rvplat's own"
