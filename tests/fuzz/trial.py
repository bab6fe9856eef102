"""A trial changes the state of a random machine and runs it, again and again. Its result is
statistics, or a Finding."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from rvplat.engine.budgets import SLACK
from rvplat.machine.inspection.trap_names import trap_name
from rvplat.machine.machine import Machine
from rvplat.machine.running.hart import Hart
from tests.fuzz import devices, guest, twins
from tests.fuzz.image import Image, Maker
from tests.fuzz.regions import Regions
from tests.fuzz.state import WORLDS, kick, lines, spoil
from tests.fuzz.words import Words

KICKS = 16
POOL_LIFE = 32  # trials that share a pool of words
MODES = (0, 8, 9, 10)


class Finding(Exception):
    """An error of rvplat that a trial has found."""


@dataclass
class Result:
    """Statistics of trials."""

    trials: int = 0
    steps: int = 0  # instructions, including those that trapped
    compared: int = 0  # those of them that were compared with the reference
    regions: int = 0  # that were compiled
    worlds: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)

    def add(self, other: Result) -> None:
        self.trials += other.trials
        self.steps += other.steps
        self.compared += other.compared
        self.regions += other.regions
        self.worlds += other.worlds
        self.causes += other.causes


class Listener(logging.Handler):
    """Collects what the bus logs about devices that raised."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        self.said.append(text)


def random_of(seed: str, number: int) -> Random:
    """The random numbers that determine a trial."""
    return Random(f"{seed}/{number}")


def words_of(seed: str, number: int) -> Words:
    """The instruction words of a trial, which several consecutive trials share."""
    return Words(Random(f"{seed}/words/{number // POOL_LIFE}"))


class Trials:
    """Runs the trials of a seed by their numbers. `regions`: `harts.regions` of all trials; "": of
    each its own."""

    def __init__(self, seed: str, regions: str = "", *, back: float = 0.15) -> None:
        self.seed = seed
        self.regions = regions
        self.back = back
        self._words: tuple[int, Words] | None = None

    def run(self, number: int) -> Result:
        """Run one trial. Raises an exception for an error."""
        rng = random_of(self.seed, number)
        group = number // POOL_LIFE
        if self._words is None or self._words[0] != group:
            self._words = group, words_of(self.seed, number)
        regions = Regions(Random(f"{self.seed}/{number}/regions"), self.regions)
        image = Maker(rng, self._words[1], regions.calm).make()
        listener = Listener()
        logging.getLogger("rvplat").addHandler(listener)
        try:
            result = self._one(rng, image, regions)
        finally:
            logging.getLogger("rvplat").removeHandler(listener)
        if listener.said:
            raise Finding("\n".join(listener.said))
        return result

    def prepare(self) -> None:
        """Compile what all trials need. The first time, this takes longer than a trial may."""
        rng = random_of(self.seed, 0)
        calm = Regions(Random(self.seed), self.regions).calm
        image = Maker(rng, words_of(self.seed, 0), calm).make()
        with guest.machine(guest.settings(rng, 1, "virtual"), image):
            return

    def _one(self, rng: Random, image: Image, regions: Regions) -> Result:
        if rng.random() < (0.2 if regions.mode == "off" else 0.6):
            return twins.run(rng, image, regions)
        if rng.random() < self.back:
            from tests.fuzz import back

            return back.run(rng, image, regions)
        harts = rng.choice([1, 1, 1, 2])
        clock = rng.choice(["virtual", "virtual", "host"])
        chosen = guest.settings(rng, harts, clock) | {"harts.regions": regions.mode}
        with guest.machine(chosen, image) as machine:
            regions.attach(machine)
            if rng.random() < 0.2:
                guest.small_pool(machine, rng.choice([1, 2, 5]))
            return Long(rng, image, machine, regions).run()


class Long:
    """A trial without a comparison."""

    def __init__(self, rng: Random, image: Image, machine: Machine, regions: Regions) -> None:
        self.rng = rng
        self.regions = regions
        self.image = image
        self.machine = machine
        self.result = Result(trials=1)

    def run(self) -> Result:
        for hart in self.machine.harts:
            guest.open_memory(hart)
        for _ in range(KICKS):
            self._kick()
            self._go()
            self.regions.grow()
            for hart in self.machine.harts:
                check(hart)
                self.result.worlds[world_of(hart)] += 1
            if self.rng.random() < 0.1:
                self.machine.reset()
        for hart in self.machine.harts:
            guest.readable(hart)
            count(hart, self.result)
        self.result.regions = self.regions.compiled
        return self.result

    def _kick(self) -> None:
        """Change harts, memory and devices."""
        for hart in self.machine.harts:
            guest.apply(hart, kick(self.rng, guest.csrs_of(hart), self.image))
            for number, level in lines(self.rng, int(hart.view.geilen)):
                hart.set_guest_line(number, level)
        writes = spoil(self.rng, self.image)
        stores = devices.stores(self.rng) if self.rng.random() < 0.5 else []
        if self.rng.random() < 0.2:
            more, rings = devices.ring(self.rng)
            stores, writes = stores + more, writes + rings
        for address, data in writes:
            self.machine.memory.write(address, data)
        guest.touch(self.machine, stores)

    def _go(self) -> None:
        """Run for a while, in one of several ways."""
        many = self.rng.choice([300, SLACK + 100, SLACK + 500, 8000])
        way = self.rng.random()
        if way < 0.8:
            for hart in self.machine.harts:
                for _ in range(self.rng.choice([1, 1, 3])):
                    self.machine.step(many, hart.number)
        elif way < 0.9:
            self.machine.run(max_instructions=many, timeout_s=0.05, restart=False)
        else:
            self.machine.start()
            self.regions.grow()
            time.sleep(self.rng.random() * 0.01)
            self.machine.pause()


def check(hart: Hart) -> None:
    """Check that WARL fields hold legal values."""
    view = hart.view
    wrong = []
    if (int(view.priv), int(view.virt)) not in WORLDS.values():
        wrong.append(f"privilege {view.priv} with V={view.virt}")
    if hart.pc & 1:
        wrong.append(f"pc {hart.pc:#x}")
    for name in ("satp", "vsatp", "hgatp"):
        if int(getattr(view, name)) >> 60 not in MODES:
            wrong.append(f"{name} {getattr(view, name):#x}")
    if int(view.hgatp) & 3 or int(view.hgatp) >> 58 & 3:
        wrong.append(f"hgatp {view.hgatp:#x}")
    if int(view.mstatus) >> 11 & 3 == 2:
        wrong.append(f"mstatus {view.mstatus:#x}")
    if int(view.hstatus) >> 12 & 63 > int(view.geilen):
        wrong.append(f"hstatus {view.hstatus:#x}, GEILEN is {view.geilen}")
    if wrong:
        raise Finding("no legal state: " + ", ".join(wrong))


def count(hart: Hart, result: Result) -> None:
    """Add what a hart did to the statistics."""
    taken = list(hart.field("traps_taken"))
    for n, times in enumerate(taken):
        result.causes[trap_name(n)] += times
    result.causes += Counter()  # removes the causes with a count of zero
    result.steps += hart.retired_before + hart.retired + sum(taken[:64])


def world_of(hart: Hart) -> str:
    """The mode that a hart is in."""
    found = int(hart.view.priv), int(hart.view.virt)
    return next(name for name, value in WORLDS.items() if value == found)
