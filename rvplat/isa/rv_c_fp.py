# ruff: noqa: E501
"""Zcd and Zcf, compressed floating-point loads and stores (Unprivileged, "Zcd" and "Zcf").

Zcf exists for XLEN=32 only: with XLEN=64 its encodings are c.ldsp, c.sdsp, c.ld and c.sd.
"""

from rvplat.isa import rv_fd
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.rv_c import SP

Zcd = Extension("Zcd", version="1.0", standing="ratified", title="Double-precision compressed instructions",
                requires=("Zca", "D"), implied_by=("C", "D"))  # fmt: skip
Zcf = Extension("Zcf", version="1.0", standing="ratified", title="Single-precision compressed instructions",
                requires=("Zca", "F"), implied_by=("C", "F"), widths=(32,))  # fmt: skip

# fmt: off

# "Stack-Pointer-Based Loads and Stores"
Zcd.compressed(
    "001 uimm[5] rd uimm[4:3|8:6] 10", "c.fldsp frd, uimm(sp)", rv_fd.fld, rs1=SP, imm="uimm"
)
Zcd.compressed("101 uimm[5:3|8:6] rs2 10", "c.fsdsp frs2, uimm(sp)", rv_fd.fsd, rs1=SP, imm="uimm")
Zcf.compressed(
    "011 uimm[5] rd uimm[4:2|7:6] 10",
    "c.flwsp frd, uimm(sp)",
    rv_fd.flw,
    rs1=SP,
    imm="uimm",
    xlen=32,
)
Zcf.compressed(
    "111 uimm[5:2|7:6] rs2 10", "c.fswsp frs2, uimm(sp)", rv_fd.fsw, rs1=SP, imm="uimm", xlen=32
)

# "Register-Based Loads and Stores"
Zcd.compressed("001 uimm[5:3] rs1' uimm[7:6] rd' 00", "c.fld frd, uimm(rs1)", rv_fd.fld, imm="uimm")
Zcd.compressed(
    "101 uimm[5:3] rs1' uimm[7:6] rs2' 00", "c.fsd frs2, uimm(rs1)", rv_fd.fsd, imm="uimm"
)
Zcf.compressed(
    "011 uimm[5:3] rs1' uimm[2|6] rd' 00", "c.flw frd, uimm(rs1)", rv_fd.flw, imm="uimm", xlen=32
)
Zcf.compressed(
    "111 uimm[5:3] rs1' uimm[2|6] rs2' 00", "c.fsw frs2, uimm(rs1)", rv_fd.fsw, imm="uimm", xlen=32
)

# fmt: on
