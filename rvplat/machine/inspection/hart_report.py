"""Text on where the harts are, for finding out why a guest did not end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rvplat.errors import BusError, LoaderError
from rvplat.isa.machinery.disassemble import X_NAMES, Disassembler
from rvplat.isa.privileged import MACHINE, SUPERVISOR
from rvplat.machine.inspection.control_flow import control_flow
from rvplat.machine.inspection.trap_loops import trap_loop
from rvplat.machine.loading.symbol_files import SymbolTable, symbols_of
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.run import Runner
from rvplat.machine.running.system import System

MODES = {0: "U", SUPERVISOR: "S", MACHINE: "M"}
A_ROW = 4
_CSRS = (
    ("mstatus", "mcause", "mepc", "mtval", "mtvec", "mie", "mip", "medeleg", "mideleg"),
    ("satp", "scause", "sepc", "stval", "stvec", "hgatp", "vsatp"),
)


def dump(machine: System) -> str:
    """Every hart's mode, pc, instruction, registers and trap CSRs. The machine must be stopped."""
    disassembler = Disassembler(machine.extensions)
    lines: list[str] = []
    for hart in machine.harts:
        lines += _hart(machine, hart, disassembler)
    return "\n".join(lines) + "\n"


def where(machine: System, hart: Hart, disassembler: Disassembler | None = None) -> str:
    """A hart's mode, pc and instruction, on one line."""
    mode = ("V" if hart.virt else "") + MODES[hart.priv]
    world = f" in the guest with VMID {hart.csr('hgatp.VMID')}" if hart.virt else ""
    symbols = _symbols(machine, hart)
    return (
        f"hart {hart.number}: {mode} mode{world}, pc {hart.pc:#x}{near(symbols, hart.pc)}: "
        + instruction_at(hart, disassembler or Disassembler(machine.extensions))
        + ("; it waits for an interrupt" if hart.waiting else "")
        + ("; it is in a critical error" if hart.plain.critical else "")
    )


def whereabouts(machine: System) -> str:
    """The mode, pc and instruction of every hart, one line each. A run in progress continues."""
    if machine.keeper:
        return f"{machine.keeper} runs the machine"
    found: list[str] = []
    if isinstance(machine.current, Runner):
        if machine.current.look(lambda: found.append(_places(machine))):
            return found[0]
        if machine.running:
            return "the harts' places are unknown: they don't stop, perhaps in a plugin's code"
    return _places(machine)


def _places(machine: System) -> str:
    return "\n".join(where(machine, hart) for hart in machine.harts)


def _symbols(machine: System, hart: Hart) -> Mapping[str, int]:
    """The symbols of the software in the hart's world, as far as they are known."""
    try:
        return symbols_of(machine.software, hart.csr("hgatp.VMID") if hart.virt else None)
    except LoaderError:  # the file was readable when the machine was built
        return {}


def _hart(machine: System, hart: Hart, disassembler: Disassembler) -> list[str]:
    lines = [where(machine, hart, disassembler)]
    loop = trap_loop(hart)
    if loop is not None:
        lines.append(f"  it loops in traps: {loop}")
    lines += [f"  {line}" for line in control_flow(hart)]
    digits = machine.board.harts.xlen // 4
    values = [f"{name:<4} {hart.x[n]:0{digits}x}" for n, name in enumerate(X_NAMES) if n]
    lines += ["  " + "  ".join(row) for row in _rows(values)]
    for names in _CSRS:
        csrs = [f"{name} {hart.csr(name):x}" for name in names if name in hart.csrs]
        lines += ["  " + "  ".join(csrs)] if csrs else []
    return lines


def _rows(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), A_ROW):
        yield values[start : start + A_ROW]


def near(symbols: Mapping[str, int], address: int) -> str:
    """ " <main+0x10>", if a symbol stands before the address, not too far away."""
    found = SymbolTable(symbols).find(address)
    if found is None:
        return ""
    name, offset = found
    return f" <{name}+{offset:#x}>" if offset else f" <{name}>"


def instruction_at(hart: Hart, disassembler: Disassembler) -> str:
    """The instruction at the pc as text, or why there is none."""
    if hart.translate(hart.pc) is None:
        return "nothing is mapped there"
    try:
        low = int.from_bytes(hart.read(hart.pc, 2), "little")
        high = int.from_bytes(hart.read(hart.pc + 2, 2), "little") if low & 3 == 3 else 0
    except BusError:
        return "no memory is there"
    return disassembler.text(low | high << 16, hart.pc)
