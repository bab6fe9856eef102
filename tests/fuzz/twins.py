"""Compares two equal machines. Either one runs natively and the other on the reference, compared
after every instruction; or both run natively, one in single steps and the other at full speed. In
steps no regions are entered.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

from rvplat.engine.budgets import SLACK
from rvplat.engine.reference import Reference
from rvplat.hart.acceleration.guest_tables import forget_tables
from rvplat.hart.acceleration.tlb import flush_everything
from rvplat.hart.counters import update_deadline
from rvplat.hart.state import HartState
from rvplat.isa.machinery.disassemble import Disassembler
from rvplat.machine.boards.catalogue import base_extensions
from rvplat.machine.machine import Machine
from rvplat.machine.running.hart import Hart
from tests.fuzz import devices, guest, trial
from tests.fuzz.image import BASE, BYTES, PAGE, TABLES, A, D, Image
from tests.fuzz.regions import Regions
from tests.fuzz.state import Change, calm_kick, kick, lines, spoil

KICKS = 8
STEPS = 30  # instructions, with a comparison after each
FREE = 6000  # instructions, with a comparison after the last
FOREVER = 1 << 40
COMPARED = {
    "pc", "priv", "virt", "traps_taken", "pmp_cfg", "pmp_address", "reservation_value", "mtimecmp",
    "irq_lines", "guest_lines", "exits", "interrupt_exits", "world_entries", "mip",
}  # fmt: skip
OF_THE_HOST = {"fp_host"}
A_AND_D = int.from_bytes((A | D).to_bytes(8, "little") * (len(TABLES) * PAGE // 8), "little")
# The host addresses of memory differ between the machines; x[32] and f[32] are never read.
_memcmp = ctypes.CDLL(None).memcmp
_memcmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


def fields() -> Iterator[tuple[str, int, int]]:
    """(name, offset, bytes) of the fields that must be equal in both machines."""
    known = set(COMPARED)
    for extension in base_extensions():
        known |= {row.name for row in extension.csrs if row.storage}
        known |= {name for name, _, _ in extension.states}
    for one in HartState.fields.values():
        if one.name in known and one.name not in OF_THE_HOST:
            yield one.name, one.offset, one.stride * max(one.count, 1)
        if one.name in ("x", "f"):
            yield one.name, one.offset, one.stride * 32


class Twins:
    """The two machines."""

    def __init__(self, rng: Random, image: Image, regions: Regions) -> None:
        self.rng = rng
        self.image = image
        self.regions = regions
        self.entries: list[int] = []  # where kicks have let harts continue
        chosen = guest.settings(rng, 1 if regions.mode == "off" else rng.choice([1, 2]))
        chosen["harts.regions"] = regions.mode
        self.machines = [guest.machine(chosen, image)]
        chosen["harts.regions"] = "off"
        self.machines.append(guest.machine(chosen, image))
        regions.attach(self.machines[0])
        self.pairs = list(zip(*(machine.harts for machine in self.machines), strict=True))
        self.result = trial.Result(trials=1)
        self._places = list(fields())
        for pair in self.pairs:
            for hart in pair:
                guest.open_memory(hart)
        for machine in self.machines:  # time stands still: they read it at different moments
            machine.native.view.instructions_per_tick = FOREVER
            machine.native.view.shared = 0  # the reference ends no turns
            turns: Any = machine.turns
            turns._per_tick = FOREVER
            clock: Any = machine.assembly.clock
            clock.next_alarm = lambda: None  # alarms ring between turns, which differ

    def close(self) -> None:
        for machine in self.machines:
            machine.close()

    def kick(self) -> None:
        """Change the state of both machines in the same way."""
        calm = self.regions.calm
        for pair in self.pairs:
            make = calm_kick if calm else kick
            changes = self._again(make(self.rng, guest.csrs_of(pair[0]), self.image))
            driven = lines(self.rng, int(pair[0].view.geilen))
            for hart in pair:
                guest.apply(hart, changes)
                for number, level in driven:
                    hart.set_guest_line(number, level)
        writes = spoil(self.rng, self.image) if not calm or self.rng.random() < 0.3 else []
        stores = devices.stores(self.rng) if self.rng.random() < 0.5 else []
        for machine in self.machines:
            guest.touch(machine, stores)
            for address, data in writes:
                machine.memory.write(address, data)
            # Flush as fences do, because page tables may have changed.
            for hart in machine.harts:
                flush_everything(hart.view)
                forget_tables(hart.view)

    def _again(self, changes: list[Change]) -> list[Change]:
        """With regions: often continue where a hart has been, perhaps in another mode."""
        if self.regions.mode == "off":
            return changes
        found = []
        for what, name, value in changes:
            if name == "mepc":
                old = self.entries and self.rng.random() < 0.6
                value = self.rng.choice(self.entries) if old else value
                self.entries.append(value)
            found.append((what, name, value))
        return found

    def compare(self, what: str) -> None:
        """Raise Finding with all differences."""
        found = []
        for one, two in self.pairs:
            for name, offset, size in self._places:
                if _memcmp(one.address + offset, two.address + offset, size):
                    found += differing(name, one.view, two.view)
            if one.retired != two.retired:
                found.append(f"retired: {one.retired} and {two.retired}")
        first, second = (machine.memory.region(BASE) for machine in self.machines)
        if _memcmp(first.address, second.address, BYTES):
            at = next(n for n in range(BYTES) if first.view[n] != second.view[n])
            found.append(f"memory at {BASE + at:#x}: {first.view[at]:#x} and {second.view[at]:#x}")
        if found:
            raise trial.Finding(f"{what}: " + "; ".join(found))


def tables_of(machine: Machine) -> int:
    """The contents of the page tables, as one number, without A and D, which harts set."""
    data = machine.memory.read(BASE + TABLES.start * PAGE, len(TABLES) * PAGE)
    return int.from_bytes(data, "little") & ~A_AND_D


def differing(name: str, one: Any, two: Any) -> list[str]:
    """The elements of a field that differ."""
    a, b = getattr(one, name), getattr(two, name)
    if not hasattr(a, "__len__"):
        return [f"{name}: {int(a):#x} and {int(b):#x}"]
    pairs = [(n, int(a[n]), int(b[n])) for n in range(len(a))]
    return [f"{name}[{n}]: {p:#x} and {q:#x}" for n, p, q in pairs if p != q]


def by_reference(machine: Machine) -> None:
    """Make the reference run a machine's harts."""
    reference = Reference(machine.extensions)

    def execute(hart: Hart) -> int:
        view: Any = hart.view
        view.resync = 1
        update_deadline(view)
        reference.run(view, hart.left)
        return int(view.stop)

    turns: Any = machine.turns
    turns.execute = execute


