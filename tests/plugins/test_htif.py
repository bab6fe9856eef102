"""The host-target interface, as programs for Spike use it."""

from __future__ import annotations

import struct

import pytest
from rvplat_plugins.htif import MOST_ANSWERS, PATIENCE, Htif, HtifSettings

from rvplat.bus import Console, Memory, Power, Progress, Ram, VirtualClock, Wiring
from rvplat.errors import BusError

TOHOST, FROMHOST = 0x40, 0x80
RAM = 0x8000_0000


class Bench:
    """A window of 256 bytes in RAM."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.memory.add(Ram(RAM, 0x2000))
        self.console = Console()
        self.shown = bytearray()
        self.console.sinks.append(self.shown.extend)
        self.clock = VirtualClock(10_000_000)
        self.asked: list[tuple[Power, int]] = []
        self.executed: Progress = []
        wiring = Wiring(
            memory=self.memory,
            console=self.console,
            clock=self.clock,
            power=lambda action, code: self.asked.append((action, code)),
            progress=lambda: self.executed,
            backing=self.memory.view(RAM + 0x1000, 0x100),
        )
        self.htif = Htif(HtifSettings(window=0x100, tohost=TOHOST, fromhost=FROMHOST), wiring)

    def tohost(self, value: int) -> None:
        self.htif.write(TOHOST, 8, value)

    def fromhost(self) -> int:
        value = self.htif.read(FROMHOST, 8)
        self.htif.write(FROMHOST, 8, 0)
        return value


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_rest_of_the_window_is_memory(bench: Bench) -> None:
    bench.htif.write(0x10, 2, 0x1_BEEF)
    assert bench.memory.read_int(RAM + 0x1010, 4) == 0xBEEF
    bench.memory.write_int(RAM + 0x1001, 4, 7)
    assert bench.htif.read(1, 4) == 7
    with pytest.raises(BusError):
        bench.htif.read(0xFC, 8)


@pytest.mark.parametrize("code", [0, 1, 42, 1337])
def test_exit(bench: Bench, code: int) -> None:
    bench.tohost(code << 1 | 1)
    assert bench.asked == [(Power.OFF, code)]
    assert bench.htif.read(TOHOST, 8) == 0


LOW, HIGH = (TOHOST, 4), (TOHOST + 4, 4)
LONG = 100_000_000  # ticks


@pytest.mark.parametrize("order", [(LOW, HIGH), (HIGH, LOW)])
def test_exit_by_halves(bench: Bench, order: tuple[tuple[int, int], ...]) -> None:
    """However long the host takes between the two."""
    values = {LOW: 3, HIGH: 0}
    bench.executed = [5]
    for half in order[:1]:
        bench.htif.write(*half, values[half])
    bench.clock.advance(LONG)
    bench.executed = [5 + PATIENCE - 1]
    bench.clock.advance(LONG)
    assert bench.asked == []
    bench.htif.write(*order[1], values[order[1]])
    assert bench.asked == [(Power.OFF, 1)]


@pytest.mark.parametrize("order", [(LOW, HIGH), (HIGH, LOW)])
def test_console_output_by_halves(bench: Bench, order: tuple[tuple[int, int], ...]) -> None:
    """An odd character's lower half looks like an exit code."""
    bench.executed = [0]
    for char in b"aceg\0i":
        for half in order:
            bench.htif.write(*half, char if half == LOW else 0x101_0000)
            bench.clock.advance(LONG)
    assert (bytes(bench.shown), bench.asked) == (b"aceg\0i", [])


def test_a_word_by_bytes(bench: Bench) -> None:
    for index, byte in enumerate((0x0101_0000_0000_0041).to_bytes(8, "little")):
        assert not bench.shown
        bench.htif.write(TOHOST + index, 1, byte)
    assert bench.shown == b"A"


def test_exit_by_the_lower_half_in_a_loop(bench: Bench) -> None:
    bench.executed = [0]
    bench.htif.write(*LOW, 3)
    assert bench.asked == []
    bench.htif.write(*LOW, 3)
    assert bench.asked == [(Power.OFF, 1)]


def test_exit_by_the_lower_half_alone(bench: Bench) -> None:
    """It counts when every hart has gone on for long enough, or waits."""
    bench.executed = [1000, 7, None]
    bench.htif.write(*LOW, 3)
    for executed in ([1000 + PATIENCE, 8, None], [1000, 7 + PATIENCE, None], [1000, None, 5]):
        bench.executed = executed
        bench.clock.advance(LONG)
        assert bench.asked == []
    bench.executed = [1000 + PATIENCE, None, None]
    bench.clock.advance(LONG)
    assert bench.asked == [(Power.OFF, 1)]
    assert bench.clock.next_alarm() is None


