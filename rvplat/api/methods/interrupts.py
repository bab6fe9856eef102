"""The way of interrupts: from a device's line over its controller to a hart's pending bit."""

from __future__ import annotations

from typing import TypedDict

from rvplat.api.interfaces import Session
from rvplat.api.registry import method
from rvplat.bus import InterruptController
from rvplat.bus.interrupts import Input
from rvplat.machine.running.hart import Hart

NAMES = {1: "SSI", 2: "VSSI", 3: "MSI", 5: "STI", 6: "VSTI", 7: "MTI", 9: "SEI", 10: "VSEI",
         11: "MEI", 12: "SGEI", 13: "LCOFI"}  # fmt: skip


class Output(TypedDict):
    """A way out of a controller: to a bit of a hart's mip. `enabled`: the source may use it;
    `passes`: its priority is above the threshold; `level`: what the controller drives."""

    hart: int
    bit: int
    interrupt: str
    enabled: bool
    passes: bool
    threshold: int
    level: bool


class Source(TypedDict):
    """A device's line, connected to an input of a controller. `pending`, `claimed` and `priority`
    are the controller's, null if it does not say."""

    device: str
    line: str
    level: bool
    controller: str
    input: int
    pending: bool | None
    claimed: bool | None
    priority: int | None
    outputs: list[Output]


class LocalInterrupt(TypedDict):
    """An interrupt of a hart that is pending or enabled, in mip and mie; `mode` takes it: "M", "S"
    or "VS", as mideleg and hideleg say. `injected`: the hypervisor has set it in hvip."""

    bit: int
    name: str
    pending: bool
    enabled: bool
    mode: str
    delegated: bool
    to_guest: bool
    injected: bool


class HartInterrupts(TypedDict):
    """The interrupts of a hart. `takes_m`, `takes_s`, `takes_vs`: it would take one for this mode
    now, by its own mode and the enable bits of mstatus, sstatus and vsstatus."""

    hart: int
    takes_m: bool
    takes_s: bool
    takes_vs: bool
    interrupts: list[LocalInterrupt]


class Interrupts(TypedDict):
    """Every line that is connected to a controller, and the interrupts of each hart."""

    sources: list[Source]
    harts: list[HartInterrupts]


@method("still")
def interrupts_list(session: Session) -> Interrupts:
    """Where interrupts are on their way. Timers and software interrupts have no line: they are
    among the harts'."""
    machine = session.api.machine
    names = {id(device): name for name, device in machine.devices.items()}
    with machine.assembly.lock:
        sources = [
            _source(name, line, one.level, one.sink, names)
            for name, device in machine.devices.items()
            for line, one in device.lines.items() if isinstance(one.sink, Input)
        ]  # fmt: skip
    return {"sources": sources, "harts": [_hart(hart) for hart in machine.harts]}


def _source(device: str, line: str, level: bool, sink: Input, names: dict[int, str]) -> Source:
    controller = sink.controller
    assert isinstance(controller, InterruptController)
    route = controller.route(sink.number)
    return {
        "device": device, "line": line, "level": level, "controller": names[id(controller)],
        "input": sink.number, "pending": route.pending if route else None,
        "claimed": route.claimed if route else None,
        "priority": route.priority if route else None,
        "outputs": [
            {"hart": one.hart, "bit": one.bit, "interrupt": NAMES[one.bit], "enabled": one.enabled,
             "passes": one.passes, "threshold": one.threshold, "level": one.level}
            for one in (route.outputs if route else ())
        ],
    }  # fmt: skip


def _hart(hart: Hart) -> HartInterrupts:
    bits = {name: _csr(hart, name) for name in ("mip", "mie", "mideleg", "hideleg", "hvip")}
    found: list[LocalInterrupt] = [
        {
            "bit": bit, "name": name, "pending": bool(bits["mip"] >> bit & 1),
            "enabled": bool(bits["mie"] >> bit & 1), "delegated": bool(bits["mideleg"] >> bit & 1),
            "to_guest": bool(bits["hideleg"] >> bit & 1), "injected": bool(bits["hvip"] >> bit & 1),
            "mode": _mode(bits["mideleg"] >> bit & 1, bits["hideleg"] >> bit & 1),
        }
        for bit, name in NAMES.items() if (bits["mip"] | bits["mie"]) >> bit & 1
    ]  # fmt: skip
    priv, virt = hart.priv, hart.virt
    mstatus = _csr(hart, "mstatus")
    vsstatus = _csr(hart, "vsstatus")
    return {
        "hart": hart.number, "takes_m": priv < 3 or bool(mstatus >> 3 & 1),
        "takes_s": bool(virt) or priv < 1 or (priv == 1 and bool(mstatus >> 1 & 1)),
        "takes_vs": bool(virt) and (priv < 1 or bool(vsstatus >> 1 & 1)), "interrupts": found,
    }  # fmt: skip


def _mode(mideleg: int, hideleg: int) -> str:
    return "M" if not mideleg else "VS" if hideleg else "S"


def _csr(hart: Hart, name: str) -> int:
    try:
        return hart.csr(name)
    except LookupError:  # the hart lacks it
        return 0
