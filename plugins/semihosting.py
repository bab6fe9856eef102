"""`semihosting`: programs use the host's console, files below one folder, clock and exit status.

Manual: https://github.com/riscv-non-isa/riscv-semihosting (how a hart calls), and "Semihosting for
AArch32 and AArch64", https://github.com/ARM-software/abi-aa (the operations).

It has no window: harts call it by `slli x0, x0, 0x1f; ebreak; srai x0, x0, 7`. Without it on the
board they trap. Time is that of the board's clock. SYS_SYSTEM is refused; SYS_HEAPINFO gives zeros,
so that the program's own layout counts.
"""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rvplat_plugins.host_folder import MOST_BYTES, HostFolder, Refused
from rvplat_plugins.semihosting_operations import Op

from rvplat.bus import Caller, CallerMode, Device, HostCalls, Power, VirtualClock, setting
from rvplat.errors import BusError
from rvplat.hookspecs import hookimpl

FAILED = -1
EXITED = 0x20026  # ADP_Stopped_ApplicationExit
FEATURES = b"SHFB\x03"  # SH_EXT_EXIT_EXTENDED, SH_EXT_STDOUT_STDERR
CONSOLE, FEATURE_FILE = ":tt", ":semihosting-features"
MOST_HANDLES = 64
LONGEST_NAME = 4096
LONGEST_TEXT = 1 << 20  # of SYS_WRITE0
MODES = ("r", "rb", "r+", "r+b", "w", "wb", "w+", "w+b", "a", "ab", "a+", "a+b")
ANSWER = struct.Struct("<qI")  # of a host file: result, errno; data may follow


@dataclass(frozen=True)
class SemihostingSettings:
    """The keys of a board."""

    folder: Path | None = setting("the folder whose files programs may use", None, folder=True)
    write: bool = setting("whether they may also write, create, rename and remove files", False)
    modes: tuple[CallerMode, ...] = setting("the modes that may call", ("M", "S"))
    cmdline: str = setting("the command line of the program", "")


