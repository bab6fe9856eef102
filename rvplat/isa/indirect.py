"""Indirect CSR access, Smcsrind and Sscsrind (Privileged, "Smcsrind and Sscsrind Extensions for
Indirect CSR Access"), and what is reached so: the counters that M mode delegates, Smcdeleg and
Ssccfg ("Smcdeleg and Ssccfg Counter Delegation Extensions").

`siselect` chooses a counter, `sireg` is its value and `sireg2` its event or filter. On RV32
`sireg4` and `sireg5` are their high halves. No value of miselect or vsiselect is implemented: each
access to mireg or vsireg raises an exception.
"""

from rvplat.isa.hpm import (
    FIRST_EVENT,
    Field,
    filter_changed,
    find_overflows,
    inhibit_fields,
    put_counter,
    restart_counters,
    set_event,
    value_of,
    watch_counters,
)
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import illegal, raise_trap, virtual_instruction
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.priv_m import nothing_write, zero_read
from rvplat.isa.privileged import MACHINE, USER, Cause, Counter, EnvCfg, StateEnable
from rvplat.isa.stateen import guest_enables, machine_enables
from rvplat.lang import define, u32, u64

Sscsrind = Extension("Sscsrind", "1.0", "ratified", "Indirect CSRs of supervisor level", ("S",))
Smcsrind = Extension("Smcsrind", "1.0", "ratified", "Indirect CSRs", ("Sm", "Sscsrind"))
Ssccfg = Extension(
    "Ssccfg", "1.0", "ratified", "Counters that S mode configures", ("Sscsrind", "Zihpm")
)
Smcdeleg = Extension(
    "Smcdeleg", "1.0", "ratified", "Delegation of counters to S mode", ("Smcsrind", "Ssccfg")
)

SELECT = 0xFFF  # the values that the select registers hold
COUNTERS = 0x40  # siselect of counter 0
SIREG2, SIREG5 = 0x152, 0x156
HIGH = 4  # in the number of an alias that is a high half
LOW_HALF = 0xFFFF_FFFF
VSISELECT = 0x250

# --- access ("Access control by the state-enable CSRs") ------------------------------------------


@define
def require_indirect(hart):
    """Bit 60 of mstateen0 controls all access from below M mode, with V=1 that of hstateen0 too."""
    if hart.priv != MACHINE and machine_enables(hart, u64(0)) & StateEnable.CSRIND == 0:
        illegal(hart)
    controlled = hart.virt != 0 and hart.has_ssstateen != 0
    if controlled and guest_enables(hart, u64(0)) & StateEnable.CSRIND == 0:
        virtual_instruction(hart)


@define
def siselect_access(hart, write: bool, number: u32):
    """In VU mode it is a virtual instruction (`csr_examine`)."""
    require_indirect(hart)


@define
def is_delegated(hart, n: u64) -> bool:
    """Whether S mode may access a counter: menvcfg.CDE and mcounteren ("Counter Delegation")."""
    return hart.menvcfg & EnvCfg.CDE != 0 and hart.mcounteren >> n & 1 != 0


@define
def is_high(number: u32) -> bool:
    """Whether an alias is a high half, of those that have one."""
    return number & HIGH != 0


@define
def is_setting(number: u32) -> bool:
    """Whether an alias is an event or a filter rather than a value."""
    return number & ~HIGH == SIREG2


@define
def has_state(hart, n: u64, number: u32) -> bool:
    """Whether the hart has the state of a counter: table "Indirect HPM State Mappings"."""
    if n < FIRST_EVENT:
        return hart.has_smcntrpmf != 0 if is_setting(number) else hart.has_zicntr != 0
    return hart.has_zihpm != 0 and (number != SIREG5 or hart.has_sscofpmf != 0)


@define
def is_chosen(hart, number: u32) -> bool:
    """Whether siselect chooses a counter, other than time, of which an alias has state: sireg and
    sireg2, and on RV32 sireg4 and sireg5."""
    n = hart.siselect & 31
    if hart.has_ssccfg == 0 or hart.siselect & ~31 != COUNTERS or n == 1:
        return False
    if number & ~HIGH > SIREG2 or (is_high(number) and ux.bits == 64):
        return False
    return has_state(hart, n, number)


@define
def sireg_access(hart, write: bool, number: u32):
    """Illegal unless siselect chooses a delegated counter, of which the alias has state. A
    guest has vsiselect in its place: none of its values is implemented ("Counter Delegation")."""
    require_indirect(hart)
    if hart.virt != 0:
        if hart.priv == USER:
            virtual_instruction(hart)
        chosen = hart.vsiselect & ~31
        if chosen == COUNTERS and hart.has_ssccfg != 0 and hart.menvcfg & EnvCfg.CDE != 0:
            virtual_instruction(hart)
        illegal(hart)
    if not is_chosen(hart, number) or not is_delegated(hart, hart.siselect & 31):
        illegal(hart)


@define
def unimplemented_access(hart, write: bool, number: u32):
    """No value of the select register is implemented."""
    require_indirect(hart)
    if hart.virt != 0:
        virtual_instruction(hart)
    illegal(hart)


