"""Going back in the history of a run, as a machine's user does. How it is done is in history/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rvplat.arguments import hart_number, integer, word
from rvplat.errors import HistoryError
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.machine.hooked import Hooked
from rvplat.machine.running.run import FOREVER
from rvplat.machine.running.stop import Stop
from rvplat.machine.snapshotted import Snapshots
from rvplat.tables import html_table

if TYPE_CHECKING:
    from rvplat.machine.history.history import History
    from rvplat.machine.inspection.explain import Access, Explanation, Mode, World
    from rvplat.machine.running.ram_images import RamConnection

HISTORY_BYTES = 512 << 20
LEAST_BYTES = 1 << 20


class Backwards(Snapshots):
    """The part of a machine that goes back to where its run was before."""

    #: The names for users, of this class and of those below it.
    added = (
        "save", "load", "from_snapshot", "record", "replay", "when", "keep_history", "history",
        "reverse_step", "reverse_continue", "last_write", *Hooked.hooking,
    )  # fmt: skip

    if TYPE_CHECKING:
        ram_connection: RamConnection

        def explain(
            self, va: int, access: Access = ..., hart: int = ..., mode: Mode | None = ...,
            world: World = ...,
        ) -> Explanation: ...  # fmt: skip

    _history: History | None = None

    @property
    def history(self) -> History | None:
        """What the machine keeps of its run; None before `keep_history`."""
        return self._history

    def keep_history(self, most_bytes: int = HISTORY_BYTES) -> History:
        """From here on, keep what is needed to go back: checkpoints, which lie further apart the
        older they are, and the input. They take about `most_bytes` of the host's memory; when that
        is not enough, the history begins later.

        Raises:
            RuntimeError: the clock is the host's; the machine runs, or is closed.
        """
        from rvplat.machine.history.history import History

        self.must_be_free()
        integer("most_bytes", most_bytes, LEAST_BYTES, FOREVER)
        if self.turns.virtual is None:
            raise RuntimeError(
                'a history needs a virtual clock: clock = "virtual" in the board, '
                'or settings={"clock": "virtual"}'
            )
        self.end_tape()
        if self._history is None:
            self._history = History(self, self.ram_connection, most_bytes)
        return self._history

    def reverse_step(self, count: int = 1, hart: int = 0) -> Stop:
        """Go back by `count` instructions of a hart; the others go back as far as they were then.
        A step back from the first instruction of an interrupt's handler leads to the place before
        the interrupt. The reason of the `Stop` is "step"; or "history", if the hart has executed
        fewer in the history.

        Raises:
            HistoryError: no history is kept (`keep_history`), or the run does not repeat.
        """
        integer("count", count, 1, FOREVER)
        number = hart_number(hart, len(self.harts))
        self.must_be_free()
        done = self._kept().reverse_step(number, count)
        return Stop("step" if done == count else "history", hart=number)

    def reverse_continue(self) -> Stop:
        """Go back to the last stop at a breakpoint or watchpoint: the place before the instruction,
        as in a run. The reason of the `Stop` is "history" if there is none; the machine is then at
        the start of its history.

        Raises:
            HistoryError: as `reverse_step`.
        """
        self.must_be_free()
        found = self._kept().search_back(lambda stop: bool(stop.hits))
        return found if found is not None else Stop("history")

    def last_write(
        self, address: int, size: int = 8, vmid: int | Literal["host"] | None = None
    ) -> Stop | None:
        """Go back to the place before the last write that has changed bytes of RAM, whoever wrote
        them, under whichever address: a hart in any world, or a device (DMA). `Stop.hart` is the
        hart that executes an instruction there: it writes, or accesses the device. What a device
        writes at an alarm comes between two instructions, and the machine is then just after it.

        Args:
            address: virtual, where hart 0 is now.
            size: the bytes from there, 1 to 64, in one page.
            vmid: the address is in this guest's world, or in the "host" (V=0).

        Returns:
            None if nothing has changed them in the history; the machine is then at its start.

        Raises:
            LookupError: no RAM is mapped there now.
            HistoryError: as `reverse_step`.
        """
        from rvplat.machine.debugging.stop_points import world_here
        from rvplat.machine.history.history import MOST_LOOKED

        word("address", address)
        integer("size", size, 1, MOST_LOOKED)
        self.must_be_free()
        history = self._kept()
        pa = self.explain(address, world="now" if vmid is None else vmid).pa
        if pa is None or not self._is_in_page(pa, size):
            raise LookupError(f"{address:#x}: no {size} bytes of RAM are mapped there, in one page")
        if history.last_change(pa, size) is None:
            return None
        hart = self.turns.place().hart or 0
        return Stop("watch", 0, hart, world_here(self.harts[hart]), address, "write")

    def state_replaced(self) -> None:
        super().state_replaced()
        self.end_tape()
        if self._history is not None:
            self._history.begin_again()

    def _repr_html_(self) -> str:
        """For notebooks: the harts and devices."""
        state = "closed" if self.closed else "running" if self.running else "stopped"
        head, rows = ("hart", "state", "mode", "pc", "instret"), []
        for hart in self.harts:
            shown = () if self.running else (hart.mode, f"{hart.pc:#x}", str(hart.instret))
            rows.append((str(hart.number), hart.state, *shown))
        devices = [
            (name, one.model.model, "" if one.base is None else f"{one.base:#x}")
            for name, one in self.board.devices.items()
        ]
        return html_table(f"machine {self.board.name}, {state}", head, rows) + html_table(
            "devices", ("name", "model", "address"), devices
        )

    def _is_in_page(self, pa: int, size: int) -> bool:
        """Whether bytes are in one page of RAM."""
        fits = pa % PAGE_BYTES + size <= PAGE_BYTES
        return fits and any(ram.base <= pa and pa + size <= ram.end for ram in self.memory.regions)

    def _kept(self) -> History:
        if self._history is None:
            raise HistoryError("the machine keeps no history: call keep_history() before the run")
        if self._history.problem:
            raise HistoryError(self._history.problem)
        return self._history
