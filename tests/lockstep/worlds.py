"""The modes that programs run in, and the values that they may write to CSRs.

A new world is a row of WORLDS, and its CSRs are rows of PLANS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import layout
from .operands import integer

if TYPE_CHECKING:
    from .generator import Generator

LETTERS, MORE = "rv64imafdc", "_zicsr_zifencei_zicntr_zihpm"
UNPRIVILEGED = (
    MORE + "_zicond_zicbom_zicbop_zicboz_zihintpause_zihintntl_zawrs_zfa_zba_zbb_zbc_zbs_svinval"
)
STRICT = UNPRIVILEGED + "_svnapot_svpbmt_svadu_sstc"
# What rv_scalar.py names. Programs with `few=False` are made without it.
FEW = "_zcb_zimop_zcmop_zacas_zabha_zfhmin_zfh_zfbfmin_zbkb_zbkc_zbkx_zknd_zkne_zknh_zksed_zksh_zkt"
MASKS = "_smcntrpmf_smmpm_smnpm_ssnpm"
EVERYTHING = f"{LETTERS}h{STRICT}_zicclsm_smstateen{MASKS}{FEW}"
# ISA strings of harts, and their weights. Programs use all instructions: missing ones trap.
ISAS = {
    EVERYTHING: 7, f"{LETTERS}h{STRICT}_zicclsm_smstateen{FEW}": 3,
    f"{LETTERS}h{STRICT}_smstateen{FEW}": 4, f"{LETTERS}h{STRICT}{MASKS}": 3,
    f"{LETTERS}h{UNPRIVILEGED}": 1, f"{LETTERS}h{MORE}{FEW}": 1,
    f"{LETTERS}{STRICT}_zicclsm": 1, f"{LETTERS}{STRICT}{FEW}": 1, LETTERS + MORE: 1,
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """A mode: its name, the mstatus bits with which mret enters it, and the U bit of its pages."""

    name: str
    status: int
    user: bool
    weight: int
    code: range  # the pages of its sections
    virtual: bool = False


MACHINE, SUPERVISOR, USER, GUEST, GUEST_USER = "M", "HS", "U", "VS", "VU"
MPP, MPV = 3 << 11, 1 << 39
WORLDS = {
    world.name: world
    for world in (
        World(MACHINE, 3 << 11, False, 6, range(16, 20)),
        World(SUPERVISOR, 1 << 11, False, 4, range(20, 23)),
        World(USER, 0 << 11, True, 2, range(23, 25)),
        World(GUEST, MPV | 1 << 11, False, 9, range(25, 29), True),
        World(GUEST_USER, MPV | 0 << 11, True, 8, range(29, 32), True),
    )
}
MODES = {(3, 0): MACHINE, (1, 0): SUPERVISOR, (0, 0): USER, (1, 1): GUEST, (0, 1): GUEST_USER}
"""Worlds by privilege and V."""

# --- the values that may be written to a CSR -----------------------------------------------------

Value = Callable[["Generator"], int]
ALL_FORMS = "wsc"  # csrrw, csrrs, csrrc


@dataclass(frozen=True)
class Plan:
    """How a CSR may be written: the forms and the values. With `refresh` the code of
    Generator.settle must follow, because Spike or a TLB notices the write late."""

    forms: str = ALL_FORMS
    value: Value = lambda g: integer(g.rng)
    refresh: bool = False
    fields: int = 0  # if not 0, the only bits that modes below M write


def _handler(page: int, guests: int) -> Value:
    """The address of a handler, with any mode; with V=1 it is the guest's handler."""

    def value(g: Generator) -> int:
        mode = g.rng.choice([0, 0, 1, 2, 3])
        return layout.address(guests if g.world.virtual else page) | mode

    return value


def _never(g: Generator) -> int:
    return 0


FIOM = 1 << 0
STCE, PBMTE, ADUE = 1 << 63, 1 << 62, 1 << 61
PMM, PMM_SHIFT = 3 << 32, 32
STIP, VSTIP = 1 << 5, 1 << 6
TVM, TW, TSR, FS = 1 << 20, 1 << 21, 1 << 22, 3 << 13
VTSR, VTW, VTVM = 1 << 22, 1 << 21, 1 << 20
ONLY_VGEIN = 1 << 12  # with GEILEN 1, greater numbers are illegal
DELEGABLE = 0xF0_B7FF
FETCH_MISALIGNED, SOFTWARE_CHECK = 0, 18
FETCH_ACCESS, ILLEGAL, LOAD_ACCESS, STORE_ACCESS, SUPERVISOR_CALL = 1, 2, 5, 7, 9
OTHERWISE = {0xC01, 0xF11, 0xF12, 0xF13}  # time and identity: their values differ from Spike's
TINST = {0x34A, 0x64A}  # mtinst and htinst: with transformed instructions they differ too
TIMER_COUNTER = 1 << 1  # of mcounteren
GUEST_LINE = 1 << 1  # of hgeie
CACHE_FIELDS = 0xF0  # of henvcfg
STATE_CONTEXT, STATE_INDIRECT = 1 << 0, 1 << 60  # of mstateen0
STATE_ENVCFG, STATE_ENABLE = 1 << 62, 1 << 63


