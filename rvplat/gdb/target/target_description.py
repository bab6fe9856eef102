"""Target descriptions: a hart's registers, from the rows of its CSRs (GDB manual, "Target
Description Format").

Register numbers are gdb's, where gdb has some: x 0 to 31, pc 32, f 33 to 64, CSR n 65 + n, priv.
A description may choose the numbers of vector registers.

A CSR is a number of XLEN bits. gdb can't calculate with a structure, nor cast a number to one. So
the fields are a second register beside the CSR: `mstatus` and `mstatus_fields`. LLDB can show the
fields of a register that is a number, so for LLDB the CSR itself has them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import field
from xml.sax.saxutils import quoteattr

from rvplat.engine.agent import REG_ASID, REG_CSR, REG_F, REG_PC, REG_PRIV, REG_VIRT, REG_VMID
from rvplat.frozen import frozen
from rvplat.isa.machinery.csr_rows import Csr

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
REG_MODE = 4165  # priv with names for its values; gdb's conditions need the number
OURS = {REG_MODE: "mode", REG_PRIV: "priv", REG_VIRT: "virt", REG_VMID: "vmid", REG_ASID: "asid"}
OUR_BITS = 16  # gdb would show eight bits as a character
FIELDS = 0x2000  # added to the number of a CSR's register: its fields
REG_V = 0x4000  # v0
VECTORS = (
    ("b", "uint8", 8), ("s", "uint16", 16), ("w", "uint32", 32), ("l", "uint64", 64),
    ("q", "uint128", 128), ("f", "ieee_single", 32), ("d", "ieee_double", 64),
)  # fmt: skip
"""The elements of a vector register by their names in gdb: type and bits."""
ADDED_VECTORS = {"Zvfhmin": ("h", "ieee_half", 16), "Zvfbfmin": ("bf", "bfloat16", 16)}
"""The elements that a vector register has too, by the extension that has vectors of them."""
FIELDS_SUFFIX = "_fields"
FIELDS_GROUP = "fields"
MODES = {0: "U", 1: "S", 3: "M", 4: "VU", 5: "VS"}  # by priv: the privilege, and 4 more where V=1


@frozen
class Layout:
    """A hart's registers. `general`: (number, bytes) of those of `g`, in order. `sizes`: bytes by
    number. `annexes` and `lldb`: the XML files for gdb and for LLDB."""

    general: tuple[tuple[int, int], ...]
    sizes: dict[int, int]
    annexes: dict[str, str] = field(repr=False)
    lldb: dict[str, str] = field(repr=False)


def csr_itself(number: int) -> int:
    """The register that a number stands for: the CSR, if it is that of a CSR's fields."""
    return number - FIELDS if FIELDS <= number < REG_V else number


def _reg(name: str, number: int, bits: int, kind: str, group: str = "") -> str:
    extra = f' group="{group}"' if group else ""
    return (
        f'<reg name={quoteattr(name)} bitsize="{bits}" type={quoteattr(kind)} '
        f'regnum="{number}"{extra}/>'
    )


def _state(name: str, number: int, bits: int, kind: str, group: str) -> str:
    """A register that gdb must not save and restore when it calls a function of the program."""
    return _reg(name, number, bits, kind, group).replace("/>", ' save-restore="no"/>')


def _feature(name: str, rows: Iterable[str]) -> str:
    """An XML file with one feature."""
    head = '<?xml version="1.0"?>\n<!DOCTYPE feature SYSTEM "gdb-target.dtd">\n'
    body = "\n".join(rows)
    return f'{head}<feature name="{name}">\n{body}\n</feature>\n'


def _cpu(xlen: int) -> str:
    rows = [_reg(n, i, xlen, _POINTERS.get(n, "int")) for i, n in enumerate(X_NAMES)]
    return _feature("org.gnu.gdb.riscv.cpu", [*rows, _reg("pc", REG_PC, xlen, "code_ptr")])


def _fpu(double: bool, csrs: Iterable[Csr]) -> str:
    union = (
        '<union id="riscv_double"><field name="float" type="ieee_single"/>'
        '<field name="double" type="ieee_double"/></union>'
    )
    bits, kind = (64, "riscv_double") if double else (32, "ieee_single")
    rows = [_reg(n, REG_F + i, bits, kind, "float") for i, n in enumerate(F_NAMES)]
    rows += [_reg(c.name, REG_CSR + c.number, 32, "int", "float") for c in csrs]
    return _feature("org.gnu.gdb.riscv.fpu", [union, *rows])


def _vector(vlen: int, extensions: Collection[str]) -> str:
    """v0 to v31, each as vectors of all element types. gdb takes the whole size as VLEN."""
    added = [element for name, element in ADDED_VECTORS.items() if name in extensions]
    elements = (*VECTORS, *added)
    kinds = [
        f'<vector id="v{name}" type="{kind}" count="{vlen // bits}"/>'
        for name, kind, bits in elements
    ]
    rows = "".join(f'<field name="{name}" type="v{name}"/>' for name, _, _ in elements)
    union = f'<union id="riscv_vector">{rows}</union>'
    regs = [_reg(f"v{n}", REG_V + n, vlen, "riscv_vector", "vector") for n in range(32)]
    return _feature("org.gnu.gdb.riscv.vector", [*kinds, union, *regs])


