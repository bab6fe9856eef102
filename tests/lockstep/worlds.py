"""The modes that programs run in, and what they may write into which CSR.

A world more (of a hypervisor) is a row of WORLDS, its CSRs are rows of PLANS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import layout
from .operands import integer

if TYPE_CHECKING:
    from .generator import Generator

PLAIN = "rv64imafdc_zicsr_zifencei_zicntr_zihpm"
UNPRIVILEGED = (
    PLAIN + "_zicond_zicbom_zicbop_zicboz_zihintpause_zihintntl_zawrs_zfa_zba_zbb_zbc_zbs_svinval"
)
STRICT = UNPRIVILEGED + "_svnapot_svpbmt_svadu_sstc"
EVERYTHING = STRICT + "_zicclsm"
# What harts have, and how often. Programs use instructions of all: those that are missing trap.
ISAS = {EVERYTHING: 4, STRICT: 4, UNPRIVILEGED: 1, PLAIN: 1}


@dataclass(frozen=True)
class World:
    """A mode: its name, the mstatus bits with which mret enters it, whether its pages have U."""

    name: str
    status: int
    user: bool
    weight: int
    code: range  # the pages of its sections


MACHINE, SUPERVISOR, USER = "M", "S", "U"
WORLDS = {
    world.name: world
    for world in (
        World(MACHINE, 3 << 11, False, 4, range(8, 12)),
        World(SUPERVISOR, 1 << 11, False, 3, range(12, 14)),
        World(USER, 0 << 11, True, 3, range(14, 16)),
    )
}

# --- what may be written into a CSR --------------------------------------------------------------

Value = Callable[["Generator"], int]
ALL_FORMS = "wsc"  # csrrw, csrrs, csrrc


@dataclass(frozen=True)
class Plan:
    """How a CSR may be written: by which forms, with what. `refresh`: only with what follows in
    Generator.settle, because Spike or a TLB is late to notice."""

    forms: str = ALL_FORMS
    value: Value = lambda g: integer(g.rng)
    refresh: bool = False


def _handler(page: int) -> Value:
    return lambda g: layout.address(page) | g.rng.choice([0, 0, 1, 2, 3])


def _never(g: Generator) -> int:
    return 0


FIOM = 1 << 0
STCE = 1 << 63
STIP = 1 << 5
TVM, TW, TSR, FS = 1 << 20, 1 << 21, 1 << 22, 3 << 13
DELEGABLE = 0xB3FF
FETCH_ACCESS, ILLEGAL, LOAD_ACCESS, STORE_ACCESS, SUPERVISOR_CALL = 1, 2, 5, 7, 9
OTHERWISE = {0xC01, 0xF11, 0xF12, 0xF13}  # time and identity: values that differ
TIMER_COUNTER = 1 << 1  # of mcounteren


def _delegated(g: Generator) -> int:
    """Not what leaves a lower mode for M mode, nor access faults, in which handlers might loop."""
    never = 1 << FETCH_ACCESS | 1 << LOAD_ACCESS | 1 << STORE_ACCESS | 1 << g.exit_cause
    return g.rng.choice([DELEGABLE, g.rng.getrandbits(16)]) & DELEGABLE & ~never


def _menvcfg(g: Generator) -> int:
    value = integer(g.rng) & ~(FIOM | STCE)
    return value | g.rng.getrandbits(1) << 63 if g.timer != "none" else value


def _mcounteren(g: Generator) -> int:
    """While a write of stimecmp could raise an interrupt, only M mode makes one."""
    return integer(g.rng) & ~(TIMER_COUNTER if g.timer == "machine" else 0)


def bars(g: Generator) -> int:
    """TVM, TW and TSR; but the supervisor's handler of illegal instructions ends with sret."""
    return TVM | TW | (TSR if g.exit_cause == ILLEGAL else 0)


def _status(g: Generator) -> int:
    return integer(g.rng) & ~(TVM | TW | TSR) | integer(g.rng) & bars(g) | g.rng.choice([0, FS, FS])


def _enabled(g: Generator) -> int:
    return integer(g.rng) & ~(STIP if g.timer == "supervisor" else 0)


