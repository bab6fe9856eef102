"""Running: a thread for each hart on the host's clock, turns of one thread on a virtual clock."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from rvplat.hart.counters import NEVER
from rvplat.hart.state import STOP_LIMIT, STOP_REQUEST, STOP_WFI
from rvplat.machine.cells import HartCell
from rvplat.machine.machine import Machine, Stop

if TYPE_CHECKING:
    from collections.abc import Callable

FOREVER = 1 << 62
LONGEST_WAIT_S = 3600.0
TURN = 20_000  # instructions of a hart's turn on a virtual clock


class Runner:
    """One run of a machine: until something stops it."""

    def __init__(
        self, machine: Machine, timeout_s: float | None = None, max_instructions: int | None = None
    ) -> None:
        self.machine = machine
        self.timeout_s = timeout_s
        self.limit = FOREVER if max_instructions is None else max_instructions

    def run(self) -> Stop:
        """Run every hart until the first reason to stop. KeyboardInterrupt passes through, with
        every hart out of native code."""
        machine = self.machine
        machine._requests.clear()
        for cell in machine.harts:
            cell.stop_request.value = 0
            cell.view.limit = self.limit
        try:
            if machine.cell.view.clock_virtual != 0:
                self._guarded(self._take_turns)
            else:
                self._run_threads()
        finally:
            for cell in machine.harts:
                cell.stop_request.value = 0
        machine.stop = machine._requests[0]
        return machine.stop

    def _guarded(self, call: Callable[[], None]) -> None:
        timer = self._start_timer()
        try:
            call()
        finally:
            if timer is not None:
                timer.cancel()

    def _start_timer(self) -> threading.Timer | None:
        if self.timeout_s is None:
            return None
        timer = threading.Timer(self.timeout_s, self.machine.request_stop, [Stop("timeout")])
        timer.daemon = True
        timer.start()
        return timer

    # --- the host's clock ---

    def _run_threads(self) -> None:
        threads = [
            threading.Thread(target=self._live, args=[cell], name=f"hart{cell.number}", daemon=True)
            for cell in self.machine.harts
        ]
        for thread in threads:
            thread.start()
        deadline = None if self.timeout_s is None else time.monotonic() + self.timeout_s
        try:
            while any(t.is_alive() for t in threads):
                self._wait_for(threads, deadline)
        except BaseException:
            self.machine.request_stop(Stop("request"))
            for thread in threads:
                thread.join()
            raise

    def _wait_for(self, threads: list[threading.Thread], deadline: float | None) -> None:
        alive = next((t for t in threads if t.is_alive()), None)
        if alive is None:
            return
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            self.machine.request_stop(Stop("timeout"))
            left = None
        alive.join(left)

    def _live(self, cell: HartCell) -> None:
        """A hart's thread."""
        run, hart = self.machine.core.run, cell.view
        while True:
            run(cell.address)
            reason = int(hart.stop)
            if reason == STOP_WFI:
                self._sleep(cell)
            elif reason == STOP_REQUEST:
                return
            else:
                name = "limit" if reason == STOP_LIMIT else "break"
                self.machine.request_stop(Stop(name, hart=cell.number))
                return

    def _sleep(self, cell: HartCell) -> None:
        """WFI: until an interrupt is pending, a timer is due or a stop is asked for."""
        clock = self.machine.assembly.clock
        while True:
            cell.wake.clear()
            if cell.stop_request.value or cell.interrupt_waiting:
                return
            deadline = int(cell.view.deadline)
            if cell.view.attention != 0 and deadline != NEVER:
                return
            wait_s = LONGEST_WAIT_S
            if deadline != NEVER:
                wait_s = min((deadline - clock.now()) / clock.frequency, LONGEST_WAIT_S)
            if wait_s <= 0:
                return
            if cell.view.attention != 0:
                return
            cell.wake.wait(wait_s)

    # --- a virtual clock ---

    def _take_turns(self) -> None:
        raise NotImplementedError