def test_fromhost_cleared_by_halves(bench: Bench) -> None:
    """The next answer waits for both: the second store would have cleared a part of it."""
    bench.executed = [0]
    identify = 1 << 56 | 0xFF << 48
    for _ in range(3):
        bench.tohost(identify)
    for half in (4, 0), (0, 4), (0, 4):
        for offset in half:
            assert bench.htif.read(FROMHOST + 4, 4) in (0, identify >> 32)
            bench.htif.write(FROMHOST + offset, 4, 0)
    assert bench.htif.read(FROMHOST, 8) == 0


def test_half_of_a_word_survives(bench: Bench) -> None:
    bench.executed = [0]
    bench.htif.write(*LOW, ord("a"))
    other = Bench()
    other.executed = [0]
    other.htif.load(bench.htif.save())
    other.htif.write(*HIGH, 0x101_0000)
    assert other.shown == b"a"


def test_console_output(bench: Bench) -> None:
    for char in b"hi":
        bench.tohost(1 << 56 | 1 << 48 | char)
        assert bench.htif.read(TOHOST, 8) == 0
    assert bench.shown == b"hi"
    assert bench.fromhost() == 0


def test_console_input_waits_for_a_key_and_for_fromhost(bench: Bench) -> None:
    bench.tohost(1 << 56)
    bench.tohost(1 << 56)
    assert bench.fromhost() == 0
    bench.console.feed(b"abc")
    assert bench.fromhost() == 1 << 56 | 0x100 | ord("a")
    assert bench.fromhost() == 1 << 56 | 0x100 | ord("b")
    assert bench.fromhost() == 0  # nobody asked for the third
    bench.tohost(1 << 56)
    assert bench.fromhost() == 1 << 56 | 0x100 | ord("c")


def call(bench: Bench, *words: int) -> int:
    """A system call through the eight words at RAM + 0x100."""
    at = RAM + 0x100
    bench.memory.write(at, struct.pack("<8Q", *words, *[0] * (8 - len(words))))
    bench.tohost(at)
    assert bench.fromhost() == 1
    return int(struct.unpack("<q", bench.memory.read(at, 8))[0])


def test_write_system_call(bench: Bench) -> None:
    bench.memory.write(RAM, b"to the console")
    assert call(bench, 64, 1, RAM, 14) == 14
    assert bench.shown == b"to the console"
    assert call(bench, 64, 7, RAM, 14) == -9  # EBADF
    assert call(bench, 64, 1, 0x10, 14) == -14  # EFAULT


def test_other_system_calls(bench: Bench) -> None:
    assert call(bench, 63, 0, RAM, 1) == -38  # ENOSYS
    call(bench, 93, 5)
    assert bench.asked == [(Power.OFF, 5)]


def test_a_system_call_to_nowhere_is_dropped(bench: Bench) -> None:
    bench.tohost(0x10)
    assert bench.fromhost() == 0


@pytest.mark.parametrize(("device", "name"), [(0, b"syscall_proxy"), (1, b"bcd"), (2, b"")])
def test_devices_say_what_they_are(bench: Bench, device: int, name: bytes) -> None:
    bench.tohost(device << 56 | 0xFF << 48 | RAM << 8 | 0xFF)
    assert bench.fromhost() == device << 56 | 0xFF << 48 | 1
    assert bench.memory.read(RAM, 64) == name.ljust(64, b"\0")


def test_state_survives(bench: Bench) -> None:
    other = Bench()
    bench.htif.write(0, 8, 5)
    bench.tohost(1 << 56)
    other.htif.load(bench.htif.save())
    other.console.feed(b"k")
    assert other.htif.read(0, 8) == 5
    assert other.fromhost() == 1 << 56 | 0x100 | ord("k")


def test_what_is_asked_for_and_never_taken_is_bounded(bench: Bench) -> None:
    """A guest that asks on and on fills no memory of the host's."""
    for _ in range(3 * MOST_ANSWERS):
        bench.tohost(0xFF << 48 | (RAM << 8 | 0xFF) & (1 << 48) - 1)
    assert len(bench.htif.answers) == MOST_ANSWERS
    answers = 0
    while bench.fromhost():
        answers += 1
    assert answers == MOST_ANSWERS + 1


def test_an_identity_for_no_memory_is_nobodys_error(bench: Bench) -> None:
    bench.tohost(0xFF << 48 | 0xFF)
    assert bench.fromhost() == 0xFF << 48 | 1
