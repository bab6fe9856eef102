"""`machine.when`: run until a condition holds after an instruction (engine/searching.py)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rvplat.arguments import hart_number
from rvplat.engine import agent_opcodes
from rvplat.engine.agent_opcodes import OPCODES
from rvplat.errors import LoaderError
from rvplat.hart.debugging.worlds import current_world
from rvplat.isa.machinery.disassemble import Disassembler
from rvplat.isa.privileged import MACHINE, SUPERVISOR, USER
from rvplat.machine.debugging.arguments import HOST_WORLD, Arguments, named_world, world_number
from rvplat.machine.debugging.breakpoint_table import encode
from rvplat.machine.debugging.when import When
from rvplat.machine.loading.symbol_files import SymbolTable, symbols_of
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.round_robin import RoundRobin
from rvplat.machine.running.run import Runner
from rvplat.machine.running.stop import GuestOrHost, Stop
from rvplat.machine.running.system import System

_MODES = {0: {USER: "U", SUPERVISOR: "HS", MACHINE: "M"}, 1: {USER: "VU", SUPERVISOR: "VS"}}
_INTERRUPT = 1 << 63


def reads_registers(code: bytes) -> bool:
    """Whether a condition reads anything but memory."""
    at = 0
    while at < len(code):
        if code[at] == agent_opcodes.REG:
            return True
        at += 1 + OPCODES[code[at]].immediate
    return False


class Search:
    """A condition for which a machine's harts are to look. `looks` counts its evaluations, and
    `errors` those that failed."""

    def __init__(self, machine: System, code: bytes, world: int, hart: int | None) -> None:
        self._machine = machine
        self._harts = machine.harts if hart is None else [machine.harts[hart]]
        self._world = world
        self._steps = reads_registers(code)
        self._text = ctypes.create_string_buffer(encode((code,)))
        self._execute: Callable[[Hart], int] = lambda hart: 0
        self.found: Hart | None = None
        self.looks = self.errors = 0

    @contextmanager
    def installed(self) -> Iterator[None]:
        """In a `with` block, a run ends with the reason "when" where the condition holds."""
        turns = self._machine.turns
        assert isinstance(turns, RoundRobin)
        self._execute, turns.execute = turns.execute, self._searched
        self._machine.native.view.search_lines = int(not self._steps)
        for hart in self._harts:
            view = hart.plain
            view.search_world, view.search_steps = self._world, int(self._steps)
            view.search_found = view.search_interrupted = view.search_changed = 0
            view.search_looks = view.search_errors = 0
            view.search_code = ctypes.addressof(self._text)
        try:
            yield
        finally:
            turns.execute = self._execute
            self._machine.native.view.search_lines = 0
            for hart in self._harts:
                hart.plain.search_code = 0
                self.looks += int(hart.plain.search_looks)
                self.errors += int(hart.plain.search_errors)

    def _searched(self, hart: Hart) -> int:
        """Let a hart execute its instructions, and end the run if the condition holds."""
        reason = self._execute(hart)
        if hart.plain.search_found:
            hart.plain.search_found = 0
            self.found = hart
            self._machine.request_stop(Stop("when", hart=hart.number))
        return reason


def search(
    machine: System, condition: str, vmid: GuestOrHost | None = None, hart: int | None = None,
    timeout_s: float | None = None, max_instructions: int | None = None,
) -> When:  # fmt: skip
    """As `Machine.when`."""
    arguments = Arguments(machine)
    world = world_number(vmid)
    if vmid is not None and vmid != HOST_WORLD:
        arguments.refuse_guests()
    if hart is not None:
        hart_number(hart, len(machine.harts))
    code = arguments.condition(condition, arguments.symbols(vmid))
    if code is None:
        raise TypeError("condition=None: expected a string such as '$a0 > 3'")
    if machine.turns.virtual is None:
        raise ValueError(
            'a search in time needs a board with a virtual clock: clock = "virtual", or '
            "--set clock=virtual"
        )
    looking = Search(machine, code, world, hart)
    with looking.installed():
        stop = Runner(machine, timeout_s, max_instructions, ends_idle=True).run()
    machine.raise_failures(stop)
    work = machine.turns.place().work
    if looking.found is None:
        return When(stop, work, detail=_why_not(looking, vmid))
    return _found(machine, looking.found, work)


def _why_not(looking: Search, vmid: GuestOrHost | None) -> str:
    """What explains that a condition was never found to hold; else empty."""
    if not looking.looks and vmid is not None and vmid != HOST_WORLD:
        return f"no instruction ended in the guest with VMID {vmid}"
    if looking.looks and looking.looks == looking.errors:
        return "it could never be evaluated: no RAM is at an address, or there is no such register"
    return ""


def _found(machine: System, hart: Hart, work: int) -> When:
    """What a search has found on a hart."""
    view, disassembler = hart.plain, Disassembler(machine.extensions)
    pc, bits = int(view.search_pc), int(view.search_bits)
    begun, world = named_world(int(view.search_from)), named_world(int(current_world(hart.view)))
    interrupt = int(view.trap_cause) & ~_INTERRUPT if view.search_interrupted else None
    stop = Stop("when", 0, hart.number, world, hart.pc)
    return When(
        stop, work, hart.number, hart.retired, world, _MODES[hart.virt][hart.priv], pc, begun,
        _symbol(symbols_in(machine, begun), pc),
        bits, disassembler.text(bits, pc) if bits else "", interrupt,
        hart.pc, _symbol(symbols_in(machine, world), hart.pc),
    )  # fmt: skip


def symbols_in(machine: System, world: GuestOrHost) -> Mapping[str, int]:
    """The symbols of the software in a world, as far as they are known."""
    try:
        return symbols_of(machine.software, None if isinstance(world, str) else world)
    except LoaderError:  # the file was readable when the machine was built
        return {}


def _symbol(symbols: Mapping[str, int], address: int) -> str:
    """ "main+0x10", or empty."""
    found = SymbolTable(symbols).find(address)
    if found is None:
        return ""
    name, offset = found
    return f"{name}+{offset:#x}" if offset else name