@define
def vsiselect_access(hart, write: bool, number: u32):
    """A guest reaches it as siselect; by its own number it is HS mode's."""
    require_indirect(hart)
    if hart.has_h == 0:
        illegal(hart)


# --- registers ----------------------------------------------------------------------------------


@define
def require_chosen(hart, number: u32):
    """Refuse a debugger's access to an alias that stands for nothing. For an instruction,
    `sireg_access` has done so."""
    if not is_chosen(hart, number):
        raise_trap(hart, u64(Cause.ILLEGAL), u64(0))


@define
def aliased(hart, number: u32) -> u64:
    """The 64 bits of which an alias is all or a half. MINH is read-only zero here."""
    if hart.hpm_watched != 0:
        find_overflows(hart, u64(0))
    n = hart.siselect & 31
    if is_setting(number):
        return hart.hpm_event[n] & ~Field.MINH
    return value_of(hart, n, u64(0))


@define
def sireg_read(hart, number: u32) -> u64:
    require_chosen(hart, number)
    value = aliased(hart, number)
    return value >> 32 if is_high(number) else value


@define
def with_half(hart, value: u64, number: u32) -> u64:
    """What a write makes of the 64 bits: on RV32 the other half stays."""
    if ux.bits == 64:
        return value
    old = aliased(hart, number)
    if is_high(number):
        return value << 32 | old & LOW_HALF
    return value & LOW_HALF | old & ~LOW_HALF


@define
def sireg_write(hart, value: u64, number: u32):
    """As a write of mhpmcounter, mhpmevent, mcyclecfg or minstretcfg, but MINH stays."""
    require_chosen(hart, number)
    n = hart.siselect & 31
    whole = with_half(hart, value, number)
    if not is_setting(number):
        if n < FIRST_EVENT or hart.has_sscofpmf != 0:
            if hart.hpm_watched != 0:
                find_overflows(hart, u64(0))
            put_counter(hart, n, whole)
            watch_counters(hart, u64(1))
        return
    new = (whole & ~Field.MINH) | (hart.hpm_event[n] & Field.MINH)
    if n < FIRST_EVENT:
        filter_changed(hart, n, new & inhibit_fields(hart))
        restart_counters(hart, u64(1))
    elif hart.has_sscofpmf != 0:
        set_event(hart, n, new)


@define
def unimplemented_read(hart, number: u32) -> u64:
    """For a debugger: no instruction comes here."""
    raise_trap(hart, u64(Cause.ILLEGAL), u64(0))


@define
def unimplemented_write(hart, value: u64, number: u32):
    """For a debugger: no instruction comes here."""
    raise_trap(hart, u64(Cause.ILLEGAL), u64(0))


@define
def select_write(hart, value: u64, number: u32):
    """Of siselect and vsiselect."""
    if number == VSISELECT:
        hart.vsiselect = value & SELECT
    else:
        hart.siselect = value & SELECT


for _i, _name in enumerate(("", "2", "3", "", "4", "5", "6")):
    if _i == 3:  # miph and the like have that number
        continue
    Smcsrind.csr(
        0x351 + _i, f"mireg{_name}", read=unimplemented_read, write=unimplemented_write,
        storage=False, access=unimplemented_access,
    )  # fmt: skip
    Sscsrind.csr(
        0x151 + _i, f"sireg{_name}", read=sireg_read, write=sireg_write, storage=False,
        access=sireg_access,
    )  # fmt: skip
    Sscsrind.csr(
        0x251 + _i, f"vsireg{_name}", read=unimplemented_read, write=unimplemented_write,
        storage=False, access=unimplemented_access,
    )  # fmt: skip
Smcsrind.csr(0x350, "miselect", read=zero_read, write=nothing_write, storage=False)
Sscsrind.csr(0x150, "siselect", write=select_write, access=siselect_access)
Sscsrind.csr(VSISELECT, "vsiselect", write=select_write, access=vsiselect_access)

# --- scountinhibit ("Supervisor Counter Inhibit (scountinhibit) Register") ------------------------


@define
def scountinhibit_access(hart, write: bool, number: u32):
    """It exists while CDE is set; a guest's access is a virtual instruction then."""
    if hart.menvcfg & EnvCfg.CDE == 0:
        illegal(hart)
    if hart.virt != 0:
        virtual_instruction(hart)


@define
def delegated_counters(hart) -> u64:
    """The bits that scountinhibit has: those of delegated counters, without time."""
    return hart.mcounteren & ~Counter.TM


@define
def scountinhibit_read(hart, number: u32) -> u64:
    return hart.mcountinhibit & delegated_counters(hart)


@define
def scountinhibit_write(hart, value: u64, number: u32):
    mask = delegated_counters(hart)
    hart.mcountinhibit = (hart.mcountinhibit & ~mask) | (value & mask)
    restart_counters(hart, u64(0))


Ssccfg.csr(
    0x120, "scountinhibit", read=scountinhibit_read, write=scountinhibit_write, storage=False,
    access=scountinhibit_access, fields="HPM[31:3] IR[2] CY[0]",
)  # fmt: skip
