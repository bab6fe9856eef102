"""Landing pads and shadow stacks, for people: what a hart expects now, its shadow stack, and what
was wrong at its last software-check exception (Zicfilp, Zicfiss).
"""

from __future__ import annotations

from collections.abc import Iterator

from rvplat.errors import BusError
from rvplat.isa.landing_pads import CHECK_OF_PAD, LPAD_MASK, LPAD_MATCH
from rvplat.isa.machinery.disassemble import Disassembler
from rvplat.machine.running.hart import Hart

LABEL_SHIFT = 12
SHOWN = 4  # words of a shadow stack


def control_flow(hart: Hart) -> list[str]:
    """Lines on a stopped hart; none for one with neither extension, or with nothing to tell."""
    return [*_expectation(hart), *_stack(hart), *_fault(hart)]


def _expectation(hart: Hart) -> Iterator[str]:
    if hart.plain.elp:
        yield f"ELP is 1: a landing pad must be at the pc, {_label(hart.x[7])}"


def _label(x7: int) -> str:
    """Which lpad is right, by x7."""
    label = x7 >> LABEL_SHIFT & 0xFFFFF
    return f"lpad {label:#x} (x7) or lpad 0x0" if label else "lpad 0x0 (x7)"


def _stack(hart: Hart) -> Iterator[str]:
    """ssp, and the return addresses at it; the last one that was pushed first."""
    if "ssp" not in hart.csrs:
        return
    try:
        ssp = hart.csr("ssp")
    except LookupError:  # the mode has none
        return
    if ssp == 0:
        return
    words = list(_words(hart, ssp, hart.extensions[0].xlen // 8))
    yield f"ssp {ssp:#x}: {', '.join(words) or 'nothing is mapped there'}"


def _words(hart: Hart, ssp: int, size: int) -> Iterator[str]:
    for n in range(SHOWN):
        try:
            yield f"{int.from_bytes(hart.read(ssp + n * size, size), 'little'):#x}"
        except BusError:
            return


def _fault(hart: Hart) -> Iterator[str]:
    plain = hart.plain
    pc, expected = int(plain.check_pc), int(plain.check_expected)
    if pc == 0:
        return
    where = f"the last software check failed at {pc:#x}"
    if int(plain.check_ssp) != CHECK_OF_PAD:
        yield (
            f"{where}: the shadow stack held {int(plain.check_found):#x} at "
            f"{int(plain.check_ssp):#x}, the link register {expected:#x}"
        )
        return
    yield f"{where}: expected {_label(expected)}, found {_found(hart, pc)}"


def _found(hart: Hart, pc: int) -> str:
    """The instruction that is where a landing pad should be, in the hart's mode of now."""
    try:
        low = int.from_bytes(hart.read(pc, 2), "little")
        bits = low | int.from_bytes(hart.read(pc + 2, 2), "little") << 16 if low & 3 == 3 else low
    except BusError:
        return "what is not mapped now"
    if bits & LPAD_MASK == LPAD_MATCH and pc & 3:
        return "a landing pad that is not aligned to 4 bytes"
    return Disassembler(hart.extensions).text(bits, pc)
