"""Native devices in machines: harts run their definitions, and CPython is the reference."""

from __future__ import annotations

import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvplat import Machine
from rvplat.errors import DefinitionError, RunFailed
from rvplat.machine.running.native_devices import NativeDevices
from tests.machine.small_guests import POWER_OFF, guest

TABLE = 0x8020_0000
ENTRY = struct.Struct("<QQQQ")  # address, value, operation, result
LOADS, STORES = (1, 2, 4, 8), (1, 2, 4, 8)
UART, PLIC, CLINT, RTC, VIRTIO = 0x1000_0000, 0x0C00_0000, 0x200_0000, 0x10_1000, 0x1000_1000

#: Makes the accesses of a table and stores what they gave: a value, or bit 63 and the cause.
DO_ALL = (
    """
.option norvc
  la t0, handler
  csrw mtvec, t0
  li s0, 0x80200000
  ld s1, 0(s0)
  addi s0, s0, 8
loop: beqz s1, done
  ld a0, 0(s0)
  ld a1, 8(s0)
  ld a2, 16(s0)
  li a3, 0
  la t1, operations
  slli a2, a2, 3
  add t1, t1, a2
  jr t1
operations:
  lbu a3, 0(a0)
  j next
  lhu a3, 0(a0)
  j next
  lwu a3, 0(a0)
  j next
  ld a3, 0(a0)
  j next
  sb a1, 0(a0)
  j next
  sh a1, 0(a0)
  j next
  sw a1, 0(a0)
  j next
  sd a1, 0(a0)
next: sd a3, 24(s0)
  addi s0, s0, 32
  addi s1, s1, -1
  j loop
  .balign 4
handler: csrr t2, mepc
  addi t2, t2, 4
  csrw mepc, t2
  csrr a3, mcause
  li t3, 1
  slli t3, t3, 63
  or a3, a3, t3
  mret
done:"""
    + POWER_OFF
)

Access = tuple[int, int, int, int]  # address, size, 1: a store, value


def _accesses() -> st.SearchStrategy[Access]:
    plic = (
        *range(4, 64, 4), 0x1000, 0x2000, 0x2004, 0x2080, 0x3000,
        *range(0x20_0000, 0x20_4000, 0x800), 0x20_0004, 0x20_1004, 0x20_2004,
    )  # fmt: skip
    clint = (0, 4, 8, 0x4000, 0x4004, 0x4008, 0x400C, 0xBFF8, 0xBFFC, 0xC000)
    offsets = {
        UART: range(0x10),
        PLIC: plic,
        CLINT: clint,
        RTC: range(0, 0x24, 4),
        VIRTIO: (*range(0, 0x100, 4), 0x104, 0x81),
    }
    at = st.sampled_from([base + offset for base, found in offsets.items() for offset in found])
    values = st.one_of(st.integers(0, 15), st.integers(0, 255), st.integers(0, (1 << 64) - 1))
    return st.tuples(at, st.sampled_from([1, 2, 4, 4, 8]), st.integers(0, 1), values)


@contextmanager
def reference() -> Iterator[None]:
    """Machines whose devices CPython runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NativeDevices, "connect", lambda devices: None)
        patch.setattr(NativeDevices, "run_delayed", lambda devices, hart: None)
        yield


def outcome(accesses: list[Access], typed: bytes) -> dict[str, Any]:
    """What the accesses gave, and how they left the devices."""
    changes: dict[str, Any] = {"clock": "virtual", "harts.count": 2}
    with Machine.open("virt", guest(DO_ALL), settings=changes) as machine:
        words = bytearray(struct.pack("<Q", len(accesses)))
        for address, size, is_store, value in accesses:
            operation = LOADS.index(size) + 4 * is_store
            words += ENTRY.pack(address, value, operation, 0)
        machine.memory.write(TABLE, bytes(words))
        machine.console.feed(typed)
        stop = machine.run(timeout_s=60, max_instructions=50_000)
        found = machine.memory.read(TABLE + 8, ENTRY.size * len(accesses))
        return {
            "stop": str(stop),
            "results": [entry[3] for entry in ENTRY.iter_unpack(found)],
            "devices": {n: d.save() for n, d in machine.devices.items() if n != "flash"},
            "output": machine.console.output,
            "lines": [int(hart.view.irq_lines) for hart in machine.harts],
            "timers": [int(hart.view.mtimecmp) for hart in machine.harts],
            "done": [hart.instret for hart in machine.harts],
        }


@settings(max_examples=25, deadline=None)
@given(st.lists(_accesses(), min_size=20, max_size=120), st.binary(max_size=40))
def test_devices_agree_with_their_reference(accesses: list[Access], typed: bytes) -> None:
    ours = outcome(accesses, typed)
    with reference():
        assert ours == outcome(accesses, typed)


# --- two harts and Python at one device -----------------------------------------------------------

COUNTER = """\
from rvplat.bus import Device, Register, State, afterwards, native, soon
from rvplat.hookspecs import hookimpl
from rvplat.lang import u32, u64


class Counter(Device):
    "Adds what is written, in two steps that others must not see."

    model = "counter"
    size = 0x1000
    registers = (
        Register(0x0, "TOTAL", "N[31:0]"),
        Register(0x4, "ASK", "N[31:0]", "wo"),
        Register(0x8, "SPIN", "N[31:0]", "wo"),
    )
    state = (State("halves", u32, 2),)
    asked = 0

    @native
    def write_total(self, value: u32) -> None:
        self.halves[0] += value
        self.halves[1] += value
        self.total = self.halves[0] + self.halves[1]

    @native
    def write_ask(self, value: u32) -> None:
        self.ask = value
        self.answer()

    @afterwards
    def answer(self) -> None:
        self.asked += self.ask

    @native
    def write_spin(self, value: u32) -> None:
        while self.spin == 0:
            self.ask += 1


