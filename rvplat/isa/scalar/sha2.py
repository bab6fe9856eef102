"""Zknh, SHA-256 and SHA-512 (Unprivileged, "Zknh"; FIPS 180-4, 4.1.2 and 4.1.3)."""

from rvplat.isa.cryptography.sha2 import sig0, sig1, sum0, sum1
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_scalar import Zknh
from rvplat.lang import s32, u64


@Zknh.instruction("000100000000 rs1 001 rd 0010011", "sha256sum0 rd, rs1")
def sha256sum0(hart, rd, rs1):
    hart.x[rd] = ux(s32(sum0(u64(hart.x[rs1]), 32)))


@Zknh.instruction("000100000001 rs1 001 rd 0010011", "sha256sum1 rd, rs1")
def sha256sum1(hart, rd, rs1):
    hart.x[rd] = ux(s32(sum1(u64(hart.x[rs1]), 32)))


@Zknh.instruction("000100000010 rs1 001 rd 0010011", "sha256sig0 rd, rs1")
def sha256sig0(hart, rd, rs1):
    hart.x[rd] = ux(s32(sig0(u64(hart.x[rs1]), 32)))


@Zknh.instruction("000100000011 rs1 001 rd 0010011", "sha256sig1 rd, rs1")
def sha256sig1(hart, rd, rs1):
    hart.x[rd] = ux(s32(sig1(u64(hart.x[rs1]), 32)))


@Zknh.instruction("000100000100 rs1 001 rd 0010011", "sha512sum0 rd, rs1", xlen=64)
def sha512sum0(hart, rd, rs1):
    hart.x[rd] = sum0(hart.x[rs1], 64)


@Zknh.instruction("000100000101 rs1 001 rd 0010011", "sha512sum1 rd, rs1", xlen=64)
def sha512sum1(hart, rd, rs1):
    hart.x[rd] = sum1(hart.x[rs1], 64)


@Zknh.instruction("000100000110 rs1 001 rd 0010011", "sha512sig0 rd, rs1", xlen=64)
def sha512sig0(hart, rd, rs1):
    hart.x[rd] = sig0(hart.x[rs1], 64)


@Zknh.instruction("000100000111 rs1 001 rd 0010011", "sha512sig1 rd, rs1", xlen=64)
def sha512sig1(hart, rd, rs1):
    hart.x[rd] = sig1(hart.x[rs1], 64)
