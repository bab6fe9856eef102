"""Names of traps, for people."""

from __future__ import annotations

from rvplat.isa.privileged import Cause, Irq

#: The numbers of interrupts are offset by 64, as in `hart.traps_taken`.
FIRST_INTERRUPT = 64
INTERRUPT = 1 << 63


def _words(name: str) -> str:
    if name in ("ILLEGAL", "VIRTUAL"):
        name += " instruction"
    return name.lower().replace("_", " ").replace("ecall ", "ecall from ")


_EXCEPTIONS = {code: _words(name) for name, code in vars(Cause).items() if isinstance(code, int)}
INTERRUPT_NAMES = {
    bit.bit_length() - 1: name
    for name, bit in vars(Irq).items()
    if isinstance(bit, int) and bit.bit_count() == 1
}


def cause_name(cause: int) -> str:
    """The name of a value of mcause: "load page", "interrupt MTI"."""
    if cause & INTERRUPT:
        code = cause & ~INTERRUPT
        return f"interrupt {INTERRUPT_NAMES.get(code, code)}"
    return _EXCEPTIONS.get(cause, f"exception {cause}")


def trap_name(index: int) -> str:
    """The name for an index of `hart.traps_taken`."""
    if index >= FIRST_INTERRUPT:
        return cause_name(INTERRUPT | index - FIRST_INTERRUPT)
    return cause_name(index)
