"""The devices, memory and interrupt wires that are built from a board."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat.bus import HostClock, VirtualClock
from rvplat.errors import BusError, DeviceError, PluginError
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.check import build_board
from rvplat.machine.boards.toml_tree import parse_override, read_board
from rvplat.machine.running.assembly import Assembly, Ports, assemble
from rvplat.machine.running.console import HostConsole

PORTS = Ports(lambda *_: None, lambda *_: None, lambda *_: None, lambda: ())


def build(catalogue: Catalogue, name: str, *overrides: str, **how: object) -> Assembly:
    parsed = [parse_override(one) for one in overrides]
    board = build_board(read_board(name, (Path(),), parsed), catalogue)
    return assemble(board, PORTS, **how)  # type: ignore[arg-type]


def test_devices_answer_where_the_board_says(board_folder: Path, catalogue: Catalogue) -> None:
    built = build(catalogue, "ok_plain")
    built.map.write(0x1000_0000, 1, 0x41)
    assert built.devices["uart0"].read(0, 1) == 0x41
    assert built.map.read(0x1000_0000, 1) == 0x41
    built.map.write(0x1_0000_0000, 8, 7)
    assert built.memory.read_int(0x1_0000_0000, 8) == 7
    with pytest.raises(BusError):
        built.map.read(0x2000_0000, 4)
    assert built.devices["uart0"].wiring.harts == 2
    assert isinstance(built.clock, HostClock)
    assert built.clock.frequency == 1_000_000
    built.close()


def test_lines_reach_their_controller(board_folder: Path, catalogue: Catalogue) -> None:
    built = build(
        catalogue, "ok_plain",
        'devices.intc2={model="intc", base=0xd00_0000}',
        "devices.uart0.controller=intc",
        "devices.disk.controller=intc2",
    )  # fmt: skip
    for name in ("uart0", "disk"):
        built.devices[name].lines["irq"].set(True)
    assert built.devices["intc"].inputs == {10: True}  # type: ignore[attr-defined]
    assert built.devices["intc2"].inputs == {1: True}  # type: ignore[attr-defined]
    built.close()


def test_the_terminal_is_on_chosen_stdout(board_folder: Path, catalogue: Catalogue) -> None:
    console = HostConsole()
    built = build(
        catalogue, "ok_plain",
        'devices.uart1={model="uart", base=0x1000_8000}', "chosen.stdout=uart1",
        console=console,
    )  # fmt: skip
    assert built.console is console
    assert built.devices["uart1"].wiring.console is console
    assert built.consoles["uart0"] is not console
    assert built.lock is console.lock
    assert {device.wiring.lock for device in built.devices.values()} == {console.lock}
    built.close()


def test_without_stdout_it_is_on_the_first_that_can(
    board_folder: Path, catalogue: Catalogue
) -> None:
    built = build(catalogue, "ok_carved", 'devices.uart1={model="uart", base=0x1000_8000}')
    assert built.devices["htif"].wiring.console is built.console
    assert built.devices["uart1"].wiring.console is not built.console
    built.close()


def test_a_device_at_the_programs_symbols(board_folder: Path, catalogue: Catalogue) -> None:
    symbols = {"tohost": 0x8000_1040, "fromhost": 0x8000_1000, "main": 1}
    built = build(catalogue, "ok_carved", symbols=symbols)
    htif = built.devices["htif"]
    assert (htif.settings.tohost, htif.settings.fromhost, htif.settings.window) == (0x40, 0, 0x48)
    window = built.map.window_at(0x8000_1047)
    assert window is not None
    assert (window[0].base, window[0].size, window[1]) == (0x8000_1000, 0x48, htif)
    assert built.map.window_at(0x8000_1048) is None
    assert htif.wiring.backing is not None
    htif.wiring.backing[:4] = b"abcd"
    assert built.memory.read(0x8000_1000, 4) == b"abcd"
    built.close()


def test_a_program_without_the_symbols_has_no_such_device(
    board_folder: Path, catalogue: Catalogue
) -> None:
    built = build(catalogue, "ok_carved", symbols={"main": 0x8000_0000})
    assert built.map.windows == []
    built.close()


def test_a_virtual_clock(board_folder: Path, catalogue: Catalogue) -> None:
    built = build(catalogue, "ok_extends")
    assert isinstance(built.clock, VirtualClock)
    built.close()


def test_a_device_that_raises_is_named(board_folder: Path, catalogue: Catalogue) -> None:
    with pytest.raises(PluginError) as error:
        build(catalogue, "ok_plain", 'devices.x={model="broken", base=0x1000_8000}')
    text = str(error.value)
    assert text.startswith(
        "plugin tests.machine.conftest: broken raised while building devices.x: "
        "KeyError('nothing')\nTraceback"
    )
    assert text.endswith("raise KeyError(\"nothing\")\nKeyError: 'nothing'")


def test_two_devices_that_say_the_same(board_folder: Path, catalogue: Catalogue) -> None:
    built = build(catalogue, "ok_carved", 'devices.more={model="htif"}')
    with pytest.raises(DeviceError) as error:
        built.device_tree()
    assert str(error.value) == (
        "devices.more: its device tree: node '/' already has a child 'htif'"
    )
    built.close()


def test_reset_and_close(board_folder: Path, catalogue: Catalogue) -> None:
    built = build(catalogue, "ok_plain")
    built.map.write(0x1000_0000, 1, 0x41)
    built.reset()
    assert built.map.read(0x1000_0000, 1) == 0
    built.close()
    built.close()
