"""Zicntr and Zihpm, the counters (Unprivileged, "Zicntr" and "Zihpm"), with M mode's CSRs for them.

How counters count is in hpm.py. One instruction takes one cycle. Without Sscofpmf the 29 event
counters and their selectors are read-only zero, which is legal (Privileged, "Hardware Performance
Monitor").
"""

from rvplat.isa.hpm import (
    CYCLE,
    FIRST_EVENT,
    INSTRET,
    Smcntrpmf,
    Sscofpmf,
    filter_changed,
    find_overflows,
    inhibit_fields,
    overflow_bits,
    put_counter,
    restart_counters,
    set_event,
    value_of,
    watch_counters,
)
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import illegal, observed_time, virtual_instruction
from rvplat.isa.priv_m import Sm, U
from rvplat.isa.priv_s import S
from rvplat.isa.privileged import MACHINE, USER, Counter, EnvCfg
from rvplat.lang import define, u32, u64

Zicntr = Extension(
    "Zicntr", version="2.0", standing="ratified", title="Base counters and timers",
    requires=("Zicsr",),
)  # fmt: skip
Zihpm = Extension(
    "Zihpm", version="2.0", standing="ratified", title="Hardware performance counters",
    requires=("Zicsr", "Zicntr"),
)  # fmt: skip

LAST_EVENT = 31

# --- access ("Machine Counter-Enable Register", "Counter-Enable (scounteren) Register") ----------


@define
def counter_access(hart, write: bool, number: u32):
    """Below M mode the counter's bit must be set in mcounteren, in U mode in scounteren too, with
    V=1 in hcounteren ("Hypervisor Counter-Enable Register")."""
    bit = u64(1) << (number & 31)
    if hart.priv != MACHINE and hart.mcounteren & bit == 0:
        illegal(hart)
    if hart.virt != 0 and hart.hcounteren & bit == 0:
        virtual_instruction(hart)
    if hart.priv == USER and hart.has_s != 0 and hart.scounteren & bit == 0:
        if hart.virt != 0:
            virtual_instruction(hart)
        illegal(hart)


@define
def counters_of(hart) -> u64:
    """A bit for each counter that the hart has."""
    mask = u64(Counter.CY | Counter.TM | Counter.IR) if hart.has_zicntr != 0 else u64(0)
    return mask | Counter.HPM if hart.has_zihpm != 0 else mask


@define
def mcounteren_write(hart, value: u64, number: u32):
    hart.mcounteren = value & counters_of(hart)


@define
def scounteren_write(hart, value: u64, number: u32):
    hart.scounteren = value & counters_of(hart)


COUNTER_BITS = "HPM[31:3] IR[2] TM[1] CY[0]"

U.csr(0x306, "mcounteren", write=mcounteren_write, fields=COUNTER_BITS)
S.csr(0x106, "scounteren", write=scounteren_write, fields=COUNTER_BITS)

# --- values -------------------------------------------------------------------------------------


@define
def cycle_read(hart, number: u32) -> u64:
    return value_of(hart, u64(CYCLE), u64(0))


@define
def instret_read(hart, number: u32) -> u64:
    """Instructions retired before this one; those that trapped are not among them."""
    return value_of(hart, u64(INSTRET), u64(0))


@define
def time_read(hart, number: u32) -> u64:
    """A guest reads time + htimedelta ("Hypervisor Time Delta Register")."""
    now = observed_time(hart)
    return now + hart.htimedelta if hart.virt != 0 else now


@define
def mcycle_write(hart, value: u64, number: u32):
    put_counter(hart, u64(CYCLE), value)


@define
def minstret_write(hart, value: u64, number: u32):
    put_counter(hart, u64(INSTRET), value)


@define
def mcountinhibit_write(hart, value: u64, number: u32):
    """Counters keep their values when they stop or start ("Machine Counter-Inhibit Register").

    The new setting decides whether the writing instruction is counted. TM is read-only zero.
    """
    hart.mcountinhibit = value & counters_of(hart) & ~Counter.TM
    restart_counters(hart, u64(0))


# --- events ("Hardware Performance Monitor"): read-only zero without Sscofpmf --------------------


@define
def hpm_read(hart, number: u32) -> u64:
    if hart.has_sscofpmf == 0:
        return u64(0)
    return value_of(hart, u64(number & 31), u64(0))