def _delegated(g: Generator) -> int:
    """Without the exit from a lower mode to M mode, and without access faults, because handlers
    might loop in them."""
    never = 1 << FETCH_ACCESS | 1 << LOAD_ACCESS | 1 << STORE_ACCESS | 1 << g.exit_cause
    return g.rng.choice([DELEGABLE, g.rng.getrandbits(24)]) & DELEGABLE & ~never


def _delegated_further(g: Generator) -> int:
    never = 1 << FETCH_MISALIGNED | 1 << SOFTWARE_CHECK
    return g.rng.choice([DELEGABLE, integer(g.rng)]) & ~never


def _environment(g: Generator) -> int:
    """For menvcfg and henvcfg: ADUE and PBMTE are set half of the time. Never are 16 bits masked,
    because the handlers may use addresses of Sv57."""
    both = g.rng.choice([0, ADUE, PBMTE, ADUE | PBMTE]) | g.rng.choice([0, 2, 2]) << PMM_SHIFT
    return integer(g.rng) & ~(FIOM | STCE | ADUE | PBMTE | PMM) | both


def _masks(g: Generator) -> int:
    """For mseccfg: the other fields are those of extensions that only Spike has."""
    return g.rng.choice([0, 1, 2, 3]) << PMM_SHIFT


def _menvcfg(g: Generator) -> int:
    """With H, STCE isn't cleared, because Spike keeps VSTIP then."""
    value = _environment(g)
    if g.timer == "none":
        return value
    return value | STCE if g.hypervisor else value | g.rng.getrandbits(1) << 63


def _henvcfg(g: Generator) -> int:
    return _environment(g) | (STCE if g.guest_timer else 0)


def _mcounteren(g: Generator) -> int:
    """Only M mode may write stimecmp while a write could raise an interrupt."""
    return integer(g.rng) & ~(TIMER_COUNTER if g.timer == "machine" else 0)


def bars(g: Generator) -> int:
    """TVM, TW and TSR. TSR is left out if S mode handles illegal instructions, because its handler
    ends with sret."""
    return TVM | TW | (TSR if g.exit_cause == ILLEGAL else 0)


def _status(g: Generator) -> int:
    return integer(g.rng) & ~(TVM | TW | TSR) | integer(g.rng) & bars(g) | g.rng.choice([0, FS, FS])


def _guest_status(g: Generator) -> int:
    return integer(g.rng) | g.rng.choice([0, FS, FS])


def _hstatus(g: Generator) -> int:
    """Seldom with a bit that denies a guest access to its own tables."""
    guarded = VTSR | VTW | VTVM
    allowed = guarded & integer(g.rng) if g.rng.randrange(4) == 0 else 0
    return integer(g.rng) & ~(guarded | ONLY_VGEIN) | allowed


def _enabled(g: Generator) -> int:
    """In the guest's numbering VSTIP is STIP."""
    return integer(g.rng) & ~(STIP | VSTIP if g.timer == "supervisor" else 0)


def _compared(g: Generator) -> int:
    """For stimecmp: far from any time that either side reaches, with any htimedelta."""
    return g.rng.choice([0, 1 << 61, 1 << 63, 7 << 61, (1 << 64) - 1])


def _delta(g: Generator) -> int:
    return g.rng.choice([0, 1 << 62, 3 << 62]) + g.rng.getrandbits(40)


def _space(g: Generator) -> int:
    return g.spaces.vsatp() if g.world.virtual else g.spaces.satp()


def _state(g: Generator) -> int:
    value = g.rng.choice([(1 << 64) - 1, STATE_ENVCFG | STATE_ENABLE, integer(g.rng)])
    return value & ~(STATE_CONTEXT | STATE_INDIRECT)


