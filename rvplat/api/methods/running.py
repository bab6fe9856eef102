"""Run, pause, step: what the machine does now."""

from __future__ import annotations

from typing import Any, TypedDict

from rvplat.api.control import Control
from rvplat.api.interfaces import Session
from rvplat.api.names import hart_of
from rvplat.api.registry import METHODS, method
from rvplat.api.schema import Word, text_of
from rvplat.machine.running.stop import Stop

MOST_STEPS = 10_000_000


class State(TypedDict):
    """`state` is "running", "stopped", or "off" after the guest has switched the machine off.
    `reason`, `text` and the rest say why it stands still, as `Stop` does; "" while it runs and
    before its first run. `world` is "host" or a VMID."""

    state: str
    reason: str
    text: str
    hart: int
    world: str | int
    address: Word
    code: int
    points: list[int]


class Time(TypedDict):
    """The guest's time since power-on, and the time of the host's clock in which it ran. `ticks` is
    mtime, which has `ticks_per_s`. `clock` is "host" or "virtual"."""

    guest_s: float
    ran_s: float
    ticks: Word
    ticks_per_s: int
    clock: str
    instructions: int


def state_of(control: Control) -> State:
    """A `State`."""
    state = control.state
    stop = control.stop if state != "running" else None
    one = stop or Stop("")
    return {
        "state": state, "reason": one.reason, "text": str(one) if stop is not None else "",
        "hart": one.hart, "world": one.world, "address": text_of(one.address), "code": one.code,
        "points": [hit.number for hit in one.hits],
    }  # fmt: skip


def time_of(control: Control) -> Time:
    """A `Time`. The machine stands still."""
    machine = control.machine
    clock = machine.assembly.clock
    return {
        "guest_s": machine.guest_time_s(), "ran_s": machine.ran_s, "ticks": text_of(clock.now()),
        "ticks_per_s": clock.frequency, "clock": machine.board.general.clock,
        "instructions": sum(one.retired_before + one.retired for one in machine.harts),
    }  # fmt: skip


@method("free")
def machine_state(session: Session) -> State:
    """Whether the machine runs, and why it has stopped."""
    return state_of(session.api.control)


@method("free")
def machine_run(session: Session) -> State:
    """Let the machine run. The event `state` tells when it stops."""
    session.api.control.run()
    return state_of(session.api.control)


@method("free")
def machine_pause(session: Session) -> State:
    """Stop every hart. It does nothing if the machine is stopped."""
    session.api.control.pause()
    return state_of(session.api.control)


@method("free")
def machine_step(session: Session, hart: int = 0, count: int = 1) -> State:
    """Execute `count` instructions of one hart; the others stay stopped. A step of a machine that
    is in the past repeats what was."""
    control = session.api.control
    _count(count)
    control.moved(lambda: control.machine.step(count, hart_of(control.machine, hart).number))
    return state_of(control)


def _count(count: int) -> None:
    if not 1 <= count <= MOST_STEPS:
        raise ValueError(f"count={count}: expected 1 to {MOST_STEPS}")


@method("free")
def machine_reset(session: Session) -> State:
    """Reset a stopped machine as at power-on, and load its software again."""
    control = session.api.control

    def reset() -> Stop:
        control.machine.reset()
        return Stop("reset", detail="the machine was reset")

    control.moved(reset)
    return state_of(control)


@method("free")
def machine_quit(session: Session) -> None:
    """End rvplat, with the exit status that the run has so far."""
    session.api.control.quit()


@method("still")
def machine_time(session: Session) -> Time:
    """The guest's time, and how much has run."""
    return time_of(session.api.control)


@method("still")
def machine_statistics(session: Session) -> dict[str, Any]:
    """What `rvplat run --stats=json` prints: of each hart the instructions, seconds by activity,
    traps by cause, world switches and page walks; and what regions did."""
    return session.api.machine.statistics().as_json()


@method("free")
def api_schema(session: Session) -> dict[str, Any]:
    """JSON Schema of the parameters and the result of every method, by name."""
    return {name: one.schema() for name, one in METHODS.items()}