class Semihosting(HostCalls):
    """`handles` are the open ones by number: [name, mode, position]. A snapshot has them, but not
    the files. A file is opened anew after `load`."""

    model = "semihosting"
    settings_type = SemihostingSettings
    state: ClassVar = ("handles", "error")
    unsaved = ("files",)

    settings: SemihostingSettings
    handles: dict[str, list[str | int]]
    error: int

    def setup(self) -> None:
        self.files = HostFolder(self.settings.folder, self.settings.write, self.wiring.name)
        self.wiring.console.wants_end = True

    def reset(self) -> None:
        super().reset()
        self.handles, self.error = {}, 0
        self.files.forget()

    def close(self) -> None:
        self.files.forget()

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        self.files.forget()  # they belong to the handles of before

    @property
    def modes(self) -> tuple[CallerMode, ...]:
        return self.settings.modes

    def call(self, caller: Caller) -> int | None:
        try:
            operation = Op(caller.operation)
        except ValueError:
            return self.fail(errno.ENOSYS)
        try:
            found = OPERATIONS[operation](self, caller)
        except BusError:
            return self.fail(errno.EFAULT)
        except Refused as refusal:
            return self.fail(refusal.number)
        return found

    def fail(self, number: int) -> int:
        """Note the errno of a failed call."""
        self.error = number
        return FAILED

    # --- the caller's memory ---

    def fields(self, caller: Caller, count: int) -> Sequence[int]:
        """The fields of the argument block."""
        data = caller.read(caller.parameter, count * caller.width)
        return struct.unpack(f"<{count}{'Q' if caller.width == 8 else 'I'}", data)

    def put_fields(self, caller: Caller, address: int, *values: int) -> None:
        """Write fields at an address."""
        caller.write(address, b"".join(one.to_bytes(caller.width, "little") for one in values))

    def name(self, caller: Caller, address: int, length: int) -> str:
        """A path."""
        if length > LONGEST_NAME:
            raise Refused(errno.ENAMETOOLONG)
        return caller.read(address, length).decode("utf-8", "surrogateescape")

    # --- files ---

    def ask(self, caller: Caller, do: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
        """Let the host do something with files: its result and data. Refused as it says."""

        def answer() -> bytes:
            try:
                value, data = do()
                return ANSWER.pack(value, 0) + data
            except Refused as refusal:
                return ANSWER.pack(FAILED, refusal.number)

        found = caller.from_host(answer)
        value, number = ANSWER.unpack_from(found)
        if number:
            raise Refused(number)
        return value, found[ANSWER.size :]

    def handle(self, number: int) -> list[str | int]:
        """An open handle."""
        if str(number) not in self.handles:
            raise Refused(errno.EBADF)
        return self.handles[str(number)]

    def open(self, caller: Caller) -> int:
        """SYS_OPEN."""
        address, mode, length = self.fields(caller, 3)
        name = self.name(caller, address, length)
        if mode >= len(MODES):
            raise Refused(errno.EINVAL)
        if len(self.handles) == MOST_HANDLES:
            raise Refused(errno.EMFILE)
        number = next(n for n in range(1, MOST_HANDLES + 1) if str(n) not in self.handles)
        if name == FEATURE_FILE:
            if MODES[mode][0] != "r" or "+" in MODES[mode]:
                raise Refused(errno.EACCES)
        elif name != CONSOLE:
            self.ask(caller, lambda: self.files.open(number, name, MODES[mode]))
        self.handles[str(number)] = [name, mode, 0]
        return number

    def close_handle(self, caller: Caller) -> int:
        """SYS_CLOSE."""
        (number,) = self.fields(caller, 1)
        self.handle(number)
        del self.handles[str(number)]
        self.files.close(number)
        return 0

    def read_file(self, caller: Caller) -> int | None:
        """SYS_READ."""
        number, address, wanted = self.fields(caller, 3)
        name, mode, position = self.handle(number)
        most = min(wanted, MOST_BYTES)
        assert isinstance(position, int)
        if name == CONSOLE:
            if wanted and not self.wiring.console.waiting and not self.wiring.console.ended:
                return None
            data = self.wiring.console.read(most)
        elif name == FEATURE_FILE:
            data = FEATURES[position : position + most]
        else:
            _, data = self.ask(caller, lambda: self.files.read(self.file(number), position, most))
        caller.write(address, data)
        self.handles[str(number)] = [name, mode, position + len(data)]
        return wanted - len(data)

    def write_file(self, caller: Caller) -> int:
        """SYS_WRITE."""
        number, address, length = self.fields(caller, 3)
        name, mode, position = self.handle(number)
        assert isinstance(position, int)
        left = length
        while left:
            data = caller.read(address + length - left, min(left, MOST_BYTES))
            done = len(data)
            if name == CONSOLE:
                self.wiring.console.write(data)
            else:
                done, position = self.put(caller, number, position, data)
            left -= done
            self.handles[str(number)] = [name, mode, position]
            if not done:
                break
        return left

    def put(self, caller: Caller, number: int, position: int, data: bytes) -> tuple[int, int]:
        """Write to a file: the number of bytes, and the new position. 0 after an error."""
        if self.handle(number)[0] == FEATURE_FILE:
            self.fail(errno.EBADF)
            return 0, position
        try:
            end, _ = self.ask(caller, lambda: self.files.write(self.file(number), position, data))
        except Refused as refusal:
            self.fail(refusal.number)
            return 0, position
        return len(data), end

    def file(self, number: int) -> tuple[int, str, str]:
        """What the folder needs to find an open file: number, name, mode."""
        name, mode, _ = self.handle(number)
        return number, str(name), MODES[int(mode)]

    def seek(self, caller: Caller) -> int:
        """SYS_SEEK."""
        number, position = self.fields(caller, 2)
        name, mode, _ = self.handle(number)
        if name == CONSOLE:
            raise Refused(errno.ESPIPE)
        if position >= 1 << 62:
            raise Refused(errno.EINVAL)
        self.handles[str(number)] = [name, mode, position]
        return 0

    def length(self, caller: Caller) -> int:
        """SYS_FLEN."""
        (number,) = self.fields(caller, 1)
        name = self.handle(number)[0]
        if name == FEATURE_FILE:
            return len(FEATURES)
        if name == CONSOLE:
            raise Refused(errno.ESPIPE)
        return self.ask(caller, lambda: self.files.length(self.file(number)))[0]

    def is_tty(self, caller: Caller) -> int:
        """SYS_ISTTY."""
        (number,) = self.fields(caller, 1)
        return int(self.handle(number)[0] == CONSOLE)

    def remove(self, caller: Caller) -> int:
        """SYS_REMOVE."""
        name = self.name(caller, *self.fields(caller, 2))
        return self.ask(caller, lambda: self.files.remove(name))[0]

    def rename(self, caller: Caller) -> int:
        """SYS_RENAME."""
        old, old_length, new, new_length = self.fields(caller, 4)
        names = self.name(caller, old, old_length), self.name(caller, new, new_length)
        return self.ask(caller, lambda: self.files.rename(*names))[0]

    def temporary_name(self, caller: Caller) -> int:
        """SYS_TMPNAM."""
        address, number, length = self.fields(caller, 3)
        name = b"rvplat-%03d.tmp\0" % (number & 0xFF)
        if length < len(name) or number > 0xFF:
            raise Refused(errno.EINVAL)
        caller.write(address, name)
        return 0

    # --- the console ---

    def write_character(self, caller: Caller) -> int:
        """SYS_WRITEC."""
        self.wiring.console.write(caller.read(caller.parameter, 1))
        return 0

    def write_text(self, caller: Caller) -> int:
        """SYS_WRITE0."""
        text, size = bytearray(), 0
        while b"\0" not in text[size:] and len(text) < LONGEST_TEXT:
            at, size = caller.parameter + len(text), len(text)
            text += caller.read(at, 256 - at % 256)  # never more than is needed of the next page
        self.wiring.console.write(bytes(text.partition(b"\0")[0]))
        return 0

    def read_character(self, caller: Caller) -> int | None:
        """SYS_READC. -1 if no more input comes."""
        ended = self.wiring.console.ended  # first: input may come between the two
        if data := self.wiring.console.read(1):
            return data[0]
        return FAILED if ended else None

    # --- time, exit, the rest ---

    def centiseconds(self, caller: Caller) -> int:
        """SYS_CLOCK."""
        clock = self.wiring.clock
        return clock.elapsed() * 100 // clock.frequency

    def time(self, caller: Caller) -> int:
        """SYS_TIME. With a virtual clock time begins in 1970."""
        clock = self.wiring.clock
        if isinstance(clock, VirtualClock):
            return clock.elapsed() // clock.frequency
        return int(time.time())

    def elapsed(self, caller: Caller) -> int:
        """SYS_ELAPSED."""
        caller.write(
            caller.parameter, (self.wiring.clock.elapsed() & 2**64 - 1).to_bytes(8, "little")
        )
        return 0

    def exit(self, caller: Caller) -> int:
        """SYS_EXIT: on RV32 the parameter is the reason, and there is no code."""
        if caller.width == 8:
            return self.exit_extended(caller)
        return self.end(caller.parameter, 0)

    def exit_extended(self, caller: Caller) -> int:
        """SYS_EXIT_EXTENDED."""
        reason, code = self.fields(caller, 2)
        return self.end(reason, code & 0xFFFF_FFFF)

    def end(self, reason: int, code: int) -> int:
        """End the run with a code; with a failure if the reason is no exit."""
        with self.wiring.lock:
            if reason == EXITED:
                self.wiring.power(Power.OFF, code)
            else:
                self.tell(f"the program ended for the reason {reason:#x}")
                self.wiring.power(Power.FAIL, 1)
        return 0

    def command_line(self, caller: Caller) -> int:
        """SYS_GET_CMDLINE."""
        address, size = self.fields(caller, 2)
        text = self.settings.cmdline.encode()
        if size <= len(text):
            raise Refused(errno.E2BIG)
        caller.write(address, text + b"\0")
        self.put_fields(caller, caller.parameter, address, len(text))
        return 0

    def heap(self, caller: Caller) -> int:
        """SYS_HEAPINFO."""
        (block,) = self.fields(caller, 1)
        self.put_fields(caller, block, 0, 0, 0, 0)
        return 0

    def is_error(self, caller: Caller) -> int:
        """SYS_ISERROR."""
        (status,) = self.fields(caller, 1)
        return status >> 8 * caller.width - 1

    def system(self, caller: Caller) -> int:
        """SYS_SYSTEM."""
        raise Refused(errno.EPERM)


OPERATIONS: dict[Op, Callable[[Semihosting, Caller], int | None]] = {
    Op.OPEN: Semihosting.open,
    Op.CLOSE: Semihosting.close_handle,
    Op.WRITEC: Semihosting.write_character,
    Op.WRITE0: Semihosting.write_text,
    Op.WRITE: Semihosting.write_file,
    Op.READ: Semihosting.read_file,
    Op.READC: Semihosting.read_character,
    Op.ISERROR: Semihosting.is_error,
    Op.ISTTY: Semihosting.is_tty,
    Op.SEEK: Semihosting.seek,
    Op.FLEN: Semihosting.length,
    Op.TMPNAM: Semihosting.temporary_name,
    Op.REMOVE: Semihosting.remove,
    Op.RENAME: Semihosting.rename,
    Op.CLOCK: Semihosting.centiseconds,
    Op.TIME: Semihosting.time,
    Op.SYSTEM: Semihosting.system,
    Op.ERRNO: lambda device, caller: device.error,
    Op.GET_CMDLINE: Semihosting.command_line,
    Op.HEAPINFO: Semihosting.heap,
    Op.EXIT: Semihosting.exit,
    Op.EXIT_EXTENDED: Semihosting.exit_extended,
    Op.ELAPSED: Semihosting.elapsed,
    Op.TICKFREQ: lambda device, caller: device.wiring.clock.frequency,
}


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [Semihosting]
