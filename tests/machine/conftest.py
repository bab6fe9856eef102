"""A small catalogue of models and extensions, so that messages don't depend on what is shipped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from rvplat.bus import Device, FdtNode, InterruptController, Register, setting
from rvplat.isa.machinery.extension import Extension
from rvplat.machine.boards.catalogue import Catalogue

BOARDS = Path(__file__).parent / "board_files"


@dataclass(frozen=True)
class UartSettings:
    clock_frequency: int = setting("input clock in Hz", 3_686_400, minimum=1)
    parity: Literal["none", "even", "odd"] = setting("parity", "none")


class Uart(Device):
    """A UART."""

    model = "uart"
    compatible = ("ns16550a",)
    node_name = "serial"
    size = 0x100
    interrupts = ("irq",)
    settings_type = UartSettings
    uses_console = True
    registers = (Register(0, "DATA", "DATA[7:0]", width=1),)

    def fdt(self, node: FdtNode) -> None:
        node.set("clock-frequency", self.settings.clock_frequency)


@dataclass(frozen=True)
class IntcSettings:
    sources: int = setting("number of sources", 31, minimum=1, maximum=1023)


class Intc(InterruptController):
    """An interrupt controller that remembers its inputs."""

    model = "intc"
    compatible = ("sifive,plic-1.0.0",)
    node_name = "plic"
    size = 0x60_0000
    settings_type = IntcSettings

    def setup(self) -> None:
        self.inputs: dict[int, bool] = {}

    @classmethod
    def sources(cls, settings: IntcSettings) -> range:
        return range(1, settings.sources + 1)

    def set_input(self, number: int, level: bool) -> None:
        self.inputs[number] = level

    def fdt(self, node: FdtNode) -> None:
        node.set("riscv,ndev", self.settings.sources)
        node.set("interrupts-extended", *node.hart_interrupts(11, 9))


@dataclass(frozen=True)
class DiskSettings:
    image: Path = setting("the image")
    readonly: bool = setting("whether writes are refused", False)


class Disk(Device):
    """A disk."""

    model = "disk"
    compatible = ("virtio,mmio",)
    size = 0x1000
    interrupts = ("irq",)
    settings_type = DiskSettings


@dataclass(frozen=True)
class HtifSettings:
    window: int = setting("bytes", 0x10, minimum=16)
    tohost: int = setting("offset", 0, minimum=0)
    fromhost: int = setting("offset", 8, minimum=0)


class Htif(Device):
    """Two words in RAM."""

    model = "htif"
    compatible = ("ucb,htif0",)
    node_has_reg = False
    uses_console = True
    settings_type = HtifSettings

    @classmethod
    def window(cls, settings: HtifSettings) -> int:
        return settings.window


class Broken(Device):
    """A device whose own code raises."""

    model = "broken"
    size = 0x1000

    def setup(self) -> None:
        raise KeyError("nothing")


def _extension(name: str, standing: Literal["ratified", "frozen", "draft"] = "ratified",
               requires: tuple[str, ...] = ()) -> Extension:  # fmt: skip
    return Extension(name, "1.0", standing, f"title of {name}", requires)


EXTENSIONS = [
    *(_extension(name) for name in ("Sm", "S", "U", "I", "M", "A", "C", "Zicsr", "Zifencei")),
    _extension("F", requires=("Zicsr",)),
    _extension("D", requires=("F",)),
    _extension("Zicbom"),
    _extension("Zicboz"),
    _extension("Zba"),
    _extension("Svinval"),
    _extension("Sv39"),
    _extension("H", requires=("Sv39",)),
    _extension("Zdraft", "draft"),
]


@pytest.fixture
def catalogue() -> Catalogue:
    models: list[type[Device]] = [Uart, Intc, Disk, Htif, Broken]
    return Catalogue(
        {model.model: model for model in models},
        {extension.name: extension for extension in EXTENSIONS},
        (BOARDS,),
    )


@pytest.fixture
def board_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the folder with the boards the working folder, so that messages have no folder."""
    monkeypatch.chdir(BOARDS)
    return BOARDS
