"""`htif`: two words of memory through which a program exits, prints and calls the host.

Manual: https://github.com/riscv-software-src/riscv-isa-sim, folder fesvr: device.cc (the words),
syscall.cc (device 0). The window is memory, carved out of RAM around an ELF's `tohost` and
`fromhost`; only a store to one of these does more.

A program for RV32, or one in assembly, stores the 8 bytes of `tohost` by parts, the lower or the
upper half first. Spike looks at the word every 5,000 instructions, and QEMU waits for the upper
half. Here a command is complete

- when all 8 bytes have been stored since the last command, in whatever order,
- before a store to bytes that were stored already: a program that stores only the lower half, again
  and again, means a command each time,
- when every hart has executed `PATIENCE` instructions since, or waits for an interrupt: the program
  stored one half, meant it, and spins.

None of it depends on the host's time. In the same way `fromhost` is free again when all of its
bytes have been stored, when the next command comes, or after so many instructions.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rvplat.bus import Alarm, Device, Hole, Power, Progress, Register, setting
from rvplat.errors import BusError
from rvplat.hookspecs import hookimpl

SYSCALLS, CONSOLE = 0, 1
IDENTITIES = {SYSCALLS: b"syscall_proxy", CONSOLE: b"bcd"}
GETCHAR, PUTCHAR, IDENTIFY = 0, 1, 0xFF
IDENTITY_BYTES = 64
SYS_WRITE, SYS_EXIT = 64, 93
MASK64 = (1 << 64) - 1
PAYLOAD = (1 << 48) - 1
PATIENCE = 1_000_000  # instructions; more than a trap between the two stores takes
LOOK_S, LOOK_MOST_S = 0.001, 0.064  # between two looks at how many were executed
WORD_BYTES = 8
ALL_BYTES = 0xFF
MOST_ANSWERS = 1024


@dataclass(frozen=True)
class HtifSettings:
    """Where in the window the two words are; the machine takes them from the ELF's symbols."""

    window: int = setting("size of the window in bytes", 0x1000, minimum=16)
    tohost: int = setting("offset of tohost", 0, minimum=0)
    fromhost: int = setting("offset of fromhost", 8, minimum=0)


def bytes_of(word: int, offset: int, size: int) -> int:
    """Which of the 8 bytes of the word at an offset an access touches: bit n is byte n."""
    first, end = max(offset - word, 0), min(offset + size - word, WORD_BYTES)
    return (1 << end) - (1 << first) if first < end else 0


