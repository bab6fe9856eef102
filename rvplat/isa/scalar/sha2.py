"""Zknh, SHA-256 and SHA-512 (Unprivileged, "Zknh"; FIPS 180-4, 4.1.2 and 4.1.3)."""

from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_scalar import Zknh
from rvplat.lang import define, rotr, s32, u32, u64


@define
def turns(a: u32, i: u32, j: u32) -> u32:
    """The sum of two rotations to the right."""
    return rotr(a, i) ^ rotr(a, j)


@define
def turns_of_64(a: u64, i: u64, j: u64) -> u64:
    """The sum of two rotations to the right."""
    return rotr(a, i) ^ rotr(a, j)


@Zknh.instruction("000100000000 rs1 001 rd 0010011", "sha256sum0 rd, rs1")
def sha256sum0(hart, rd, rs1):
    a = u32(hart.x[rs1])
    hart.x[rd] = ux(s32(turns(a, u32(2), u32(13)) ^ rotr(a, u32(22))))


@Zknh.instruction("000100000001 rs1 001 rd 0010011", "sha256sum1 rd, rs1")
def sha256sum1(hart, rd, rs1):
    a = u32(hart.x[rs1])
    hart.x[rd] = ux(s32(turns(a, u32(6), u32(11)) ^ rotr(a, u32(25))))


@Zknh.instruction("000100000010 rs1 001 rd 0010011", "sha256sig0 rd, rs1")
def sha256sig0(hart, rd, rs1):
    a = u32(hart.x[rs1])
    hart.x[rd] = ux(s32(turns(a, u32(7), u32(18)) ^ a >> 3))


@Zknh.instruction("000100000011 rs1 001 rd 0010011", "sha256sig1 rd, rs1")
def sha256sig1(hart, rd, rs1):
    a = u32(hart.x[rs1])
    hart.x[rd] = ux(s32(turns(a, u32(17), u32(19)) ^ a >> 10))


@Zknh.instruction("000100000100 rs1 001 rd 0010011", "sha512sum0 rd, rs1", xlen=64)
def sha512sum0(hart, rd, rs1):
    a = hart.x[rs1]
    hart.x[rd] = turns_of_64(a, u64(28), u64(34)) ^ rotr(a, u64(39))


@Zknh.instruction("000100000101 rs1 001 rd 0010011", "sha512sum1 rd, rs1", xlen=64)
def sha512sum1(hart, rd, rs1):
    a = hart.x[rs1]
    hart.x[rd] = turns_of_64(a, u64(14), u64(18)) ^ rotr(a, u64(41))


@Zknh.instruction("000100000110 rs1 001 rd 0010011", "sha512sig0 rd, rs1", xlen=64)
def sha512sig0(hart, rd, rs1):
    a = hart.x[rs1]
    hart.x[rd] = turns_of_64(a, u64(1), u64(8)) ^ a >> 7


@Zknh.instruction("000100000111 rs1 001 rd 0010011", "sha512sig1 rd, rs1", xlen=64)
def sha512sig1(hart, rd, rs1):
    a = hart.x[rs1]
    hart.x[rd] = turns_of_64(a, u64(19), u64(61)) ^ a >> 6
