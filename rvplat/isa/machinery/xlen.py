"""The width of an integer register, in one place.

Texts of instructions say `ux` and `sx` where the manual says XLEN bits, unsigned and signed, and
`u64` or `s32` only where the manual says a number. So RV32 is another value of this module and
further rows, not other texts.
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
