"""Hooks: handlers see and change what the guest does, and the run goes on."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine
from rvplat.errors import RunFailed
from rvplat.machine.hooks.event import Event
from rvplat.machine.running.stop import Stop
from tests.machine.hooks.conftest import Open

BOTH = pytest.mark.parametrize("clock", ["virtual", "host"])


@BOTH
def test_each_call_of_a_function_is_met_once(opened: Open, clock: str) -> None:
    machine, seen = opened(clock, rounds=50), []

    @machine.on("work", when="$a0 > 10")
    def called(event: Event) -> None:
        seen.append((event.x["a0"], event.world, event.mode, event.here["calls"]))

    counted = machine.on("work")
    assert machine.run(timeout_s=10).reason == "off"
    assert seen == [(n, "host", "M", n - 1) for n in range(11, 51)]
    assert (called.hits, counted.hits) == (40, 50)
    assert str(called) == "hook 1 at work (called)"


@BOTH
def test_skip_return_and_jump(opened: Open, clock: str) -> None:
    machine = opened(clock, rounds=3)
    worked = machine.on("work", lambda event: event.return_from(0))
    touched = machine.on("touch", lambda event: setattr(event, "pc", event.x["ra"]))
    assert machine.run(timeout_s=10).reason == "off"
    assert (worked.hits, touched.hits) == (3, 3)
    assert machine.host["calls"] == 0 and machine.host["busy[1]"] == 0
    assert machine.host["rounds"] == 3


def test_writes(opened: Open) -> None:
    machine, seen = opened(rounds=5), []
    address = machine.symbols["calls"]

    def before(event: Event) -> None:
        seen.append((event.access, event.address, event.host["calls"]))
        if len(seen) == 2:
            event.skip()

    hook = machine.on_write("calls", 8, before)
    quiet = machine.on_write("rounds", 8, when="$a0 != $a0")
    assert machine.run(timeout_s=10).reason == "off"
    assert seen == [("write", address, n) for n in (0, 1, 1, 2, 3)]
    assert machine.host["calls"] == 4 and (hook.hits, quiet.hits) == (5, 0)


def test_traps(opened: Open) -> None:
    """`trap` is called each sixteenth round."""
    machine, seen = opened(rounds=48), []
    machine.on_trap(11, lambda event: seen.append((event.cause, event.is_interrupt, event.epc)))
    handled = machine.on(
        "handler", lambda event: seen.append((event.csr("mcause"), False, event.pc))
    )
    other = machine.on_trap(2)
    every = machine.on_trap()
    assert machine.run(timeout_s=10).reason == "off"
    at, handler = machine.symbols["trap"], machine.symbols["handler"]
    assert [one[0] for one in seen] == [11] * 6 and handled.hits == 3
    assert all(at <= epc < at + 16 for _, _, epc in seen[::2])
    assert [one[2] for one in seen[1::2]] == [handler] * 3
    assert (other.hits, every.hits) == (0, 3)


def test_a_stop_that_a_handler_asks_for(opened: Open) -> None:
    machine = opened()
    hook = machine.on("work", lambda event: event.stop(f"call {event.x['a0']}"))
    for call in (1, 2):
        stop = machine.run(timeout_s=10)
        assert (stop.reason, str(stop)) == ("hook", f"call {call}")
        assert machine.harts[0].pc == stop.address == machine.symbols["work"]
    hook.handler = lambda event: event.stop()
    assert str(machine.run(timeout_s=10)) == "a hook has stopped the run"
    hook.remove()
    assert machine.run(max_instructions=100_000).reason == "limit"
    assert hook.hits == 3


def test_breakpoints_at_the_same_address(opened: Open) -> None:
    machine = opened(rounds=3)
    hook = machine.on("work")
    point = machine.breakpoints.add("work")
    for call in (1, 2, 3):
        assert machine.run(timeout_s=10).breakpoint is point
        assert (hook.hits, point.hits) == (call, call)
    machine.step()
    assert hook.hits == 3 and machine.run(timeout_s=10).reason == "off"


def test_steps_meet_hooks(opened: Open) -> None:
    machine = opened()
    machine.breakpoints.add("work", temporary=True)
    machine.run(timeout_s=10)
    hook = machine.on(machine.harts[0].pc + 2)
    for _ in range(3):
        machine.step()
    assert hook.hits == 1


def test_enabled_and_removed_by_handlers(opened: Open) -> None:
    machine, seen = opened(rounds=20), []

    def once(event: Event) -> None:
        seen.append(event.x["a0"])
        event.hook.remove()
        inner = machine.on("work", lambda event: seen.append(-event.x["a0"]))
        machine.on("touch", lambda event: setattr(inner, "enabled", event.x["a0"] < 3))

    first = machine.on("work", once)
    assert machine.run(timeout_s=10).reason == "off"
    assert seen == [1, -2, -3] and first.hits == 1
    with pytest.raises(LookupError, match="^hook 1 was removed$"):
        first.enabled = True


def test_a_handler_that_raises(opened: Open) -> None:
    machine = opened(rounds=5)

    @machine.on("work", when="$a0 == 3")
    def broken(event: Event) -> None:
        event.x["a0"] = 9
        raise ValueError("no")

    with pytest.raises(RunFailed) as raised:
        machine.run(timeout_s=10)
    (failure,) = raised.value.failures
    assert isinstance(raised.value.__cause__, ValueError) and raised.value.stop.reason == "failure"
    at = machine.symbols["work"]
    line = broken.handler.__code__.co_firstlineno + 3  # type: ignore[union-attr]
    assert str(raised.value) == (
        f"the handler of hook 1 at work (broken) raised ValueError: no ({__file__}:{line}, "
        f"in broken, hart 0, pc {at:#x})"
    )
    assert machine.harts[0].pc == at and machine.host["calls"] == 2
    machine.harts[0].x["a0"] = 3
    assert machine.run(timeout_s=10).reason == "off"  # it goes on where it was
    assert machine.host["calls"] == 5 and broken.hits == 1


def test_what_a_handler_can_not_do(opened: Open) -> None:
    machine, said = opened(rounds=1), []

    def tries(event: Event) -> None:
        for call in (
            machine.run, machine.save, event.skip, lambda: event.address, lambda: event.x["zz"],
        ):  # fmt: skip
            with pytest.raises((RuntimeError, ValueError, LookupError)) as raised:
                call()
            said.append(str(raised.value))

    machine.on_trap(11, tries)
    machine.host["limit"] = 16
    assert machine.run(timeout_s=10).reason == "off"
    what = "hook 1 at exception 11 (tries) is for no"
    assert said == [
        "the machine runs: a hook's handler can't do this",
        "the machine runs: a hook's handler can't do this",
        f"skip: {what} instruction", f"address: {what} such event",
        "no register 'zz'",
    ]  # fmt: skip


def test_a_line_in_the_log(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    machine = opened(rounds=1)
    machine.on("touch", lambda event: event.log("it touches"))
    with caplog.at_level(logging.INFO, "rvplat.hooks"):
        machine.run(timeout_s=10)
    at = machine.symbols["touch"]
    assert caplog.messages == [f"it touches (hook 1 at touch (<lambda>), hart 0, pc {at:#x})"]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda m: m.on("wrk"), LookupError, 'no such symbol; did you mean "work"?'),
        (lambda m: m.on("work", 3), TypeError, "handler=3: expected a function that takes"),
        (lambda m: m.on("work", when="$zz"), Exception, "there is no register $zz"),
        (lambda m: m.on_write("calls", 0), ValueError, "size=0: expected 1 to"),
        (lambda m: m.on_write("calls", access="x"), ValueError, "access='x': expected one of"),
        (lambda m: m.on_trap(64), ValueError, "cause=64: expected 0 to 63"),
        (lambda m: m.on("work")(3), TypeError, "3: expected a function that takes an event"),
    ],
)
def test_wrong_arguments(opened: Open, call: Any, kind: type[Exception], message: str) -> None:
    machine = opened()
    with pytest.raises(kind) as raised:
        call(machine)
    assert message in str(raised.value)


def test_several_harts_on_the_hosts_clock() -> None:
    """Each handler runs in its hart's thread, and may use that hart only."""
    with Machine.open("virt", program="demo", harts=4, settings={"clock": "host"}) as machine:
        seen: dict[int, int] = {}

        def started(event: Event) -> None:
            number = event.hart.number
            seen[number] = event.csr("mhartid")
            other = machine.harts[(number + 1) % 4]
            with pytest.raises(RuntimeError, match="runs: pause the machine first"):
                _ = other.pc
            with pytest.raises(RuntimeError, match="pause it first"):
                machine.on(event.pc)

        machine.on(machine.harts[0].pc, started)
        for hart in machine.harts[1:]:
            assert hart.pc == machine.harts[0].pc
        assert machine.run(timeout_s=10).reason == "off"
        assert all(int(hart.plain.hook_held) == 0 for hart in machine.harts)
    assert seen == {n: n for n in range(4)}


