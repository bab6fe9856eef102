"""The classes of a checked board. Their fields are the keys of its TOML file:

    extends = "virt"                  # build on another board
    remove = ["devices.rtc"]          # ... without this
    plugins = ["lamp.py"]             # Python files beside the board

    [harts]
    count = 2

    [devices.lamp]
    model = "lamp"
    base = 0x1000_9000
    interrupts = [12]
    colour = "red"

A device key that `Connection` lacks is a setting of the device's model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rvplat.bus.settings import setting
from rvplat.frozen import frozen
from rvplat.isa.privileged import PAGE_BYTES, EnvCfg
from rvplat.machine.boards.board_faults import Place
from rvplat.machine.boards.isa_string import MODES, PMP, TRANSLATION, xlen_of
from rvplat.machine.boards.schema import Size

if TYPE_CHECKING:
    from rvplat.bus.device import Device
    from rvplat.isa.machinery.extension import Extension

MAX_HARTS = 8
MAX_MEMORIES = 8
#: Physical addresses have 56 bits (privileged specification, "Sv39: Page-Based ...").
LAST_ADDRESS = (1 << 56) - 1
RESET_CODE_BYTES = 48

Mmu = Literal["bare", "sv32", "sv39", "sv48", "sv57"]
MenvcfgField = Literal["ADUE", "PBMTE"]
#: The extension that adds each of these fields of menvcfg.
MENVCFG_EXTENSIONS = {"ADUE": "Svadu", "PBMTE": "Svpbmt"}
Tinst = Literal["transformed", "zero"]
Regions = Literal["off", "hot", "all"]
MAX_GEILEN = 63
LAST_HANDLER = (1 << 64) - 4
MIN_VLEN, MAX_VLEN = 128, 1024
MAX_PMP = 16
#: ASIDLEN and VMIDLEN by XLEN ("Supervisor Address Translation and Protection (satp) Register",
#: "Hypervisor Guest Address Translation and Protection (hgatp) Register").
MOST_ASID_BITS, MOST_VMID_BITS = {32: 9, 64: 16}, {32: 7, 64: 14}


def has_vectors(extensions: Iterable[Extension]) -> bool:
    """Whether harts with these extensions have vector registers."""
    return any(extension.name == "Zve32x" for extension in extensions)


def least_vlen(extensions: Iterable[Extension]) -> int:
    """The least VLEN that the extensions allow, in bits; 0 for no minimum."""
    found = (re.fullmatch(r"Zvl(\d+)b", extension.name) for extension in extensions)
    return max((int(one[1]) for one in found if one), default=0)


@frozen
class Harts:
    """The harts of a board. A hart may differ from the others by a table of its own."""

    isa: str = setting(
        'the ISA string, such as "rv64imafdc_zicsr_zifencei", or a profile with or without further '
        'extensions, such as "rva22s64_v"; a name brings what it requires with it: zve32f brings '
        "zve32x and f"
    )
    count: int = setting("how many harts", 1, minimum=1, maximum=MAX_HARTS)
    mmu: Mmu | None = setting(
        "the largest translation scheme; it includes the smaller ones; without this key sv57, and "
        "sv32 on RV32",
        None,
    )
    pmp_entries: int = setting(
        "entries of physical memory protection; the CSRs of further entries, up to 16, are "
        "read-only zero, and with 0 there are none",
        MAX_PMP, minimum=0, maximum=MAX_PMP,
    )  # fmt: skip
    asid_bits: int | None = setting(
        "the bits of an ASID that can be written, ASIDLEN; without this key 16, and 9 on RV32",
        None, minimum=0, maximum=16,
    )  # fmt: skip
    vmid_bits: int | None = setting(
        "the bits of a VMID that can be written, VMIDLEN (H); without this key 14, and 7 on RV32",
        None, minimum=0, maximum=14,
    )  # fmt: skip
    absent_csrs: tuple[str, ...] = setting(
        "CSRs that the harts lack though their extensions have them", ()
    )
    vlen: int | None = setting(
        "bits of a vector register, a power of two; without this key as many as the ISA string "
        "demands, at least 128",
        None, minimum=MIN_VLEN, maximum=MAX_VLEN,
    )  # fmt: skip
    geilen: int = setting("guest external interrupts (H)", 0, minimum=0, maximum=MAX_GEILEN)
    tinst: Tinst = setting(
        "the value of htinst and mtinst for an explicit access (H)", "transformed"
    )
    rnmi_handler: int | None = setting(
        "where the handler of resumable non-maskable interrupts is (Smrnmi), a multiple of 4; "
        "without this key at the BASE of mtvec",
        None, minimum=0, maximum=LAST_HANDLER,
    )  # fmt: skip
    rnmi_exception_handler: int | None = setting(
        "where the handler of exceptions in M mode is while mnstatus.NMIE is clear (Smrnmi), a "
        "multiple of 4; without this key at the BASE of mtvec",
        None, minimum=0, maximum=LAST_HANDLER,
    )  # fmt: skip
    menvcfg: tuple[MenvcfgField, ...] | None = setting(
        "the fields of menvcfg that are set after a reset; without this key PBMTE if the ISA "
        "string has svpbmt, and ADUE if it has svadu and not svade: with both, page tables "
        "without A and D fault until software sets ADUE; a board or option that replaces the ISA "
        "string of another board drops that board's value",
        None,
    )
    seed: int | None = setting(
        "the seed of the entropy source (Zkr): its numbers are then the same in every run; without "
        "this key they are random, but with a virtual clock the seed is 0",
        None, minimum=0, maximum=(1 << 64) - 1,
    )  # fmt: skip
    regions: Regions = setting(
        "which guest code becomes native code of the host while it runs: none, hot code, or all "
        "code when it is first executed, which is for tests and slow",
        "hot",
    )
    allow_draft: bool = setting("whether the ISA string may name extensions that are drafts", False)

    @property
    def xlen(self) -> int:
        """The bits of an integer register: 32 or 64."""
        return xlen_of(self.isa)

    @property
    def translation(self) -> Mmu:
        """The largest translation scheme."""
        return self.mmu or ("sv32" if self.xlen == 32 else "sv57")

    @property
    def privileged(self) -> tuple[str, ...]:
        """The extensions that the other keys stand for: modes, translation, protection."""
        pmp = [PMP] if self.pmp_entries else []
        return ("I", *MODES, TRANSLATION[self.translation], *pmp)


@frozen
class HartChanges:
    """What hart N has instead of what `[harts]` says: `[harts.0]` is hart 0's table."""

    isa: str | None = setting("its ISA string, of the same XLEN, or a profile", None)
    mmu: Mmu | None = setting("its largest translation scheme", None)
    pmp_entries: int | None = setting(
        "its entries of physical memory protection", None, minimum=0, maximum=MAX_PMP
    )
    asid_bits: int | None = setting("its ASIDLEN", None, minimum=0, maximum=16)
    vmid_bits: int | None = setting("its VMIDLEN (H)", None, minimum=0, maximum=14)
    vlen: int | None = setting(
        "bits of its vector registers", None, minimum=MIN_VLEN, maximum=MAX_VLEN
    )
    rnmi_handler: int | None = setting(
        "where its handler of RNMIs is (Smrnmi)", None, minimum=0, maximum=LAST_HANDLER
    )
    rnmi_exception_handler: int | None = setting(
        "where its handler of exceptions in M mode is while mnstatus.NMIE is clear (Smrnmi)",
        None, minimum=0, maximum=LAST_HANDLER,
    )  # fmt: skip
    absent_csrs: tuple[str, ...] | None = setting("CSRs that it lacks", None)

    def applied(self, harts: Harts) -> Harts:
        """What the hart has."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(harts, **{name: one for name, one in own.items() if one is not None})


@frozen
class OneHart:
    """What a hart has: `[harts]`, with the changes of the hart's own table, and its extensions."""

    number: int
    harts: Harts
    extensions: tuple[Extension, ...]

    @property
    def vlen(self) -> int:
        """The bits of a vector register; 0 if it has none."""
        if not has_vectors(self.extensions):
            return 0
        return max(self.harts.vlen or MIN_VLEN, least_vlen(self.extensions))

    @property
    def asid_bits(self) -> int:
        """ASIDLEN."""
        most = MOST_ASID_BITS[self.harts.xlen]
        return most if self.harts.asid_bits is None else self.harts.asid_bits

    @property
    def vmid_bits(self) -> int:
        """VMIDLEN."""
        most = MOST_VMID_BITS[self.harts.xlen]
        return most if self.harts.vmid_bits is None else self.harts.vmid_bits

    @property
    def menvcfg(self) -> int:
        """The value of menvcfg after a reset. The default follows QEMU and the device-tree binding
        of `svade` and `svadu` (Linux, Documentation/devicetree/bindings/riscv/extensions.yaml)."""
        names = self.harts.menvcfg
        owned = {extension.name for extension in self.extensions}
        if names is None:
            names = (
                *(("PBMTE",) if "Svpbmt" in owned else ()),
                *(("ADUE",) if "Svadu" in owned and "Svade" not in owned else ()),
            )
        has = (name for name in names if MENVCFG_EXTENSIONS[name] in owned)
        return sum(int(getattr(EnvCfg, name)) for name in set(has))


