"""Machines whose code runs in regions, and what they did, compared with the interpreter alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rvplat import Machine
from rvplat.engine.regions.worker import Effort
from rvplat.hart.acceleration.region_rows import PLACED
from rvplat.isa.privileged import OFFSET_MASK, PAGE_BYTES, PAGE_MASK
from rvplat.machine.boards.isa_string import xlen_of
from rvplat.machine.running.stop import Stop
from tests.machine.small_guests import guest
from tests.region_compiler import Here

RAM = 0x8000_0000
LEAF, POINTER = 0xCF, 0x01  # V R W X A D; V
USER = 0x10
MIP = 0x344
CSRS = ("mcause", "mepc", "mtval", "mtval2", "scause", "sepc", "stval", "mstatus", "satp")

Prepare = Callable[[Machine], None]


@contextmanager
def machine_of(
    program: str | Path, regions: str = "all", *plugins: Path, **settings: object
) -> Iterator[Machine]:
    """A machine with the text of a guest (small_guests.py), or a program."""
    xlen = xlen_of(str(settings.get("harts.isa", "rv64i")))
    path = guest(program, xlen) if isinstance(program, str) else program
    changes = {"harts.regions": regions, **settings}
    with Machine.open("virt", path, settings=changes, plugin_paths=plugins) as machine:
        yield machine


def compile_quickly(machine: Machine) -> None:
    """Compile a large program's regions in this process with little effort, which is quicker."""
    regions = machine.regions
    here = Here(regions._tables)  # type: ignore[attr-defined]
    here.effort = Effort(False, 0)
    regions._client = here  # type: ignore[attr-defined]


def inside(machine: Machine) -> int:
    """How many budgets of the harts ended in a region so far."""
    return sum(int(hart.plain.region_samples) for hart in machine.harts)


def outside(machine: Machine) -> int:
    """How many ended elsewhere."""
    return sum(int(hart.plain.other_samples) for hart in machine.harts)


def in_region(machine: Machine, address: int | str) -> bool:
    """Whether the instruction at a physical address, or at a symbol, is in a region in place."""
    at = machine.symbols[address] if isinstance(address, str) else address
    page = machine.regions._pages.get(at & PAGE_MASK)  # type: ignore[attr-defined]
    if page is None or page.placed is None or int(page.placed.row.placed) != PLACED:
        return False
    return (at & OFFSET_MASK) in page.placed.answer.inside


@dataclass(frozen=True)
class End:
    """All that a guest can tell at its end."""

    reason: str
    x: tuple[tuple[int, ...], ...]
    f: tuple[tuple[int, ...], ...]
    csrs: tuple[tuple[int, ...], ...]
    pcs: tuple[int, ...]
    retired: tuple[int, ...]
    output: bytes


def end_of(machine: Machine, stop: Stop, output: bytes) -> End:
    harts = machine.harts
    return End(
        stop.reason,
        tuple(tuple(hart.x) for hart in harts),
        tuple(tuple(hart.f) for hart in harts),
        tuple(tuple(hart.csr(name) for name in CSRS if name in hart.csrs) for hart in harts),
        tuple(hart.pc for hart in harts),
        tuple(hart.instret for hart in harts),
        output,
    )


def run_to_end(machine: Machine) -> End:
    """Run until the guest powers off."""
    output = bytearray()
    machine.console.sinks.append(output.extend)
    stop = machine.run(timeout_s=300)
    return end_of(machine, stop, bytes(output))


def same_in_regions(
    program: str | Path, prepare: Prepare | None = None, *symbols: str, **settings: object
) -> End:
    """Run a program in the interpreter alone and with regions. Its end must be the same, and its
    code must have run in regions, that at the symbols included."""
    ends = {}
    for mode in ("off", "all", "hot"):
        with machine_of(program, mode, **settings) as machine:
            if prepare is not None:
                prepare(machine)
            ends[mode] = run_to_end(machine)
            if mode == "off":
                assert (inside(machine), outside(machine)) == (0, 0)
            else:
                assert ends[mode] == ends["off"], mode
            if mode == "all":
                assert inside(machine) > 0
                assert all(in_region(machine, symbol) for symbol in symbols)
    assert ends["off"].reason == "off"
    return ends["off"]


def table_entry(pa: int, bits: int) -> bytes:
    """A page-table entry (Privileged, "Sv39")."""
    return (pa >> 12 << 10 | bits).to_bytes(8, "little")


def map_page(machine: Machine, root: int, va: int, pa: int, bits: int = LEAF) -> None:
    """Map a page of 4 KiB in tables of Sv39 at `root`, whose tables follow it: there is one of each
    level for each gigabyte of the address space (2 pages, `root + 0x4000 + 0x2000 n`)."""
    first = root + 0x4000 + 0x2000 * (va >> 30 & 7)
    write = machine.memory.write
    write(root + (va >> 30) * 8, table_entry(first, POINTER))
    write(first + (va >> 21 & 511) * 8, table_entry(first + PAGE_BYTES, POINTER))
    write(first + PAGE_BYTES + (va >> 12 & 511) * 8, table_entry(pa, bits))


def map_gigabyte(machine: Machine, root: int, pa: int, bits: int = LEAF) -> None:
    """Map a gigabyte to itself."""
    machine.memory.write(root + (pa >> 30) * 8, table_entry(pa, bits))
