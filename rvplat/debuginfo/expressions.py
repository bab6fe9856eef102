"""DWARF expressions, as far as addresses and frames need them (DWARF 5, 2.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rvplat.debuginfo.faults import NotThere

if TYPE_CHECKING:
    from elftools.dwarf.dwarfinfo import DWARFInfo

MASK64 = (1 << 64) - 1
_CONSTANTS = ("DW_OP_const", "DW_OP_addr")
_INDEXED = ("DW_OP_constx", "DW_OP_addrx", "DW_OP_bregx")
_BINARY: dict[str, Callable[[int, int], int]] = {
    "DW_OP_plus": lambda a, b: a + b, "DW_OP_minus": lambda a, b: a - b,
    "DW_OP_and": lambda a, b: a & b, "DW_OP_or": lambda a, b: a | b,
    "DW_OP_xor": lambda a, b: a ^ b, "DW_OP_mul": lambda a, b: a * b,
    "DW_OP_shl": lambda a, b: a << b if b < 64 else 0, "DW_OP_shr": lambda a, b: a >> b,
    "DW_OP_eq": lambda a, b: int(a == b), "DW_OP_ne": lambda a, b: int(a != b),
    "DW_OP_ge": lambda a, b: int(_signed(a) >= _signed(b)),
    "DW_OP_lt": lambda a, b: int(_signed(a) < _signed(b)),
}  # fmt: skip


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def parsed(dwarf: DWARFInfo, code: Iterable[int]) -> list[Any]:
    """The operations of an expression."""
    from elftools.dwarf.dwarf_expr import DWARFExprParser

    return list(DWARFExprParser(dwarf.structs).parse_expr(bytes(code)))


def evaluate(
    dwarf: DWARFInfo, code: Iterable[int], registers: Mapping[int, int],
    load: Callable[[int, int], int], address_bytes: int, stack: Iterable[int] = (),
) -> int:  # fmt: skip
    """The value of an expression.

    Raises:
        NotThere: it has an operation that is not known here, or needs what is not there.
    """
    values = list(stack)
    for op in parsed(dwarf, code):
        name, args = op.op_name, op.args
        if name in _INDEXED:
            raise NotThere(f"the expression has {name}, which is not known here")
        if name.startswith(_CONSTANTS):
            values.append(args[0])
        elif name.startswith("DW_OP_lit"):
            values.append(int(name.removeprefix("DW_OP_lit")))
        elif name.startswith("DW_OP_breg"):
            number = int(name.removeprefix("DW_OP_breg"))
            if number not in registers:
                raise NotThere(f"register x{number} is not known")
            values.append(registers[number] + args[0])
        elif name in _BINARY:
            second = values.pop()
            values.append(_BINARY[name](values.pop(), second))
        elif name == "DW_OP_plus_uconst":
            values.append(values.pop() + args[0])
        elif name == "DW_OP_deref":
            values.append(load(values.pop(), address_bytes))
        elif name == "DW_OP_dup":
            values.append(values[-1])
        else:
            raise NotThere(f"the expression has {name}, which is not known here")
        values[-1] &= MASK64
    if not values:
        raise NotThere("the expression is empty")
    return values[-1]


def no_memory(address: int, size: int) -> int:
    """`load` of `evaluate` where a place must not depend on memory."""
    raise NotThere("its address stands in memory")
