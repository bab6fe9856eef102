"""Zabha, atomic operations on bytes and halfwords (Unprivileged, "Zabha").

They ignore the upper bits of rs2 and sign-extend what they find. With Zacas there is amocas too.
"""

from rvplat.isa.machinery.vocabulary import amo_address
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_scalar import Zabha
from rvplat.isa.scalar.zacas import expected
from rvplat.lang import (
    atomic_add_u8,
    atomic_add_u16,
    atomic_and_u8,
    atomic_and_u16,
    atomic_cas_u8,
    atomic_cas_u16,
    atomic_max_u8,
    atomic_max_u16,
    atomic_maxu_u8,
    atomic_maxu_u16,
    atomic_min_u8,
    atomic_min_u16,
    atomic_minu_u8,
    atomic_minu_u16,
    atomic_or_u8,
    atomic_or_u16,
    atomic_swap_u8,
    atomic_swap_u16,
    atomic_xor_u8,
    atomic_xor_u16,
    s8,
    s16,
    u8,
    u16,
)


@Zabha.instruction("00001 aq rl rs2 rs1 000 rd 0101111", "amoswap.b{aqrl} rd, rs2, (rs1)")
def amoswap_b(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 1)
    hart.x[rd] = ux(s8(atomic_swap_u8(address, u8(hart.x[rs2]))))


@Zabha.instruction("00001 aq rl rs2 rs1 001 rd 0101111", "amoswap.h{aqrl} rd, rs2, (rs1)")
def amoswap_h(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 2)
    hart.x[rd] = ux(s16(atomic_swap_u16(address, u16(hart.x[rs2]))))


@Zabha.instruction("00000 aq rl rs2 rs1 000 rd 0101111", "amoadd.b{aqrl} rd, rs2, (rs1)")
def amoadd_b(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 1)
    hart.x[rd] = ux(s8(atomic_add_u8(address, u8(hart.x[rs2]))))


@Zabha.instruction("00000 aq rl rs2 rs1 001 rd 0101111", "amoadd.h{aqrl} rd, rs2, (rs1)")
def amoadd_h(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 2)
    hart.x[rd] = ux(s16(atomic_add_u16(address, u16(hart.x[rs2]))))


@Zabha.instruction("01100 aq rl rs2 rs1 000 rd 0101111", "amoand.b{aqrl} rd, rs2, (rs1)")
def amoand_b(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 1)
    hart.x[rd] = ux(s8(atomic_and_u8(address, u8(hart.x[rs2]))))


@Zabha.instruction("01100 aq rl rs2 rs1 001 rd 0101111", "amoand.h{aqrl} rd, rs2, (rs1)")
def amoand_h(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 2)
    hart.x[rd] = ux(s16(atomic_and_u16(address, u16(hart.x[rs2]))))


@Zabha.instruction("01000 aq rl rs2 rs1 000 rd 0101111", "amoor.b{aqrl} rd, rs2, (rs1)")
def amoor_b(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 1)
    hart.x[rd] = ux(s8(atomic_or_u8(address, u8(hart.x[rs2]))))


@Zabha.instruction("01000 aq rl rs2 rs1 001 rd 0101111", "amoor.h{aqrl} rd, rs2, (rs1)")
def amoor_h(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 2)
    hart.x[rd] = ux(s16(atomic_or_u16(address, u16(hart.x[rs2]))))


@Zabha.instruction("00100 aq rl rs2 rs1 000 rd 0101111", "amoxor.b{aqrl} rd, rs2, (rs1)")
def amoxor_b(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 1)
    hart.x[rd] = ux(s8(atomic_xor_u8(address, u8(hart.x[rs2]))))


@Zabha.instruction("00100 aq rl rs2 rs1 001 rd 0101111", "amoxor.h{aqrl} rd, rs2, (rs1)")
def amoxor_h(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 2)
    hart.x[rd] = ux(s16(atomic_xor_u16(address, u16(hart.x[rs2]))))


@Zabha.instruction("10100 aq rl rs2 rs1 000 rd 0101111", "amomax.b{aqrl} rd, rs2, (rs1)")
def amomax_b(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 1)
    hart.x[rd] = ux(s8(atomic_max_u8(address, u8(hart.x[rs2]))))


@Zabha.instruction("10100 aq rl rs2 rs1 001 rd 0101111", "amomax.h{aqrl} rd, rs2, (rs1)")
def amomax_h(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 2)
    hart.x[rd] = ux(s16(atomic_max_u16(address, u16(hart.x[rs2]))))


@Zabha.instruction("11100 aq rl rs2 rs1 000 rd 0101111", "amomaxu.b{aqrl} rd, rs2, (rs1)")
def amomaxu_b(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 1)
    hart.x[rd] = ux(s8(atomic_maxu_u8(address, u8(hart.x[rs2]))))


@Zabha.instruction("11100 aq rl rs2 rs1 001 rd 0101111", "amomaxu.h{aqrl} rd, rs2, (rs1)")
def amomaxu_h(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 2)
    hart.x[rd] = ux(s16(atomic_maxu_u16(address, u16(hart.x[rs2]))))


@Zabha.instruction("10000 aq rl rs2 rs1 000 rd 0101111", "amomin.b{aqrl} rd, rs2, (rs1)")
def amomin_b(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 1)
    hart.x[rd] = ux(s8(atomic_min_u8(address, u8(hart.x[rs2]))))


@Zabha.instruction("10000 aq rl rs2 rs1 001 rd 0101111", "amomin.h{aqrl} rd, rs2, (rs1)")
def amomin_h(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 2)
    hart.x[rd] = ux(s16(atomic_min_u16(address, u16(hart.x[rs2]))))


@Zabha.instruction("11000 aq rl rs2 rs1 000 rd 0101111", "amominu.b{aqrl} rd, rs2, (rs1)")
def amominu_b(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 1)
    hart.x[rd] = ux(s8(atomic_minu_u8(address, u8(hart.x[rs2]))))


@Zabha.instruction("11000 aq rl rs2 rs1 001 rd 0101111", "amominu.h{aqrl} rd, rs2, (rs1)")
def amominu_h(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 2)
    hart.x[rd] = ux(s16(atomic_minu_u16(address, u16(hart.x[rs2]))))


@Zabha.instruction(
    "00101 aq rl rs2 rs1 000 rd 0101111", "amocas.b{aqrl} rd, rs2, (rs1)", requires=("Zacas",)
)
def amocas_b(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 1)
    found = atomic_cas_u8(address, u8(expected(hart, rd)), u8(hart.x[rs2]))
    hart.x[rd] = ux(s8(found))


@Zabha.instruction(
    "00101 aq rl rs2 rs1 001 rd 0101111", "amocas.h{aqrl} rd, rs2, (rs1)", requires=("Zacas",)
)
def amocas_h(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 2)
    found = atomic_cas_u16(address, u16(expected(hart, rd)), u16(hart.x[rs2]))
    hart.x[rd] = ux(s16(found))