@cache
def _disassembler() -> Disassembler:
    return Disassembler(base_extensions())


def where(hart: Hart) -> str:
    """The instruction at a hart's pc, and its mode."""
    pc = hart.pc
    at = hart.translate(pc)
    ram = hart._owner.memory
    bits = 0
    if at is not None and BASE <= at < BASE + BYTES - 4:
        bits = int.from_bytes(ram.read(at, 4), "little")
    if bits & 3 != 3:
        bits &= 0xFFFF
    row = _disassembler().find(bits)
    name = row.name if row else "no instruction"
    return f"{name} ({bits:#x}) at {pc:#x} in {trial.world_of(hart)} mode"


def run(rng: Random, image: Image, regions: Regions) -> trial.Result:
    """Run a trial: native code against the reference, or steps against full speed."""
    twins = Twins(rng, image, regions)
    try:
        if regions.mode == "off" and rng.random() < 0.3:
            against_reference(twins)
        else:
            against_steps(twins)
        for hart in twins.machines[0].harts:
            trial.count(hart, twins.result)
        twins.result.regions = regions.compiled
    finally:
        twins.close()
    return twins.result


def against_reference(twins: Twins) -> None:
    """The second machine runs on the reference."""
    by_reference(twins.machines[1])
    for _ in range(KICKS):
        twins.kick()
        for n in range(STEPS):
            twins.result.worlds[trial.world_of(twins.pairs[0][0])] += 1
            at = where(twins.pairs[0][0])
            for machine in twins.machines:
                machine.step(1)
            twins.compare(f"native and by the reference, after step {n}, {at}")
            twins.result.compared += 1


def against_steps(twins: Twins) -> None:
    """The second machine runs in single steps. It walks the page tables where full speed uses
    cached translations: if the guest changed its page tables without a fence, both may be right."""
    for _ in range(KICKS if twins.regions.mode == "off" else 2 * KICKS):
        if not (twins.regions.calm and twins.rng.random() < 0.6):
            twins.kick()
        tables = tables_of(twins.machines[0])
        total = 0
        for number in range(len(twins.pairs)):
            count = SLACK + twins.rng.randrange(2 * FREE if twins.regions.calm else FREE)
            total += count
            twins.result.worlds[trial.world_of(twins.pairs[number][0])] += 1
            twins.machines[0].step(count, number)
            for start in range(0, count, SLACK - 1):
                twins.machines[1].step(min(SLACK - 1, count - start), number)
        try:
            twins.compare(f"at full speed and in steps, {total} instructions")
        except trial.Finding:
            if all(tables_of(machine) == tables for machine in twins.machines):
                raise
            return
        twins.result.compared += total
        twins.regions.grow()