def _has_fields(row: Csr) -> bool:
    """Whether a CSR has fields that tell more than its number."""
    return len(row.fields) > 1 or any(f.low for f in row.fields)


def _fields(row: Csr, kind: str) -> str:
    """A type with a CSR's fields by name: "struct" for gdb, "flags" for LLDB."""
    rows = "".join(
        f'<field name={quoteattr(f.name)} start="{f.low}" end="{f.high}"/>'
        for f in sorted(row.fields, key=lambda f: f.low)
    )
    return f'<{kind} id="{row.name}{FIELDS_SUFFIX}" size="{_bits(row) // 8}">{rows}</{kind}>'


def _bits(row: Csr) -> int:
    """The size of a CSR's register: XLEN."""
    return row.xlen or 64


def _csrs(rows: Iterable[Csr], lldb: bool) -> list[str]:
    """Types and registers. gdb ignores the groups in the features that it knows itself."""
    kinds, regs = [], []
    for row in rows:
        kind = f"uint{_bits(row)}"
        if lldb and _has_fields(row):
            kinds.append(_fields(row, "flags"))
            kind = f"{row.name}{FIELDS_SUFFIX}"
        group = "hypervisor" if row.privilege == HYPERVISOR else "csr"
        regs.append(_state(row.name, REG_CSR + row.number, _bits(row), kind, group))
    return [*kinds, *regs]


def _companions(rows: Iterable[Csr]) -> list[str]:
    """The fields of CSRs, as registers of their own. In gdb's feature for CSRs, which doesn't know
    them, they are not shown by `info registers`."""
    kinds, regs = [], []
    for row in rows:
        if _has_fields(row):
            name = f"{row.name}{FIELDS_SUFFIX}"
            kinds.append(_fields(row, "struct"))
            number = REG_CSR + row.number + FIELDS
            regs.append(_state(name, number, _bits(row), name, FIELDS_GROUP))
    return [*kinds, *regs]


def _worlds() -> list[str]:
    """Registers that tell where a hart is. gdb's own feature for priv calls 4 and 5 invalid."""
    values = "".join(f'<evalue name="{name}" value="{n}"/>' for n, name in MODES.items())
    rows = [f'<enum id="mode" size="{OUR_BITS // 8}">{values}</enum>']
    for n, name in OURS.items():
        kind = "mode" if n == REG_MODE else "uint16"
        rows.append(_state(name, n, OUR_BITS, kind, "hypervisor"))
    return rows


def _annexes(files: dict[str, str], xlen: int) -> dict[str, str]:
    """The files, and the target.xml that includes them in this order."""
    includes = "".join(f'<xi:include href="{name}"/>\n' for name in files)
    target = (
        '<?xml version="1.0"?>\n<!DOCTYPE target SYSTEM "gdb-target.dtd">\n<target version="1.0">\n'
        f"<architecture>riscv:rv{xlen}</architecture>\n<osabi>none</osabi>\n{includes}</target>\n"
    )
    return {**files, "target.xml": target}


def _csr_files(plain: list[Csr], lldb: bool) -> dict[str, str]:
    """The files of CSRs that aren't the floating-point unit's, and of worlds."""
    guests = [row for row in plain if row.privilege == HYPERVISOR]
    own = [row for row in plain if row.number in AS_NUMBERS and row.fields]
    known = [row for row in plain if row not in guests and row not in own]
    companions = [] if lldb else _companions(plain)
    return {
        "rvplat-csr.xml": _feature("org.rvplat.csr", _csrs(own, lldb)),
        "rvplat-worlds.xml": _feature("org.rvplat.worlds", [*_worlds(), *_csrs(guests, lldb)]),
        "riscv-csr.xml": _feature("org.gnu.gdb.riscv.csr", [*_csrs(known, lldb), *companions]),
    }


def layout_of(
    csrs: Iterable[Csr], extensions: Collection[str], vlen: int = 0, xlen: int = 64
) -> Layout:
    """The registers of a hart that has these CSRs and extensions (names), and vector registers of
    `vlen` bits (0: none)."""
    rows = sorted(csrs, key=lambda row: row.number)
    fp_rows = [row for row in rows if row.number in FP_CSRS]
    plain = [row for row in rows if row not in fp_rows]
    files = {"riscv-cpu.xml": _cpu(xlen)}
    word = xlen // 8
    general = [(n, word) for n in range(REG_PC + 1)]
    sizes = dict(general)
    has_d = "D" in extensions
    if "F" in extensions:
        files["riscv-fpu.xml"] = _fpu(has_d, fp_rows)
        general += [(REG_F + n, 8 if has_d else 4) for n in range(32)]
        sizes.update(general)
    if vlen:
        files["riscv-vector.xml"] = _vector(vlen, extensions)
        sizes.update({REG_V + n: vlen // 8 for n in range(32)})
    sizes.update({REG_CSR + row.number: word for row in plain})
    sizes.update({REG_CSR + row.number + FIELDS: word for row in plain if _has_fields(row)})
    sizes.update({REG_CSR + row.number: 4 for row in fp_rows})
    sizes.update(dict.fromkeys(OURS, OUR_BITS // 8))
    annexes, lldb = (
        _annexes({**files, **_csr_files(plain, flags)}, xlen) for flags in (False, True)
    )
    return Layout(tuple(general), sizes, annexes, lldb)
