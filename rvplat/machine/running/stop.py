"""Why a run ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from rvplat.frozen import frozen

TIMEOUT_STATUS = 124  # the same as timeout(1)
INTERRUPT_STATUS = 130
FAILURE_STATUS = 125  # plugin code raised or did not return

_TEXTS = {
    "off": "the guest powered the machine off",
    "fail": "the guest says that it failed",
    "reset": "the guest asked for a reset",
    "timeout": "the time is up",
    "limit": "the number of instructions is reached",
    "idle": "every hart waits for an interrupt, and nothing can raise one",
    "pause": "it was paused",
    "leave": "the user left",
    "interrupt": "it was interrupted",
    "break": "a breakpoint",
    "watch": "a watchpoint",
    "step": "a step was done",
    "history": "the history begins here",
    "when": "the condition holds",
    "hook": "a hook has stopped the run",
    "critical": "a hart is in a critical error",
    "failure": "a plugin failed",
    "error": "rvplat failed",
}
_DONE = {"read": "a read of", "write": "a write to", "access": "a read and write of"}

MET = ("break", "watch", "ebreak")  # reasons of stops before an instruction

GuestOrHost = int | Literal["host"]  # the VMID of a guest, or the host (V=0)
Space = Literal["virtual", "physical", "guest-physical"]
Access = Literal["read", "write", "access"]


@dataclass(frozen=True, eq=False)
class StopPoint:
    """The common part of breakpoints and watchpoints. `number`: unique among both, from 1.
    `address`: the first address. `vmid`: it applies only in this guest's world, or in the "host";
    None: in every world. `condition`: it applies only if this holds. `temporary`: its first hit
    removes it."""

    number: int
    address: int
    vmid: GuestOrHost | None = None
    condition: str | None = None
    temporary: bool = False
    _hits: Callable[[], int] = field(default=lambda: 0, repr=False, kw_only=True)

    @property
    def hits(self) -> int:
        """The number of stops that it has caused."""
        return self._hits()

    def _words(self) -> list[str]:
        """Its VMID and condition in the syntax of the monitor command `break`."""
        words = [] if self.vmid is None else [f"vmid={self.vmid}"]
        return words if self.condition is None else [*words, f"if {self.condition}"]


@dataclass(frozen=True, eq=False)
class Breakpoint(StopPoint):
    """It stops a hart before the instruction at an address. `space`: the kind of the address.
    `asid`: it applies only in this address space. `privilege`: it applies only in these modes
    ("M", "S", "U", "VS", "VU"); empty: in every mode."""

    space: Space = "virtual"
    asid: int | None = None
    privilege: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = [f"{self.address:#x}"]
        words += [f"space={self.space}"] if self.space != "virtual" else []
        limits = self._words()
        at = 1 if self.vmid is not None else 0
        more = [f"asid={self.asid}"] if self.asid is not None else []
        more += [f"mode={','.join(self.privilege)}"] if self.privilege else []
        return " ".join([*words, *limits[:at], *more, *limits[at:]])


@dataclass(frozen=True, eq=False)
class Watchpoint(StopPoint):
    """It stops a hart before an access to the `length` bytes at a virtual address. `access`:
    "read", "write", or "access", which means both."""

    length: int = 8
    access: Access = "write"

    def __str__(self) -> str:
        return " ".join([f"{self.access} {self.address:#x}+{self.length:#x}", *self._words()])


@frozen
class Stop:
    """Why a run stopped. `reason` is one of

    off, fail   the guest ended the run, with `code`
    reset       the guest requested a reset, and the run does not restart
    timeout     the time limit of the run was reached
    limit       `hart` has executed the maximum number of instructions
    idle        every hart waits and nothing can wake one
    failure     a plugin failed and the board is `strict`
    break       `hart`, in `world`, is before an instruction with a breakpoint, at `address`
    critical    `hart` took a trap at `address` that M mode can't take (Smdbltrp): see `detail`
    watch       `hart`, in `world`, is before an instruction whose `access` of `address` is watched
    history     the machine has gone back to the start of its history
    when        after an instruction of `hart` the condition of a search holds
    hook        the handler of a hook has asked for it, on `hart` in `world` at `address`
    pause, leave, interrupt, step

    `world` is "host" (V=0) or the VMID of a guest. `hits` are the breakpoints or watchpoints that
    stopped the hart, by number. `detail` is a sentence on what happened.
    """

    reason: str
    code: int = 0
    hart: int = 0
    world: GuestOrHost = "host"
    address: int = 0
    access: Access | None = None
    hits: tuple[StopPoint, ...] = ()
    detail: str = ""

    @property
    def breakpoint(self) -> Breakpoint | None:
        """The first breakpoint of `hits`; None if there is none."""
        return next((one for one in self.hits if isinstance(one, Breakpoint)), None)

    @property
    def watchpoint(self) -> Watchpoint | None:
        """The first watchpoint of `hits`; None if there is none."""
        return next((one for one in self.hits if isinstance(one, Watchpoint)), None)

    @property
    def status(self) -> int:
        """The exit status of `rvplat run`: the guest's code; 124 if the guest did not end the run,
        125 after a failure of a plugin, 130 after an interrupt."""
        if self.reason == "off":
            return self.code & 0xFF or int(self.code != 0)
        if self.reason == "leave":
            return 0
        if self.reason == "fail":
            return self.code & 0xFF or 1
        if self.reason == "failure":
            return FAILURE_STATUS
        return INTERRUPT_STATUS if self.reason in ("interrupt", "pause") else TIMEOUT_STATUS

    def __str__(self) -> str:
        if self.detail:
            return self.detail
        if self.hits:
            return self._met()
        text = _TEXTS.get(self.reason, self.reason)
        return f"{text}, code {self.code}" if self.code else text

    def _met(self) -> str:
        """The text for a stop point: "breakpoint 1 at 0x80000000: hart 0, host"."""
        numbers = ", ".join(str(one.number) for one in self.hits)
        kind = "breakpoint" if self.breakpoint is not None else "watchpoint"
        what = "at" if self.access is None else f"before {_DONE[self.access]}"
        world = "host" if self.world == "host" else f"guest with VMID {self.world}"
        many = "s" if len(self.hits) > 1 else ""
        return f"{kind}{many} {numbers} {what} {self.address:#x}: hart {self.hart}, {world}"
