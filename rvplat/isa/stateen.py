"""Smstateen and Ssstateen, which control access to state of extensions (Privileged, "Smstateen").

The state that they control here is senvcfg and henvcfg, by bit ENVCFG of mstateen0 and hstateen0,
indirect CSRs, by bit CSRIND (indirect.py), scontext and hcontext, by bit CONTEXT (sdtrig.py), and
on RV32 hedelegh, by bit P1P13 of mstateen0. Bit SE is writable too, and every other bit is
read-only zero. So sstateen is zero: its bit FCSR is read-only zero on a hart with F.
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import illegal, virtual_instruction
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import MACHINE, StateEnable
from rvplat.lang import define, u32, u64

Ssstateen = Extension(
    "Ssstateen", version="1.0", standing="ratified", title="State enables of supervisor level",
    requires=("S",),
)  # fmt: skip
Smstateen = Extension(
    "Smstateen", version="1.0", standing="ratified", title="State enables",
    requires=("Sm", "Ssstateen"), implied_by=("Sm", "Ssstateen"),
)  # fmt: skip

REGISTERS = 4
MSTATEEN, HSTATEEN, SSTATEEN = 0x30C, 0x60C, 0x10C  # mstateen0, hstateen0, sstateen0
HIGH_HALF = 0x10  # added to the numbers of mstateen and hstateen on RV32

Smstateen.state("mstateen", u64, REGISTERS)
Ssstateen.state("hstateen", u64, REGISTERS)


@define
def machine_enables(hart, i: u64) -> u64:
    """mstateen, or all ones on a hart without Smstateen."""
    return hart.mstateen[i] if hart.has_smstateen != 0 else ~u64(0)


@define
def guest_enables(hart, i: u64) -> u64:
    """hstateen. A bit that is zero in mstateen reads as zero."""
    return hart.hstateen[i] & machine_enables(hart, i)


@define
def require_state(hart, i: u64, bit: u64):
    """Raise an exception if the bit of mstateen, or with V=1 of hstateen, forbids the access."""
    if hart.priv != MACHINE and machine_enables(hart, i) & bit == 0:
        illegal(hart)
    if hart.virt != 0 and hart.has_ssstateen != 0 and guest_enables(hart, i) & bit == 0:
        virtual_instruction(hart)


@define
def implemented(hart, i: u64) -> u64:
    """The writable bits of hstateen."""
    if i != 0:
        return u64(StateEnable.SE)
    found = u64(StateEnable.SE | StateEnable.ENVCFG)
    found |= u64(StateEnable.CSRIND) if hart.has_sscsrind != 0 else u64(0)
    return found | StateEnable.CONTEXT if hart.has_sdtrig != 0 else found


@define
def implemented_for_machine(hart, i: u64) -> u64:
    """The writable bits of mstateen. hedelegh, which P1P13 controls, is there on RV32."""
    has_hedelegh = ux.bits == 32 and i == 0 and hart.has_h != 0
    return implemented(hart, i) | StateEnable.P1P13 if has_hedelegh else implemented(hart, i)


@define
def mstateen_read(hart, number: u32) -> u64:
    return hart.mstateen[number - MSTATEEN]


@define
def mstateen_write(hart, value: u64, number: u32):
    i = u64(number - MSTATEEN)
    hart.mstateen[i] = value & implemented_for_machine(hart, i)


@define
def hstateen_access(hart, write: bool, number: u32):
    if hart.has_h == 0 or (
        hart.priv != MACHINE and machine_enables(hart, u64(number & 3)) & StateEnable.SE == 0
    ):
        illegal(hart)


@define
def hstateen_read(hart, number: u32) -> u64:
    return guest_enables(hart, u64(number - HSTATEEN))


@define
def hstateen_write(hart, value: u64, number: u32):
    i = u64(number - HSTATEEN)
    mask = implemented(hart, i) & machine_enables(hart, i)
    hart.hstateen[i] = (hart.hstateen[i] & ~mask) | (value & mask)


@define
def sstateen_access(hart, write: bool, number: u32):
    require_state(hart, u64(number - SSTATEEN), u64(StateEnable.SE))


@define
def sstateen_read(hart, number: u32) -> u64:
    return u64(0)


@define
def sstateen_write(hart, value: u64, number: u32):
    """Every bit is read-only zero."""


@define
def envcfg_access(hart, write: bool, number: u32):
    """Bit ENVCFG of mstateen0 and hstateen0 controls access to senvcfg."""
    require_state(hart, u64(0), u64(StateEnable.ENVCFG))


@define
def henvcfg_access(hart, write: bool, number: u32):
    """Bit ENVCFG of mstateen0 controls access to henvcfg. A guest has no access in any case."""
    if hart.priv != MACHINE and machine_enables(hart, u64(0)) & StateEnable.ENVCFG == 0:
        illegal(hart)


for _i in range(REGISTERS):
    _fields = "SE0[63] ENVCFG[62] CSRIND[60] CONTEXT[57]" if _i == 0 else f"SE{_i}[63]"
    _machine_fields = f"{_fields} P1P13[56]" if _i == 0 else _fields
    Smstateen.csr(
        MSTATEEN + _i, f"mstateen{_i}", read=mstateen_read, write=mstateen_write, storage=False,
        fields=_machine_fields, high=MSTATEEN + HIGH_HALF + _i,
    )  # fmt: skip
    Ssstateen.csr(
        HSTATEEN + _i, f"hstateen{_i}", read=hstateen_read, write=hstateen_write,
        access=hstateen_access, storage=False, fields=_fields,
        high=HSTATEEN + HIGH_HALF + _i,
    )  # fmt: skip
    Ssstateen.csr(
        SSTATEEN + _i, f"sstateen{_i}", read=sstateen_read, write=sstateen_write,
        access=sstateen_access, storage=False,
    )  # fmt: skip
