"""A library for Robot Framework, on the same calls as the pytest plugin.

*** Settings ***
Library    rvplat.testing.robot.Rvplat

*** Test Cases ***
It Boots
    Open Machine    program=demo    harts=2
    Start Machine
    ${match} =    Expect    harts\\\\s+(\\\\d+)    timeout_s=60
    Should Be Equal    ${match}[1]    2
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from robot.api import logger
from robot.api.deco import keyword, library
from robot.libraries.BuiltIn import BuiltIn

from rvplat.errors import RvplatError
from rvplat.machine.boards.toml_tree import parse_override
from rvplat.machine.machine import Machine
from rvplat.machine.running.console import HostConsole
from rvplat.testing.report import Place, sections
from rvplat.testing.store import Lent, Store
from rvplat.testing.wanted import Arguments, WrongMark, checked

RECORDINGS = ".rvplat"


class Listener:
    """Closes the machines at the end of each test case, and describes those of failed ones."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, machines: Rvplat) -> None:
        self._machines = machines

    def end_test(self, data: Any, result: Any) -> None:
        """A test case has ended."""
        errors = self._machines.end_case(result.full_name, bool(result.failed))
        if errors:
            result.status = "FAIL"
            result.message = "\n\n".join([result.message, *errors] if result.message else errors)

    def close(self) -> None:
        """The last suite has ended."""
        self._machines.store.close()


@library(scope="GLOBAL", auto_keywords=False)
class Rvplat:
    """Machines for test cases. They are closed at the end of the test case; those of a failed one
    are described in the log, with the command that repeats the run."""

    def __init__(self) -> None:
        self.ROBOT_LIBRARY_LISTENER = Listener(self)
        self.store = Store()
        self._lent: dict[str, Lent] = {}
        self._current = ""
        self._boots: dict[tuple[str, float], Callable[[Machine], None]] = {}

    def end_case(self, name: str, failed: bool) -> list[str]:
        """Describe the machines of a failed test case, and take all back. Returns what they
        raised, each with the machine's name."""
        errors = []
        place = Place(Path(RECORDINGS).absolute(), name, Path.cwd())
        for machine, lent in self._lent.items():
            try:
                for title, text in sections(lent, f" {machine}", place) if failed else ():
                    logger.error(f"{title}:\n{text}")
            except Exception as error:  # the other machines must be taken back
                errors.append(f"{machine}: {error}")
            try:
                self.store.take_back(lent)
            except Exception as error:
                errors.append(f"{machine}: {error}")
        self._lent.clear()
        self._current = ""
        return errors

    # --- keywords ---

    @keyword
    def open_machine(self, name: str = "machine", **arguments: Any) -> Machine:
        """Opens a machine, which is then the current one. The arguments are those of the mark in
        pytest: board, program, kernel, isa and so on; names with a dot, and clock, are settings of
        the board: `devices.uart0.base=0x1000`. Paths are below the folder of the suite."""
        return self._open(name, arguments)

    @keyword
    def open_booted_machine(
        self, pattern: str, timeout_s: float = 60.0, name: str = "machine", **arguments: Any
    ) -> Machine:
        """Opens a machine where its guest has written what matches a regular expression. It is
        booted once; each later test case with the same arguments begins from that snapshot."""
        key = pattern, float(timeout_s)
        boot = self._boots.setdefault(key, _until(*key))
        return self._open(name, {**arguments, "boot": boot})

    @keyword
    def switch_machine(self, name: str) -> None:
        """Makes the machine of this name the current one."""
        if name not in self._lent:
            raise AssertionError(f"no machine {name!r}: there are {sorted(self._lent)}")
        self._current = name

    @keyword
    def start_machine(self) -> None:
        """Runs the current machine in the background."""
        self._machine().start()

    @keyword
    def pause_machine(self) -> None:
        """Stops the current machine."""
        self._machine().pause()

    @keyword
    def wait_for_end(self, timeout_s: float = 60.0) -> str:
        """Waits until the current machine stops by itself; returns why: "off", for instance."""
        return self._machine().wait(timeout_s=float(timeout_s)).reason

    @keyword
    def expect(
        self, pattern: str, timeout_s: float = 60.0, guest_s: float | None = None,
        console: str | None = None,
    ) -> list[str]:  # fmt: skip
        """Waits until a console's output matches a regular expression; returns the text and its
        groups. `console` is the name of its device; without it, the main console."""
        host_s = float(timeout_s)
        limit = None if guest_s is None else float(guest_s)
        found = self._console(console).expect(pattern, host_s, guest_s=limit)
        return [found[0], *found.groups()]

    @keyword
    def send_line(self, text: str, console: str | None = None) -> None:
        """Types a line."""
        self._console(console).send_line(text)

    @keyword
    def current_machine(self) -> Machine:
        """The current machine, for `Evaluate` and the like: an rvplat.Machine."""
        return self._machine()

    # --- below them ---

    def _open(self, name: str, arguments: Arguments) -> Machine:
        if name in self._lent:
            raise AssertionError(f"the machine {name!r} is open already: give this one a name")
        source = BuiltIn().get_variable_value("${SUITE SOURCE}")
        folder = Path(source).parent if source else Path.cwd()
        try:
            wanted = checked(_typed(arguments), folder, "Open Machine")
        except (WrongMark, ValueError) as error:
            raise RvplatError(str(error)) from None

        def lend(lent: Lent) -> None:
            self._lent[name], self._current = lent, name

        return self.store.lend(wanted, lend)

    def _machine(self) -> Machine:
        if not self._current:
            raise AssertionError("no machine is open: Open Machine comes first")
        return self._lent[self._current].machine

    def _console(self, name: str | None) -> HostConsole:
        machine = self._machine()
        if name is None:
            return machine.console
        if name not in machine.consoles:
            raise AssertionError(f"no console {name!r}: there are {sorted(machine.consoles)}")
        return machine.consoles[name]


def _typed(arguments: Arguments) -> Arguments:
    """Arguments with numbers as numbers, and with the settings apart."""
    settings = {
        name: parse_override(f"{name}={value}").value
        for name, value in arguments.items()
        if "." in name or name == "clock"
    }
    found = {name: value for name, value in arguments.items() if name not in settings}
    if "harts" in found:
        found["harts"] = int(found["harts"])
    return {**found, "settings": settings} if settings else found


def _until(pattern: str, timeout_s: float) -> Callable[[Machine], None]:
    """A boot function: until the guest writes what matches."""

    def boot(machine: Machine) -> None:
        machine.start()
        machine.console.expect(pattern, timeout_s)

    boot.__qualname__ = "boot"
    return boot
