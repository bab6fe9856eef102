"""Output of a device to its console. It is collected in the device's state, so that harts write
it without Python."""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import ClassVar

from rvplat.bus import Device, State, afterwards, native, soon
from rvplat.lang import u8, u16

SIZE = 1024  # characters that are collected at most before the console gets them


class ConsoleOutput(Device):
    """A device that writes characters to its console. The console gets them some thousand
    instructions later at most."""

    uses_console = True
    state: ClassVar[tuple[str | State, ...]] = (
        State("unsent", u8, SIZE, saved=False),
        State("unsent_count", u16, saved=False),
    )

    unsent: MutableSequence[u8]
    unsent_count: u16

    @native
    def put(self, character: u8) -> None:
        """Write a character."""
        self.unsent[self.unsent_count] = character
        self.unsent_count += 1
        if self.unsent_count == SIZE:
            self.send_now()
        else:
            self.send()

    @soon
    def send(self) -> None:
        """Give the console what was written."""
        if self.unsent_count:
            written = bytes(self.unsent[: self.unsent_count])
            self.unsent_count = u16(0)
            self.wiring.console.write(written)

    @afterwards
    def send_now(self) -> None:
        """As `send`: there is no room for more."""
        self.send()

    def reset(self) -> None:
        self.send()
        super().reset()

    def close(self) -> None:
        self.send()
