"""The machine's vocabulary: every word that an instruction or a CSR may ask of a hart.

The texts in this folder use these words; `rvplat/hart` and `rvplat/engine` give them meaning.
"""

from rvplat.lang import NoReturn, declare, u8, u16, u32, u64

# --- control flow: the last effect of an instruction --------------------------------------------


@declare
def jump(hart, target: u64):
    """Go on at an absolute address."""


@declare
def branch(hart, offset: u64):
    """Go on at this instruction's address plus an offset."""


@declare
def check_target(hart, target: u64):
    """Raise instruction-address-misaligned if IALIGN forbids the target (unprivileged, 2.2)."""


# --- traps and privilege ------------------------------------------------------------------------


@declare
def raise_trap(hart, cause: u64, tval: u64) -> NoReturn:
    """Raise a synchronous exception with the value for xtval."""


@declare
def illegal(hart) -> NoReturn:
    """Raise an illegal-instruction exception; xtval holds the instruction."""


# --- memory -------------------------------------------------------------------------------------


@declare
def load_u8(hart, va: u64) -> u8:
    """Load a byte with the current data privilege and translation."""


@declare
def load_u16(hart, va: u64) -> u16:
    """Load a halfword, aligned or not."""


@declare
def load_u32(hart, va: u64) -> u32:
    """Load a word, aligned or not."""


@declare
def load_u64(hart, va: u64) -> u64:
    """Load a doubleword, aligned or not."""


@declare
def store_u8(hart, va: u64, value: u8):
    """Store a byte."""


@declare
def store_u16(hart, va: u64, value: u16):
    """Store a halfword, aligned or not."""


@declare
def store_u32(hart, va: u64, value: u32):
    """Store a word, aligned or not."""


@declare
def store_u64(hart, va: u64, value: u64):
    """Store a doubleword, aligned or not."""