def test_interrupts_come_after_a_stop_between_a_hook_and_its_instruction(opened: Open) -> None:
    """A hart takes no interrupt between a handler and its instruction, but it does afterwards, also
    if the instruction is never executed."""
    machine = opened("host")
    hart = machine.harts[0]
    hook = machine.on("work", lambda event: machine.request_stop(Stop("pause")))
    interrupts = machine.on_trap(interrupt=True)
    assert machine.run(timeout_s=10).reason == "pause"
    assert hart.pc == machine.symbols["work"]
    hook.remove()
    hart.pc = machine.symbols["never"]  # it returns to main, which calls work
    hart.set_csr("mie", 1 << 7)
    hart.set_csr("mstatus.MIE", 1)
    machine.bus.write(0x0200_4000, 8, 0)  # mtimecmp of hart 0
    machine.run(max_instructions=100_000)
    assert interrupts.hits > 0


def test_a_snapshot_is_met_again(opened: Open) -> None:
    """After a snapshot was put back, handlers are called at the same places again."""
    machine = opened(rounds=10)
    begun, seen = machine.save(), []
    machine.breakpoints.add("work")
    machine.on("work", lambda event: seen.append(event.x["a0"]))
    for _ in range(2):
        machine.load(begun)
        assert machine.run(timeout_s=10).reason == "break"
    assert seen == [1, 1]