PLANS: dict[str, Plan] = {
    "mstatus": Plan("wsc", _status),
    "sstatus": Plan("wsc", _status),
    "mtvec": Plan("w", _handler(layout.MACHINE_HANDLER)),
    "stvec": Plan("w", _handler(layout.SUPERVISOR_HANDLER)),
    "medeleg": Plan("ws", _delegated),
    "satp": Plan("w", lambda g: g.rng.choice(g.roots)),
    "menvcfg": Plan("w", _menvcfg, refresh=True),
    "senvcfg": Plan("w", lambda g: integer(g.rng) & ~FIOM),
    "mcounteren": Plan("w", _mcounteren),
    "mie": Plan("w", _enabled),
    "sie": Plan("w", _enabled),
    "stimecmp": Plan("w", lambda g: g.rng.choice([0, 1 << 63, (1 << 64) - 1]), refresh=True),
    "misa": Plan("", _never),
    **{f"pmpcfg{n}": Plan("", _never) for n in (0, 2)},  # protection.py
    **{f"pmpaddr{n}": Plan("", _never) for n in range(16)},
}
ANY = Plan()

# CSRs that Spike has and rvplat's harts haven't, or not yet: never accessed.
SPIKE_ONLY = {
    *range(0x7A0, 0x7B0), 0x5A8, *range(0x3A0, 0x3B0), *range(0x3B0, 0x3F0),
}  # fmt: skip


# --- what differs and may ------------------------------------------------------------------------

DIFFERENCES = (
    # (what, here, in Spike, where the manual leaves it open, how programs keep clear of it)
    ("menvcfg.FIOM and senvcfg.FIOM", "writable", "read-only zero",
     "Privileged, Machine Environment Configuration Register", "never set"),
    ("medeleg bit 19", "read-only zero", "writable",
     "Privileged, Machine Trap Delegation Registers", "never set"),
    ("misa", "read-only", "writable letters",
     "Privileged, Machine ISA Register: WARL", "never written"),
    ("pmpaddr16 to 63, pmpcfg4 to 14", "illegal", "zero",
     "Privileged, Physical Memory Protection CSRs: 0, 16 or 64 entries", "never accessed"),
    ("triggers, dcsr, scontext", "not there", "there", "Debug specification: optional",
     "never accessed"),
    ("time", "a clock", "50 more a trap", "Unprivileged, Zicntr", "its value isn't compared"),
    ("mvendorid, marchid, mimpid", "zero", "Spike's", "Privileged, Machine Architecture ID",
     "their values aren't compared"),
    ("STIP after stimecmp or menvcfg.STCE are written", "at once", "with the next trap",
     "Privileged, Supervisor Timer Register: eventually",
     "a trap follows, interrupts off (Generator.settle)"),
    ("misaligned LR, SC and AMO with Zicclsm", "misaligned exception", "access fault",
     "Unprivileged, Zaamo and Zalrsc: either", "only without Zicclsm"),
    ("LR of one size, SC of another at its address", "fails where more bytes are stored",
     "succeeds", "Unprivileged, Zalrsc: unconstrained sequences may fail", "pairs of one size"),
    ("SC without a reservation over a PMP boundary", "access fault", "fails",
     "Unprivileged, Zalrsc", "no atomic in layout.SPLIT"),
    ("a trap between LR and SC", "keeps the reservation", "drops it",
     "Unprivileged, Zalrsc: constrained sequences have no trap", "handlers store conditionally"),
    ("a store that crosses into a page that faults", "stores nothing", "stores the first part",
     "Unprivileged, Zicclsm; Privileged, Virtual Address Translation Process: not atomic",
     "stores cross only from one twin page to the other"),
    ("cbo.zero that faults: xtval", "rs1", "the block",
     "Unprivileged, CMO, Page-Fault ... Exceptions: Spike is wrong", "rs1 is aligned"),
    ("cbo.zero over a PMP boundary", "stores nothing", "stores the first part",
     "Unprivileged, CMO: not atomic", "no block operation in layout.SPLIT"),
    ("stores to code that no fence.i follows", "take effect", "take effect late",
     "Unprivileged, Zifencei", "a fence.i follows"),
    ("wfi while nothing is pending", "waits", "waits, and counts",
     "Privileged, Wait for Interrupt", "only with an enabled interrupt pending"),
)  # fmt: skip
