"""A custom ISA extension: an instruction and a CSR, in twenty lines.

    rvplat run virt program.elf --plugin xmix.py --set 'harts.isa="rv64imac_zicsr_xmix"'

`mix rd, rs1, rs2` (opcode custom-0) rotates rs1 left by the low bits of rs2 and adds the
CSR `mixkey` (0x800, one of the numbers that the manual reserves for custom CSRs of user mode). It
is compiled as `add` is, and is as fast. The reference runs the same text.
"""

from rvplat.hookspecs import hookimpl
from rvplat.isa import Extension
from rvplat.lang import rotl

Xmix = Extension("Xmix", version="0.1", standing="draft", title="Mixing", requires=("Zicsr",))
Xmix.csr(0x800, "mixkey", fields="KEY[31:0]", writable=0xFFFF_FFFF)


@Xmix.instruction("0000000 rs2 rs1 000 rd 0001011", "mix rd, rs1, rs2")
def mix(hart, rd, rs1, rs2):
    """Rotate left and add the key."""
    hart.x[rd] = rotl(hart.x[rs1], hart.x[rs2]) + hart.mixkey


@hookimpl
def rvplat_extensions():
    return [Xmix]
