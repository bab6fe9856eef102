"""Vector integer arithmetic (Unprivileged, "Vector Integer Arithmetic Instructions").

A text computes one element: `a` is the element of vs2, `b` that of vs1 or the scalar operand, both
zero-extended from their widths. The bits of a result above its width are dropped.
"""

from rvplat.isa.vector.elements import Width, signed
from rvplat.isa.vector.forms import (
    arithmetic,
    carry_in,
    carry_out,
    comparison,
    multiply_add,
    narrowing,
    one_by_one,
    single_width,
    single_width_high,
    widening,
    widening_multiply_add,
    widening_wide,
)
from rvplat.lang import define, s64, s128, sdiv, srem, u64, u128

# "Vector Single-Width Integer Add and Subtract"


@arithmetic("000000", "vv vx vi", single_width)
def vadd(a: u64, b: u64, sew: Width) -> u64:
    return a + b


@arithmetic("000010", "vv vx", single_width)
def vsub(a: u64, b: u64, sew: Width) -> u64:
    return a - b


@arithmetic("000011", "vx vi", single_width)
def vrsub(a: u64, b: u64, sew: Width) -> u64:
    return b - a


# "Vector Widening Integer Add/Subtract"


@arithmetic("110000", "mvv mvx", widening)
def vwaddu(a: u64, b: u64, sew: Width) -> u64:
    return a + b


@arithmetic("110001", "mvv mvx", widening)
def vwadd(a: u64, b: u64, sew: Width) -> u64:
    return u64(signed(a, sew) + signed(b, sew))


@arithmetic("110010", "mvv mvx", widening)
def vwsubu(a: u64, b: u64, sew: Width) -> u64:
    return a - b


@arithmetic("110011", "mvv mvx", widening)
def vwsub(a: u64, b: u64, sew: Width) -> u64:
    return u64(signed(a, sew) - signed(b, sew))


@arithmetic("110100", "mwv mwx", widening_wide, name="vwaddu")
def vwaddu_w(a: u64, b: u64, sew: Width) -> u64:
    return a + b


@arithmetic("110101", "mwv mwx", widening_wide, name="vwadd")
def vwadd_w(a: u64, b: u64, sew: Width) -> u64:
    return a + u64(signed(b, sew))


@arithmetic("110110", "mwv mwx", widening_wide, name="vwsubu")
def vwsubu_w(a: u64, b: u64, sew: Width) -> u64:
    return a - b


@arithmetic("110111", "mwv mwx", widening_wide, name="vwsub")
def vwsub_w(a: u64, b: u64, sew: Width) -> u64:
    return a - u64(signed(b, sew))


# "Vector Integer Add-with-Carry / Subtract-with-Borrow Instructions"


@arithmetic("010000", "vv vx vi", carry_in, where="vm == 0", suffix="m")
def vadc(a: u64, b: u64, carry: u64, sew: Width) -> u64:
    return a + b + carry


@arithmetic("010010", "vv vx", carry_in, where="vm == 0", suffix="m")
def vsbc(a: u64, b: u64, borrow: u64, sew: Width) -> u64:
    return a - b - borrow


@arithmetic("010001", "vv vx vi", carry_out, carries=True)
def vmadc(a: u64, b: u64, carry: u64, sew: Width) -> u64:
    return u64(u128(a) + u128(b) + u128(carry) >> u128(sew))


@arithmetic("010011", "vv vx", carry_out, carries=True)
def vmsbc(a: u64, b: u64, borrow: u64, sew: Width) -> u64:
    return u64(u128(a) < u128(b) + u128(borrow))


# "Vector Bitwise Logical Instructions"


@arithmetic("001001", "vv vx vi", single_width)
def vand(a: u64, b: u64, sew: Width) -> u64:
    return a & b


@arithmetic("001010", "vv vx vi", single_width)
def vor(a: u64, b: u64, sew: Width) -> u64:
    return a | b


@arithmetic("001011", "vv vx vi", single_width)
def vxor(a: u64, b: u64, sew: Width) -> u64:
    return a ^ b


