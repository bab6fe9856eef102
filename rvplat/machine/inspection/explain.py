"""Explain a translation: the page-table walk of one or two stages, entry by entry.

    print(machine.explain(0x8000_1000, "store", world=2))  # of the guest with VMID 2

CPython runs the harts' own `walk` (hart/mmu.py) on a copy of the hart's state; an observer makes an
entry for each step of the walk. Nothing changes: no A or D bit, no trap, no cached translation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from rvplat.frozen import frozen
from rvplat.hart import memory_faults, mmu
from rvplat.hart.acceleration.contexts import (
    guest_regime,
    guest_root,
    regime_of,
    translation_root,
)
from rvplat.hart.acceleration.guest_tables import forget_tables
from rvplat.hart.acceleration.tlb import REGIME_VIRT
from rvplat.hart.debugging.world_switches import GUESTS, vmid_of
from rvplat.hart.page_tables import FETCH, LOAD, PTE_V, STORE, address_in, is_leaf
from rvplat.hart.pmp import pmp_grant
from rvplat.hart.pointer_masking import masking_of, transformed
from rvplat.hart.trap import TO_GUEST, handler_of
from rvplat.isa.machinery.xlen import TYPES
from rvplat.isa.privileged import MACHINE, OFFSET_MASK, SUPERVISOR, USER
from rvplat.lang import Unwind, observed, standing_for, u64
from rvplat.machine.inspection.trap_names import cause_name
from rvplat.machine.running.system import System
from rvplat.tables import html_table

Access = Literal["load", "store", "fetch"]
Mode = Literal["M", "HS", "U", "VS", "VU"]
World = Literal["now", "host"] | int
"""The world that a hart is in, the host (V=0), or a guest by its VMID."""
MODES: dict[str, tuple[int, int]] = {
    "M": (MACHINE, 0), "HS": (SUPERVISOR, 0), "U": (USER, 0), "VS": (SUPERVISOR, 1), "VU": (USER, 1)
}  # fmt: skip
ACCESSES = ("load", "store", "fetch")
_WANTED: dict[str, int] = {"load": LOAD, "store": STORE, "fetch": FETCH}
_SCHEMES = {1: "Sv32", 8: "Sv39", 9: "Sv48", 10: "Sv57"}
_MEMORY_TYPES = ("PMA", "NC", "IO", "reserved")
_FLAGS = "VRWXUGAD"
_HANDLERS = {MACHINE: "M", SUPERVISOR: "HS", TO_GUEST: "VS"}


@frozen
class TableEntry:
    """A page-table entry that the walk used. `address` is its address as the pointer to the table
    gives it; `pa` its physical address (None: not reached); `depth` is 1 for an entry that
    translates the address of a guest's page table, else 0."""

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


@frozen
class Fault:
    """The trap that the access would raise. `tinst` is None if it depends on the instruction that
    makes the access; `handler` is the mode that takes the trap."""

    cause: int
    tval: int
    tval2: int
    tinst: int | None
    gva: bool
    handler: str

    def __str__(self) -> str:
        tinst_value = "the transformed instruction" if self.tinst is None else f"{self.tinst:#x}"
        own = {"M": ("mtval", "mtval2", "mtinst"), "HS": ("stval", "htval", "htinst")}
        text = f"{cause_name(self.cause)} ({self.cause}), taken in {self.handler} mode"
        if self.handler not in own:
            return f"{text}: vstval {self.tval:#x}"
        tval, tval2, tinst = own[self.handler]
        return (
            f"{text}: {tval} {self.tval:#x}, {tval2} {self.tval2:#x}, {tinst} {tinst_value}, "
            f"GVA {int(self.gva)}"
        )


@dataclass
class Explanation:
    """The result of an access: `gpa` for guests, and `pa` if it is reached, or the `fault`."""

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
    transformed: int | None = None  # the address that is used, if pointer masking changes it

    def __str__(self) -> str:
        lines = [f"{self.access} of {self.va:#x} in {self.mode} mode, {self.world}"]
        if self.transformed is not None:
            lines.append(f"pointer masking makes it {self.transformed:#x}")
        lines += [str(entry) for entry in self.entries]
        if self.gpa is not None:
            lines.append(f"guest physical address {self.gpa:#x}")
        if self.pa is not None:
            lines.append(
                f"physical address {self.pa:#x}, PMP {self.pmp}, memory type {self.memory_type}"
            )
        lines.append(f"fault: {self.fault}" if self.fault else "allowed")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """For notebooks: the walk, and how it ends."""
        first, *_, last = str(self).splitlines()
        rows = [
            (one.stage, one.level, f"{one.address:#x}", f"{one.pte:#018x}", one.pmp, one.verdict)
            for one in self.entries
        ]
        ends = [f"guest physical {self.gpa:#x}"] if self.gpa is not None else []
        ends += [f"physical {self.pa:#x}, PMP {self.pmp}"] if self.pa is not None else []
        head = ("stage", "level", "entry", "value", "PMP", "verdict")
        return html_table(first, head, rows) + html_table(last, (), [(one,) for one in ends])


