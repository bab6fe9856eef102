"""Elements of vector registers, masks, and how results are written back.

An element is a u64, zero-extended from its width. Widths are in bits and fixed, so that native code
is made for each. Groups of registers are named by the host address of their first byte (`group`).

An arithmetic instruction first computes all its elements into `result`, and `write_back` then
copies the active ones. So it reads every source before it changes a register, and its loop has no
test of the mask: LLVM can use the host's vector instructions.
"""

from rvplat.isa.fp_arithmetic import number
from rvplat.isa.machinery.xlen import sx, ux
from rvplat.isa.vector.state import FILE_BYTES, GROUP_BYTES
from rvplat.lang import (
    FixedU64,
    Record,
    copy_memory,
    define,
    host_address,
    s64,
    u8,
    u16,
    u32,
    u64,
)
from rvplat.lang.intrinsics import record_at

Width = FixedU64  # bits of an element

Bytes, Halves, Words, Doubles = (Record(name) for name in ("Bytes", "Halves", "Words", "Doubles"))
for _record, _kind in ((Bytes, u8), (Halves, u16), (Words, u32), (Doubles, u64)):
    _record.add("at", _kind, FILE_BYTES // (_kind.bits // 8))
bytes_at, halves_at, words_at, doubles_at = map(record_at, (Bytes, Halves, Words, Doubles))


# --- elements -----------------------------------------------------------------------------------


@define
def group(hart, register: u64) -> u64:
    """The host address of a register, and of the group that begins with it."""
    return host_address(hart.vectors[0]) + register * hart.vlen_bytes


@define
def result(hart) -> u64:
    """The host address of the elements that an instruction computes."""
    return host_address(hart.vectors[0]) + FILE_BYTES


@define
def element(at: u64, i: u64, eew: Width) -> u64:
    """Element i of the group at a host address."""
    if eew == 8:
        return u64(bytes_at(at).at[i])
    if eew == 16:
        return u64(halves_at(at).at[i])
    if eew == 32:
        return u64(words_at(at).at[i])
    return doubles_at(at).at[i]


@define
def set_element(at: u64, i: u64, value: u64, eew: Width):
    """Write element i; bits above its width are dropped."""
    if eew == 8:
        bytes_at(at).at[i] = u8(value)
    elif eew == 16:
        halves_at(at).at[i] = u16(value)
    elif eew == 32:
        words_at(at).at[i] = u32(value)
    else:
        doubles_at(at).at[i] = value


@define
def signed(value: u64, eew: Width) -> s64:
    """An element, or the low bits of a register, as a signed number."""
    return s64(value << (64 - eew)) >> s64(64 - eew)


@define
def fill(at: u64, count: u64, value: u64, eew: Width):
    """Write a value to the first elements of a group."""
    for i in range(count):
        set_element(at, i, value, eew)


@define
def scalar(value: ux) -> u64:
    """The value of an x register as an operand: sign-extended where elements are wider, its low
    bits where they are narrower ("Vector Arithmetic Instruction Formats")."""
    return u64(sx(value))


@define(cold=True)
def splat(hart, value: u64) -> u64:
    """The host address of vl elements of SEW bits, each with the low bits of a scalar operand
    ("Vector Arithmetic Instruction encoding")."""
    at = host_address(hart.vectors[0]) + FILE_BYTES + GROUP_BYTES
    if hart.vsew == 8:
        fill(at, hart.vl, value, 8)
    elif hart.vsew == 16:
        fill(at, hart.vl, value, 16)
    elif hart.vsew == 32:
        fill(at, hart.vl, value, 32)
    else:
        fill(at, hart.vl, value, 64)
    return at


@define
def float_scalar(hart, value: u64) -> u64:
    """The number of SEW bits in an f register: the canonical NaN if a narrow one isn't boxed."""
    if hart.vsew == 16:
        return number(value, 16)
    return number(value, 32) if hart.vsew == 32 else value


@define
def splat_float(hart, value: u64) -> u64:
    """As `splat`, for the value of an f register."""
    return splat(hart, float_scalar(hart, value))


# --- masks ("Mask Register Layout") -------------------------------------------------------------


@define
def mask_bit(at: u64, i: u64) -> u64:
    """Bit i of the mask register at a host address: 0 or 1."""
    return u64(bytes_at(at).at[i >> 3]) >> (i & 7) & 1


@define
def set_mask_bit(at: u64, i: u64, bit: u64):
    """Write bit i of a mask register."""
    byte = bytes_at(at).at[i >> 3]
    cleared = byte & ~(u8(1) << u8(i & 7))
    bytes_at(at).at[i >> 3] = cleared | u8(bit) << u8(i & 7)


@define
def active_bits(hart, bits: u8, vm: u64, k: u64) -> u8:
    """Byte k of a mask, without the bits of inactive and of tail elements."""
    if vm == 0:
        bits &= bytes_at(group(hart, u64(0))).at[k]
    if k == hart.vl >> 3:
        bits &= ~(u8(0xFF) << u8(hart.vl & 7))
    return bits


@define
def packed(bytes_: u64) -> u8:
    """The lowest bits of eight bytes as the bits of one: the product has each of them at its place
    in the highest byte."""
    return u8((bytes_ & 0x0101010101010101) * 0x0102040810204080 >> 56)


@define
def is_active(hart, vm: u64, i: u64) -> bool:
    """Whether a body element is active: the instruction is unmasked, or v0.mask[i] is set."""
    return vm != 0 or mask_bit(group(hart, u64(0)), i) != 0


# --- writing back -------------------------------------------------------------------------------


@define
def copy_bytes(to: u64, source: u64, size: u64):
    """Copy host memory. 16 bytes are a register of VLEN 128: for these a call takes too long."""
    if size == 16:
        low = doubles_at(source).at[0]
        high = doubles_at(source).at[1]
        doubles_at(to).at[0] = low
        doubles_at(to).at[1] = high
    else:
        copy_memory(to, source, size)


@define
def merge(hart, to: u64, eew: Width):
    """Copy the active elements of `result`. Inactive ones stay as they were, which both mask
    policies allow."""
    source = result(hart)
    mask = group(hart, u64(0))
    for i in range(hart.vl):
        if mask_bit(mask, i) != 0:
            set_element(to, i, element(source, i, eew), eew)


@define(cold=True)
def write_back(hart, vd: u64, vm: u64, eew: u64):
    """Copy the active elements of `result` to vd. The tail stays as it was, which both tail
    policies allow."""
    to = group(hart, vd)
    if vm != 0:
        copy_bytes(to, result(hart), hart.vl * eew >> 3)
    elif eew == 8:
        merge(hart, to, 8)
    elif eew == 16:
        merge(hart, to, 16)
    elif eew == 32:
        merge(hart, to, 32)
    else:
        merge(hart, to, 64)


@define(cold=True)
def write_back_mask(hart, vd: u64, vm: u64):
    """Copy active elements of `result`, bytes of 0 or 1, to the bits of a mask register."""
    to = bytes_at(group(hart, vd))
    for k in range(hart.vl + 7 >> 3):
        bits = packed(doubles_at(result(hart)).at[k])
        changed = active_bits(hart, u8(0xFF), vm, k)
        to.at[k] = to.at[k] & ~changed | bits & changed
