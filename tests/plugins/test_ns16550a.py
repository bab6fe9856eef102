"""The UART, register by register, as the drivers of Linux and U-Boot use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rvplat_plugins.ns16550a import Iir, Ns16550a

from rvplat.bus import Console, Line, VirtualClock, Wiring
from rvplat.errors import DeviceError

RBR = THR = DLL = 0
IER = DLM = 1
IIR = FCR = 2
LCR, MCR, LSR, MSR, SCR = 3, 4, 5, 6, 7
FIFOS = 0xC0
HZ = 10_000_000


class Bench:
    """A UART, its console, its clock and its line."""

    def __init__(self) -> None:
        self.console = Console()
        self.sent = bytearray()
        self.console.sinks.append(self.sent.extend)
        self.clock = VirtualClock(HZ)
        self.line = Line("irq")
        wiring = Wiring(lines={"irq": self.line}, console=self.console, clock=self.clock)
        self.uart = Ns16550a(wiring=wiring)

    def get(self, offset: int) -> int:
        return self.uart.read(offset, 1)

    def put(self, offset: int, value: int) -> None:
        self.uart.write(offset, 1, value)

    @property
    def cause(self) -> int:
        return self.get(IIR) & 0xF


@pytest.fixture
def bench() -> Iterator[Bench]:
    yield Bench()


def test_after_reset(bench: Bench) -> None:
    assert [bench.get(offset) for offset in (IER, IIR, LCR, MCR, LSR)] == [0, 1, 0, 0, 0x60]
    assert bench.get(MSR) == 0xB0
    assert not bench.line.level


def test_characters_are_sent(bench: Bench) -> None:
    for char in b"ok\n":
        bench.put(THR, char)
        assert bench.get(LSR) & 0x60 == 0x60
    assert bench.sent == b"ok\n"


def test_divisor_is_behind_dlab(bench: Bench) -> None:
    bench.put(LCR, 0x83)
    bench.put(DLL, 0x34)
    bench.put(DLM, 0x12)
    assert (bench.get(DLL), bench.get(DLM)) == (0x34, 0x12)
    bench.put(LCR, 0x03)
    assert bench.get(IER) == 0
    assert bench.sent == b""


def test_scratch_and_unused_bits(bench: Bench) -> None:
    bench.put(SCR, 0xA5)
    bench.put(IER, 0xFF)
    bench.put(MCR, 0xEF)
    assert (bench.get(SCR), bench.get(IER), bench.get(MCR)) == (0xA5, 0x0F, 0x0F)


def test_thr_interrupt_rises_with_its_enable_and_ends_with_iir(bench: Bench) -> None:
    bench.put(IER, 2)
    assert bench.line.level
    assert bench.cause == Iir.THR_EMPTY
    assert not bench.line.level
    assert bench.cause == Iir.NONE
    bench.put(THR, 0x41)
    assert bench.line.level
    bench.put(IER, 0)
    assert not bench.line.level
    bench.put(IER, 2)
    assert bench.line.level


def test_without_fifo_one_character_at_a_time(bench: Bench) -> None:
    bench.put(IER, 1)
    bench.console.feed(b"ab")
    assert bench.line.level
    assert bench.cause == Iir.RECEIVED
    assert bench.get(LSR) & 1
    assert bench.get(RBR) == ord("a")
    assert bench.line.level  # the next one came at once
    assert bench.get(RBR) == ord("b")
    assert not bench.line.level
    assert bench.get(LSR) & 1 == 0
    assert bench.get(RBR) == 0


def test_fifo_trigger_level(bench: Bench) -> None:
    bench.put(FCR, 0x81)  # 8 characters
    bench.put(IER, 1)
    bench.console.feed(b"1234567")
    assert bench.get(IIR) == FIFOS | Iir.NONE
    bench.console.feed(b"8")
    assert bench.get(IIR) == FIFOS | Iir.RECEIVED
    assert bench.get(RBR) == ord("1")
    assert not bench.line.level


def test_character_timeout(bench: Bench) -> None:
    bench.put(FCR, 0x81)
    bench.put(IER, 1)
    bench.console.feed(b"x")
    four_characters = HZ * 4 * 10 * 16 * 12 // 3_686_400
    bench.clock.advance(four_characters)
    assert not bench.line.level
    bench.clock.advance(1)
    assert bench.get(IIR) == FIFOS | Iir.TIMEOUT
    assert bench.line.level  # reading IIR does not end it
    assert bench.get(RBR) == ord("x")
    assert not bench.line.level


def test_a_read_restarts_the_timeout(bench: Bench) -> None:
    bench.put(FCR, 0xC1)
    bench.put(IER, 1)
    bench.console.feed(b"xy")
    bench.clock.advance(30_000)
    assert bench.cause == Iir.TIMEOUT
    bench.get(RBR)
    assert bench.cause == Iir.NONE
    bench.clock.advance(30_000)
    assert bench.cause == Iir.TIMEOUT


def test_a_full_fifo_leaves_the_rest_in_the_console(bench: Bench) -> None:
    bench.put(FCR, 0x01)
    text = bytes(range(65, 65 + 40))
    bench.console.feed(text)
    assert bench.console.waiting == 24
    assert bytes(bench.get(RBR) for _ in range(40)) == text
    assert bench.get(LSR) == 0x60


def test_interrupts_have_priorities(bench: Bench) -> None:
    bench.put(MCR, 0x10)  # loopback
    bench.put(IER, 0x0F)
    bench.put(THR, 1)
    bench.put(THR, 2)  # overrun
    bench.put(MCR, 0x12)  # CTS changes
    assert bench.cause == Iir.LINE_STATUS
    assert bench.get(LSR) & 2
    assert bench.cause == Iir.RECEIVED
    assert bench.get(RBR) == 2  # without FIFOs the older character is lost
    assert bench.cause == Iir.THR_EMPTY
    assert bench.cause == Iir.MODEM_STATUS
    assert bench.get(MSR) & 0x01
    assert bench.cause == Iir.NONE
    assert not bench.line.level


def test_loopback_connects_the_modem_lines(bench: Bench) -> None:
    """What Linux's 8250 driver does to find a UART: OUT2 and RTS give DCD and CTS."""
    bench.put(MCR, 0x1A)
    assert bench.get(MSR) & 0xF0 == 0x90
    bench.put(THR, 0x55)
    assert (bytes(bench.sent), bench.get(RBR)) == (b"", 0x55)
    bench.put(MCR, 0)
    assert bench.get(MSR) & 0xF0 == 0xB0


