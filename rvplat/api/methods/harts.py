"""The harts: where they are, and what they have done so far."""

from __future__ import annotations

from typing import TypedDict

from rvplat.api.control import Control
from rvplat.api.interfaces import Session
from rvplat.api.methods.running import Time, time_of
from rvplat.api.names import MODES, vmid_of
from rvplat.api.registry import method
from rvplat.api.schema import Word, text_of
from rvplat.machine.inspection.trap_names import trap_name
from rvplat.machine.inspection.world_statistics import world_statistics
from rvplat.machine.running.hart import Hart


class HartSample(TypedDict):
    """A hart: its mode ("M", "HS", "U", "VS", "VU"), its `world` ("host" or a VMID) and the symbol
    near its pc ("" if there is none). `waits`: it is in a WFI. The rest counts from the start:
    instructions by world ("host", "1"), seconds in native code, in devices and asleep, traps by
    cause, exits from guests by cause, and entries into guests."""

    hart: int
    pc: Word
    symbol: str
    mode: str
    world: str | int
    waits: bool
    critical: bool
    instructions: int
    by_world: dict[str, int]
    native_s: float
    devices_s: float
    asleep_s: float
    traps: dict[str, int]
    exits: dict[str, int]
    entries: int


class Sample(TypedDict):
    """The harts and the time at one moment. What happened between two samples is the difference of
    their counts: nothing is lost, however far apart they are."""

    time: Time
    harts: list[HartSample]


def _hart(control: Control, hart: Hart) -> HartSample:
    taken, vmid = list(hart.field("traps_taken")), vmid_of(hart)
    worlds = world_statistics(hart)
    guests = {str(number): count for number, count in worlds.guests.items()}
    native_ns = hart.ran_ns - hart.device_ns
    return {
        "hart": hart.number, "pc": text_of(hart.pc), "symbol": control.names.near(vmid, hart.pc),
        "mode": MODES[hart.priv, hart.virt], "world": "host" if vmid is None else vmid,
        "waits": bool(hart.waiting), "critical": bool(hart.plain.critical),
        "instructions": hart.retired_before + hart.retired,
        "by_world": {"host": worlds.instructions["host"], **guests},
        "native_s": native_ns / 1e9, "devices_s": hart.device_ns / 1e9,
        "asleep_s": hart.asleep_ns / 1e9,
        "traps": {trap_name(n): int(count) for n, count in enumerate(taken) if count},
        "exits": worlds.exits, "entries": worlds.entries,
    }  # fmt: skip


def sample(control: Control) -> Sample:
    """A `Sample`. The machine stands still."""
    harts = [_hart(control, hart) for hart in control.machine.harts]
    return {"time": time_of(control), "harts": harts}


@method("still")
def harts_list(session: Session) -> Sample:
    """Where every hart is, and what it has done so far."""
    return sample(session.api.control)
