"""The machines of a test session: opened for a test, or brought back to where they were booted.

A boot function runs once in a process for each machine that it is used with. Each test then begins
from the snapshot taken after it, and the machine goes from test to test. In a session of several
processes (xdist) one of them boots, and the others load the file that it has saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rvplat.machine.boards.toml_tree import Override
from rvplat.machine.machine import Machine
from rvplat.testing.boot_digest import own_digest, shared_digest
from rvplat.testing.wanted import Arguments, boot_name, described, open_arguments

if TYPE_CHECKING:
    from rvplat.coverage.ran import Coverage
    from rvplat.machine.recordings.tape import Tape
    from rvplat.machine.snapshots.snapshot import Snapshot
    from rvplat.machine.worlds.covering import Covering

KEPT = 4  # machines that wait for the next test
#: Tests can be repeated, unless the board or the test says otherwise.
VIRTUAL = Override(("clock",), "virtual", "the clock of tests", is_default=True)

Key = tuple[str, Callable[[Machine], object] | None]


class BootFailed(Exception):
    """A boot function has failed in an earlier test."""


def _say_nothing(text: str) -> None:
    """Discard a message."""


def open_machine(arguments: Arguments, say: Callable[[str], None] = _say_nothing) -> Machine:
    """Open the machine that a test wants. Errors are those of `Machine.open`."""
    return Machine.open(overrides=[VIRTUAL], say=say, **open_arguments(arguments))


@dataclass(eq=False)
class Lent:
    """A machine that a test has, and what it begins from. `tape`: the recording of what it does; it
    needs a virtual clock. `saved`: the files that the session has written of its snapshots.
    `covering` has what it executes, if coverage is wanted."""

    machine: Machine
    arguments: Arguments
    key: Key
    sinks: dict[str, list[Any]]
    saved: set[Path]
    snapshot: Snapshot | None = None
    tape: Tape | None = None
    covering: Covering | None = None

    @property
    def digest(self) -> str:
        """A name of what was booted, which nothing else has; the same in each process if it can
        be."""
        return shared_digest(*self.key) or own_digest(*self.key)

    def is_saved(self, path: Path) -> bool:
        """Whether the session has written this file; it is about to, if not."""
        if path in self.saved:
            return True
        self.saved.add(path)
        return False

    def record(self) -> None:
        """Record what the machine does from here on, where it has begun."""
        from rvplat.machine.recordings.tape import Tape

        for hart in self.machine.harts:
            hart.plain.keep_worlds = 1  # a backtrace shows the host below a guest
        self.tape = None
        if self.machine.turns.virtual is not None:
            self.tape = Tape(self.machine, self.machine.ram_connection, self.snapshot)

    def is_as_before(self) -> bool:
        """Whether another test can have the machine."""
        machine = self.machine
        return not machine.closed and machine.lost is None and machine.history is None

    def tidy(self) -> None:
        """Take away what a snapshot does not: stop points, hooks, and connections and sinks of
        consoles."""
        machine = self.machine
        if machine.stop_points is not None:
            machine.breakpoints.clear()
            machine.watchpoints.clear()
        if "hooks" in vars(machine):
            found = machine.hooks
            rows = [*found.by_row.values(), *found.by_watch_row.values()]
            for hook in (*rows, *found.traps.values(), *found.switches.values()):
                hook.remove()
        for console in (machine.console, *machine.consoles.values()):
            console.disconnect()
        for name, sinks in self.sinks.items():
            machine.consoles[name].sinks[:] = sinks


class Store:
    """Lends machines to tests. `shared`: the folder for snapshots of several processes; `say` is
    called before slow work; `coverage` gets what the machines execute."""

    def __init__(
        self, shared: Path | None = None, say: Callable[[str], None] = _say_nothing,
        coverage: Coverage | None = None,
    ) -> None:  # fmt: skip
        self._coverage = coverage
        self._shared = shared
        self._say = say
        self._snapshots: dict[Key, Snapshot | str] = {}  # or why there is none
        self._idle: list[Lent] = []
        self._saved: set[Path] = set()

    def lend(self, arguments: Arguments, lent: Callable[[Lent], None]) -> Machine:
        """A machine as a test wants it. `lent` is told of it before anything runs on it.

        Raises:
            BootFailed: its boot function has failed before.
            Exception: what `Machine.open` and the boot function raise.
        """
        boot = arguments.get("boot")
        key = (described(arguments), boot)
        one = self._idle_one(key)
        if one is None:
            machine = open_machine(arguments, self._say)
            sinks = {name: list(console.sinks) for name, console in machine.consoles.items()}
            one = Lent(machine, arguments, key, sinks, self._saved)
            if self._coverage is not None:
                one.covering = machine.cover()
        lent(one)
        if boot is None or key not in self._snapshots:
            one.record()
        if boot is not None:
            one.snapshot = self._booted(one, boot)
            one.record()
        return one.machine

    def take_back(self, one: Lent) -> None:
        """A test no longer needs its machine.

        Raises:
            RunFailed: code of a plugin raised, and the test did not acknowledge it.
        """
        machine = one.machine
        try:
            if machine.running:
                machine.pause()
            else:
                machine.raise_failures()
            if one.snapshot is None or not one.is_as_before():
                self._end(one)
                return
        except BaseException:
            machine.failures  # noqa: B018  (they are raised already)
            self._end(one)
            raise
        one.tidy()
        self._idle.append(one)
        while len(self._idle) > KEPT:
            self._end(self._idle.pop(0))

    def close(self) -> None:
        """Close the machines that wait."""
        while self._idle:
            self._end(self._idle.pop())

    def _end(self, one: Lent) -> None:
        """Close a machine that no test will have again."""
        try:
            one.machine.close()
        finally:
            covering, one.covering = one.covering, None
            if covering is not None and self._coverage is not None:
                self._coverage.merge(covering.coverage())

    def _idle_one(self, key: Key) -> Lent | None:
        for one in reversed(self._idle):
            if one.key == key:
                self._idle.remove(one)
                return one
        return None

    def _booted(self, one: Lent, boot: Callable[[Machine], object]) -> Snapshot:
        """Bring a machine to where its boot function leads; the snapshot of it."""
        found = self._snapshots.get(one.key)
        if isinstance(found, str):
            raise BootFailed(found)
        if found is not None:
            one.machine.load(found)
            return found
        try:
            snapshot = self._first(one, boot)
        except Exception as error:
            why = str(error).partition("\n")[0] or type(error).__name__
            self._snapshots[one.key] = f"{boot_name(boot)} failed in an earlier test: {why}"
            raise
        self._snapshots[one.key] = snapshot
        return snapshot

    def _first(self, one: Lent, boot: Callable[[Machine], object]) -> Snapshot:
        """Boot, or load what another process has booted."""
        if self._shared is None:
            return _boot(one.machine, boot, None)
        digest = shared_digest(*one.key)
        if not digest:
            return _boot(one.machine, boot, None)
        path = self._shared / f"rvplat-{digest}.snap"
        with locked(path.with_suffix(".lock")):
            if not path.exists():
                return _boot(one.machine, boot, path)
        one.machine.load(path)
        return one.machine.save()


def _boot(machine: Machine, boot: Callable[[Machine], object], path: Path | None) -> Snapshot:
    boot(machine)
    if machine.running:
        machine.pause()
    snapshot = machine.save(path)
    machine.load(snapshot)
    return snapshot


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file among processes."""
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