def explain(
    machine: System, va: int, access: Access = "load", hart: int = 0,
    mode: Mode | None = None, world: World = "now",
) -> Explanation:  # fmt: skip
    """Explain an access that a stopped hart would make.

    `mode` defaults to the hart's mode, or to HS or VS in a world that the hart isn't in. A guest
    that no hart runs has the tables from its last exit.

    LookupError if the guest has not run or the world lacks the mode.
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
    """hgatp and vsatp, by VMID, of the guests that a hart has run, from the last exit of each."""
    known = {
        int(vmid_of(view.guest_hgatp[i])): (int(view.guest_hgatp[i]), int(view.guest_vsatp[i]))
        for i in range(min(int(view.guest_count), GUESTS))
        if int(view.guest_hgatp[i])
    }
    if int(view.hgatp) or int(view.virt):
        known[int(vmid_of(view.hgatp))] = int(view.hgatp), int(view.vsatp)
    return known


def _guest_roots(views: Sequence[Any], vmid: int) -> tuple[int, int]:
    """hgatp and vsatp of a guest, from the first hart that has run it. LookupError if none has."""
    known: dict[int, tuple[int, int]] = {}
    for view in reversed(views):
        known |= known_guests(view)
    if vmid not in known:
        others = f"; those that have: {', '.join(map(str, sorted(known)))}" if known else ""
        raise LookupError(f"no guest with VMID {vmid} has run{others}")
    return known[vmid]


class _Recorder:
    """Make an entry for each event of the walk (hart/walk_events.py)."""

    def __init__(self, found: Explanation, view: Any) -> None:
        self.found = found
        self.view = view
        self.entries = found.entries
        self.depth = 1  # of second-stage entries: 1 while they translate addresses of guest tables
        self._checked: tuple[int, str] | None = None  # for the entry that is read next
        self._updates: list[int] = []  # the number of entries when each update began
        self._repeated: tuple[int, int] | None = None  # stage and address of an updated leaf

    def table_accessed(self, address: int) -> None:
        """Cached second-stage translations would hide entries."""
        forget_tables(self.view)

    def second_stage_began(self, gpa: int) -> None:
        forget_tables(self.view)
        self.found.gpa = int(gpa) | self.found.va & OFFSET_MASK
        self.depth = 0

    def entry_checked(self, pa: int, granted: int) -> None:
        self._checked = int(pa), letters(granted)

    def entry_refused(self, regime: int, level: int, address: int) -> None:
        if self._checked is not None:
            self._add(regime, level, address, 0, "can't be read")

    def entry_read(self, regime: int, level: int, address: int, pte: int) -> None:
        if self._repeated is None:
            self._add(regime, level, address, pte, "leaf" if is_leaf(u64(pte)) else "pointer")
        elif self._repeated == (int(regime) & REGIME_VIRT, int(address)):
            self._repeated = None  # the leaf, as it is after its update

    def _add(self, regime: int, level: int, address: int, pte: int, verdict: str) -> None:
        stage, depth = self._stage(int(regime))
        pa, pmp = self._checked or (None, "")
        self._checked = None
        row = TableEntry(stage, int(level), int(address), pa, int(pte), verdict, pmp, depth)
        self.entries.append(row)

    def _stage(self, regime: int) -> tuple[str, int]:
        """The name of the stage of a walk, and the depth of its entries."""
        view = self.view
        if regime & REGIME_VIRT:
            return f"VS {_SCHEMES[int(view.vsatp) >> 60]}", 0
        if int(view.virt):
            return f"G {_SCHEMES[int(view.hgatp) >> 60]}x4", self.depth
        return f"S {_SCHEMES[int(view.satp) >> 60]}", 0

    def judge(self, verdict: str) -> None:
        """Change the verdict of the last entry."""
        self.entries[-1] = replace(self.entries[-1], verdict=verdict)

    def refuse_pointer(self) -> None:
        """The walk ended at the last entry. If it is a pointer, it is invalid at its level."""
        if self.entries and self.entries[-1].verdict == "pointer":
            self.judge("an invalid pointer")

    def entry_malformed(self) -> None:
        self.judge("reserved" if self.entries[-1].pte & PTE_V else "not valid")

    def leaf_misplaced(self) -> None:
        self.judge("a misaligned superpage")

    def leaf_denied(self) -> None:
        self.judge("not permitted")

    def leaf_lacks_bits(self) -> None:
        self.judge("A or D is clear")

    def update_began(self) -> None:
        self.judge("leaf, A or D to be set")
        self._updates.append(len(self.entries))

    def update_ended(self) -> None:
        """Drop the entries of the update's walk, which repeat those of the first walk."""
        del self.entries[self._updates.pop() :]
        leaf = self.entries[-1]
        is_first = leaf.stage.startswith("VS")
        self._repeated = int(REGIME_VIRT) if is_first else 0, leaf.address


