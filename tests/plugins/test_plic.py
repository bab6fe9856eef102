"""The PLIC against its specification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rvplat_plugins.ns16550a import Ns16550a
from rvplat_plugins.plic import Plic, PlicSettings

from rvplat.bus import Line, MipBit, Wiring
from rvplat.errors import BusError

PENDING, ENABLE, CONTEXT = 0x1000, 0x2000, 0x200000


class Bench:
    """A PLIC and the harts' lines that it drives."""

    def __init__(self, harts: int = 2, sources: int = 95, edges: tuple[int, ...] = ()) -> None:
        self.lines: dict[tuple[int, int], bool] = {}
        wiring = Wiring(harts=harts, set_hart_line=self.drive)
        self.plic = Plic(PlicSettings(sources=sources, edge_triggered=edges), wiring)

    def drive(self, hart: int, bit: int, level: bool) -> None:
        self.lines[hart, bit] = level

    def priority(self, source: int, value: int) -> None:
        self.plic.write(4 * source, 4, value)

    def enable(self, context: int, *sources: int) -> None:
        for word in range(32):
            bits = sum(1 << source % 32 for source in sources if source // 32 == word)
            self.plic.write(ENABLE + 0x80 * context + 4 * word, 4, bits)

    def threshold(self, context: int, value: int) -> None:
        self.plic.write(CONTEXT + 0x1000 * context, 4, value)

    def claim(self, context: int) -> int:
        return self.plic.read(CONTEXT + 0x1000 * context + 4, 4)

    def complete(self, context: int, source: int) -> None:
        self.plic.write(CONTEXT + 0x1000 * context + 4, 4, source)

    def high(self) -> set[tuple[int, int]]:
        return {line for line, level in self.lines.items() if level}


def test_contexts_are_m_and_s_of_each_hart() -> None:
    bench = Bench()
    bench.priority(10, 1)
    for context, line in enumerate(
        [(0, MipBit.MEIP), (0, MipBit.SEIP), (1, MipBit.MEIP), (1, MipBit.SEIP)]
    ):
        bench.enable(context, 10)
        bench.plic.set_input(10, True)
        assert bench.high() == {line}
        assert bench.claim(context) == 10
        assert bench.high() == set()
        bench.plic.set_input(10, False)
        bench.complete(context, 10)
        bench.enable(context)


def test_priority_then_number() -> None:
    bench = Bench()
    for source, priority in ((3, 2), (9, 7), (40, 7), (95, 1)):
        bench.priority(source, priority)
        bench.plic.set_input(source, True)
    bench.enable(1, 3, 9, 40, 95)
    assert [bench.claim(1) for _ in range(5)] == [9, 40, 3, 95, 0]


def test_threshold_masks_the_line_but_not_the_claim() -> None:
    bench = Bench()
    bench.priority(5, 3)
    bench.enable(0, 5)
    bench.threshold(0, 3)
    bench.plic.set_input(5, True)
    assert bench.high() == set()
    bench.threshold(0, 2)
    assert bench.high() == {(0, MipBit.MEIP)}
    bench.threshold(0, 7)
    assert bench.claim(0) == 5


def test_priority_zero_never_interrupts() -> None:
    bench = Bench()
    bench.enable(0, 5)
    bench.plic.set_input(5, True)
    assert bench.high() == set()
    assert bench.claim(0) == 0
    assert bench.plic.read(PENDING, 4) == 1 << 5
    bench.priority(5, 1)
    assert bench.high() == {(0, MipBit.MEIP)}


def test_the_gateway_waits_for_the_completion() -> None:
    bench = Bench()
    bench.priority(1, 1)
    bench.enable(0, 1)
    bench.plic.set_input(1, True)
    assert bench.claim(0) == 1
    bench.plic.set_input(1, False)
    bench.plic.set_input(1, True)
    assert bench.claim(0) == 0
    bench.complete(0, 1)
    assert bench.high() == {(0, MipBit.MEIP)}
    assert bench.claim(0) == 1
    bench.plic.set_input(1, False)
    bench.complete(0, 1)
    assert bench.high() == set()


def test_a_request_is_not_taken_back() -> None:
    bench = Bench()
    bench.priority(1, 1)
    bench.enable(0, 1)
    bench.plic.set_input(1, True)
    bench.plic.set_input(1, False)
    assert bench.high() == {(0, MipBit.MEIP)}
    assert bench.claim(0) == 1


def test_completion_of_a_source_that_is_not_enabled_is_ignored() -> None:
    bench = Bench()
    bench.priority(1, 1)
    bench.enable(0, 1)
    bench.plic.set_input(1, True)
    assert bench.claim(0) == 1
    bench.complete(1, 1)  # context 1 does not have it enabled
    bench.complete(0, 2000)
    assert bench.plic.read(PENDING, 4) == 0
    bench.complete(0, 1)
    assert bench.plic.read(PENDING, 4) == 2


def test_an_edge_triggered_source_interrupts_once_for_each_signal() -> None:
    """A line that stays high is no new request; a signal while it is claimed is one ("Interrupt
    Gateways": the gateway may count edges, here to one)."""
    bench = Bench(harts=1, edges=(10,))
    bench.priority(10, 1)
    bench.enable(1, 10)
    bench.plic.set_input(10, True)
    assert bench.claim(1) == 10
    bench.complete(1, 10)
    assert bench.high() == set()
    for again in (False, True):
        bench.plic.set_input(10, True)
        assert bench.claim(1) == 10
        if again:
            bench.plic.set_input(10, True)
            bench.plic.set_input(10, True)
        bench.complete(1, 10)
        assert bench.claim(1) == (10 if again else 0)
    bench.complete(1, 10)
    assert bench.claim(1) == 0


def test_a_driver_that_never_reads_iir_is_not_stormed() -> None:
    """xv6 before 2025 enables the transmitter's interrupt and leaves it pending, as QEMU's `virt`
    allows: it gets one for each character that it sends or receives."""
    bench = Bench(harts=1, edges=(10,))
    bench.priority(10, 1)
    bench.enable(1, 10)
    line = Line("irq", lambda level: bench.plic.set_input(10, level))
    uart = Ns16550a(wiring=Wiring(lines={"irq": line}))
    uart.write(1, 1, 3)  # IER: received data, transmitter empty

    def interrupts() -> int:
        count = 0
        while bench.high() and count < 10:
            assert bench.claim(1) == 10
            while uart.read(5, 1) & 1:
                uart.read(0, 1)
            bench.complete(1, 10)
            count += 1
        return count

    assert interrupts() == 1
    assert interrupts() == 0
    uart.write(0, 1, ord("a"))
    assert interrupts() == 1
    uart.wiring.console.feed(b"b")
    assert 1 <= interrupts() <= 2  # reading the character signals once more, as on QEMU


def test_two_contexts_race_for_one_source() -> None:
    bench = Bench()
    bench.priority(33, 1)
    for context in (1, 3):
        bench.enable(context, 33)
    bench.plic.set_input(33, True)
    assert bench.high() == {(0, MipBit.SEIP), (1, MipBit.SEIP)}
    assert (bench.claim(3), bench.claim(1)) == (33, 0)
    assert bench.high() == set()


def test_registers_keep_what_is_there() -> None:
    bench = Bench(harts=1, sources=40)
    bench.priority(40, 0xFFFF_FFFF)
    assert bench.plic.read(4 * 40, 4) == 7
    bench.plic.write(ENABLE, 4, 0xFFFF_FFFF)
    bench.plic.write(ENABLE + 4, 4, 0xFFFF_FFFF)
    bench.plic.write(ENABLE + 8, 4, 0xFFFF_FFFF)
    assert [bench.plic.read(ENABLE + word, 4) for word in (0, 4, 8)] == [0xFFFF_FFFE, 0x1FF, 0]
    for offset in (0, 4 * 41, 0x1FFC, ENABLE + 0x100, CONTEXT + 8, CONTEXT + 0x2000, 0x5FFFFC):
        bench.plic.write(offset, 4, 1)
        assert bench.plic.read(offset, 4) == 0


@pytest.mark.parametrize(("offset", "size"), [(4, 1), (4, 8), (6, 4), (0x600000, 4)])
def test_width_rules(offset: int, size: int) -> None:
    with pytest.raises(BusError):
        Bench().plic.read(offset, size)


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 7)), max_size=30))
def test_claims_come_in_order(requests: list[tuple[int, int]]) -> None:
    """Against the specification said plainly: highest priority first, then lowest number."""
    bench = Bench(harts=1, sources=8)
    bench.enable(0, *range(1, 9))
    priorities = dict(requests)
    for source, priority in priorities.items():
        bench.priority(source, priority)
        bench.plic.set_input(source, True)
    expected = sorted(
        (source for source, priority in priorities.items() if priority),
        key=lambda source: (-priorities[source], source),
    )
    assert [bench.claim(0) for _ in range(len(expected) + 1)] == [*expected, 0]


def test_state_survives() -> None:
    bench, other = Bench(), Bench()
    bench.priority(7, 2)
    bench.enable(1, 7, 8)
    bench.plic.set_input(7, True)
    other.plic.load(bench.plic.save())
    assert other.high() == {(0, MipBit.SEIP)}
    assert other.claim(1) == 7
    other.plic.reset()
    assert other.high() == set()
