"""The signature of an architectural test: memory between two symbols, as words of hex.

As Spike's `+signature=FILE +signature-granularity=4` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping

from rvplat.errors import BusError, LoaderError
from rvplat.machine.running.system import System

BEGIN, END = "begin_signature", "end_signature"
WORD = 4


def signature_range(symbols: Mapping[str, int], program: str) -> tuple[int, int]:
    """(first address, bytes) of the signature.

    Raises:
        LoaderError: the program has no such symbols.
    """
    missing = [name for name in (BEGIN, END) if name not in symbols]
    if missing:
        raise LoaderError(f"{program}: no symbol {' and no '.join(missing)}, no signature")
    size = symbols[END] - symbols[BEGIN]
    if size < 0 or size % WORD:
        raise LoaderError(
            f"{program}: a signature of {size} bytes ({BEGIN} to {END}), expected a multiple of 4"
        )
    return symbols[BEGIN], size


def signature(machine: System) -> str:
    """The signature as text: 4-byte words of 8 hexadecimal digits, one per line.

    Raises:
        LoaderError: the program has no signature, or it lies outside RAM.
    """
    path = machine.software.program.path if machine.software.program else "the machine"
    start, size = signature_range(machine.symbols, str(path))
    try:
        data = machine.memory.read(start, size)
    except BusError as error:
        raise LoaderError(f"{path}: the signature: {error}") from None
    words = (data[at : at + WORD] for at in range(0, size, WORD))
    return "".join(f"{int.from_bytes(word, 'little'):08x}\n" for word in words)
