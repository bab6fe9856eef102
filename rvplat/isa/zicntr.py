"""Zicntr and Zihpm, the counters (Unprivileged, "Zicntr" and "Zihpm"), with M mode's CSRs for them.

`retired(hart)` is the number of instructions that the hart has retired. hart.minstret and
hart.mcycle hold what has to be added to it to give the counter; while mcountinhibit stops a
counter, they hold its value. One instruction takes one cycle. The 29 event counters and their
selectors are read-only zero, which is legal (Privileged, "Hardware Performance Monitor").
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import illegal, observed_time, retired, virtual_instruction
from rvplat.isa.priv_m import Sm, U, nothing_write, zero_read
from rvplat.isa.priv_s import S
from rvplat.isa.privileged import MACHINE, USER, Counter
from rvplat.lang import define, u32, u64

Zicntr = Extension(
    "Zicntr", version="2.0", standing="ratified", title="Base counters and timers",
    requires=("Zicsr",),
)  # fmt: skip
Zihpm = Extension(
    "Zihpm", version="2.0", standing="ratified", title="Hardware performance counters",
    requires=("Zicsr", "Zicntr"),
)  # fmt: skip

FIRST_EVENT = 3
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
def counted(hart, counter: u64, inhibit: u64) -> u64:
    """A counter's value, from the field that holds its state."""
    return counter if hart.mcountinhibit & inhibit != 0 else counter + retired(hart)


@define
def counter_from(hart, value: u64, inhibit: u64) -> u64:
    """The state to store so that the next instruction reads `value`.

    The writing instruction's own retirement is not counted (Zicsr, "CSR Instructions").
    """
    return value if hart.mcountinhibit & inhibit != 0 else value - retired(hart) - 1


@define
def cycle_read(hart, number: u32) -> u64:
    return counted(hart, hart.mcycle, u64(Counter.CY))


@define
def instret_read(hart, number: u32) -> u64:
    """Instructions retired before this one; those that trapped are not among them."""
    return counted(hart, hart.minstret, u64(Counter.IR))


@define
def time_read(hart, number: u32) -> u64:
    """A guest reads time + htimedelta ("Hypervisor Time Delta Register")."""
    now = observed_time(hart)
    return now + hart.htimedelta if hart.virt != 0 else now


@define
def mcycle_write(hart, value: u64, number: u32):
    hart.mcycle = counter_from(hart, value, u64(Counter.CY))


@define
def minstret_write(hart, value: u64, number: u32):
    hart.minstret = counter_from(hart, value, u64(Counter.IR))


@define
def toggled(hart, counter: u64, stop: bool) -> u64:
    """The new state of a counter that stops, or that starts again."""
    return counter + retired(hart) if stop else counter - retired(hart)


@define
def mcountinhibit_write(hart, value: u64, number: u32):
    """Counters keep their values when they stop or start ("Machine Counter-Inhibit Register").

    The new setting decides whether the writing instruction is counted. TM is read-only zero.
    """
    new = value & counters_of(hart) & ~Counter.TM
    changed = hart.mcountinhibit ^ new
    if changed & Counter.CY != 0:
        hart.mcycle = toggled(hart, hart.mcycle, new & Counter.CY != 0)
    if changed & Counter.IR != 0:
        hart.minstret = toggled(hart, hart.minstret, new & Counter.IR != 0)
    hart.mcountinhibit = new


Zicntr.csr(0xC00, "cycle", read=cycle_read, access=counter_access, storage=False, high=0xC80)
Zicntr.csr(0xC01, "time", read=time_read, access=counter_access, storage=False, high=0xC81)
Zicntr.csr(0xC02, "instret", read=instret_read, access=counter_access, storage=False, high=0xC82)
Sm.csr(0xB00, "mcycle", read=cycle_read, write=mcycle_write, high=0xB80)
Sm.csr(0xB02, "minstret", read=instret_read, write=minstret_write, high=0xB82)
Sm.csr(0x320, "mcountinhibit", write=mcountinhibit_write, fields="HPM[31:3] IR[2] CY[0]")

for n in range(FIRST_EVENT, LAST_EVENT + 1):
    Zihpm.csr(
        0xC00 + n, f"hpmcounter{n}", read=zero_read, access=counter_access, storage=False,
        high=0xC80 + n,
    )  # fmt: skip
    Sm.csr(
        0xB00 + n, f"mhpmcounter{n}", read=zero_read, write=nothing_write, storage=False,
        high=0xB80 + n,
    )  # fmt: skip
    Sm.csr(0x320 + n, f"mhpmevent{n}", read=zero_read, write=nothing_write, storage=False)