def test_ring_indicator_marks_only_its_end(bench: Bench) -> None:
    bench.put(MCR, 0x14)
    assert bench.get(MSR) & 0x44 == 0x40
    bench.put(MCR, 0x10)
    assert bench.get(MSR) & 0x44 == 0x04


def test_fifo_reset_drops_what_was_received(bench: Bench) -> None:
    bench.put(FCR, 1)
    bench.console.feed(b"abc")
    bench.put(FCR, 3)
    assert bench.get(LSR) & 1 == 0
    assert bench.get(IIR) & FIFOS == FIFOS
    bench.put(FCR, 0)
    assert bench.get(IIR) & FIFOS == 0


@pytest.mark.parametrize("wrong", [{"first": 16}, {"first": 255}, {"held": 17}])
def test_a_state_that_no_fifo_has_is_refused(bench: Bench, wrong: dict[str, int]) -> None:
    state = {**bench.uart.save(), **wrong}
    with pytest.raises(DeviceError, match="are no FIFO"):
        Bench().uart.load(state)


def test_state_survives(bench: Bench) -> None:
    bench.put(FCR, 0x81)
    bench.put(IER, 1)
    bench.console.feed(b"q")
    other = Bench()
    other.uart.load(bench.uart.save())
    other.clock.advance(30_000)
    assert other.line.level
    assert other.get(RBR) == ord("q")
