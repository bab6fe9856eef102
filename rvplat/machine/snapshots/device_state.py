"""The state of the devices, the consoles and the clock, under the bus lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rvplat.bus.clock import Clock, HostClock
from rvplat.bus.device import Device, InterruptController
from rvplat.bus.failures import owner_of
from rvplat.bus.saved_state import unsaved_changes
from rvplat.errors import DeviceError, SnapshotError
from rvplat.machine.running.console import HostConsole
from rvplat.machine.running.system import System


@contextmanager
def standing(machine: System) -> Iterator[None]:
    """Hold the bus lock, with no thread of a device at work and the clock stopped."""
    clock = machine.assembly.clock
    with machine.assembly.lock:
        drain(machine)
        paused = isinstance(clock, HostClock) and clock.paused
        clock.pause()
        try:
            yield
        finally:
            if not paused:
                clock.resume()


def drain(machine: System) -> None:
    """Wait until no thread of a device works.

    Raises:
        SnapshotError: one still does.
    """
    for _ in range(2):  # one may give another work meanwhile
        for device in machine.devices.values():
            device.drain()
    for name, device in machine.devices.items():
        if device.is_working:
            raise SnapshotError(f"devices.{name}: a thread of it still works: its drain must wait")


def consoles_of(machine: System) -> dict[str, HostConsole]:
    """The consoles by device; the terminal's also if no device has it."""
    found = dict(machine.consoles)
    if machine.console not in found.values():
        found[""] = machine.console
    return found


@contextmanager
def _naming(name: str, unexpected: str) -> Iterator[None]:
    """Let errors of a device name it. `unexpected` begins the text of other errors than its own."""
    try:
        yield
    except DeviceError as error:
        raise SnapshotError(f"devices.{name}: {error}") from error
    except Exception as error:
        what = f"{unexpected} {type(error).__name__}"
        raise SnapshotError(f"devices.{name}: {what}: {error}") from error


def save_devices(machine: System) -> dict[str, Any]:
    """The state of each device, by name.

    Raises:
        SnapshotError: a device has state that its `save` does not save.
    """
    found: dict[str, Any] = {}
    for name, device in machine.devices.items():
        with _naming(name, "its save raised"):
            found[name] = device.save()
        if changed := unsaved_changes(device):
            raise SnapshotError(
                f"devices.{name}: the model {device.model} does not save {', '.join(changed)}: "
                "name it in `state`, or in `unsaved` if the guest can't see it"
            )
    _refuse_other_alarms(machine.assembly.clock, found)
    return found


def _refuse_other_alarms(clock: Clock, saved: Mapping[str, Any]) -> None:
    """SnapshotError for an alarm that no device has saved."""
    known = {tuple(one) for one in _alarms_in(saved)}
    for alarm in clock.alarms:
        if (alarm.due, alarm.order) in known:
            continue
        device, place = owner_of(alarm.call)
        who = f"devices.{device.wiring.name}" if device is not None else "a plugin"
        raise SnapshotError(
            f"{who}: an alarm that its save does not save ({place}): keep it in an attribute"
        )


def _alarms_in(saved: Any) -> Iterator[list[int]]:
    """What may be a saved alarm in the state of devices: each list of two numbers."""
    if isinstance(saved, list) and len(saved) == 2 and isinstance(saved[0], int):
        if isinstance(saved[1], int):
            yield saved
        return
    parts = saved.values() if isinstance(saved, dict) else saved
    if isinstance(saved, dict | list | tuple):
        for one in parts:
            if isinstance(one, dict | list | tuple):
                yield from _alarms_in(one)


def load_devices(machine: System, states: Mapping[str, Any]) -> None:
    """Restore the devices, interrupt controllers last: they then have the saved levels, whatever
    the others' lines have told them.

    Raises:
        SnapshotError: a state does not fit its device. The machine is not usable then.
    """
    ordered = sorted(machine.devices.items(), key=lambda one: _is_controller(one[1]))
    for name, device in ordered:
        with _naming(name, "the saved state does not fit:"):
            device.load(states[name])


def _is_controller(device: Device) -> bool:
    return isinstance(device, InterruptController)
