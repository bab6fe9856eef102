"""The width of an integer register, in one place.

Definitions of instructions use `ux` and `sx` where the manual speaks of XLEN bits, unsigned and
signed. They use `u64` or `s32` only where the manual gives the number of bits. So RV32 needs
another value here and more rows, but no second definition of an instruction.
"""

from rvplat.lang import s64, u64

XLEN = 64
"""Bits of an integer register (Unprivileged, "Programmers' Model for Base Integer ISA")."""

ux = u64
"""An integer register's value as an unsigned number."""

sx = s64
"""An integer register's value as a signed number (two's complement)."""

ALL_ONES = (1 << XLEN) - 1
"""The register value with every bit set, which is -1 when it is signed."""

EACH_BYTE = ALL_ONES // 0xFF
"""The register value with the lowest bit of each byte set: 0x0101...01."""
