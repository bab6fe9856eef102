"""`htif`: two words of memory through which a program exits, prints and calls the host.

Manual: https://github.com/riscv-software-src/riscv-isa-sim, folder fesvr: device.cc (the words),
syscall.cc (device 0). The window lies in RAM, around an ELF's `tohost` and `fromhost`. It is
ordinary memory; only stores to these two words have effects.

A program for RV32, or one in assembly, may store the 8 bytes of `tohost` in parts, the lower or the
upper half first. Spike reads the word every 5,000 instructions; QEMU waits for the upper half. Here
a command is complete

- when all 8 bytes have been stored since the last command, in any order,
- before a store to bytes that were stored already: a program that stores only the lower half again
  and again gives a command each time,
- when every hart has executed `PATIENCE` instructions since the store, or waits for an interrupt:
  the program has stored only one half and waits for an answer.

This does not depend on the host's time. `fromhost` is free again under the same conditions: all of
its bytes have been stored, the next command comes, or `PATIENCE` instructions have been executed.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rvplat_plugins.console_output import ConsoleOutput

from rvplat.bus import (
    Alarm,
    Device,
    Hole,
    Power,
    Progress,
    Register,
    State,
    afterwards,
    native,
    setting,
)
from rvplat.errors import BusError
from rvplat.hookspecs import hookimpl
from rvplat.lang import relaxed_store_u64, u8, u64

SYSCALLS, CONSOLE = 0, 1
IDENTITIES = {SYSCALLS: b"syscall_proxy", CONSOLE: b"bcd"}
GETCHAR, PUTCHAR, IDENTIFY = 0, 1, 0xFF
IDENTITY_BYTES = 64
SYS_WRITE, SYS_EXIT = 64, 93
MASK64 = (1 << 64) - 1
PAYLOAD = (1 << 48) - 1
PATIENCE = 1_000_000  # instructions: more than a trap between the two stores needs
LOOK_S, LOOK_MOST_S = 0.001, 0.064  # between two checks of the progress
WORD_BYTES = 8
ALL_BYTES = 0xFF
MOST_ANSWERS = 1024
PRINTS = CONSOLE << 8 | PUTCHAR  # the upper 16 bits of a command that prints a character


@dataclass(frozen=True)
class HtifSettings:
    """Offsets of the two words in the window. The machine takes them from the ELF's symbols."""

    window: int = setting("size of the window in bytes", 0x1000, minimum=16)
    tohost: int = setting("offset of tohost", 0, minimum=0)
    fromhost: int = setting("offset of fromhost", 8, minimum=0)


def bytes_of(word: int, offset: int, size: int) -> int:
    """The bytes of the word at offset `word` that an access touches: bit n is byte n."""
    first, end = max(offset - word, 0), min(offset + size - word, WORD_BYTES)
    return (1 << end) - (1 << first) if first < end else 0