@define
def mhpmcounter_write(hart, value: u64, number: u32):
    if hart.has_sscofpmf != 0:
        if hart.hpm_watched != 0:
            find_overflows(hart, u64(0))
        put_counter(hart, u64(number & 31), value)
        watch_counters(hart, u64(1))


@define
def mhpmevent_read(hart, number: u32) -> u64:
    if hart.hpm_watched != 0:
        find_overflows(hart, u64(0))
    return hart.hpm_event[number & 31]


HIGH_EVENTS = 0x720  # mhpmevent3h is 0x723


@define
def mhpmevent_access(hart, write: bool, number: u32):
    """The high halves, which only RV32 has, are a part of Sscofpmf ("Sscofpmf")."""
    if number >= HIGH_EVENTS and hart.has_sscofpmf == 0:
        illegal(hart)


@define
def mhpmevent_write(hart, value: u64, number: u32):
    if hart.has_sscofpmf != 0:
        set_event(hart, u64(number & 31), value)


@define
def scountovf_access(hart, write: bool, number: u32):
    """A guest's access is a virtual instruction while counters are delegated to S mode
    ("Virtualizing scountovf")."""
    if hart.virt != 0 and hart.menvcfg & EnvCfg.CDE != 0:
        virtual_instruction(hart)


@define
def scountovf_read(hart, number: u32) -> u64:
    """Below M mode the bits that mcounteren, and with V=1 hcounteren, allows ("Supervisor Count
    Overflow (scountovf) Register")."""
    if hart.hpm_watched != 0:
        find_overflows(hart, u64(0))
    shown = overflow_bits(hart)
    if hart.priv != MACHINE:
        shown &= hart.mcounteren
    return shown & hart.hcounteren if hart.virt != 0 else shown


@define
def config_read(hart, number: u32) -> u64:
    return hart.hpm_event[number & 31 & ~1]


@define
def config_write(hart, value: u64, number: u32):
    """Fields of absent modes are read-only zero, and so is OF ("Machine Counter Configuration
    (mcyclecfg, minstretcfg) Registers"). The old setting decides whether the writing instruction is
    counted, which the manual leaves open; Spike does so."""
    filter_changed(hart, u64(number & 31 & ~1), value & inhibit_fields(hart))
    restart_counters(hart, u64(1))


Zicntr.csr(0xC00, "cycle", read=cycle_read, access=counter_access, storage=False, high=0xC80)
Zicntr.csr(0xC01, "time", read=time_read, access=counter_access, storage=False, high=0xC81)
Zicntr.csr(0xC02, "instret", read=instret_read, access=counter_access, storage=False, high=0xC82)
Sm.csr(0xB00, "mcycle", read=cycle_read, write=mcycle_write, high=0xB80)
Sm.csr(0xB02, "minstret", read=instret_read, write=minstret_write, high=0xB82)
Sm.csr(0x320, "mcountinhibit", write=mcountinhibit_write, fields="HPM[31:3] IR[2] CY[0]")

for n in range(FIRST_EVENT, LAST_EVENT + 1):
    Zihpm.csr(
        0xC00 + n, f"hpmcounter{n}", read=hpm_read, access=counter_access, storage=False,
        high=0xC80 + n,
    )  # fmt: skip
    Sm.csr(
        0xB00 + n, f"mhpmcounter{n}", read=hpm_read, write=mhpmcounter_write, storage=False,
        high=0xB80 + n,
    )  # fmt: skip
    Sm.csr(
        0x320 + n, f"mhpmevent{n}", read=mhpmevent_read, write=mhpmevent_write, storage=False,
        access=mhpmevent_access, high=HIGH_EVENTS + n,
        fields="OF[63] MINH[62] SINH[61] UINH[60] VSINH[59] VUINH[58] Event[31:0]",
    )  # fmt: skip

Sscofpmf.csr(
    0xDA0, "scountovf", read=scountovf_read, access=scountovf_access, storage=False,
    fields="OF[31:3]",
)  # fmt: skip
for number, name in ((0x321, "mcyclecfg"), (0x322, "minstretcfg")):
    Smcntrpmf.csr(
        number, name, read=config_read, write=config_write, storage=False, high=number + 0x400,
        fields="MINH[62] SINH[61] UINH[60] VSINH[59] VUINH[58]",
    )  # fmt: skip
