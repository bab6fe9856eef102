"""What clients are told of a machine that they run."""

from __future__ import annotations

import time

from rvplat import Machine
from rvplat.api.control import Control
from rvplat.machine.running.stop import Stop
from tests.machine.small_guests import POWER_OFF, guest
from tests.machine.stuck import until

SLOW_S = 0.3


def test_the_end_of_a_run_is_told_before_the_next_move() -> None:
    """A client that asks for the state can see the end, and step, before the event is sent."""
    told: list[str] = []

    def tell() -> None:
        if control.state != "running":
            time.sleep(SLOW_S if not told else 0)  # a busy host
            assert control.stop is not None
            told.append(control.stop.reason)

    with Machine.open(program=guest(POWER_OFF)) as machine:
        control = Control(machine, tell)
        control.run()
        until(lambda: control.state != "running")
        control.moved(lambda: Stop("step"))
        assert told == ["off", "step"]
        control.end("leave")
