"""Boards that name plugins."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat.errors import BoardError, PluginError
from rvplat.machine.boards.toml_tree import parse_override
from rvplat.machine.loading.fdt_text import to_dts
from rvplat.machine.open import faults_of, open_board, tree_of

LAMP = '''
from dataclasses import dataclass
from rvplat.bus import Device, Register, setting
from rvplat.hookspecs import hookimpl

@dataclass(frozen=True)
class LampSettings:
    colour: str = setting("the colour", "white")

class Lamp(Device):
    """A lamp."""
    model = "open_lamp"
    compatible = ("example,lamp",)
    size = 0x100
    settings_type = LampSettings
    registers = (Register(0, "ON", "ON[0] -[7:1]", width=1),)

    def fdt(self, node):
        node.set("colour", self.settings.colour)

@hookimpl
def rvplat_devices():
    return [Lamp]
'''
BOARD = """\
extends = "minimal"
plugins = ["open_lamp.py"]

[devices.lamp]
model = "open_lamp"
base = 0x1000_9000
colour = "red"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "open_lamp.py").write_text(LAMP)
    (tmp_path / "mine.toml").write_text(BOARD)
    return tmp_path


def test_a_board_with_a_plugin_beside_it(folder: Path) -> None:
    board, plugins = open_board(str(folder / "mine.toml"))
    assert "open_lamp" in plugins.devices
    assert board.devices["lamp"].settings.colour == "red"
    assert 'colour = "red";' in to_dts(tree_of(board))


def test_a_plugin_of_the_command_line_and_of_the_board(folder: Path) -> None:
    found = faults_of(str(folder / "mine.toml"), plugin_paths=[folder / "open_lamp.py"])
    assert found == []


def test_a_board_over_it_brings_the_plugin(folder: Path) -> None:
    above = folder / "sub" / "above.toml"
    above.parent.mkdir()
    above.write_text('extends = "../mine.toml"\n')
    assert faults_of(str(above), [parse_override("devices.lamp.colour=blue")]) == []


def test_a_plugin_that_is_missing_is_one_fault_of_several(folder: Path) -> None:
    path = folder / "mine.toml"
    path.write_text(BOARD.replace("open_lamp.py", "lamp.py").replace("0x1000_9000", "0x1001"))
    with pytest.raises(BoardError) as error:
        open_board(str(path))
    first, second = str(error.value).splitlines()
    assert first == f'{path}:2: plugins: found no file "lamp.py", expected a Python file or package'
    assert second.startswith(f'{path}:5: devices.lamp.model: found the unknown model "open_lamp"')


def test_a_plugin_that_raises_is_named(folder: Path) -> None:
    (folder / "open_lamp.py").write_text("1 / 0\n")
    with pytest.raises(PluginError) as error:
        open_board(str(folder / "mine.toml"))
    assert str(error.value).startswith("plugin open_lamp: raised while it was loaded: ZeroDivision")


def test_a_disk_in_a_slot_of_virt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("disk.img").write_bytes(bytes(4096))
    overrides = [
        parse_override("devices.virtio3.model=virtio-blk"),
        parse_override("devices.virtio3.image=disk.img"),
    ]
    device = open_board("virt", overrides)[0].devices["virtio3"]
    assert (device.base, device.interrupts) == (0x1000_4000, (4,))
    assert device.settings.image == Path("disk.img")
    faults = faults_of("virt", [*overrides[:1], parse_override("devices.virtio3.imgae=disk.img")])
    assert [str(one) for one in faults if one.key.endswith("imgae")] == [
        "--set devices.virtio3.imgae=disk.img: devices.virtio3.imgae: found an unknown key "
        '"imgae", expected one of base, controller, force_legacy, image, interrupts, model, '
        'overlay, raw, readonly, serial, snapshot; did you mean "image"?'
    ]
