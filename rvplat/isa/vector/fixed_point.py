"""Vector fixed-point arithmetic (Unprivileged, "Vector Fixed-Point Arithmetic Instructions").

The texts are as in integer.py. Sums and products are computed without overflow, in 128 bits.
"""

from rvplat.isa.vector.elements import Width, signed
from rvplat.isa.vector.forms import arithmetic, flagging, flagging_high, narrowing_flagging
from rvplat.lang import define, s128, u64

RNU, RNE, RDN = 0, 1, 2  # vxrm; 3 is rod


@define
def increment(hart, value: s128, bits: u64) -> s128:
    """What is added when the low bits are rounded off ("Vector Fixed-Point Rounding Mode (vxrm)
    Register"). `bits` isn't 0."""
    half = value >> s128(bits - 1) & 1
    lost = value & ((s128(1) << s128(bits)) - 1)
    below_half = value & ((s128(1) << s128(bits - 1)) - 1)
    odd = value >> s128(bits) & 1
    if hart.vxrm == RNU:
        return half
    if hart.vxrm == RNE:
        return half if below_half != 0 or odd != 0 else s128(0)
    if hart.vxrm == RDN:
        return s128(0)
    return s128(1) if odd == 0 and lost != 0 else s128(0)


@define
def rounded(hart, value: s128, bits: u64) -> s128:
    """roundoff_signed(value, bits), and roundoff_unsigned of a value that isn't negative."""
    if bits == 0:
        return value
    return (value >> s128(bits)) + increment(hart, value, bits)


@define
def limited(hart, value: s128, least: s128, largest: s128) -> u64:
    """The closest value within the limits; vxsat is set if it is another one."""
    if value > largest:
        hart.vxsat = 1
        return u64(largest)
    if value < least:
        hart.vxsat = 1
        return u64(least)
    return u64(value)


@define
def clipped(hart, value: s128, sew: Width) -> u64:
    """The value as a signed element, saturated."""
    largest = (s128(1) << s128(sew - 1)) - 1
    return limited(hart, value, -largest - 1, largest)


@define
def clipped_unsigned(hart, value: s128, sew: Width) -> u64:
    """The value as an unsigned element, saturated."""
    return limited(hart, value, s128(0), (s128(1) << s128(sew)) - 1)


# "Vector Single-Width Saturating Add and Subtract"


@arithmetic("100000", "vv vx vi", flagging)
def vsaddu(hart, a: u64, b: u64, sew: Width) -> u64:
    return clipped_unsigned(hart, s128(a) + s128(b), sew)


@arithmetic("100001", "vv vx vi", flagging)
def vsadd(hart, a: u64, b: u64, sew: Width) -> u64:
    return clipped(hart, s128(signed(a, sew)) + s128(signed(b, sew)), sew)


@arithmetic("100010", "vv vx", flagging)
def vssubu(hart, a: u64, b: u64, sew: Width) -> u64:
    return clipped_unsigned(hart, s128(a) - s128(b), sew)


@arithmetic("100011", "vv vx", flagging)
def vssub(hart, a: u64, b: u64, sew: Width) -> u64:
    return clipped(hart, s128(signed(a, sew)) - s128(signed(b, sew)), sew)


# "Vector Single-Width Averaging Add and Subtract": the difference may wrap.


@arithmetic("001000", "mvv mvx", flagging)
def vaaddu(hart, a: u64, b: u64, sew: Width) -> u64:
    return u64(rounded(hart, s128(a) + s128(b), u64(1)))


@arithmetic("001001", "mvv mvx", flagging)
def vaadd(hart, a: u64, b: u64, sew: Width) -> u64:
    return u64(rounded(hart, s128(signed(a, sew)) + s128(signed(b, sew)), u64(1)))


@arithmetic("001010", "mvv mvx", flagging)
def vasubu(hart, a: u64, b: u64, sew: Width) -> u64:
    return u64(rounded(hart, s128(a) - s128(b), u64(1)))


@arithmetic("001011", "mvv mvx", flagging)
def vasub(hart, a: u64, b: u64, sew: Width) -> u64:
    return u64(rounded(hart, s128(signed(a, sew)) - s128(signed(b, sew)), u64(1)))


# "Vector Single-Width Fractional Multiply with Rounding and Saturation"


@arithmetic("100111", "vv vx", flagging_high)
def vsmul(hart, a: u64, b: u64, sew: Width) -> u64:
    product = s128(signed(a, sew)) * s128(signed(b, sew))
    return clipped(hart, rounded(hart, product, u64(sew - 1)), sew)


# "Vector Single-Width Scaling Shift Instructions"


@arithmetic("101010", "vv vx vu", flagging)
def vssrl(hart, a: u64, b: u64, sew: Width) -> u64:
    return u64(rounded(hart, s128(a), b & (sew - 1)))


@arithmetic("101011", "vv vx vu", flagging)
def vssra(hart, a: u64, b: u64, sew: Width) -> u64:
    return u64(rounded(hart, s128(signed(a, sew)), b & (sew - 1)))


# "Vector Narrowing Fixed-Point Clip Instructions"


@arithmetic("101110", "wv wx wu", narrowing_flagging)
def vnclipu(hart, a: u64, b: u64, sew: Width) -> u64:
    return clipped_unsigned(hart, rounded(hart, s128(a), b & (2 * sew - 1)), sew)


@arithmetic("101111", "wv wx wu", narrowing_flagging)
def vnclip(hart, a: u64, b: u64, sew: Width) -> u64:
    return clipped(hart, rounded(hart, s128(signed(a, 2 * sew)), b & (2 * sew - 1)), sew)
