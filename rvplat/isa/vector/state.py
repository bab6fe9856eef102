"""The state of the vector extensions (Unprivileged, "Vector Extension Programmer's Model").

`hart.v_ready` says whether a vector instruction may run:

    0   unknown: each change of mstatus.VS, vsstatus.VS or V stores this
    1   VS is Dirty in every status register that counts
"""

from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.machinery.xlen import WIDTHS, ux
from rvplat.isa.privileged import Status
from rvplat.isa.rv_v import Zve32x
from rvplat.lang import Record, define, s64, u32, u64

MAX_VLEN = 1024  # bits
FILE_BYTES = 32 * MAX_VLEN // 8
GROUP_BYTES = 8 * MAX_VLEN // 8  # of the largest group of registers

# vN is at byte N * hart.vlen_bytes, so that the registers of a group lie side by side.
VectorFile = Record("VectorFile")
VectorFile.add("registers", u64, FILE_BYTES // 8)
VectorFile.add("result", u64, GROUP_BYTES // 8)  # elements that are not written back yet
VectorFile.add("scalars", u64, GROUP_BYTES // 8)  # copies of an instruction's scalar operand

Zve32x.state("vectors", VectorFile, 1)
Zve32x.state("vsew", u64)  # SEW in bits
Zve32x.state("vlmul", s64)  # the logarithm of LMUL, -3 to 3
Zve32x.state("vlmax", u64)


# --- may an instruction run ---------------------------------------------------------------------


@define
def vs_off(hart) -> bool:
    """Whether VS is Off ("Vector Context Status in mstatus"). With V=1, the fields of mstatus and
    vsstatus are both in effect ("Vector Context Status in vsstatus")."""
    if hart.virt != 0 and hart.vsstatus & Status.VS == 0:
        return True
    return hart.mstatus & Status.VS == 0


@define(cold=True)
def require_vs(hart):
    """With VS Off, every vector instruction and access to a vector CSR is illegal."""
    if vs_off(hart):
        illegal(hart)


@define(cold=True)
def make_dirty(hart):
    """Set VS to Dirty, because vector state changes. Reads of mstatus derive SD from VS."""
    hart.mstatus |= Status.VS
    if hart.virt != 0:
        hart.vsstatus |= Status.VS
    hart.v_ready = 1


@define
def require_vector(hart):
    """What an instruction that doesn't depend on vtype requires."""
    if hart.v_ready == 0:
        require_vs(hart)


@define
def vill() -> u64:
    """What vtype holds where it is illegal: the highest bit alone."""
    return u64(1) << (ux.bits - 1)


@define
def require_vtype(hart):
    """What an instruction that depends on vtype requires ("Vector Type Illegal (vill)")."""
    require_vector(hart)
    if hart.vtype == vill():
        illegal(hart)


@define
def require_start_at_zero(hart):
    """Arithmetic is never interrupted here. So a vstart other than 0 is illegal, as the manual
    permits ("Vector Start Index (vstart) Register")."""
    require_vtype(hart)
    if hart.vstart != 0:
        illegal(hart)


@define
def begin_change(hart):
    """The instruction is legal, and vector state is about to change."""
    if hart.v_ready == 0:
        make_dirty(hart)


# --- CSRs ---------------------------------------------------------------------------------------


@define
def vector_access(hart, write: bool, number: u32):
    """Illegal while VS is Off."""
    require_vs(hart)


@define
def vstart_write(hart, value: u64, number: u32):
    """As many bits as the largest element index needs: VLEN - 1, with SEW=8 and LMUL=8."""
    hart.vstart = value & (hart.vlen_bytes * 8 - 1)
    make_dirty(hart)


@define
def vxsat_write(hart, value: u64, number: u32):
    hart.vxsat = value & 1
    make_dirty(hart)


@define
def vxrm_write(hart, value: u64, number: u32):
    hart.vxrm = value & 3
    make_dirty(hart)


@define
def vcsr_read(hart, number: u32) -> u64:
    return hart.vxrm << 1 | hart.vxsat


@define
def vcsr_write(hart, value: u64, number: u32):
    hart.vxsat = value & 1
    hart.vxrm = value >> 1 & 3
    make_dirty(hart)


@define
def vlenb_read(hart, number: u32) -> u64:
    return hart.vlen_bytes


Zve32x.csr(0x008, "vstart", write=vstart_write, access=vector_access)
Zve32x.csr(0x009, "vxsat", write=vxsat_write, access=vector_access, fields="SAT[0]")
Zve32x.csr(0x00A, "vxrm", write=vxrm_write, access=vector_access, fields="RM[1:0]")
Zve32x.csr(
    0x00F, "vcsr", read=vcsr_read, write=vcsr_write, access=vector_access, storage=False,
    fields="RM[2:1] SAT[0]",
)  # fmt: skip
Zve32x.csr(0xC20, "vl", access=vector_access)
for _xlen in WIDTHS:
    Zve32x.csr(
        0xC21, "vtype", access=vector_access, reset=1 << _xlen - 1, xlen=_xlen,
        fields="vill[XLEN-1] vma[7] vta[6] vsew[5:3] vlmul[2:0]",
    )  # fmt: skip
Zve32x.csr(0xC22, "vlenb", read=vlenb_read, access=vector_access, storage=False)
