"""Worlds: process 1 is the host (V=0), 1 + n the n-th guest, by the VMIDs seen in hgatp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rvplat.gdb.errors import GdbError
from rvplat.gdb.target import Thread
from rvplat.hart.worlds import HOST, VMID_MASK, VMID_SHIFT
from rvplat.machine.machine import Machine

HOST_PID = 1


@dataclass(frozen=True)
class World:
    """`number` is how native code calls it (hart/worlds.py)."""

    pid: int
    number: int

    @property
    def name(self) -> str:
        return "host" if self.number == HOST else f"guest with VMID {self.number - 1}"


class WorldTable:
    """The worlds that were seen, and which one each hart is in."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._by_pid = {HOST_PID: World(HOST_PID, HOST)}
        self._pids = {HOST: HOST_PID}

    def look(self) -> list[World]:
        """See which worlds the harts are in; those that are new."""
        new = []
        for cell in self._machine.harts:
            number = self.number_of(cell.view)
            if number not in self._pids:
                new.append(self._add(number))
        return new

    def _add(self, number: int) -> World:
        pid = max(self._by_pid) + 1
        self._by_pid[pid] = World(pid, number)
        self._pids[number] = pid
        return self._by_pid[pid]

    @staticmethod
    def number_of(hart: Any) -> int:
        """The world that a hart is in."""
        if hart.virt == 0:
            return HOST
        hgatp = int(getattr(hart, "hgatp", 0))
        return 1 + (hgatp >> VMID_SHIFT & VMID_MASK)

    def pid_of(self, hart: int) -> int:
        """The process that a hart is in."""
        number = self.number_of(self._machine.harts[hart].view)
        if number not in self._pids:
            self._add(number)
        return self._pids[number]

    def all(self) -> list[World]:
        """Every world that was seen."""
        return list(self._by_pid.values())

    def get(self, pid: int) -> World:
        """A world. GdbError if there is none."""
        if pid not in self._by_pid:
            raise GdbError(f"there is no world {pid}: info os processes lists them")
        return self._by_pid[pid]

    def threads(self) -> list[Thread]:
        """Each hart in each world."""
        harts = range(1, len(self._machine.harts) + 1)
        return [Thread(pid, tid) for pid in sorted(self._by_pid) for tid in harts]

    def forget(self) -> None:
        """After a reset there is the host alone."""
        self._by_pid = {HOST_PID: World(HOST_PID, HOST)}
        self._pids = {HOST: HOST_PID}