class Htif(ConsoleOutput):
    """`answers` holds answers until the guest has cleared `fromhost`."""

    model = "htif"
    compatible = ("ucb,htif0",)
    node_has_reg = False
    size = 0x1000
    settings_type = HtifSettings
    state = (
        "answers",
        "wanted",
        "memory_bytes",
        "executed",
        "pause_s",
        State("commanding", u8),  # bytes of `tohost` stored since the last command, bit by bit
        State("clearing", u8),  # bytes of `fromhost` stored since it was free, bit by bit
        State("command", u64, saved=False),  # a whole word that was stored to `tohost`
        State("tohost_host", u64, saved=False),  # host address of `tohost`
    )

    settings: HtifSettings
    memory: memoryview
    memory_bytes: bytes = b""
    answers: list[int]
    wanted: int  #: number of characters that the guest has asked for and not got yet
    commanding: u8
    clearing: u8
    command: u64
    tohost_host: u64
    looking: Alarm | None = None
    executed: Progress = ()  #: the harts' progress at the last store to one of the words
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
        self.wanted = 0
        first = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.tohost_host = u64(first + self.settings.tohost)

    @native
    def write_tohost(self, value: u64) -> None:
        """Take a whole command. A character to print is kept until `send`."""
        if value >> 48 == PRINTS and self.commanding == 0 and self.clearing == 0:
            relaxed_store_u64(self.tohost_host, u64(0))
            self.put(u8(value))
        else:
            self.command = value
            self.store_command()

    @afterwards
    def store_command(self) -> None:
        """Do what a store of a whole word to `tohost` does."""
        self.write(self.settings.tohost, WORD_BYTES, self.command)

    def read(self, offset: int, size: int) -> int:
        if offset + size > len(self.memory):
            raise BusError(f"{self.wiring.name}: a load beyond the window")
        return int.from_bytes(self.memory[offset : offset + size], "little")

    def write(self, offset: int, size: int, value: int) -> None:
        end = offset + size
        if end > len(self.memory):
            raise BusError(f"{self.wiring.name}: a store beyond the window")
        if bytes_of(self.settings.tohost, offset, size) & self.commanding:
            self.take()  # the parts stored before were a whole command
        self.memory[offset:end] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        self.touched(offset, size)

    def touched(self, offset: int, size: int) -> None:
        self.commanding |= u8(bytes_of(self.settings.tohost, offset, size))
        self.clearing |= u8(bytes_of(self.settings.fromhost, offset, size))
        if self.clearing == ALL_BYTES:
            self.clearing = u8(0)
            self.give()
        if self.commanding == ALL_BYTES:
            self.take()
        elif self.commanding or self.clearing:
            self.executed, self.pause_s = self.wiring.progress(), LOOK_S
            self.look_later()

    def word(self, offset: int) -> int:
        """The value of the word at an offset."""
        return int.from_bytes(self.memory[offset : offset + WORD_BYTES], "little")

    # ---- words of which only a part has been stored

    def look_later(self) -> None:
        """Call `look` after a while."""
        clock = self.wiring.clock
        clock.cancel(self.looking)
        ticks = int(clock.frequency * self.pause_s) + 1
        self.looking = clock.call_at(clock.now() + ticks, self.look)

    def look(self) -> None:
        """Take the stored parts as a whole word if every hart has gone on for long, or waits."""
        before = dict(enumerate(self.executed))
        if all(
            now is None or now - (before.get(hart) or 0) >= PATIENCE
            for hart, now in enumerate(self.wiring.progress())
        ):
            self.clearing = u8(0)
            self.take()
            self.give()
        elif self.commanding or self.clearing:
            self.pause_s = min(2 * self.pause_s, LOOK_MOST_S)
            self.look_later()

    # ---- commands and answers

    def take(self) -> None:
        """Act on `tohost` and clear it."""
        self.commanding = self.clearing = u8(0)
        self.send()
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
        """Put a word into `fromhost` as soon as it is free. Beyond MOST_ANSWERS waiting words,
        answers are dropped: the program takes none."""
        if len(self.answers) < MOST_ANSWERS:
            self.answers.append(device << 56 | what << 48 | payload)
        self.give()

    def give(self) -> None:
        """Put the next answer into `fromhost` if it is free."""
        if self.wanted and (typed := self.wiring.console.read(self.wanted)):
            self.wanted -= len(typed)
            self.answers += [CONSOLE << 56 | GETCHAR << 48 | 0x100 | byte for byte in typed]
        where = self.settings.fromhost
        if self.answers and not self.clearing and self.word(where) == 0:
            answer = self.answers.pop(0).to_bytes(WORD_BYTES, "little")
            self.memory[where : where + WORD_BYTES] = answer

    def identify(self, command: int, device: int, payload: int) -> None:
        """Write a device's name, 64 bytes, to the address in the payload (above its low byte)."""
        if payload & 0xFF == IDENTIFY:
            name = IDENTITIES.get(device, b"")
            with contextlib.suppress(BusError):  # no memory at the address, as in `syscall`
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
            return  # there is no memory at the address that the program gave, so no answer
        self.answer(SYSCALLS, 0, 1)

    def call(self, number: int, first: int, second: int, third: int) -> int:
        """Do a system call; only those that need no more of the host than its console."""
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
        self.send()
        self.memory_bytes = bytes(self.memory)
        return super().save()

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        if bytes(self.memory) != self.memory_bytes:  # else RAM was restored already
            self.memory[:] = self.memory_bytes


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [Htif]
