"""Why an address leads where it does: the walk of one or two stages, entry by entry.

    print(machine.explain(0x8000_1000, "store", world=2))  # of the guest with VMID 2

What decides is what decides for the harts: the definitions of `rvplat.hart.mmu` and `pmp`, run by
CPython on the hart's state. Nothing changes: no A or D bit, no trap, no cached translation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rvplat.errors import BusError
from rvplat.hart import memory_faults, mmu
from rvplat.hart.acceleration.contexts import guest_regime, regime_of
from rvplat.hart.acceleration.tlb import REGIME_VALID, REGIME_VIRT
from rvplat.hart.debugging.world_switches import GUESTS, vmid_of
from rvplat.hart.pmp import pmp_grant
from rvplat.isa.privileged import MACHINE, OFFSET_MASK, PAGE_MASK, SUPERVISOR, USER, EnvCfg
from rvplat.lang import u64
from rvplat.machine.inspection.trap_names import cause_name
from rvplat.machine.running.system import System

Access = Literal["load", "store", "fetch"]
Mode = Literal["M", "HS", "U", "VS", "VU"]
World = Literal["now", "host"] | int
"""The world that a hart is in, the host (V=0), or a guest by its VMID."""
MODES: dict[str, tuple[int, int]] = {
    "M": (MACHINE, 0), "HS": (SUPERVISOR, 0), "U": (USER, 0), "VS": (SUPERVISOR, 1), "VU": (USER, 1)
}  # fmt: skip
ACCESSES = ("load", "store", "fetch")
_WANTED: dict[str, int] = {"load": mmu.LOAD, "store": mmu.STORE, "fetch": mmu.FETCH}
_SCHEMES = {8: "Sv39", 9: "Sv48", 10: "Sv57"}
_MEMORY_TYPES = ("PMA", "NC", "IO", "reserved")
_FLAGS = "VRWXUGAD"
PTE_BYTES = 8


@dataclass(frozen=True)
class TableEntry:
    """A page-table entry that was looked at: `address` as the table names it, `pa` the physical one
    (None: not reached), `depth` how many walks it serves (1: of a guest's table's own address)."""

    stage: str
    level: int
    address: int
    pa: int | None
    pte: int
    verdict: str
    pmp: str = ""
    depth: int = 0

    def __str__(self) -> str:
        flags = "".join(c if self.pte >> i & 1 else "-" for i, c in enumerate(_FLAGS))[::-1]
        extra = " N" if self.pte >> 63 else ""
        if kind := self.pte >> 61 & 3:
            extra += f" PBMT={_MEMORY_TYPES[kind]}"
        where = f"{self.address:#x}"
        if self.pa is not None and self.pa != self.address:
            where += f" at {self.pa:#x}"
        return (
            f"{'    ' * self.depth}{self.stage} level {self.level}: entry {where} = "
            f"{self.pte:#018x} {flags}{extra}, PMP {self.pmp or '---'}: {self.verdict}"
        )


@dataclass(frozen=True)
class Fault:
    """The trap that the access would raise. `tinst` None: the transformation of the instruction
    that makes it; `handler` is the mode that takes it."""

    cause: int
    tval: int
    tval2: int
    tinst: int | None
    gva: bool
    handler: str

    def __str__(self) -> str:
        told = "the transformed instruction" if self.tinst is None else f"{self.tinst:#x}"
        own = {"M": ("mtval", "mtval2", "mtinst"), "HS": ("stval", "htval", "htinst")}
        text = f"{cause_name(self.cause)} ({self.cause}), taken in {self.handler} mode"
        if self.handler not in own:
            return f"{text}: vstval {self.tval:#x}"
        tval, tval2, tinst = own[self.handler]
        return (
            f"{text}: {tval} {self.tval:#x}, {tval2} {self.tval2:#x}, {tinst} {told}, "
            f"GVA {int(self.gva)}"
        )


@dataclass
class Explanation:
    """Where an access leads: `gpa` for guests, `pa` if it gets so far, or the `fault`."""

    world: str
    mode: str
    access: str
    va: int
    entries: list[TableEntry] = field(default_factory=list)
    gpa: int | None = None
    pa: int | None = None
    pmp: str = ""
    memory_type: str = "PMA"
    fault: Fault | None = None

    def __str__(self) -> str:
        lines = [f"{self.access} of {self.va:#x} in {self.mode} mode, {self.world}"]
        lines += [str(entry) for entry in self.entries]
        if self.gpa is not None:
            lines.append(f"guest physical address {self.gpa:#x}")
        if self.pa is not None:
            lines.append(
                f"physical address {self.pa:#x}, PMP {self.pmp}, memory type {self.memory_type}"
            )
        lines.append(f"fault: {self.fault}" if self.fault else "allowed")
        return "\n".join(lines)


class WalkFault(Exception):
    """The walk ended: a fault of mmu.py, and the guest's physical address and pseudoinstruction."""

    def __init__(self, fault: int, gpa: int = 0, tinst: int | None = None) -> None:
        self.fault, self.gpa, self.tinst = fault, gpa, tinst


