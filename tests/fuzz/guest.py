"""Machines for trials: a board with random settings, an image in memory, changes of the state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random

from rvplat.engine.exports import Raised
from rvplat.errors import BusError
from rvplat.hart.state import SLOTS_SIZE
from rvplat.isa.machinery.csr_rows import Csr
from rvplat.machine.boards.toml_tree import Override
from rvplat.machine.loading.loader import Software
from rvplat.machine.loading.program import Program, Segment
from rvplat.machine.machine import Machine
from rvplat.machine.open import open_board
from rvplat.machine.running.hart import Hart
from rvplat.pluginmanager import Plugins, load_plugins
from tests.fuzz.devices import Store
from tests.fuzz.image import BASE, HTIF, ONES, Image
from tests.fuzz.state import NAPOT_ALL, Change

H = "zicsr_zifencei_zicntr_zihpm_sha_smstateen_sstc_svadu_svinval_svnapot_svpbmt"
MORE = "zicbom_zicbop_zicboz_zicond_zihintntl_zihintpause_zicclsm_zawrs_zfa_zba_zbb_zbc_zbs"
# ISA strings of harts, and their weights. Their code has instructions of all extensions.
ISAS = {
    f"rv64imafdch_{H}_{MORE}": 8,
    f"rv64imafdch_{H}_zawrs_zicboz_zicbom_zfa_zbb": 3,
    "rv64imafdch_zicsr_zicntr": 2,
    "rv64imafdch_zicsr_zicntr_svade_zicclsm_zawrs": 2,
    "rv64imac_zicsr_zifencei_svadu_sstc_svinval": 1,
    f"rv64imafdh_{H}_zawrs_zicboz": 1,
}
Settings = dict[str, object]


def settings(rng: Random, harts: int = 1, clock: str = "virtual") -> Settings:
    """Random settings of a board that extends `virt`."""
    found: Settings = {
        "memory": "4M", "harts.count": harts, "clock": clock,
        "harts.isa": rng.choices(list(ISAS), list(ISAS.values()))[0],
        "harts.mmu": rng.choice(["sv39", "sv48", "sv57", "sv57"]),
        "harts.geilen": rng.choice([0, 1, 5, 63]),
        "harts.tinst": rng.choice(["transformed", "zero"]),
        "harts.pmp_entries": rng.choice([16, 16, 16, 0]),
        "devices.virtio0.model": rng.choice(["virtio-rng", "virtio-console", "virtio-mmio"]),
    }  # fmt: skip
    if rng.random() < 0.2:  # a device in RAM
        found |= {"devices.htif.model": "htif", "devices.htif.base": HTIF}
    return found


@cache
def _plugins() -> Plugins:
    return load_plugins(())


def machine(chosen: Settings, image: Image) -> Machine:
    """A machine with the image in its memory."""
    overrides = [Override(tuple(key.split(".")), value, key) for key, value in chosen.items()]
    board, plugins = open_board("virt", overrides, (), _plugins())
    segment = Segment(BASE, bytes(image.data), len(image.data))
    program = Program(Path("a trial"), "raw", (segment,), BASE)
    return Machine(board, Software(program), None, plugins)


def small_pool(made: Machine, pages: int) -> None:
    """Limit decoded code to a few pages, so that the pool is often cleared."""
    for hart in made.harts:
        hart.view.slot_pool_size = SLOTS_SIZE * pages


def csrs_of(hart: Hart) -> list[Csr]:
    """The CSRs of a hart."""
    return list(hart.csrs.values())


def apply(hart: Hart, changes: Iterable[Change]) -> None:
    """Change the hart's state."""
    for what, name, value in changes:
        if what == "csr":
            hart.set_csr(name, value)
        elif what == "x":
            hart.x[int(name)] = value
        elif what == "f":
            hart.f[int(name)] = value
        elif what == "priv":
            enter_machine_mode(hart)
        else:
            hart.pc = value
    hart.waiting = False


def open_memory(hart: Hart) -> None:
    """If the hart has PMP, let every mode access all memory."""
    if "pmpcfg2" in hart.csrs:
        hart.set_csr("pmpaddr15", ONES)
        hart.set_csr("pmpcfg2", NAPOT_ALL << 56)


def touch(machine: Machine, stores: Iterable[Store]) -> None:
    """Store to devices, and ignore stores that they refuse."""
    for address, size, value in stores:
        with contextlib.suppress(BusError):
            machine.bus.write(address, size, value)


def enter_machine_mode(hart: Hart) -> None:
    """Put the hart into M mode with V=0, as a trap would."""
    hart.view.virt = 0
    hart.view.fp_ready = 0
    hart.priv = 3


def readable(hart: Hart) -> None:
    """Read every CSR, as a debugger would."""
    for name in hart.csrs:
        try:
            hart.csr(name)
        except LookupError as error:
            assert isinstance(error.__context__, Raised)