@frozen
class BoardMemory:
    """A range of RAM, or of ROM."""

    base: int = setting("physical address", minimum=0, maximum=LAST_ADDRESS)
    size: Size = setting('bytes, or a size such as "2G"', minimum=PAGE_BYTES, maximum=1 << 44)
    rom: bool = setting("whether harts may only read it", False)


@frozen
class Connection:
    """The address of a device and its connections."""

    model: str = setting("the device model")
    base: int | None = setting(
        "physical address; not needed for a device that is carved out of RAM (htif) if the program "
        "has symbols with the names of its settings",
        None, minimum=0, maximum=LAST_ADDRESS,
    )  # fmt: skip
    interrupts: tuple[int, ...] = setting("a number for each line of the device", (), minimum=0)
    controller: str | None = setting(
        "the interrupt controller of the lines; not needed if the board has only one",
        None,
    )


@frozen
class Chosen:
    """The device tree's `chosen`, which software reads at its start."""

    stdout: str | None = setting("the device of the main console", None)
    bootargs: str = setting("the command line of the kernel", "")


@frozen
class Debug:
    """The first settings of debuggers, which their monitor commands can change."""

    time: Literal["still", "runs"] = setting(
        "whether the guest's time stops or runs while a debugger has stopped every hart",
        "still",
    )
    ebreak: Literal["trap", "all", "host", "guests"] = setting(
        "the worlds in which the guest's own ebreak stops in the debugger before it traps: none "
        "(trap), all, the host, guests",
        "trap",
    )
    history: Size | None = setting(
        "the memory of the host that a debugger may use to go back in time, with a virtual clock; "
        "0: it can't; the default is 512M for `rvplat debug` and 0 for `rvplat run --gdb`",
        None, minimum=0, maximum=1 << 44,
    )  # fmt: skip