# "Vector Single-Width Shift Instructions": the low log2(SEW) bits are the amount.


@arithmetic("100101", "vv vx vu", single_width)
def vsll(a: u64, b: u64, sew: Width) -> u64:
    return a << (b & (sew - 1))


@arithmetic("101000", "vv vx vu", single_width)
def vsrl(a: u64, b: u64, sew: Width) -> u64:
    return a >> (b & (sew - 1))


@arithmetic("101001", "vv vx vu", single_width)
def vsra(a: u64, b: u64, sew: Width) -> u64:
    return u64(signed(a, sew) >> s64(b & (sew - 1)))


# "Vector Narrowing Integer Right Shift Instructions": the low log2(2*SEW) bits are the amount.


@arithmetic("101100", "wv wx wu", narrowing)
def vnsrl(a: u64, b: u64, sew: Width) -> u64:
    return a >> (b & (2 * sew - 1))


@arithmetic("101101", "wv wx wu", narrowing)
def vnsra(a: u64, b: u64, sew: Width) -> u64:
    return u64(signed(a, 2 * sew) >> s64(b & (2 * sew - 1)))


# "Vector Integer Compare Instructions"


@arithmetic("011000", "vv vx vi", comparison)
def vmseq(a: u64, b: u64, sew: Width) -> bool:
    return a == b


@arithmetic("011001", "vv vx vi", comparison)
def vmsne(a: u64, b: u64, sew: Width) -> bool:
    return a != b


@arithmetic("011010", "vv vx", comparison)
def vmsltu(a: u64, b: u64, sew: Width) -> bool:
    return a < b


@arithmetic("011011", "vv vx", comparison)
def vmslt(a: u64, b: u64, sew: Width) -> bool:
    return signed(a, sew) < signed(b, sew)


@arithmetic("011100", "vv vx vi", comparison)
def vmsleu(a: u64, b: u64, sew: Width) -> bool:
    return a <= b


@arithmetic("011101", "vv vx vi", comparison)
def vmsle(a: u64, b: u64, sew: Width) -> bool:
    return signed(a, sew) <= signed(b, sew)


@arithmetic("011110", "vx vi", comparison)
def vmsgtu(a: u64, b: u64, sew: Width) -> bool:
    return a > b


@arithmetic("011111", "vx vi", comparison)
def vmsgt(a: u64, b: u64, sew: Width) -> bool:
    return signed(a, sew) > signed(b, sew)


# "Vector Integer Min/Max Instructions"


@arithmetic("000100", "vv vx", single_width)
def vminu(a: u64, b: u64, sew: Width) -> u64:
    return a if a < b else b


@arithmetic("000101", "vv vx", single_width)
def vmin(a: u64, b: u64, sew: Width) -> u64:
    return a if signed(a, sew) < signed(b, sew) else b


@arithmetic("000110", "vv vx", single_width)
def vmaxu(a: u64, b: u64, sew: Width) -> u64:
    return a if a > b else b


@arithmetic("000111", "vv vx", single_width)
def vmax(a: u64, b: u64, sew: Width) -> u64:
    return a if signed(a, sew) > signed(b, sew) else b


# "Vector Single-Width Integer Multiply Instructions"


@arithmetic("100101", "mvv mvx", single_width)
def vmul(a: u64, b: u64, sew: Width) -> u64:
    return a * b


@arithmetic("100111", "mvv mvx", single_width_high)
def vmulh(a: u64, b: u64, sew: Width) -> u64:
    """High half of the product of signed elements."""
    return u64(s128(signed(a, sew)) * s128(signed(b, sew)) >> s128(sew))


@arithmetic("100100", "mvv mvx", single_width_high)
def vmulhu(a: u64, b: u64, sew: Width) -> u64:
    """High half of the product of unsigned elements."""
    return u64(u128(a) * u128(b) >> u128(sew))


@arithmetic("100110", "mvv mvx", single_width_high)
def vmulhsu(a: u64, b: u64, sew: Width) -> u64:
    """High half of the product of signed vs2 and an unsigned operand."""
    return u64(s128(signed(a, sew)) * s128(b) >> s128(sew))