@hookimpl
def rvplat_devices():
    return [Counter]
"""
BASE = 0x1001_0000
ADD_BOTH = (
    """
  csrr s2, mhartid
  li s0, 0x10010000
  li s1, 100000
1: li t0, 1
  sw t0, 0(s0)
  addi s1, s1, -1
  bnez s1, 1b
  la t0, done
  li t1, 1
  amoadd.w zero, t1, (t0)
  bnez s2, 9f
2: lw t1, 0(t0)
  li t2, 2
  bne t1, t2, 2b
"""
    + POWER_OFF
    + """
9: wfi
  j 9b
.data
.balign 8
done: .word 0
"""
)


def with_counter(tmp_path: Path, text: str, program: str, **changes: Any) -> Machine:
    (tmp_path / "counter.py").write_text(text)
    board = tmp_path / "board.toml"
    board.write_text(
        'extends = "virt"\nplugins = ["counter.py"]\n'
        f'[devices.counter]\nmodel = "counter"\nbase = {BASE:#x}\n'
    )
    return Machine.open(board, guest(program), settings=changes)


def test_two_harts_and_python_change_a_device_one_after_another(tmp_path: Path) -> None:
    with with_counter(tmp_path, COUNTER, ADD_BOTH, **{"harts.count": 2}) as machine:
        machine.start()
        for _ in range(500):
            machine.bus.write(BASE, 4, 1)
        assert machine.wait(timeout_s=120).reason == "off"
        counter: Any = machine.devices["counter"]
        assert list(counter.halves) == [200_500] * 2
        assert counter.total == machine.bus.read(BASE, 4) == 401_000


ASK = (
    """
  li s0, 0x10010000
  li t0, 5
  sw t0, 4(s0)
  sw t0, 4(s0)
"""
    + POWER_OFF
)


def test_python_is_asked_before_the_next_instruction(tmp_path: Path) -> None:
    with with_counter(tmp_path, COUNTER, ASK) as machine:
        assert machine.run(timeout_s=60).reason == "off"
        assert machine.devices["counter"].asked == 10  # type: ignore[attr-defined]


PC = 0x8000_0004
SPIN = "li s0, 0x10010000\n  sw zero, 8(s0)\n1: j 1b\n"


def test_a_definition_that_never_ends_is_ended(tmp_path: Path) -> None:
    with with_counter(tmp_path, COUNTER, SPIN) as machine:
        with pytest.raises(RunFailed) as caught:
            machine.run(timeout_s=1)
        where = rf"\(.*counter.py, in Counter, hart 0, pc {PC:#x}\)"
        told = rf"counter: an access did not come back {where}"
        assert re.fullmatch(told, str(caught.value))
        assert machine.bus.read(BASE, 4) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("self.total = value + u64(1)", "u32 with u64: convert one of them first"),
        ("self.totl = value", "Counter has no field totl"),
        ("self.nothing()", "Counter has no method nothing"),
        ("assert value == 1", "Assert statements are not in the language"),
    ],
)
def test_a_definition_that_cannot_be_compiled_is_named(
    tmp_path: Path, line: str, message: str
) -> None:
    text = COUNTER.replace("self.total = self.halves[0] + self.halves[1]", line)
    number = text.splitlines().index(f"        {line}") + 1
    with pytest.raises(DefinitionError) as caught:
        with_counter(tmp_path, text, ASK)
    assert str(caught.value) == f"{tmp_path / 'counter.py'}:{number}: {message}"


def test_output_of_a_hart_is_seen_while_it_runs() -> None:
    program = "li t0, UART\n  li t1, 'x'\n  sb t1, 0(t0)\n1: j 1b\n"
    with Machine.open("virt", guest(program)) as machine:
        machine.start()
        machine.console.wait_for(b"x", timeout_s=60)
        machine.pause()


def test_output_is_seen_after_a_step() -> None:
    program = "li t0, UART\n  li t1, 'x'\n  sb t1, 0(t0)\n1: j 1b\n"
    with Machine.open("virt", guest(program)) as machine:
        while not machine.console.output:
            machine.step()
        assert machine.console.output == b"x"


def test_input_reaches_a_hart_that_sleeps() -> None:
    done = threading.Event()
    program = (
        """
  li s0, UART
  li t0, 1
  sb t0, 1(s0)            # receiver's interrupt
  li t0, 0x0c000000
  li t1, 1
  sw t1, 40(t0)           # priority of source 10
  li t0, 0x0c002000
  li t1, 1 << 10
  sw t1, 0(t0)
  li t1, 1 << 11
  csrw mie, t1
1: wfi
  lbu t1, 5(s0)
  andi t1, t1, 1
  beqz t1, 1b
  lbu t1, 0(s0)
  sb t1, 0(s0)
"""
        + POWER_OFF
    )
    with Machine.open("virt", guest(program)) as machine:
        machine.console.sinks.append(lambda data: done.set() if data == b"k" else None)
        machine.start()
        machine.console.feed(b"k")
        assert done.wait(60)
        assert machine.wait(timeout_s=60).reason == "off"
