"""A, atomic instructions (Unprivileged, "A", "Zalrsc" and "Zaamo").

AMOs and successful store-conditionals are full fences of the host, and a load-reserved is ordered
before later accesses. That is at least what aq and rl demand, with one exception: rl of a
load-reserved orders it after earlier accesses, which takes a fence. So rl of the load-reserved
instructions is the only one of these bits that a definition reads.

A reservation is an address and the value that was loaded from it. A store-conditional succeeds if
the memory there still holds that value. So it fails after another hart stored a different value. It
succeeds, as in QEMU, if other harts changed the word and changed it back (A, B, A), although the
manual demands that it fail. Lock-free code that relies on the failure needs a tag beside the
pointer. Reservations that notice such stores were tried: with a counter for each 64 bytes that
only store-conditionals increment, a pair of lr.d and sc.d takes 22 ns instead of 17.5 ns; AMOs
would have to increment it as well, and plain stores would have to leave their fast path.
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import (
    amo_address,
    load_reserved_u32,
    load_reserved_u64,
    store_conditional_u32,
    store_conditional_u64,
)
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import (
    atomic_add_u32,
    atomic_add_u64,
    atomic_and_u32,
    atomic_and_u64,
    atomic_max_u32,
    atomic_max_u64,
    atomic_maxu_u32,
    atomic_maxu_u64,
    atomic_min_u32,
    atomic_min_u64,
    atomic_minu_u32,
    atomic_minu_u64,
    atomic_or_u32,
    atomic_or_u64,
    atomic_swap_u32,
    atomic_swap_u64,
    atomic_xor_u32,
    atomic_xor_u64,
    fence,
    s32,
    u32,
)

Zalrsc = Extension(
    "Zalrsc",
    version="1.0",
    standing="ratified",
    title="Load-reserved and store-conditional",
    requires=("I",),
)
Zaamo = Extension(
    "Zaamo", version="1.0", standing="ratified", title="Atomic memory operations", requires=("I",)
)
A = Extension(
    "A",
    version="2.1",
    standing="ratified",
    title="Atomic instructions",
    requires=("Zalrsc", "Zaamo"),
)


# "Zalrsc"


@Zalrsc.instruction("00010 aq rl 00000 rs1 010 rd 0101111", "lr.w{aqrl} rd, (rs1)")
def lr_w(hart, rd, rs1, rl):
    """Load a word, sign-extended, and reserve it."""
    if rl != 0:
        fence()
    hart.x[rd] = ux(s32(load_reserved_u32(hart, hart.x[rs1])))


@Zalrsc.instruction("00011 aq rl rs2 rs1 010 rd 0101111", "sc.w{aqrl} rd, rs2, (rs1)")
def sc_w(hart, rd, rs1, rs2):
    """Store if the reservation holds: then rd is 0, otherwise 1 (an unspecified failure)."""
    hart.x[rd] = ux(not store_conditional_u32(hart, hart.x[rs1], u32(hart.x[rs2])))


@Zalrsc.instruction("00010 aq rl 00000 rs1 011 rd 0101111", "lr.d{aqrl} rd, (rs1)", xlen=64)
def lr_d(hart, rd, rs1, rl):
    if rl != 0:
        fence()
    hart.x[rd] = load_reserved_u64(hart, hart.x[rs1])


@Zalrsc.instruction("00011 aq rl rs2 rs1 011 rd 0101111", "sc.d{aqrl} rd, rs2, (rs1)", xlen=64)
def sc_d(hart, rd, rs1, rs2):
    hart.x[rd] = ux(not store_conditional_u64(hart, hart.x[rs1], hart.x[rs2]))


# "Zaamo": the word forms ignore the upper half of rs2 and sign-extend the word in rd.


@Zaamo.instruction("00001 aq rl rs2 rs1 010 rd 0101111", "amoswap.w{aqrl} rd, rs2, (rs1)")
def amoswap_w(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 4)
    hart.x[rd] = ux(s32(atomic_swap_u32(address, u32(hart.x[rs2]))))


@Zaamo.instruction("00000 aq rl rs2 rs1 010 rd 0101111", "amoadd.w{aqrl} rd, rs2, (rs1)")
def amoadd_w(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 4)
    hart.x[rd] = ux(s32(atomic_add_u32(address, u32(hart.x[rs2]))))


@Zaamo.instruction("01100 aq rl rs2 rs1 010 rd 0101111", "amoand.w{aqrl} rd, rs2, (rs1)")
def amoand_w(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 4)
    hart.x[rd] = ux(s32(atomic_and_u32(address, u32(hart.x[rs2]))))


@Zaamo.instruction("01000 aq rl rs2 rs1 010 rd 0101111", "amoor.w{aqrl} rd, rs2, (rs1)")
def amoor_w(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 4)
    hart.x[rd] = ux(s32(atomic_or_u32(address, u32(hart.x[rs2]))))


@Zaamo.instruction("00100 aq rl rs2 rs1 010 rd 0101111", "amoxor.w{aqrl} rd, rs2, (rs1)")
def amoxor_w(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 4)
    hart.x[rd] = ux(s32(atomic_xor_u32(address, u32(hart.x[rs2]))))


@Zaamo.instruction("10100 aq rl rs2 rs1 010 rd 0101111", "amomax.w{aqrl} rd, rs2, (rs1)")
def amomax_w(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 4)
    hart.x[rd] = ux(s32(atomic_max_u32(address, u32(hart.x[rs2]))))


@Zaamo.instruction("11100 aq rl rs2 rs1 010 rd 0101111", "amomaxu.w{aqrl} rd, rs2, (rs1)")
def amomaxu_w(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 4)
    hart.x[rd] = ux(s32(atomic_maxu_u32(address, u32(hart.x[rs2]))))


@Zaamo.instruction("10000 aq rl rs2 rs1 010 rd 0101111", "amomin.w{aqrl} rd, rs2, (rs1)")
def amomin_w(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 4)
    hart.x[rd] = ux(s32(atomic_min_u32(address, u32(hart.x[rs2]))))


@Zaamo.instruction("11000 aq rl rs2 rs1 010 rd 0101111", "amominu.w{aqrl} rd, rs2, (rs1)")
def amominu_w(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 4)
    hart.x[rd] = ux(s32(atomic_minu_u32(address, u32(hart.x[rs2]))))


@Zaamo.instruction("00001 aq rl rs2 rs1 011 rd 0101111", "amoswap.d{aqrl} rd, rs2, (rs1)", xlen=64)
def amoswap_d(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 8)
    hart.x[rd] = atomic_swap_u64(address, hart.x[rs2])


@Zaamo.instruction("00000 aq rl rs2 rs1 011 rd 0101111", "amoadd.d{aqrl} rd, rs2, (rs1)", xlen=64)
def amoadd_d(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 8)
    hart.x[rd] = atomic_add_u64(address, hart.x[rs2])


@Zaamo.instruction("01100 aq rl rs2 rs1 011 rd 0101111", "amoand.d{aqrl} rd, rs2, (rs1)", xlen=64)
def amoand_d(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 8)
    hart.x[rd] = atomic_and_u64(address, hart.x[rs2])


@Zaamo.instruction("01000 aq rl rs2 rs1 011 rd 0101111", "amoor.d{aqrl} rd, rs2, (rs1)", xlen=64)
def amoor_d(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 8)
    hart.x[rd] = atomic_or_u64(address, hart.x[rs2])


@Zaamo.instruction("00100 aq rl rs2 rs1 011 rd 0101111", "amoxor.d{aqrl} rd, rs2, (rs1)", xlen=64)
def amoxor_d(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 8)
    hart.x[rd] = atomic_xor_u64(address, hart.x[rs2])


@Zaamo.instruction("10100 aq rl rs2 rs1 011 rd 0101111", "amomax.d{aqrl} rd, rs2, (rs1)", xlen=64)
def amomax_d(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 8)
    hart.x[rd] = atomic_max_u64(address, hart.x[rs2])


@Zaamo.instruction("11100 aq rl rs2 rs1 011 rd 0101111", "amomaxu.d{aqrl} rd, rs2, (rs1)", xlen=64)
def amomaxu_d(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 8)
    hart.x[rd] = atomic_maxu_u64(address, hart.x[rs2])


@Zaamo.instruction("10000 aq rl rs2 rs1 011 rd 0101111", "amomin.d{aqrl} rd, rs2, (rs1)", xlen=64)
def amomin_d(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 8)
    hart.x[rd] = atomic_min_u64(address, hart.x[rs2])


@Zaamo.instruction("11000 aq rl rs2 rs1 011 rd 0101111", "amominu.d{aqrl} rd, rs2, (rs1)", xlen=64)
def amominu_d(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 8)
    hart.x[rd] = atomic_minu_u64(address, hart.x[rs2])