# "Vector Integer Divide Instructions": extreme inputs as in M. Hosts have no vector division, so
# these texts stay functions (cold): LLVM would unroll a division over many lanes.


@define(cold=True)
def quotient(a: u64, b: u64) -> u64:
    return a // b if b != 0 else ~u64(0)


@define(cold=True)
def remainder(a: u64, b: u64) -> u64:
    return a % b if b != 0 else a


@define(cold=True)
def signed_quotient(a: s64, b: s64) -> u64:
    if b == 0:
        return ~u64(0)
    return u64(-a) if b == -1 else u64(sdiv(a, b))  # -2**63 / -1 overflows


@define(cold=True)
def signed_remainder(a: s64, b: s64) -> u64:
    if b == 0:
        return u64(a)
    return u64(0) if b == -1 else u64(srem(a, b))


@arithmetic("100000", "mvv mvx", one_by_one)
def vdivu(a: u64, b: u64, sew: Width) -> u64:
    return quotient(a, b)


@arithmetic("100001", "mvv mvx", one_by_one)
def vdiv(a: u64, b: u64, sew: Width) -> u64:
    return signed_quotient(signed(a, sew), signed(b, sew))


@arithmetic("100010", "mvv mvx", one_by_one)
def vremu(a: u64, b: u64, sew: Width) -> u64:
    return remainder(a, b)


@arithmetic("100011", "mvv mvx", one_by_one)
def vrem(a: u64, b: u64, sew: Width) -> u64:
    return signed_remainder(signed(a, sew), signed(b, sew))


# "Vector Widening Integer Multiply Instructions"


@arithmetic("111011", "mvv mvx", widening)
def vwmul(a: u64, b: u64, sew: Width) -> u64:
    return u64(signed(a, sew) * signed(b, sew))


@arithmetic("111000", "mvv mvx", widening)
def vwmulu(a: u64, b: u64, sew: Width) -> u64:
    return a * b


@arithmetic("111010", "mvv mvx", widening)
def vwmulsu(a: u64, b: u64, sew: Width) -> u64:
    """Signed vs2, unsigned operand."""
    return u64(signed(a, sew)) * b


# "Vector Single-Width Integer Multiply-Add Instructions": `d` is the old element of vd.


@arithmetic("101101", "mvv mvx", multiply_add, swapped=True)
def vmacc(a: u64, b: u64, d: u64, sew: Width) -> u64:
    return b * a + d


@arithmetic("101111", "mvv mvx", multiply_add, swapped=True)
def vnmsac(a: u64, b: u64, d: u64, sew: Width) -> u64:
    return d - b * a


@arithmetic("101001", "mvv mvx", multiply_add, swapped=True)
def vmadd(a: u64, b: u64, d: u64, sew: Width) -> u64:
    return b * d + a


@arithmetic("101011", "mvv mvx", multiply_add, swapped=True)
def vnmsub(a: u64, b: u64, d: u64, sew: Width) -> u64:
    return a - b * d


# "Vector Widening Integer Multiply-Add Instructions"


@arithmetic("111100", "mvv mvx", widening_multiply_add, swapped=True)
def vwmaccu(a: u64, b: u64, d: u64, sew: Width) -> u64:
    return b * a + d


@arithmetic("111101", "mvv mvx", widening_multiply_add, swapped=True)
def vwmacc(a: u64, b: u64, d: u64, sew: Width) -> u64:
    return u64(signed(b, sew) * signed(a, sew)) + d


@arithmetic("111111", "mvv mvx", widening_multiply_add, swapped=True)
def vwmaccsu(a: u64, b: u64, d: u64, sew: Width) -> u64:
    """Signed operand, unsigned vs2."""
    return u64(signed(b, sew)) * a + d


@arithmetic("111110", "mvx", widening_multiply_add, swapped=True)
def vwmaccus(a: u64, b: u64, d: u64, sew: Width) -> u64:
    """Unsigned operand, signed vs2."""
    return b * u64(signed(a, sew)) + d
