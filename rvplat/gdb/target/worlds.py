"""Worlds as processes: 1 is the host (V=0), the others are guests, one for each VMID in hgatp."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import HOST_PID, Process, Thread
from rvplat.hart.debugging.world_switches import GUESTS
from rvplat.hart.debugging.worlds import HOST, VMID_MASK, VMID_SHIFT
from rvplat.isa.privileged import SUPERVISOR
from rvplat.machine.machine import Machine


@dataclass
class World:
    """A world. `number` is its number in native code (hart/debugging/worlds.py)."""

    pid: int
    number: int
    name: str
    ended: bool = False

    @property
    def vmid(self) -> int:
        """A guest's VMID."""
        return self.number - 1


def world_number(hgatp: int) -> int:
    """The number of the guest that hgatp names."""
    return number_of(hgatp >> VMID_SHIFT & VMID_MASK)


def number_of(vmid: int | None) -> int:
    """The number of the guest with a VMID; None is the host."""
    return HOST if vmid is None else 1 + vmid


class WorldTable:
    """The worlds that were seen, and which one each hart is in."""

    def __init__(self, machine: Machine) -> None:
        self._harts = machine.harts
        self._hypervisor = any(extension.name == "H" for extension in machine.extensions)
        self._lock = threading.Lock()  # harts report in threads of their own
        self._by_pid = {HOST_PID: World(HOST_PID, HOST, "host")}
        self.forget()

    def forget(self) -> list[int]:
        """A reset ends every guest: returns their pids, which are not used again."""
        guests = self.guests()
        for pid in guests:
            self._by_pid[pid].ended = True
        self._pids = {HOST: HOST_PID}
        self._forget_marks()
        return guests

    def _forget_marks(self) -> None:
        for hart in self._harts:
            marks = hart.plain.known_vmids
            for word in range(len(marks)):
                marks[word] = 0

    def mark(self, pid: int, on: bool) -> bool:
        """Mark a guest as known to the harts, or not; whether it was marked. The host always is."""
        if pid == HOST_PID:
            return True
        word, bit = divmod(self.get(pid).vmid, 64)
        with self._lock:
            was = int(self._harts[0].plain.known_vmids[word]) >> bit & 1
            for hart in self._harts:
                marks = hart.plain.known_vmids
                marks[word] = int(marks[word]) & ~(1 << bit) | int(on) << bit
        return bool(was)

    def announce(self, on: bool) -> None:
        """Remove all marks. `on`: a hart that enters a guest without a mark stops."""
        self._forget_marks()
        for hart in self._harts:
            hart.plain.stop_new = int(on)

    def keep(self, on: bool) -> None:
        """Let harts keep the registers of the worlds that they leave, or not."""
        for hart in self._harts:
            hart.plain.keep_worlds = int(on)

    # --- what harts remember ---

    def _remembered(self, hart: Any) -> Iterator[tuple[int, int]]:
        """(entry, world number) of the guests that ran on a hart."""
        for entry in range(min(int(hart.guest_count), GUESTS)):
            if int(hart.guest_hgatp[entry]):
                yield entry, world_number(int(hart.guest_hgatp[entry]))

    def look(self) -> list[World]:
        """Look for new worlds, and return them."""
        if not self._hypervisor:
            return []
        numbers: set[int] = set()
        for hart in self._harts:
            numbers.update(number for _, number in self._remembered(hart.plain))
            numbers.add(self.number_of(hart.plain))
        return [self._add(number) for number in sorted(numbers - set(self._pids))]

    def _add(self, number: int) -> World:
        """The world of a number; a new one, unless another hart has added it meanwhile."""
        with self._lock:
            if number in self._pids:
                return self._by_pid[self._pids[number]]
            pid = max(self._by_pid) + 1
            world = World(pid, number, f"guest with VMID {number - 1}")
            self._by_pid[pid] = world
            self._pids[number] = pid
        return world

    @staticmethod
    def number_of(hart: Any) -> int:
        """The world that a hart is in."""
        return HOST if hart.virt == 0 else world_number(int(hart.hgatp))

    def pid_of(self, hart: int) -> int:
        """The process that a hart is in."""
        number = self.number_of(self._harts[hart].plain)
        if number not in self._pids:
            self._add(number)
        return self._pids[number]

    # --- worlds and threads ---

    def all(self) -> list[World]:
        """Every world that has not ended."""
        return [world for world in self._by_pid.values() if not world.ended]

    def guests(self) -> list[int]:
        """The pids of the guests."""
        return [world.pid for world in self.all() if world.pid != HOST_PID]

    def get(self, pid: int) -> World:
        """A world. GdbError if there is none."""
        if pid not in self._by_pid:
            raise GdbError(f"there is no world {pid}: info os processes lists them")
        return self._by_pid[pid]

    def threads(self, pids: Iterable[int]) -> list[Thread]:
        """Each hart in each of these worlds."""
        harts = range(1, len(self._harts) + 1)
        return [Thread(pid, tid) for pid in sorted(pids) for tid in harts]

    def processes(self) -> list[Process]:
        """The worlds as processes, with the harts that are in them."""
        found = []
        for world in self.all():
            cores = (t.tid - 1 for t in self.threads([world.pid]) if self.is_there(t))
            found.append(Process(world.pid, world.name, "", tuple(cores)))
        return found

    def is_there(self, thread: Thread) -> bool:
        """Whether the thread's hart is in its world now."""
        world = self.get(thread.pid)
        here = self.number_of(self._harts[thread.tid - 1].plain)
        return world.number == here and not world.ended

    # --- a world that its hart isn't in ---

    def state(self, thread: Thread) -> dict[str, int]:
        """The fields of the hart's state that walks in the thread's world need, if the hart isn't
        in that world."""
        if self.is_there(thread):
            return {}
        number = self._living(thread.pid).number
        if number == HOST:
            return {"virt": 0, "priv": SUPERVISOR}
        for hart in [one.plain for one in self._order(thread.tid - 1)]:
            for entry, known in self._remembered(hart):
                if known == number:
                    return {"virt": 1, "priv": SUPERVISOR, "hgatp": int(hart.guest_hgatp[entry]),
                            "vsatp": int(hart.guest_vsatp[entry])}  # fmt: skip
        raise GdbError(f"world {thread.pid} has not run since the board's reset")

    def has_begun(self, pid: int) -> bool:
        """Whether a world has run since the reset. In the past it may not have yet."""
        number = self.get(pid).number
        if number == HOST:
            return True
        harts = [hart.plain for hart in self._harts]
        return any(number == self.number_of(hart) for hart in harts) or any(
            number == known for hart in harts for _, known in self._remembered(hart)
        )

    def _living(self, pid: int) -> World:
        """A world that hasn't ended. GdbError if it has."""
        if self.get(pid).ended:
            raise GdbError(f"world {pid} has ended")
        return self.get(pid)

    def _order(self, first: int) -> list[Any]:
        """All harts, the given one first."""
        return [self._harts[first], *(c for c in self._harts if c.number != first)]

    def kept(self, thread: Thread) -> Any:
        """The thread's registers at the time when its hart left the world; None if unknown."""
        hart = self._harts[thread.tid - 1].plain
        number = self.get(thread.pid).number
        found = None
        if number == HOST:
            found = hart.kept_worlds[0]
        else:
            for entry, known in self._remembered(hart):
                if known == number:
                    found = hart.kept_worlds[1 + entry]
        return found if found is not None and int(found.known) else None
