"""The CSRs of physical memory protection (Privileged, "Physical Memory Protection").

There are sixteen entries, of which the board may fix the last ones to zero, with a grain of four
bytes. `hart/pmp.py` checks accesses by them.
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import protection_changed
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import define, u8, u32, u64

Smpmp = Extension(
    "Smpmp", version="1.13", standing="ratified", title="Physical memory protection",
    requires=("Sm",),
)  # fmt: skip

PMP_ENTRIES = 16
CFG_BASE = 0x3A0
ADDRESS_BASE = 0x3B0

PMP_PERMISSIONS = 0x07  # R, W, X
PMP_MODE = 0x18  # A
PMP_OFF = 0x00
PMP_TOR = 0x08
PMP_NA4 = 0x10
PMP_NAPOT = 0x18
PMP_LOCKED = 0x80
CFG_WRITABLE = PMP_PERMISSIONS | PMP_MODE | PMP_LOCKED
ADDRESS_WRITABLE = (1 << 54) - 1  # bits 55 to 2 of a physical address; RV32 has bits 33 to 2

Smpmp.state("pmp_cfg", u8, PMP_ENTRIES)
Smpmp.state("pmp_address", u64, PMP_ENTRIES)


@define
def legal_cfg(value: u8) -> u8:
    """R, W and X are one WARL field. W without R is reserved: W is cleared then."""
    cfg = value & CFG_WRITABLE
    return cfg if cfg & 1 != 0 else cfg & ~u8(2)


@define
def pmpcfg_read(hart, number: u32) -> u64:
    """XLEN / 8 entries; only even numbers exist on RV64."""
    first = u64(number - CFG_BASE) * 4
    value = u64(0)
    for i in range(ux.bits // 8):
        value |= u64(hart.pmp_cfg[first + i]) << (8 * i)
    return value


@define
def is_fixed(hart, i: u64) -> bool:
    """Whether an entry is read-only zero ("Physical Memory Protection CSRs")."""
    return i + u64(hart.pmp_fixed) >= PMP_ENTRIES


@define
def pmpcfg_write(hart, value: u64, number: u32):
    """Locked entries don't change."""
    first = u64(number - CFG_BASE) * 4
    for i in range(ux.bits // 8):
        if hart.pmp_cfg[first + i] & PMP_LOCKED == 0 and not is_fixed(hart, first + i):
            hart.pmp_cfg[first + i] = legal_cfg(u8(value >> (8 * i)))
    protection_changed(hart)


@define
def pmpaddr_read(hart, number: u32) -> u64:
    return hart.pmp_address[number - ADDRESS_BASE]


@define
def address_locked(hart, i: u64) -> bool:
    """A locked entry locks its address, and with TOR also the address of the entry before it."""
    if hart.pmp_cfg[i] & PMP_LOCKED != 0:
        return True
    if i + 1 == PMP_ENTRIES:
        return False
    return hart.pmp_cfg[i + 1] & (PMP_LOCKED | PMP_MODE) == PMP_LOCKED | PMP_TOR


@define
def pmpaddr_write(hart, value: u64, number: u32):
    i = u64(number - ADDRESS_BASE)
    if not address_locked(hart, i) and not is_fixed(hart, i):
        hart.pmp_address[i] = value & ADDRESS_WRITABLE
        protection_changed(hart)


for _number, _xlen in ((0, 64), (2, 64), (0, 32), (1, 32), (2, 32), (3, 32)):
    Smpmp.csr(
        CFG_BASE + _number, f"pmpcfg{_number}", read=pmpcfg_read, write=pmpcfg_write, storage=False,
        fields=" ".join(f"pmp{4 * _number + i}cfg[{8 * i + 7}:{8 * i}]" for i in range(_xlen // 8)),
        xlen=_xlen,
    )  # fmt: skip
for _number in range(PMP_ENTRIES):
    Smpmp.csr(
        ADDRESS_BASE + _number, f"pmpaddr{_number}", read=pmpaddr_read, write=pmpaddr_write,
        storage=False, fields="address[53:0]", xlen=64,
    )  # fmt: skip
    Smpmp.csr(
        ADDRESS_BASE + _number, f"pmpaddr{_number}", read=pmpaddr_read, write=pmpaddr_write,
        storage=False, fields="address[31:0]", xlen=32,
    )  # fmt: skip