class _Walker:
    """One walk, on a copy of the hart's state (`observed`)."""

    def __init__(
        self, machine: System, view: Any, va: int, access: str, mode: str, hgatp: int, vsatp: int
    ) -> None:  # fmt: skip
        self.memory = machine.memory
        self.bus = machine.bus
        self.view = view
        self.va = va
        self.access = access
        self.wanted = u64(_WANTED[access])
        self.priv, self.virt = MODES[mode]
        self.hgatp, self.vsatp = hgatp, vsatp
        self.types = TYPES[machine.core.architecture.xlen]
        world = f"guest with VMID {int(vmid_of(u64(self.hgatp)))}" if self.virt else "host"
        self.found = Explanation(world, mode, access, va)

    def explain(self) -> Explanation:
        recorder = _Recorder(self.found, self.view)
        with observed(recorder), standing_for(self.types):
            self._enter_world()
            self._mask()
            found = mmu.walk(self.view, u64(self.va), self.wanted, self._regime())
            fault = int(found.fault)
            if fault == mmu.NO_FAULT:
                self.found.pa = int(address_in(found.page, u64(self.va)))
                self.found.memory_type = _MEMORY_TYPES[self._memory_type()]
                fault = self._check_page(self.found.pa)
            elif fault != mmu.ACCESS_FAULT:
                recorder.refuse_pointer()
            if fault != mmu.NO_FAULT:
                self.found.fault = self._fault(fault)
        return self.found

    def _enter_world(self) -> None:
        view = self.view
        view.priv, view.virt = self.priv, self.virt
        view.hgatp, view.vsatp = self.hgatp, self.vsatp
        view.data.regime = view.fetches.regime = self._regime()

    def _mask(self) -> None:
        """Apply pointer masking to the address of a load or store."""
        priv, virt = u64(self.priv), bool(self.virt)
        root = guest_root(self.view) if virt else translation_root(self.view, priv)
        masking = masking_of(self.view, priv, virt)
        used = int(transformed(u64(self.va), masking, root))
        if self.access != "fetch" and used != self.va:
            self.found.transformed = self.va = used

    def _regime(self) -> u64:
        """The rules of an access in this mode. MPRV has no effect: the caller chose the mode."""
        view, priv = self.view, u64(self.priv)
        if self.virt:
            return u64(guest_regime(view, priv, guest_root(view)))
        return u64(regime_of(view, priv, translation_root(view, priv)))

    def _memory_type(self) -> int:
        """PBMT of the first stage's leaf; if that is PMA, of the second stage's leaf."""
        leaves = {one.stage: one.pte >> 61 & 3 for one in self.found.entries if one.depth == 0}
        return next((kind for kind in leaves.values() if kind), 0)

    def _check_page(self, pa: int) -> int:
        """Check PMP and whether there is memory or a device."""
        granted = int(pmp_grant(self.view, u64(pa), u64(1), u64(self.priv)))
        self.found.pmp = letters(granted)
        allowed = granted & int(self.wanted) and self._answers(pa)
        return mmu.NO_FAULT if allowed else mmu.ACCESS_FAULT

    def _answers(self, pa: int) -> bool:
        """Whether there is memory, or, for data, a device."""
        if self.bus.window_at(pa) is not None:
            return self.access != "fetch"
        return any(one.base <= pa < one.base + one.size for one in self.memory.regions)

    def _fault(self, fault: int) -> Fault:
        """The trap that the hart's own definition raises."""
        view = self.view
        transforms = self.access != "fetch" and not int(view.tinst_zero)
        view.tinst_zero = 1  # which instruction makes the access isn't known
        with contextlib.suppress(Unwind):
            memory_faults.raise_fault(view, u64(self.va), self.wanted, u64(fault))
        cause, tinst = int(view.trap_cause), int(view.trap_tinst)
        return Fault(
            cause, int(view.trap_tval), int(view.trap_tval2),
            None if transforms and tinst == 0 else tinst,
            bool(int(view.trap_gva)), _HANDLERS[int(handler_of(view, u64(cause)))],
        )  # fmt: skip


def letters(grant: int) -> str:
    return "".join(c if grant >> i & 1 else "-" for i, c in enumerate("rwx"))


__all__ = ["MODES", "Access", "Explanation", "Fault", "Mode", "TableEntry", "explain"]
