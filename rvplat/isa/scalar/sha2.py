"""Zknh, SHA-256 and SHA-512 (Unprivileged, "Zknh"; FIPS 180-4, 4.1.2 and 4.1.3)."""

from rvplat.isa.cryptography.sha2 import sig0, sig1, sum0, sum1
from rvplat.isa.machinery.register_pairs import joined
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


# RV32: a register holds half of a word. The forms for sums and for low halves have the low half in
# rs1, those for high halves have the high half there.


@Zknh.instruction("0101000 rs2 rs1 000 rd 0110011", "sha512sum0r rd, rs1, rs2", xlen=32)
def sha512sum0r(hart, rd, rs1, rs2):
    hart.x[rd] = ux(sum0(joined(hart.x[rs1], hart.x[rs2]), 64))


@Zknh.instruction("0101001 rs2 rs1 000 rd 0110011", "sha512sum1r rd, rs1, rs2", xlen=32)
def sha512sum1r(hart, rd, rs1, rs2):
    hart.x[rd] = ux(sum1(joined(hart.x[rs1], hart.x[rs2]), 64))


@Zknh.instruction("0101010 rs2 rs1 000 rd 0110011", "sha512sig0l rd, rs1, rs2", xlen=32)
def sha512sig0l(hart, rd, rs1, rs2):
    hart.x[rd] = ux(sig0(joined(hart.x[rs1], hart.x[rs2]), 64))


@Zknh.instruction("0101110 rs2 rs1 000 rd 0110011", "sha512sig0h rd, rs1, rs2", xlen=32)
def sha512sig0h(hart, rd, rs1, rs2):
    hart.x[rd] = ux(sig0(joined(hart.x[rs2], hart.x[rs1]), 64) >> 32)


@Zknh.instruction("0101011 rs2 rs1 000 rd 0110011", "sha512sig1l rd, rs1, rs2", xlen=32)
def sha512sig1l(hart, rd, rs1, rs2):
    hart.x[rd] = ux(sig1(joined(hart.x[rs1], hart.x[rs2]), 64))


@Zknh.instruction("0101111 rs2 rs1 000 rd 0110011", "sha512sig1h rd, rs1, rs2", xlen=32)
def sha512sig1h(hart, rd, rs1, rs2):
    hart.x[rd] = ux(sig1(joined(hart.x[rs2], hart.x[rs1]), 64) >> 32)