@frozen
class Boot:
    """The start address of harts and the files in memory; the command line can replace these."""

    reset_vector: int | None = setting(
        "the address in a ROM where every hart starts; without it, the entry of the program",
        None, minimum=0, maximum=LAST_ADDRESS,
    )  # fmt: skip
    program: Path | None = setting("firmware or a bare program, started in M mode", None)
    kernel: Path | None = setting("the kernel that the firmware starts", None)
    initrd: Path | None = setting("the initial RAM disk for the kernel", None)
    dtb: Path | None = setting("a device tree that replaces the one made from the board", None)


@frozen
class General:
    """The keys before the first table of the file."""

    description: str = setting("a description of the board in one line", "")
    model: str = setting("the device tree's `model`", "rvplat")
    compatible: tuple[str, ...] = setting("the device tree's `compatible`", ("rvplat",))
    clock: Literal["host", "virtual"] = setting(
        "the source of time: the host's clock, or the number of executed instructions (then runs "
        "are reproducible)",
        "host",
    )
    timebase_hz: int = setting(
        "ticks of `mtime` per second", 10_000_000, minimum=1, maximum=1_000_000_000
    )
    strict: bool = setting(
        "whether the first failure of a plugin (a device that raises) ends the run", False
    )
    instructions_per_tick: int = setting(
        "instructions of a hart per tick of the virtual clock", 10, minimum=1, maximum=1_000_000
    )


@frozen
class BoardDevice:
    """A device of the board: what it is connected to and the settings of its model."""

    name: str
    model: type[Device]
    base: int | None
    size: int
    interrupts: tuple[int, ...]
    controller: str | None
    settings: Any
    place: Place = field(default=Place(""), compare=False)

    @property
    def carved(self) -> bool:
        """Whether its window lies inside RAM and the device watches the accesses to it."""
        return not self.model.node_has_reg


@frozen
class Board:
    """A checked board without faults, from which a machine is built.

    `extensions` are those that some hart has, and `each` is what each hart has, by number."""

    name: str
    general: General
    harts: Harts
    extensions: tuple[Extension, ...]
    memory: dict[str, BoardMemory]
    devices: dict[str, BoardDevice]
    chosen: Chosen
    boot: Boot
    debug: Debug = Debug()
    files: tuple[Path, ...] = ()
    each: tuple[OneHart, ...] = ()

    @property
    def vlen(self) -> int:
        """The bits of the longest vector register; 0 if no hart has one."""
        return max(one.vlen for one in self.each)

    @property
    def differs(self) -> bool:
        """Whether the harts are not all alike."""
        return len({(one.harts, one.extensions) for one in self.each}) > 1

    @property
    def seed(self) -> int | None:
        """The seed of the entropy source; None for random numbers."""
        repeats = self.harts.seed is None and self.general.clock == "virtual"
        return 0 if repeats else self.harts.seed

    @property
    def main_memory(self) -> BoardMemory:
        """The RAM that programs are loaded to: the first memory that is not a ROM."""
        return next(memory for memory in self.memory.values() if not memory.rom)