class Htif(Device):
    """Answers wait in `answers` until the guest has cleared `fromhost`."""

    model = "htif"
    compatible = ("ucb,htif0",)
    node_has_reg = False
    size = 0x1000
    uses_console = True
    settings_type = HtifSettings
    state = ("answers", "wanted", "memory_bytes", "commanding", "clearing")

    settings: HtifSettings
    memory: memoryview
    memory_bytes: bytes = b""
    answers: list[int]
    wanted: int  #: characters that the guest asked for and that were not typed yet
    commanding: int  #: bytes of `tohost` that were stored since the last command, a bit each
    clearing: int  #: the same of `fromhost`, since it was cleared last
    looking: Alarm | None = None
    executed: Progress = ()  #: by the harts, when one of these was last stored to
    pause_s = LOOK_S

    @classmethod
    def window(cls, settings: HtifSettings) -> int:
        return settings.window

    def rows(self) -> tuple[Register | Hole, ...]:
        bits = "DEVICE[63:56] COMMAND[55:48] PAYLOAD[47:0]"
        where = self.settings
        return (
            Register(where.tohost, "TOHOST", bits, width=8, behind="memory"),
            Register(where.fromhost, "FROMHOST", bits, width=8, behind="memory"),
        )

    def setup(self) -> None:
        backing = self.wiring.backing
        self.memory = memoryview(bytearray(self.settings.window)) if backing is None else backing
        self.wiring.console.on_input = self.give

    def reset(self) -> None:
        super().reset()
        self.answers = []
        self.wanted = self.commanding = self.clearing = 0

    def read(self, offset: int, size: int) -> int:
        if offset + size > len(self.memory):
            raise BusError(f"{self.wiring.name}: a load beyond the window")
        return int.from_bytes(self.memory[offset : offset + size], "little")

    def write(self, offset: int, size: int, value: int) -> None:
        end = offset + size
        if end > len(self.memory):
            raise BusError(f"{self.wiring.name}: a store beyond the window")
        if bytes_of(self.settings.tohost, offset, size) & self.commanding:
            self.take()  # what was stored before was all of a command
        self.memory[offset:end] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        self.touched(offset, size)

    def touched(self, offset: int, size: int) -> None:
        self.commanding |= bytes_of(self.settings.tohost, offset, size)
        self.clearing |= bytes_of(self.settings.fromhost, offset, size)
        if self.clearing == ALL_BYTES:
            self.clearing = 0
            self.give()
        if self.commanding == ALL_BYTES:
            self.take()
        elif self.commanding or self.clearing:
            self.executed, self.pause_s = self.wiring.progress(), LOOK_S
            self.look_later()

    def word(self, offset: int) -> int:
        """One of the two words."""
        return int.from_bytes(self.memory[offset : offset + WORD_BYTES], "little")

    # ---- words of which only a part has been stored

    def look_later(self) -> None:
        """Look how many instructions were executed, after a while."""
        clock = self.wiring.clock
        clock.cancel(self.looking)
        ticks = int(clock.frequency * self.pause_s) + 1
        self.looking = clock.call_at(clock.now() + ticks, self.look)

    def look(self) -> None:
        """Take the parts for all, if every hart has gone on for long or waits."""
        before = dict(enumerate(self.executed))
        if all(
            now is None or now - (before.get(hart) or 0) >= PATIENCE
            for hart, now in enumerate(self.wiring.progress())
        ):
            self.clearing = 0
            self.take()
            self.give()
        elif self.commanding or self.clearing:
            self.pause_s = min(2 * self.pause_s, LOOK_MOST_S)
            self.look_later()

    # ---- commands and answers

    def take(self) -> None:
        """Act on `tohost` and clear it."""
        self.commanding = self.clearing = 0
        if self.looking is not None:
            self.wiring.clock.cancel(self.looking)
            self.looking = None
        command = self.word(self.settings.tohost)
        if command == 0:
            return
        self.memory[self.settings.tohost : self.settings.tohost + WORD_BYTES] = bytes(WORD_BYTES)
        device, what, payload = command >> 56, command >> 48 & 0xFF, command & PAYLOAD
        if what == IDENTIFY:
            self.identify(command, device, payload)
        elif (device, what) == (SYSCALLS, 0):
            self.syscall(payload)
        elif (device, what) == (CONSOLE, PUTCHAR):
            self.wiring.console.write(bytes((payload & 0xFF,)))
        elif (device, what) == (CONSOLE, GETCHAR):
            self.wanted += 1
            self.give()

    def answer(self, device: int, what: int, payload: int) -> None:
        """Put a word into `fromhost` as soon as it is free; a program that asks on and on and
        takes no answers gets no more."""
        if len(self.answers) < MOST_ANSWERS:
            self.answers.append(device << 56 | what << 48 | payload)
        self.give()

    def give(self) -> None:
        """Fill `fromhost` if it is free and there is something for it."""
        if self.wanted and (typed := self.wiring.console.read(self.wanted)):
            self.wanted -= len(typed)
            self.answers += [CONSOLE << 56 | GETCHAR << 48 | 0x100 | byte for byte in typed]
        where = self.settings.fromhost
        if self.answers and not self.clearing and self.word(where) == 0:
            answer = self.answers.pop(0).to_bytes(WORD_BYTES, "little")
            self.memory[where : where + WORD_BYTES] = answer

    def identify(self, command: int, device: int, payload: int) -> None:
        """Say what a device is, in 64 bytes at the address above the payload's low byte."""
        if payload & 0xFF == IDENTIFY:
            name = IDENTITIES.get(device, b"")
            with contextlib.suppress(BusError):  # nowhere to answer, as for `syscall`
                self.wiring.memory.write(payload >> 8, name.ljust(IDENTITY_BYTES, b"\0"))
        self.answer(device, IDENTIFY, 1)

    def syscall(self, payload: int) -> None:
        """An odd payload is an exit status, an even one the address of number and arguments."""
        if payload & 1:
            self.wiring.power(Power.OFF, payload >> 1)
            return
        memory = self.wiring.memory
        try:
            words = [memory.read_int(payload + 8 * index, 8) for index in range(8)]
            result = self.call(*words[:4])
            memory.write_int(payload, 8, result & MASK64)
        except BusError:
            return  # the program gave an address where no memory is: there is nowhere to answer
        self.answer(SYSCALLS, 0, 1)

    def call(self, number: int, first: int, second: int, third: int) -> int:
        """The system calls that need nothing of the host but its console."""
        if number == SYS_EXIT:
            self.wiring.power(Power.OFF, first & 0xFFFF_FFFF)
            return 0
        if number != SYS_WRITE:
            return -errno.ENOSYS
        if first not in (1, 2):
            return -errno.EBADF
        try:
            self.wiring.console.write(self.wiring.memory.read(second, third))
        except BusError:
            return -errno.EFAULT
        return third

    def save(self) -> dict[str, Any]:
        self.memory_bytes = bytes(self.memory)
        return super().save()

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        self.memory[:] = self.memory_bytes
        if self.commanding or self.clearing:
            self.executed = self.wiring.progress()
            self.look_later()


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [Htif]
