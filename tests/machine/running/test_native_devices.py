"""Native devices in machines: harts run their definitions."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine
from rvplat.bus import Device, State
from rvplat.errors import DefinitionError, DeviceError, RunFailed
from tests.machine.small_guests import POWER_OFF, guest

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


@pytest.mark.slow
def test_a_definition_that_never_ends_is_ended(tmp_path: Path) -> None:
    with with_counter(tmp_path, COUNTER, SPIN) as machine:
        machine.run(max_instructions=1)  # with RVPLAT_REGIONS=all this starts the compiler
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "value: u32, other: u32",
            "write_ask takes (self, value, other); a definition that writes ASK takes "
            "(self, value)",
        ),
        ("", "write_ask takes (self); a definition that writes ASK takes (self, value)"),
        ("value", "write_ask: value: the parameter has no type"),
    ],
)
def test_a_registers_definition_takes_what_harts_give(
    tmp_path: Path, arguments: str, message: str
) -> None:
    head = "    def write_ask(self, value: u32) -> None:"
    number = COUNTER.splitlines().index(head)  # of the decorator's line, from 1
    given = f"self, {arguments}" if arguments else "self"
    text = COUNTER.replace(head, f"    def write_ask({given}) -> None:")
    with pytest.raises(DefinitionError) as caught:
        with_counter(tmp_path, text, ASK)
    assert str(caught.value) == f"{tmp_path / 'counter.py'}:{number}: {message}"


def test_python_gives_a_definition_all_arguments(tmp_path: Path) -> None:
    """In a machine, where native code runs, as without one."""
    with with_counter(tmp_path, COUNTER, ASK) as machine:
        counter: Any = machine.devices["counter"]
        for device in (counter, type(counter)()):
            for given in ((), (1, 2)):
                with pytest.raises(TypeError) as caught:
                    device.write_total(*given)
                told = f"Counter.write_total takes (value), found {len(given)} arguments"
                assert str(caught.value) == told
            device.write_total(1)
            assert device.total == 2


def test_a_definition_that_reads_a_register_returns_it(tmp_path: Path) -> None:
    head = "    def write_ask(self, value: u32) -> None:"
    method = "    def read_ask(self) -> None:\n        self.ask = 1\n\n    @native\n"
    number = COUNTER.splitlines().index(head)  # of the decorator's line, from 1
    with pytest.raises(DefinitionError) as caught:
        with_counter(tmp_path, COUNTER.replace(head, method + head), ASK)
    assert str(caught.value) == (
        f"{tmp_path / 'counter.py'}:{number}: read_ask returns nothing; a definition that reads "
        "ASK returns a number, as in -> u32"
    )


@pytest.mark.parametrize("through", ["", " through more"])
def test_a_definition_that_calls_itself_is_refused(tmp_path: Path, through: str) -> None:
    """Nothing would end it before the host's stack is full, and the process would die."""
    head = "    def write_ask(self, value: u32) -> None:\n"
    number = COUNTER[: COUNTER.index(head)].count("\n")  # of the decorator's line, from 1
    text = COUNTER.replace(
        head, head + f"        self.{'more' if through else 'write_ask'}(value)\n"
    )
    more = "    @native\n    def more(self, value: u32) -> None:\n        self.write_ask(value)\n\n"
    text = text.replace("    @native\n    def write_spin", more + "    @native\n    def write_spin")
    with pytest.raises(DefinitionError) as caught:
        with_counter(tmp_path, text, ASK)
    assert str(caught.value) == (
        f"{tmp_path / 'counter.py'}:{number}: write_ask calls itself{through}: write a loop instead"
    )


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"state": (State("x", float),)},  # type: ignore[arg-type]
            'x has the type float, expected one such as u32, as in State("x", u32)',
        ),
        (
            {"state": (State("x", "u32"),)},  # type: ignore[arg-type]
            "x has the type 'u32', expected one such as u32, as in State(\"x\", u32)",
        ),
        ({"state": (State("wiring"),)}, "wiring is the name of something else already"),
        (
            {"state": (), "is_native": True, "alarms": {"over": "rest"}},
            'the alarm over calls rest, which is no method; did you mean "reset"?',
        ),
    ],
)
def test_mistakes_in_a_class_are_named(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(DeviceError) as caught:
        type("Lamp", (Device,), {"model": "lamp", **attributes, "reset": Device.reset})
    assert str(caught.value) == f"Lamp: {message}"


def test_state_is_a_row_of_rows() -> None:
    with pytest.raises(DeviceError) as caught:
        type("Lamp", (Device,), {"model": "lamp", "state": State("x")})
    assert str(caught.value) == ('Lamp.state: expected rows, as in state = (State("name", u32),)')


def test_a_native_device_without_definitions(tmp_path: Path) -> None:
    """Harts access its registers, and there is no code of its own."""
    text = COUNTER.split("    state = ")[0] + "    is_native = True\n\n\n"
    text += COUNTER[COUNTER.index("@hookimpl") :]
    with with_counter(tmp_path, text, ASK) as machine:
        assert machine.run(timeout_s=60).reason == "off"
        counter: Any = machine.devices["counter"]
        assert counter.ask == 5


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
