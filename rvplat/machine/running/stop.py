"""Why a run ended."""

from __future__ import annotations

from dataclasses import dataclass

TIMEOUT_STATUS = 124  # as timeout(1) has it
INTERRUPT_STATUS = 130
FAILURE_STATUS = 125  # plugin code raised, or did not come back

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
    "step": "a step was done",
    "failure": "a plugin failed",
    "error": "rvplat failed",
}


@dataclass(frozen=True)
class Stop:
    """`reason` is one of

    off, fail   by the guest, with its `code`
    reset       the guest asked for it (only where a run shall not restart)
    timeout     of the run
    limit       `hart` has come to the limit of instructions
    idle        every hart waits and nothing can wake one
    failure     of a plugin, where the first one ends the run (`strict`)
    pause, leave, interrupt, step, break
    """

    reason: str
    code: int = 0
    hart: int = 0

    @property
    def status(self) -> int:
        """The exit status of `rvplat run`: the guest's code; 124 when the guest did not end."""
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
        text = _TEXTS.get(self.reason, self.reason)
        return f"{text}, code {self.code}" if self.code else text