def explain(
    machine: System, va: int, access: Access = "load", hart: int = 0,
    mode: Mode | None = None, world: World = "now",
) -> Explanation:  # fmt: skip
    """What an access of a stopped hart would do.

    `mode` is the hart's own if it isn't given; HS or VS in a world that the hart isn't in. A guest
    that no hart is in has the tables that it had when it was left last.

    LookupError for a guest that hasn't run, or a mode that the world doesn't have.
    """
    views = [one.view for one in machine.harts]
    view = views.pop(hart)
    virt = int(view.virt) if world == "now" else int(world != "host")
    here = virt == int(view.virt) and (isinstance(world, str) or vmid_of(view.hgatp) == world)
    mine: Any = next(
        name for name, value in MODES.items() if value == (int(view.priv), int(view.virt))
    )
    chosen = mode or (mine if here else "VS" if virt else "HS")
    if world != "now" and MODES[chosen][1] != virt:
        raise LookupError(f"{chosen} is no mode of {'a guest' if virt else 'the host'}")
    hgatp, vsatp = (
        _guest_roots([view, *views], world) if isinstance(world, int) else (view.hgatp, view.vsatp)
    )
    return _Walker(
        machine, view, va & (1 << 64) - 1, access, chosen, int(hgatp), int(vsatp)
    ).explain()


def known_guests(view: Any) -> dict[int, tuple[int, int]]:
    """hgatp and vsatp, by VMID, of the guests that a hart has had, as it left them last."""
    known = {
        int(vmid_of(view.guest_hgatp[i])): (int(view.guest_hgatp[i]), int(view.guest_vsatp[i]))
        for i in range(min(int(view.guest_count), GUESTS))
        if int(view.guest_hgatp[i])
    }
    if int(view.hgatp) or int(view.virt):
        known[int(vmid_of(view.hgatp))] = int(view.hgatp), int(view.vsatp)
    return known


def _guest_roots(views: Sequence[Any], vmid: int) -> tuple[int, int]:
    """hgatp and vsatp of a guest, by the first hart that knows it. LookupError if none does."""
    known: dict[int, tuple[int, int]] = {}
    for view in reversed(views):
        known |= known_guests(view)
    if vmid not in known:
        others = f"; those that have: {', '.join(map(str, sorted(known)))}" if known else ""
        raise LookupError(f"no guest with VMID {vmid} has run{others}")
    return known[vmid]