def test_variables_in_a_handler(variables_elf: Path) -> None:
    with Machine.open("virt", program=variables_elf, settings={"clock": "virtual"}) as machine:
        stacks: list[list[str]] = []

        @machine.on("leaf", when="$a0 == 50")
        def look(event: Event) -> None:
            event.here["state.mode"] = "LOST"
            stacks.append([one.function for one in machine.backtrace()])

        machine.run(timeout_s=10)
        assert machine.host["state.mode"] == "LOST" and look.hits == 2
        assert stacks == [["leaf", "middle", "main", "_start"]] * 2


def test_a_handler_that_does_not_return(opened: Open) -> None:
    """It is ended as a device is, and the run says whose it is."""
    machine = opened()

    def waits(event: Event) -> None:
        while True:
            pass

    machine.on("work", waits)
    with pytest.raises(
        RunFailed, match=r"the handler of hook 1 at work \(waits\) did not come back"
    ):
        machine.run(timeout_s=0.5)
    assert machine.harts[0].pc == machine.symbols["work"]


def test_all_handlers_are_called_after_one_that_raised(opened: Open) -> None:
    machine = opened(rounds=3)
    machine.on("work", lambda event: 1 // 0)
    counted = machine.on("work")
    with pytest.raises(RunFailed):
        machine.run(timeout_s=10)
    assert counted.hits == 1
    assert machine.run(timeout_s=10).reason == "failure"
    assert counted.hits == 2


@BOTH
def test_requests_to_stop_lose_no_trap(opened: Open, clock: str) -> None:
    """Another thread calls the harts all the time."""
    machine = opened(clock, rounds=16 * 300)
    hook = machine.on_trap(11)
    ended = threading.Event()

    def call() -> None:
        while not ended.is_set():
            machine.harts[0].request_stop()

    thread = threading.Thread(target=call)
    thread.start()
    try:
        while machine.run(timeout_s=60).reason != "off":
            pass
    finally:
        ended.set()
        thread.join()
    assert hook.hits == 300


def test_what_a_handler_may_not_do_in_a_step(opened: Open) -> None:
    machine, said = opened(), []
    before = machine.save()

    def loads(event: Event) -> None:
        try:
            machine.load(before)
        except RuntimeError as error:
            said.append(str(error))

    machine.on(machine.harts[0].pc + 4, loads)
    machine.step(3)
    assert said == ["the machine runs: a hook's handler can't do this"]


def test_on_trap_refuses_what_is_no_kind(opened: Open) -> None:
    for wrong in ("timer", 1):
        with pytest.raises(TypeError, match="interrupt"):
            opened().on_trap(interrupt=wrong)  # type: ignore[arg-type]
