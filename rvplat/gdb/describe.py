"""Target descriptions: a hart's registers, from the rows of its CSRs.

Register numbers are gdb's own where it has some: x 0 to 31, pc 32, f 33 to 64, CSR n 65 + n, priv.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

from rvplat.engine.agent import REG_ASID, REG_CSR, REG_F, REG_PC, REG_PRIV, REG_VIRT, REG_VMID
from rvplat.isa.csr import Csr

_X = (
    "zero ra sp gp tp t0 t1 t2 fp s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 "
    "t5 t6"
)
_F = (
    "ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5 fa6 fa7 fs2 fs3 fs4 fs5 fs6 "
    "fs7 fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11"
)
X_NAMES, F_NAMES = _X.split(), _F.split()
FP_CSRS = (1, 2, 3)  # fflags, frm, fcsr
HYPERVISOR = 2  # the privilege in the numbers of hypervisor and VS CSRs
AS_NUMBERS = (0x300, 0x301)  # mstatus, misa: gdb prints those of its own feature as numbers only
_POINTERS = {"ra": "code_ptr", "sp": "data_ptr", "gp": "data_ptr", "tp": "data_ptr",
             "fp": "data_ptr"}  # fmt: skip
REG_MODE = 4165  # priv, with names for its values: in conditions gdb wants numbers
OURS = {REG_MODE: "mode", REG_PRIV: "priv", REG_VIRT: "virt", REG_VMID: "vmid", REG_ASID: "asid"}
OUR_BITS = 16  # of eight gdb makes characters
MODES = {0: "U", 1: "S", 3: "M", 4: "VU", 5: "VS"}  # by priv: the privilege, and 4 more where V=1


@dataclass(frozen=True)
class Layout:
    """A hart's registers: sizes in bytes by number, those of `g` in order, the XML."""

    general: tuple[tuple[int, int], ...]
    sizes: dict[int, int]
    annexes: dict[str, str] = field(repr=False)


def _reg(name: str, number: int, bits: int, kind: str, group: str = "") -> str:
    extra = f' group="{group}"' if group else ""
    return (
        f'<reg name={quoteattr(name)} bitsize="{bits}" type={quoteattr(kind)} '
        f'regnum="{number}"{extra}/>'
    )


def _feature(name: str, rows: Iterable[str]) -> str:
    """An annex: one feature."""
    head = '<?xml version="1.0"?>\n<!DOCTYPE feature SYSTEM "gdb-target.dtd">\n'
    body = "\n".join(rows)
    return f'{head}<feature name="{name}">\n{body}\n</feature>\n'


def _cpu() -> str:
    rows = [_reg(n, i, 64, _POINTERS.get(n, "int")) for i, n in enumerate(X_NAMES)]
    return _feature("org.gnu.gdb.riscv.cpu", [*rows, _reg("pc", REG_PC, 64, "code_ptr")])


def _fpu(double: bool, csrs: Iterable[Csr]) -> str:
    union = (
        '<union id="riscv_double"><field name="float" type="ieee_single"/>'
        '<field name="double" type="ieee_double"/></union>'
    )
    bits, kind = (64, "riscv_double") if double else (32, "ieee_single")
    rows = [_reg(n, REG_F + i, bits, kind, "float") for i, n in enumerate(F_NAMES)]
    rows += [_reg(c.name, REG_CSR + c.number, 32, "int", "float") for c in csrs]
    return _feature("org.gnu.gdb.riscv.fpu", [union, *rows])


def _fields(row: Csr) -> str:
    """A type with a CSR's fields by name, and all of it as `raw`: gdb takes the members of a
    structure without a name for the union's own."""
    rows = "".join(
        f'<field name={quoteattr(f.name)} start="{f.low}" end="{f.high}"/>'
        for f in sorted(row.fields, key=lambda f: f.low)
    )
    return (
        f'<struct id="{row.name}_bits" size="8">{rows}</struct>\n<union id="{row.name}_fields">'
        f'<field name="" type="{row.name}_bits"/><field name="raw" type="uint64"/></union>'
    )


def _csrs(rows: Iterable[Csr]) -> list[str]:
    """Types and registers. Groups count for those alone that are in no feature of gdb's."""
    kinds, regs = [], []
    for row in rows:
        kind = "int"
        if row.fields:
            kinds.append(_fields(row))
            kind = f"{row.name}_fields"
        group = "hypervisor" if row.privilege == HYPERVISOR else "csr"
        regs.append(_reg(row.name, REG_CSR + row.number, 64, kind, group))
    return [*kinds, *regs]


def _worlds() -> list[str]:
    """Rows of where a hart is. gdb has a feature of its own for priv, but calls 4 and 5 invalid."""
    values = "".join(f'<evalue name="{name}" value="{n}"/>' for n, name in MODES.items())
    rows = [f'<enum id="mode" size="{OUR_BITS // 8}">{values}</enum>']
    for n, name in OURS.items():
        rows.append(_reg(name, n, OUR_BITS, "mode" if n == REG_MODE else "uint16", "hypervisor"))
    return rows


def layout_of(csrs: Iterable[Csr], has_f: bool, has_d: bool) -> Layout:
    """The registers of a hart that has these CSRs and floating-point registers."""
    rows = sorted(csrs, key=lambda row: row.number)
    fp_rows = [row for row in rows if row.number in FP_CSRS]
    files = {"riscv-cpu.xml": _cpu()}
    general = [(n, 8) for n in range(REG_PC + 1)]
    sizes = dict(general)
    if has_f:
        files["riscv-fpu.xml"] = _fpu(has_d, fp_rows)
        general += [(REG_F + n, 8 if has_d else 4) for n in range(32)]
        sizes.update(general)
    plain = [row for row in rows if row not in fp_rows]
    guests = [row for row in plain if row.privilege == HYPERVISOR]
    own = [row for row in plain if row.number in AS_NUMBERS and row.fields]
    known = [row for row in plain if row not in guests and row not in own]
    files["riscv-csr.xml"] = _feature("org.gnu.gdb.riscv.csr", _csrs(known))
    files["rvplat-csr.xml"] = _feature("org.rvplat.csr", _csrs(own))
    files["rvplat-worlds.xml"] = _feature("org.rvplat.worlds", [*_worlds(), *_csrs(guests)])
    sizes.update({REG_CSR + row.number: 8 for row in plain})
    sizes.update({REG_CSR + row.number: 4 for row in fp_rows})
    sizes.update(dict.fromkeys(OURS, OUR_BITS // 8))
    includes = "".join(f'<xi:include href="{name}"/>\n' for name in files)
    files["target.xml"] = (
        '<?xml version="1.0"?>\n<!DOCTYPE target SYSTEM "gdb-target.dtd">\n<target version="1.0">\n'
        f"<architecture>riscv:rv64</architecture>\n<osabi>none</osabi>\n{includes}</target>\n"
    )
    return Layout(tuple(general), sizes, files)
