"""Zicsr, instructions on control and status registers (Unprivileged, "Zicsr").

Each CSR's row is in the file of its extension; `hart/csr.py` looks it up. An instruction checks the
access, reads the CSR, writes it, and writes rd last. So it reads the value from before the
instruction, even if the instruction itself changes the CSR (section "CSR Access Ordering").
"""

from rvplat.isa.machinery.extension import Extension, rd_is_zero
from rvplat.isa.machinery.vocabulary import csr_check, csr_in_force, csr_read, csr_stored, csr_write
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import define, u32, u64

Zicsr = Extension(
    "Zicsr",
    version="2.0",
    standing="ratified",
    title="Control and status register instructions",
    requires=("I",),
)


@define(cold=True)
def swap(hart, rd: u64, number: u32, value: ux):
    """csrrw and csrrwi: with rd = x0 the CSR is not read."""
    csr_check(hart, number, True)
    actual = csr_in_force(hart, number)
    old = ux(0) if rd_is_zero(rd) else ux(csr_read(hart, actual))
    csr_write(hart, actual, u64(value))
    hart.x[rd] = old


@define(cold=True)
def set_bits(hart, rd: u64, number: u32, mask: ux, write: bool):
    """csrrs and csrrsi: with rs1 = x0 or uimm = 0 they don't write, so a read-only CSR is legal."""
    csr_check(hart, number, write)
    actual = csr_in_force(hart, number)
    old = csr_read(hart, actual)
    if write:
        csr_write(hart, actual, csr_stored(hart, actual, old) | u64(mask))
    hart.x[rd] = ux(old)


@define(cold=True)
def clear_bits(hart, rd: u64, number: u32, mask: ux, write: bool):
    """csrrc and csrrci."""
    csr_check(hart, number, write)
    actual = csr_in_force(hart, number)
    old = csr_read(hart, actual)
    if write:
        csr_write(hart, actual, csr_stored(hart, actual, old) & u64(~mask))
    hart.x[rd] = ux(old)


@Zicsr.instruction("csr rs1 001 rd 1110011", "csrrw rd, csr, rs1")
def csrrw(hart, rd, rs1, csr):
    """Write rs1 to the CSR, and the CSR's old value to rd."""
    swap(hart, rd, u32(csr), hart.x[rs1])


@Zicsr.instruction("csr rs1 010 rd 1110011", "csrrs rd, csr, rs1")
def csrrs(hart, rd, rs1, csr):
    """Read, and set the bits that are set in rs1."""
    set_bits(hart, rd, u32(csr), hart.x[rs1], rs1 != 0)


@Zicsr.instruction("csr rs1 011 rd 1110011", "csrrc rd, csr, rs1")
def csrrc(hart, rd, rs1, csr):
    """Read, and clear the bits that are set in rs1."""
    clear_bits(hart, rd, u32(csr), hart.x[rs1], rs1 != 0)


@Zicsr.instruction("csr zimm 101 rd 1110011", "csrrwi rd, csr, zimm")
def csrrwi(hart, rd, csr, zimm):
    """Write a five-bit immediate to the CSR, zero-extended, and the CSR's old value to rd."""
    swap(hart, rd, u32(csr), ux(zimm))


@Zicsr.instruction("csr zimm 110 rd 1110011", "csrrsi rd, csr, zimm")
def csrrsi(hart, rd, csr, zimm):
    """Read, and set the bits that are set in a five-bit immediate."""
    set_bits(hart, rd, u32(csr), ux(zimm), zimm != 0)


@Zicsr.instruction("csr zimm 111 rd 1110011", "csrrci rd, csr, zimm")
def csrrci(hart, rd, csr, zimm):
    """Read, and clear the bits that are set in a five-bit immediate."""
    clear_bits(hart, rd, u32(csr), ux(zimm), zimm != 0)