class _Walker:
    """One walk."""

    def __init__(
        self, machine: System, view: Any, va: int, access: str, mode: str, hgatp: int, vsatp: int
    ) -> None:  # fmt: skip
        self.memory = machine.memory
        self.bus = machine.bus
        self.view = view
        self.va = va
        self.access = access
        self.priv, self.virt = MODES[mode]
        self.hgatp, self.vsatp = hgatp, vsatp
        world = f"guest with VMID {int(vmid_of(u64(self.hgatp)))}" if self.virt else "host"
        self.found = Explanation(world, mode, access, va)
        self.memory_types = [0, 0]  # PBMT of the leaf of each stage

    def explain(self) -> Explanation:
        found = self.found
        try:
            self._translate()
            self._check_page()
        except WalkFault as refused:
            found.fault = self._fault(refused)
        return found

    def _translate(self) -> None:
        found = self.found
        if self.virt:
            root = self.vsatp if self.vsatp >> 60 else 0
            regime = int(guest_regime(self.view, u64(self.priv), u64(root)))
            found.gpa = self._stage("VS", self.va, root, regime, 0) | self.va & OFFSET_MASK
            found.pa = self._guest(found.gpa, _WANTED[self.access], regime, 0)
            kind = self.memory_types[0] or self.memory_types[1]
        else:
            active = self.priv != MACHINE and int(self.view.satp) >> 60
            root = int(self.view.satp) if active else 0
            regime = int(regime_of(self.view, u64(self.priv), u64(root)))
            found.pa = self._stage("S", self.va, root, regime, 0) | self.va & OFFSET_MASK
            kind = self.memory_types[0]
        found.memory_type = _MEMORY_TYPES[kind]

    # --- stages ---

    def _stage(self, name: str, va: int, root: int, regime: int, depth: int) -> int:
        """The only stage or a guest's first: the page."""
        if root == 0:
            return va & int(PAGE_MASK)
        levels = (root >> 60) - 5
        if not mmu.is_canonical(u64(va), u64(levels)):
            raise WalkFault(mmu.PAGE_FAULT)
        label = f"{name} {_SCHEMES[root >> 60]}"
        return self._tables(label, va, root, regime, levels, 0, _WANTED[self.access], depth)

    def _guest(self, gpa: int, wanted: int, regime: int, depth: int) -> int:
        """The second stage: the physical address."""
        if self.hgatp >> 60 == 0:
            return gpa
        levels = (self.hgatp >> 60) - 5
        if gpa >> (12 + 9 * levels + mmu.WIDER):
            raise WalkFault(mmu.GUEST_FAULT, gpa)
        label = f"G {_SCHEMES[self.hgatp >> 60]}x4"
        second = int(mmu.second_regime(u64(regime)))
        try:
            page = self._tables(label, gpa, self.hgatp, second, levels, mmu.WIDER, wanted, depth)
        except WalkFault as refused:
            if refused.fault == mmu.PAGE_FAULT:
                raise WalkFault(mmu.GUEST_FAULT, gpa) from None
            raise
        return page | gpa & OFFSET_MASK

    def _tables(
        self, label: str, va: int, root: int, regime: int, levels: int, wide: int, wanted: int,
        depth: int,
    ) -> int:  # fmt: skip
        """Down the tables: `mmu.walk_tables`, told."""
        table = (root & mmu.SATP_PPN) << 12
        for level in range(levels - 1, -1, -1):
            mask = (0x200 << wide) - 1 if level == levels - 1 else 0x1FF
            address = table + (va >> (12 + 9 * level) & mask) * PTE_BYTES
            pa = self._entry_address(address, regime, depth)
            pte, pmp = self._read_entry(label, level, address, pa, depth)
            verdict, fault = self._judge(pte, level, wanted, regime)
            self.found.entries.append(
                TableEntry(label, level, address, pa, pte, verdict, pmp, depth)
            )
            if fault:
                raise WalkFault(fault)
            if mmu.is_leaf(u64(pte)):
                if mmu.lacks_bits(u64(pte), u64(wanted)):
                    self._update(address, pa, regime, depth)
                if depth == 0:
                    self.memory_types[int(label.startswith("G"))] = pte >> 61 & 3
                return int(mmu.leaf_page(u64(pte), u64(va), u64(level))) & int(PAGE_MASK)
            table = (pte & mmu.PTE_PPN) << 2
        raise WalkFault(mmu.PAGE_FAULT)

    def _entry_address(
        self, address: int, regime: int, depth: int, wanted: int = mmu.LOAD
    ) -> int:  # fmt: skip
        """The physical address of an entry; a guest's goes through the second stage."""
        if not regime & REGIME_VIRT:
            return address
        try:
            return self._guest(address, wanted, REGIME_VALID | REGIME_VIRT, depth + 1)
        except WalkFault as refused:
            pseudo = mmu.READ_ENTRY if wanted == mmu.LOAD else mmu.WRITE_ENTRY
            tinst = pseudo if refused.fault == mmu.GUEST_FAULT else None
            raise WalkFault(refused.fault, refused.gpa, tinst) from None

    def _update(self, address: int, pa: int, regime: int, depth: int) -> None:
        """A or D would be set: whether the entry can be written. Its walk is told if it can't."""
        told = self.found.entries[:]
        self._entry_address(address, regime, depth, mmu.STORE)
        self.found.entries[:] = told
        granted = int(pmp_grant(self.view, u64(pa), u64(PTE_BYTES), u64(SUPERVISOR)))
        if not granted & mmu.STORE:
            raise WalkFault(mmu.ACCESS_FAULT)

    def _read_entry(
        self, label: str, level: int, address: int, pa: int, depth: int
    ) -> tuple[int, str]:
        """(entry, what PMP grants S mode there)."""
        granted = int(pmp_grant(self.view, u64(pa), u64(PTE_BYTES), u64(SUPERVISOR)))
        try:
            if not granted & mmu.LOAD:
                raise BusError(f"PMP at {pa:#x}")
            return int.from_bytes(self.memory.read(pa, PTE_BYTES), "little"), _letters(granted)
        except BusError:
            verdict = "can't be read"
            self.found.entries.append(
                TableEntry(label, level, address, pa, 0, verdict, _letters(granted), depth)
            )
            raise WalkFault(mmu.ACCESS_FAULT) from None

    def _judge(self, pte: int, level: int, wanted: int, regime: int) -> tuple[str, int]:
        """What an entry means, and the fault, or 0."""
        entry, rules = u64(pte), u64(regime)
        if mmu.is_malformed(self.view, entry, rules):
            return ("not valid" if not pte & mmu.PTE_V else "reserved"), mmu.PAGE_FAULT
        if not mmu.is_leaf(entry):
            if pte & mmu.PTE_NOT_IN_POINTER or level == 0:
                return "a pointer that can't be one", mmu.PAGE_FAULT
            return "pointer", 0
        if mmu.is_misplaced(entry, u64(level)):
            return "a misaligned superpage", mmu.PAGE_FAULT
        if not int(mmu.permissions(entry, rules)) & wanted:
            return "not permitted", mmu.PAGE_FAULT
        if mmu.lacks_bits(entry, u64(wanted)):
            if mmu.enabled(self.view, rules, u64(EnvCfg.ADUE)):
                return "leaf, A or D to be set", 0
            return "A or D is clear", mmu.PAGE_FAULT
        return "leaf", 0

    # --- the end ---

    def _check_page(self) -> None:
        """PMP, and whether there is memory or a device."""
        found = self.found
        assert found.pa is not None
        granted = int(pmp_grant(self.view, u64(found.pa), u64(1), u64(self.priv)))
        found.pmp = _letters(granted)
        if not granted & _WANTED[self.access] or not self._answers(found.pa):
            raise WalkFault(mmu.ACCESS_FAULT)

    def _answers(self, pa: int) -> bool:
        """Whether memory is there, or, for data, a device."""
        if self.bus.window_at(pa) is not None:
            return self.access != "fetch"
        return any(one.base <= pa < one.base + one.size for one in self.memory.regions)

    def _fault(self, refused: WalkFault) -> Fault:
        wanted = _WANTED[self.access]
        cause = int(memory_faults.fault_cause(u64(wanted), u64(refused.fault)))
        gpa = refused.gpa if refused.fault == mmu.GUEST_FAULT else 0
        tinst = refused.tinst
        if tinst is None and (self.access == "fetch" or int(self.view.tinst_zero)):
            tinst = 0
        return Fault(cause, self.va, gpa >> 2, tinst, bool(self.virt), self._handler(cause))

    def _handler(self, cause: int) -> str:
        """The mode that takes the trap."""
        view = self.view
        if self.priv == MACHINE or not int(view.medeleg) >> cause & 1:
            return "M"
        return "VS" if self.virt and int(view.hedeleg) >> cause & 1 else "HS"


def _letters(grant: int) -> str:
    return "".join(c if grant >> i & 1 else "-" for i, c in enumerate("rwx"))


__all__ = ["MODES", "Access", "Explanation", "Fault", "Mode", "TableEntry", "explain"]