SUPERVISORS = _handler(layout.SUPERVISOR_HANDLER, layout.GUEST_HANDLER)
GUESTS = _handler(layout.GUEST_HANDLER, layout.GUEST_HANDLER)
PLANS: dict[str, Plan] = {
    "mstatus": Plan("wsc", _status),
    "sstatus": Plan("wsc", _status),
    "mtvec": Plan("w", _handler(layout.MACHINE_HANDLER, layout.MACHINE_HANDLER)),
    "stvec": Plan("w", SUPERVISORS),
    "medeleg": Plan("ws", _delegated),
    "satp": Plan("w", _space),
    "menvcfg": Plan("w", _menvcfg, refresh=True),
    "senvcfg": Plan("w", lambda g: integer(g.rng) & ~(FIOM | PMM) | _masks(g)),
    "mseccfg": Plan("w", _masks),
    "mcounteren": Plan("w", _mcounteren),
    "mie": Plan("w", _enabled),
    "sie": Plan("w", _enabled),
    "stimecmp": Plan("w", _compared, refresh=True),
    "misa": Plan("", _never),
    **{f"pmpcfg{n}": Plan("", _never) for n in (0, 2)},  # protection.py
    **{f"pmpaddr{n}": Plan("", _never) for n in range(16)},
    "mtinst": Plan("w"),
    **{f"mstateen{n}": Plan("ws", _state) for n in range(4)},
    "hstatus": Plan("wsc", _hstatus),
    "hedeleg": Plan("ws", _delegated_further),
    "hie": Plan("w", _enabled),
    "hgeie": Plan("ws", lambda g: integer(g.rng) & ~GUEST_LINE),
    "henvcfg": Plan("w", _henvcfg, refresh=True, fields=CACHE_FIELDS),
    "htimedelta": Plan("w", _delta, refresh=True),
    "htinst": Plan("w"),
    "hgatp": Plan("w", lambda g: g.spaces.hgatp()),
    **{f"hstateen{n}": Plan("ws", _state) for n in range(4)},
    "sstateen0": Plan("ws", _state),
    "vsstatus": Plan("wsc", _guest_status),
    "vstvec": Plan("w", GUESTS),
    "vsie": Plan("w", _enabled),
    "vsatp": Plan("w", lambda g: g.spaces.vsatp()),
    "vstimecmp": Plan("w", _compared, refresh=True),
}
ANY = Plan()

# CSRs that Spike has and rvplat's harts lack: programs never access them.
SPIKE_ONLY = {
    *range(0x7A0, 0x7B0), 0x5A8, 0x6A8, *range(0x3A0, 0x3B0), *range(0x3B0, 0x3F0), 0x747,
}  # fmt: skip


# --- differences that the manual allows ----------------------------------------------------------

DIFFERENCES = (
    # (what, here, in Spike, where the manual leaves it open, how programs avoid it)
    ("FIOM in menvcfg, senvcfg and henvcfg", "writable", "read-only zero",
     "Privileged, Machine Environment Configuration Register", "never set"),
    ("medeleg bits 18 and 19", "read-only zero", "19 is writable",
     "Privileged, Machine Trap Delegation Registers", "never set"),
    ("misa", "read-only", "writable letters",
     "Privileged, Machine ISA Register: WARL", "never written"),
    ("pmpaddr16 to 63, pmpcfg4 to 14", "illegal", "zero",
     "Privileged, Physical Memory Protection CSRs: 0, 16 or 64 entries", "never accessed"),
    ("triggers, dcsr, scontext", "not there", "there", "Debug specification: optional",
     "never accessed"),
    ("mseccfg without Smmpm; MML, MMWP and RLB", "illegal; read-only zero", "there; writable",
     "Privileged, Machine Security Configuration Register", "never accessed; never set"),
    ("xtval of sc outside RAM with pointer masking", "the transformed address", "sc's own",
     "Privileged, Memory Accesses Subject to Pointer Masking: Spike is wrong, mended since",
     "lr and sc have addresses in RAM without tags there"),
    ("time", "a clock", "50 more a trap", "Unprivileged, Zicntr", "its value isn't compared"),
    ("mvendorid, marchid, mimpid", "zero", "Spike's", "Privileged, Machine Architecture ID",
     "their values aren't compared"),
    ("STIP and VSTIP after stimecmp, vstimecmp, htimedelta or STCE are written", "at once",
     "with the next trap", "Privileged, Supervisor Timer Register: eventually",
     "a trap follows, interrupts off (Generator.settle)"),
    ("VSTIP after STCE is cleared", "hvip's", "stays as it was",
     "Privileged, Virtual Supervisor Timer Register: Spike is wrong", "STCE stays set with H"),
    ("stimecmp and vstimecmp at reset", "all ones", "zero", "Privileged, Reset: unspecified",
     "written first"),
    ("hedeleg bit 0 with C; bit 18", "read-only zero; writable", "writable; read-only zero",
     "Privileged, Hypervisor Trap Delegation Registers: needed with IALIGN 32 alone; WARL",
     "never set"),
    ("SGEI in mie, hie and mideleg with GEILEN 0", "read-only zero", "writable; one in mideleg",
     "Privileged, Hypervisor Guest External Interrupt Registers: Spike is wrong",
     "GEILEN is 1 here; hgeie bit 1 and VGEIN 1 are never set"),
    ("mstateen0 bits 0 and 60", "read-only zero", "writable",
     "Privileged, State Enable 0 Registers: zero without the state that they control",
     "never set"),
    ("vsatp written by its number with a mode that isn't there", "nothing", "ASID and PPN",
     "Privileged, Virtual Supervisor Address Translation and Protection Register: either",
     "only satp is written so"),
    ("htinst and mtinst for explicit accesses", "transformed or zero, a setting", "zero",
     "Privileged, Transformed Instruction or Pseudoinstruction for mtinst or htinst: either",
     "zero in two programs of three; in the third tinst.py knows what is expected"),
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
