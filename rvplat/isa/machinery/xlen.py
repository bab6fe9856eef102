"""The width of an integer register, in one place.

Definitions of instructions use `ux` and `sx` where the manual speaks of XLEN bits, unsigned and
signed. They use `u64` or `s32` only where the manual gives the number of bits. So RV32 has the same
definitions as RV64: native code of each `Architecture` is made with the types of its XLEN, and CSRs
and encodings that only one XLEN has are rows with `xlen=32` or `xlen=64`.

What RV32 is made of:

- `hart.x` has the type `ux` and cells of 64 bits. On RV32 native code reads and writes the low half
  of a cell, in 32-bit registers of the host, and the high half stays zero. So the record of a hart
  is the same for both, and tools read a register as one number.
- Everything below the instructions (pc, addresses, TLB, traps, CSRs) has 64 bits on both. On RV32
  pcs and addresses are zero-extended: a word of the vocabulary takes `ux`, its implementation
  `u64`. A CSR is stored in 64 bits, as on RV64; its row says what an access of 32 bits reaches, and
  a high half is a second row (`csr_rows.py`).
"""

from typing import TYPE_CHECKING

from rvplat.lang import Integer, Standing, s32, s64, u32, u64

WIDTHS = (32, 64)
"""The values that XLEN can have. RV128 isn't ratified."""


if TYPE_CHECKING:  # texts that are for RV64 only may mix the types
    ux = u64
    sx = s64
else:

    class ux(u64, metaclass=Standing):
        """An integer register's value as an unsigned number. `ux.bits` is XLEN (Unprivileged,
        "Programmers' Model for Base Integer ISA")."""

    class sx(s64, metaclass=Standing):
        """An integer register's value as a signed number (two's complement)."""


EACH_BYTE = 0x0101_0101_0101_0101
"""`ux(EACH_BYTE)` has the lowest bit of each byte set."""

TYPES: dict[int, dict[type, type[Integer]]] = {64: {}, 32: {ux: u32, sx: s32}}
"""What `ux` and `sx` stand for, by XLEN. u64 and s64 need not be named."""
